package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// target is where a message goes and what it passes on its way.
type target struct {
	edge  *guard.Guard // the caller's own; nil is none
	guard *guard.Guard // of the actor or group; nil is none
	only  *actor       // the one it is for; nil when the group picks
	group *group       // nil for an actor that is no replica
	route plan.Route
}

// name is the path of the target.
func (t *target) name() string {
	switch {
	case t.only != nil:
		return t.only.path
	case t.group != nil:
		return t.group.path
	}
	return ""
}

// target finds where a reference leads. A replica that is addressed itself is reached through its group's guard.
func (e *Engine) target(c *caller, to engine.Ref, meta *engine.Meta) (target, error) {
	t := target{edge: e.edgeGuard(to.Edge)}
	if to.ID&groupBit == 0 {
		a := e.actor(to.ID)
		switch {
		case a == nil:
			return t, fmt.Errorf("%w with number %d", engine.ErrUnknownActor, to.ID)
		case a.kind == plan.Supervisor:
			return t, &engine.Error{Kind: engine.KindInvalid, Message: "a supervisor takes no messages", By: a.path}
		}
		t.only, t.group, t.guard = a, a.group, a.guard
		if a.group != nil {
			t.guard = a.group.guard
		}
		if a.unfit&unfitQuarantined != 0 && !meta.Probe {
			return t, a.refuse(deadRefused)
		}
		return t, nil
	}
	t.group = e.group(to.ID)
	if t.group == nil {
		return t, fmt.Errorf("%w with number %d", engine.ErrUnknownActor, to.ID)
	}
	spec := c.view.plan.Group(t.group.path)
	if spec == nil {
		return t, fmt.Errorf("%w %q: the running plan does not have it", engine.ErrUnknownActor, t.group.path)
	}
	t.route, t.guard = spec.Route, t.group.guard
	return t, nil
}

// gate refuses what emergency mode does not admit.
func (e *Engine) gate(c *caller, t *target, m engine.Msg, meta *engine.Meta) error {
	if !e.emergency {
		return nil
	}
	spec := c.view.plan.Emergency
	if spec == nil || spec.Admit == nil || meta.Probe {
		return nil
	}
	env := rules.Env{Params: c.view.params, Now: e.Now().Seconds(), Msg: m.Payload, Caller: meta.From,
		Call: new(rules.Call)}
	fill(env.Call, t, m, meta)
	if ok, err := spec.Admit.Condition(&env); ok && err == nil {
		return nil
	}
	return &engine.Error{Kind: engine.KindRefused, Message: deadEmergency + ": not admitted", By: t.name()}
}

// fill makes call what expressions see of a message.
func fill(call *rules.Call, t *target, m engine.Msg, meta *engine.Meta) {
	*call = rules.Call{
		From: meta.From, To: t.name(), Message: m.Type, Key: meta.Key, Attempt: meta.Attempt,
		Probe: meta.Probe, Idempotent: meta.Idempotent, Priority: meta.Priority,
	}
}

// pick chooses the actor that gets the message.
func (t *target) pick(e *Engine, meta *engine.Meta, open func(string) bool) (*actor, error) {
	if t.only != nil {
		return t.only, nil
	}
	g, how := t.group, t.route.Pick
	if how == "all" {
		return nil, &engine.Error{Kind: engine.KindInvalid, By: g.path,
			Message: "a group that routes to all takes messages without an answer only"}
	}
	block := ^uint8(0)
	if meta.Probe {
		block &^= unfitQuarantined | unfitSick
	}
	fit := func(a *actor) bool { return a.unfit&block == 0 && (open == nil || !open(a.name)) }
	a := guard.Pick(how, meta.Key, g.members, func() uint64 { return e.draw(g, how) }, fit)
	if a == nil {
		return nil, &engine.Error{Kind: engine.KindRefused, By: g.path,
			Message: "no replica is ready, healthy, out of quarantine and behind a closed breaker"}
	}
	return a, nil
}

// draw is the next turn of a group's round, or a random number for its routing.
func (e *Engine) draw(g *group, how string) uint64 {
	g.turn++
	if how == "round_robin" {
		return g.turn - 1
	}
	return guard.Mix(e.seedFor(g.path) + g.turn*guard.Golden)
}

// passage is one ask through guards: the Env of the guards and the Work that they protect. Work of the edge's guard is
// the callee's guard, whose work is the delivery.
type passage struct {
	c    *caller
	to   target
	m    engine.Msg
	meta engine.Meta
	call guard.Call
	seed uint64

	inner    bool      // the edge's guard has been passed
	tries    int       // attempts that reached the callee, or its guard
	hedged   []*caller // who makes the tries of a hedge, from 1
	degraded *guard.Call
}

// passage gives a caller's own passage, or a new one when it is in use further up. release gives it back.
func (c *caller) passage(to *target, m engine.Msg, meta *engine.Meta) *passage {
	p := c.spare
	if p == nil {
		p = new(passage)
	}
	c.spare = nil
	p.c, p.to, p.m, p.meta = c, *to, m, *meta
	return p
}

func (c *caller) release(p *passage) {
	*p = passage{}
	c.spare = p
}

// number seeds a call: the n-th to its target draws the same in every run, whatever else goes on.
func (p *passage) number() {
	e, n, name := p.c.eng, uint64(0), p.to.name()
	if p.to.only != nil {
		p.to.only.numbered++
		n = p.to.only.numbered
	} else {
		p.to.group.numbered++
		n = p.to.group.numbered
	}
	p.seed = e.seedFor(name) + n*guard.Golden
}

// prepare fills what guards see of the call.
func (p *passage) prepare(timeout time.Duration) {
	p.number()
	p.declare()
	if k := p.to.route.Key; k != nil && p.meta.Key == "" {
		env := rules.Env{Params: p.c.view.params, Now: p.c.eng.Now().Seconds(), Call: new(rules.Call), Msg: p.m.Payload}
		fill(env.Call, &p.to, p.m, &p.meta)
		p.meta.Key, _ = k.Text(&env) // a key that fails is no key: hash then takes all to one replica
	}
	p.call.Payload, p.call.Params = p.m.Payload, p.c.view.params
	p.call.Timeout, p.call.Deadline = timeout, p.meta.Deadline
	fill(&p.call.Call, &p.to, p.m, &p.meta)
}

// declare takes over what the plan says of the message.
func (p *passage) declare() {
	if p.meta.Idempotent {
		return
	}
	for i := range p.c.view.plan.Messages {
		if d := &p.c.view.plan.Messages[i]; d.Name == p.m.Type {
			p.meta.Idempotent = d.Idempotent
			return
		}
	}
}

// run takes the call through the guards.
func (p *passage) run(timeout time.Duration, refused error) (any, error) {
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
func (p *passage) refused(err error) (any, error) {
	var own *engine.Error
	if !errors.As(err, &own) || own.Kind != engine.KindRefused {
		return nil, err
	}
	p.prepare(0)
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

// admit asks the guards about a message without an answer.
func (p *passage) admit() error {
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

// fallback is the call as the guard saw it whose fallback answered, the edge's before the callee's; nil when none did.
func (p *passage) fallback() *guard.Call {
	if p.call.Degraded {
		return &p.call
	}
	return p.degraded
}

// Route implements guard.Work. The edge's guard does not choose the replica.
func (p *passage) Route(_ int, open func(string) bool) (string, error) {
	if !p.inner && p.to.guard != nil {
		return "", nil
	}
	a, err := p.to.pick(p.c.eng, &p.meta, open)
	if err != nil || p.to.group == nil {
		return "", err
	}
	return a.name, nil
}

// Try implements guard.Work.
func (p *passage) Try(a *guard.Attempt) (any, error) {
	p.tries++
	c := p.c
	if a.Hedge > 0 {
		c = p.hedged[a.Hedge-1]
	}
	if !p.inner && p.to.guard != nil {
		return p.through(c, a)
	}
	to := p.to.only
	if to == nil {
		to = p.to.group.named(a.Replica)
	}
	if to == nil {
		return nil, &engine.Error{Kind: engine.KindRefused, Message: "replica " + a.Replica + " is gone", By: p.to.name()}
	}
	meta := p.meta
	meta.Attempt = a.N
	return c.ask(to, p.m, &meta, a.Timeout)
}

// through takes an attempt of the edge's guard through the callee's.
func (p *passage) through(c *caller, a *guard.Attempt) (any, error) {
	next := &passage{c: c, to: p.to, m: p.m, meta: p.meta, inner: true}
	next.to.edge = nil
	next.meta.Attempt = a.N
	next.prepare(a.Timeout)
	v, err := next.to.guard.Call(next, &next.call, next)
	if next.call.Degraded {
		p.degraded = &next.call
	}
	next.told(&Answer{Err: err, Degraded: next.call.Degraded})
	return v, err
}

// Now implements guard.Env.
func (p *passage) Now() time.Duration { return p.c.eng.Now() }

// Rand implements guard.Env.
func (p *passage) Rand(key uint64) uint64 {
	return guard.Mix(p.seed + guard.Mix(key+guard.Golden))
}

// Sleep implements guard.Env.
func (p *passage) Sleep(d time.Duration) error { return p.c.sleep(d) }

// Begin implements guard.Env.
func (p *passage) Begin(until time.Duration) guard.Waking { return p.c.begin(forTurn, nil, until) }

// Await implements guard.Env.
func (p *passage) Await() error {
	_, err := p.c.w.wait()
	return p.c.tell(err)
}

// Ask implements guard.Env.
func (p *passage) Ask(to string, m engine.Msg, timeout time.Duration) (any, error) {
	ref, err := p.c.eng.Ref(to)
	if err != nil {
		return nil, err
	}
	meta := p.meta
	meta.Attempt = 1
	r := p.c.eng.request(p.c, ref, m, &meta, timeout)
	return r.Payload, r.Err
}

// race is the tries of one hedged attempt.
type race struct {
	out   int // tries that have not ended
	won   bool
	value any
	err   error
	wait  ticket // of the caller, while it waits
}

// Hedge implements guard.Env. Each try has a caller of its own; when one has won or the caller must stop, the others are
// interrupted and waited for, so that none of them looks at the call any more.
func (p *passage) Hedge(after time.Duration, most int, more func() bool, try func(int) (any, error)) (any, error) {
	e, r := p.c.eng, &race{}
	var stop error
	for i := 1; i <= most && stop == nil && !r.won && (i == 1 || more()); i++ {
		until := e.Now() + after
		if i == most {
			until = 0
		}
		p.launch(r, i, try)
		var over bool
		if over, stop = p.await(r, until); over {
			break
		}
	}
	if stop == nil {
		_, stop = p.await(r, 0)
	}
	p.recall(r)
	if stop != nil && !r.won {
		return nil, stop
	}
	return r.value, r.err
}

func (p *passage) launch(r *race, i int, try func(int) (any, error)) {
	e, sub := p.c.eng, p.c.eng.take()
	sub.view = p.c.view
	p.hedged = append(p.hedged[:i-1], sub)
	r.out++
	e.push(task{kind: taskOwn, job: func() {
		v, err := try(i)
		r.out--
		if !r.won {
			r.value, r.err, r.won = v, err, err == nil
		}
		r.wait.settle(nil, nil)
	}})
}

// await waits until a try has won or all have ended, which it reports, or until a time, 0 for never. An error says
// that the caller must stop.
func (p *passage) await(r *race, until time.Duration) (over bool, err error) {
	for !r.won && r.out > 0 {
		r.wait = p.c.begin(forTime, nil, until)
		if _, err := p.c.w.wait(); err != nil {
			return true, p.c.tell(err)
		}
		if until > 0 && p.c.eng.Now() >= until {
			return r.won || r.out == 0, nil
		}
	}
	return true, nil
}

// recall interrupts the tries that are still out and waits for them.
func (p *passage) recall(r *race) {
	w := new(waiter)
	w.init(p.c.eng)
	for r.out > 0 {
		for _, sub := range p.hedged {
			sub.interrupt(stopCanceled)
		}
		r.wait = w.begin(forTime, nil, nil, 0)
		_, _ = w.wait()
	}
	for _, sub := range p.hedged {
		p.c.eng.put(sub)
	}
	p.hedged = p.hedged[:0]
}
