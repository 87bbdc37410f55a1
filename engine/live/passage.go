package live

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
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
		t.only, t.group, t.guard = a, a.group, a.guard.Load()
		if a.group != nil {
			t.guard = a.group.guard.Load()
		}
		if a.unfit.Load()&unfitQuarantined != 0 && !meta.Probe {
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
	t.route, t.guard = spec.Route, t.group.guard.Load()
	return t, nil
}

// gate refuses what emergency mode does not admit.
func (e *Engine) gate(c *caller, t *target, m engine.Msg, meta *engine.Meta) error {
	if !e.emergency.Load() {
		return nil
	}
	spec := c.view.plan.Emergency
	if spec == nil || spec.Admit == nil || meta.Probe {
		return nil
	}
	env := rules.Env{Params: c.view.params, Now: e.now().Seconds(), Msg: m.Payload, Caller: meta.From,
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
func (t *target) pick(c *caller, meta *engine.Meta, open func(string) bool) (*actor, error) {
	if t.only != nil {
		return t.only, nil
	}
	var shut func(*actor) bool
	if open != nil {
		shut = func(a *actor) bool { return open(a.name()) }
	}
	how := t.route.Pick
	if how == "all" {
		return nil, &engine.Error{Kind: engine.KindInvalid, By: t.group.path,
			Message: "a group that routes to all takes messages without an answer only"}
	}
	a := t.group.pick(how, meta.Key, meta.Probe, func() uint64 { return c.eng.draw(t.group) }, shut)
	if a == nil {
		return nil, &engine.Error{Kind: engine.KindRefused, By: t.group.path,
			Message: "no replica is ready, healthy, out of quarantine and behind a closed breaker"}
	}
	return a, nil
}

// name is an actor's own name, the end of its path.
func (a *actor) name() string {
	for i := len(a.path) - 1; i >= 0; i-- {
		if a.path[i] == '/' {
			return a.path[i+1:]
		}
	}
	return a.path
}

// draw is a random number for a group's routing.
func (e *Engine) draw(g *group) uint64 {
	return guard.Mix(e.seedFor(g.path) + g.turn.Add(1)*guard.Golden)
}

// passage is one ask through guards: the Env of the guards and the Work that they protect. Work of the edge's guard is
// the callee's guard, whose work is the delivery.
type passage struct {
	c    *caller
	to   target
	m    engine.Msg
	meta engine.Meta
	call guard.Call
	id   uint64

	inner bool // the edge's guard has been passed

	w http.ResponseWriter // with r, of a proxied exchange; nil for messages
	r *http.Request

	mu     sync.Mutex
	hedged []*caller // who makes the tries of a hedge, from 1
	// degraded is the callee's guard's call, when its fallback answered.
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

// prepare fills what guards see of the call.
func (p *passage) prepare(timeout time.Duration) {
	p.id = p.c.eng.calls.Add(1)
	p.declare()
	if k := p.to.route.Key; k != nil && p.meta.Key == "" {
		env := rules.Env{Params: p.c.view.params, Now: p.c.eng.now().Seconds(), Call: new(rules.Call), Msg: p.m.Payload}
		fill(env.Call, &p.to, p.m, &p.meta)
		p.meta.Key, _ = k.Text(&env) // a key that fails is no key: hash then takes all to one replica
	}
	p.call.Payload, p.call.Params, p.call.Raw = p.m.Payload, p.c.view.params, p.w != nil
	p.call.Timeout, p.call.Deadline = timeout, p.meta.Deadline
	fill(&p.call.Call, &p.to, p.m, &p.meta)
	if p.c.view.calls {
		p.call.Witness = p
	}
}

// Ended implements guard.Witness: it puts the end of an attempt into the journal.
func (p *passage) Ended(e guard.Ended) {
	p.c.eng.scribe.record(p.to.name(), journal.Call{From: p.meta.From, Message: p.m.Type, Breaker: e.Guard, Outcome: e.Outcome, Class: e.Class,
		Duration: e.Took, Attempt: e.Attempt, Hedge: e.Hedge, Replica: e.Replica, Status: e.Status},
		&engine.Cause{Correlation: p.meta.Correlation, Seq: p.meta.Causation})
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

// run takes the call through the guards, unless it was refused before them.
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
	if p.call.Witness != nil {
		layer := "quarantine"
		if strings.HasPrefix(own.Message, deadEmergency) {
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

// Route implements guard.Work. The edge's guard does not choose the replica.
func (p *passage) Route(_ int, open func(string) bool) (string, error) {
	if !p.inner && p.to.guard != nil {
		return "", nil
	}
	a, err := p.to.pick(p.c, &p.meta, open)
	if err != nil || p.to.group == nil {
		return "", err
	}
	return a.name(), nil
}

// Try implements guard.Work.
func (p *passage) Try(a *guard.Attempt) (any, error) {
	c := p.c
	if a.Hedge > 0 {
		p.mu.Lock()
		c = p.hedged[a.Hedge-1]
		p.mu.Unlock()
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
	if p.w != nil {
		return nil, to.proxy(p.w, p.r, a)
	}
	meta := p.meta
	meta.Attempt = a.N
	return c.ask(to, p.m, &meta, a.Timeout)
}

// Left implements guard.Exchange. A message's asker is interrupted instead.
func (p *passage) Left() bool { return p.r != nil && p.r.Context().Err() != nil }

// Repeatable implements guard.Exchange: messages are, exchanges while the start of their body is still there.
func (p *passage) Repeatable() bool {
	if p.r == nil || p.r.Body == nil || p.r.Body == http.NoBody {
		return true
	}
	if b, ok := p.r.Body.(interface{ Repeatable() bool }); ok {
		return b.Repeatable()
	}
	return p.r.GetBody != nil
}

// through takes an attempt of the edge's guard through the callee's.
func (p *passage) through(c *caller, a *guard.Attempt) (any, error) {
	next := &passage{c: c, to: p.to, m: p.m, meta: p.meta, inner: true, w: p.w, r: p.r}
	next.to.edge = nil
	next.meta.Attempt = a.N
	if p.w != nil { // the edge's guard has its say about the answer as well
		next.r = p.r.WithContext(engine.WithJudge(p.r.Context(), a.Judge))
	}
	next.prepare(a.Timeout)
	v, err := next.to.guard.Call(next, &next.call, next)
	if next.call.Degraded {
		p.mu.Lock()
		p.degraded = &next.call
		p.mu.Unlock()
	}
	return v, err
}

// named is the replica with that name, nil when it has left.
func (g *group) named(name string) *actor {
	for _, a := range *g.members.Load() {
		if a.name() == name {
			return a
		}
	}
	return nil
}

// Now implements guard.Env.
func (p *passage) Now() time.Duration { return p.c.eng.now() }

// Rand implements guard.Env.
func (p *passage) Rand(key uint64) uint64 {
	return guard.Mix(p.c.eng.options.Seed + p.id*guard.Golden + guard.Mix(key+guard.Golden))
}

// Sleep implements guard.Env.
func (p *passage) Sleep(d time.Duration) error { return p.c.sleep(d) }

// Begin implements guard.Env.
func (p *passage) Begin(until time.Duration) guard.Waking { return p.c.begin(forTurn, nil, until) }

// Await implements guard.Env.
func (p *passage) Await() error {
	_, err := p.c.wait()
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
	return p.c.eng.ask(p.c, ref, m, meta, timeout)
}
