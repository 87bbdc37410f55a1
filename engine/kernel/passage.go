package kernel

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/journal"
)

// Passage is one ask through guards: the Env of the guards and the Work that they protect. Work of the edge's guard is the
// callee's guard, whose work is the delivery. It belongs to its caller's goroutine, but for the tries of a hedge.
type Passage struct {
	c    Caller
	to   target
	m    engine.Msg
	meta engine.Meta
	call guard.Call
	seed uint64

	exchange Exchange // of a proxied exchange; nil for messages
	opened   bool     // it is taken in steps, and the guard has begun
	inner    bool     // the edge's guard has been passed
	tried    bool     // an attempt has reached the callee, or its guard; of a hedge's, under mu

	mu     sync.Mutex
	hedged []Caller // who makes the tries of a hedge, from 1
	// payload and oversize are what the journal keeps of what the call carries.
	payload  json.RawMessage
	oversize int
	// degraded is the callee's guard's call, when its fallback answered.
	degraded *guard.Call
}

// take gives the caller's spare passage, made ready.
func take(c Caller, t *target, q *Question) *Passage {
	p := c.Kept().take()
	p.c, p.to, p.m, p.meta, p.exchange = c, *t, q.Msg, q.Meta, q.Exchange
	return p
}

// To is the path of who is asked, Message and Meta what.
func (p *Passage) To() string { return p.to.name() }

// Msg is the message.
func (p *Passage) Msg() *engine.Msg { return &p.m }

// Meta is what it carries.
func (p *Passage) Meta() *engine.Meta { return &p.meta }

// Tried tells whether an attempt has reached the callee, or its guard.
func (p *Passage) Tried() bool { return p.tried }

// Degraded tells whether a fallback answered.
func (p *Passage) Degraded() bool { return p.fallback() != nil }

// fallback is the call as the guard saw it whose fallback answered, the edge's before the callee's; nil when none did.
func (p *Passage) fallback() *guard.Call {
	if p.call.Degraded {
		return &p.call
	}
	return p.degraded
}

// prepare fills what guards see of the call.
func (p *Passage) prepare(timeout time.Duration) {
	p.seed = p.c.Seed(p.to.only, p.to.group)
	v := p.c.View()
	if _, ok := v.repeatable[p.m.Type]; ok {
		p.meta.Idempotent = true
	}
	p.call.Payload, p.call.Params, p.call.Raw = p.m.Payload, v.Params, p.exchange != nil
	p.call.Timeout, p.call.Deadline = timeout, p.meta.Deadline
	describe(&p.call.Call, p.to.name(), p.m, &p.meta)
	if v.Calls {
		p.call.Witness = p
		p.payload, p.oversize = v.Carried(&p.m, p.meta.From)
	}
}

// Ended implements guard.Witness: it records the end of an attempt.
func (p *Passage) Ended(e guard.Ended) {
	body := journal.Call{From: p.meta.From, Message: p.m.Type, Breaker: e.Guard, Outcome: e.Outcome, Class: e.Class,
		Duration: e.Took, Attempt: e.Attempt, Hedge: e.Hedge, Replica: e.Replica, Status: e.Status}
	if e.Attempt == 1 && e.Hedge <= 1 {
		body.Payload, body.Oversize = p.payload, p.oversize
	}
	p.c.Record(p.to.name(), body,
		&engine.Cause{Correlation: p.meta.Correlation, Seq: p.meta.Causation})
}

// run takes the call through the guards, unless it was refused before them.
func (p *Passage) run(timeout time.Duration, refused error) (any, error) {
	if refused != nil {
		return p.refused(refused)
	}
	p.prepare(timeout)
	if p.to.edge != nil {
		return p.to.edge.Call(p, &p.call, p)
	}
	p.inner = true
	return p.to.guard.Call(p, &p.call, p)
}

// refused answers a call that a quarantine or the emergency mode keeps from the guards, where one of their fallbacks does:
// the callee's, then the edge's.
func (p *Passage) refused(err error) (any, error) {
	own := refusal(err)
	if own == nil {
		return nil, err
	}
	p.prepare(0)
	if p.call.Witness != nil {
		layer := "quarantine"
		if strings.HasPrefix(own.Message, Emergency) {
			layer = "emergency"
		}
		p.Ended(guard.Ended{Outcome: "rejected", Class: layer, Attempt: 1})
	}
	for _, g := range [...]*guard.Guard{p.to.guard, p.to.edge} {
		if g == nil {
			continue
		}
		if v, failed := g.Instead(p, &p.call, err); failed == nil {
			return v, nil
		}
	}
	return nil, err
}

// refusal is what refused a call, nil when it failed in another way.
func refusal(err error) *engine.Error {
	var own *engine.Error
	if errors.As(err, &own) && own.Kind == engine.KindRefused {
		return own
	}
	return nil
}

// admit asks the guards about a message without an answer.
func (p *Passage) admit() error {
	p.prepare(0)
	if p.to.edge != nil {
		if err := p.to.edge.Admit(p, &p.call); err != nil {
			return err
		}
	}
	if p.to.guard != nil {
		return p.to.guard.Admit(p, &p.call)
	}
	return nil
}

// Route implements guard.Work. The edge's guard does not choose the replica.
func (p *Passage) Route(_ int, open func(string) bool) (string, error) {
	if !p.inner && p.to.guard != nil {
		return "", nil
	}
	a, err := p.to.pick(&p.meta, open)
	if err != nil || p.to.group == nil {
		return "", err
	}
	return a.Name(), nil
}

// Try implements guard.Work.
func (p *Passage) Try(a *guard.Attempt) (any, error) {
	c := p.c
	if a.Hedge > 0 {
		c = p.maker(a.Hedge)
	} else {
		p.tried = true
	}
	if !p.inner && p.to.guard != nil {
		return p.through(c, a)
	}
	to, err := p.receiver(a)
	switch {
	case err != nil:
		return nil, err
	case p.exchange != nil:
		return nil, p.exchange.Pass(to, a)
	}
	return c.Deliver(to, p, a.N, a.Began, p.until(a.Began, a.Timeout))
}

// through takes an attempt of the edge's guard through the callee's.
func (p *Passage) through(c Caller, a *guard.Attempt) (any, error) {
	next := &Passage{c: c, to: p.to, m: p.m, meta: p.meta, exchange: p.exchange, inner: true}
	next.to.edge = nil
	next.meta.Attempt = a.N
	if p.exchange != nil { // the edge's guard has its say about the answer as well
		next.exchange = p.exchange.Judged(a.Judge)
	}
	next.prepare(a.Timeout)
	v, err := next.to.guard.Call(next, &next.call, next)
	if next.call.Degraded {
		p.mu.Lock()
		p.degraded = &next.call
		p.mu.Unlock()
	}
	c.Passed(next, err)
	return v, err
}

// Left implements guard.Exchange. A message's asker is interrupted instead.
func (p *Passage) Left() bool { return p.exchange != nil && p.exchange.Left() }

// Repeatable implements guard.Exchange: messages are, exchanges while the start of their body is still there.
func (p *Passage) Repeatable() bool { return p.exchange == nil || p.exchange.Repeatable() }

// Now implements guard.Env.
func (p *Passage) Now() time.Duration { return p.c.Now() }

// Rand implements guard.Env.
func (p *Passage) Rand(key uint64) uint64 { return guard.Mix(p.seed + guard.Mix(key+guard.Golden)) }

// Sleep implements guard.Env.
func (p *Passage) Sleep(d time.Duration) error { return p.c.Sleep(d) }

// Begin implements guard.Env.
func (p *Passage) Begin(until time.Duration) guard.Waking { return p.c.Begin(until) }

// Await implements guard.Env.
func (p *Passage) Await() error { return p.c.Await() }

// Ask implements guard.Env.
func (p *Passage) Ask(to string, m engine.Msg, timeout time.Duration) (any, error) {
	ref, err := p.c.Ref(to)
	if err != nil {
		return nil, err
	}
	q := Question{To: ref, Msg: m, Meta: p.meta, Timeout: timeout}
	q.Meta.Attempt = 1
	r, err := p.c.Request(q)
	return r.Payload, err
}
