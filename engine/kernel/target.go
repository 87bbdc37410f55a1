package kernel

import (
	"fmt"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// DefaultAsk bounds an ask that nobody else bounds: neither the asker nor a guard nor the message's own deadline.
const DefaultAsk = 30 * time.Second

// Question is a message on its way, and how long its answer is waited for.
type Question struct {
	To       engine.Ref
	Msg      engine.Msg
	Meta     engine.Meta
	Timeout  time.Duration // 0: the guard's, else until the message's deadline, else DefaultAsk
	Exchange Exchange      // of a proxied exchange; nil for a message
}

// Reply is the answer to a request.
type Reply struct {
	Payload  any  // JSON-like
	Status   int  // HTTP, that a fallback wants which answered; 0 is none wanted
	Degraded bool // a fallback answered
}

// Exchange is a question and an answer that are streams, in a message's place.
type Exchange interface {
	// Pass takes it to an actor. With an attempt it ends when that's timeout does, and the attempt judges the answer.
	Pass(to Actor, at *guard.Attempt) error
	// Left and Repeatable are as guard.Exchange has them.
	Left() bool
	Repeatable() bool
	// Judged is the same exchange with one more judge of its answer.
	Judged(by engine.Judge) Exchange
}

// target is where a message goes and what it passes on its way.
type target struct {
	edge  *guard.Guard // the caller's own; nil is none
	guard *guard.Guard // of the actor or group; nil is none
	only  Actor        // the one it is for; nil when the group picks
	group Group        // nil for an actor that is no replica
	route plan.Route
}

// name is the path of the target.
func (t *target) name() string {
	switch {
	case t.only != nil:
		return t.only.Path()
	case t.group != nil:
		return t.group.Path()
	}
	return ""
}

// guarded tells whether anything stands in the way.
func (t *target) guarded() bool { return t.edge != nil || t.guard != nil }

// all tells whether every replica gets the message.
func (t *target) all() bool { return t.only == nil && t.route.Pick == "all" }

// find finds where a question leads and whether it is let through: not to a quarantined actor, and in an emergency only what
// that admits. A replica that is addressed itself is reached through its group's guard.
func (t *target) find(c Caller, q *Question) error {
	if q.To.Edge != 0 {
		t.edge = c.Edge(q.To.Edge)
	}
	if err := t.locate(c, q); err != nil {
		return err
	}
	if k := t.route.Key; k != nil && q.Meta.Key == "" {
		q.Meta.Key, _ = k.Text(c.View().Env(c.Now(), t.name(), q.Msg, &q.Meta)) // a key that fails is no key: hash then takes all to one replica
	}
	return t.gate(c, q)
}

func (t *target) locate(c Caller, q *Question) error {
	if q.To.ID&GroupBit != 0 {
		return t.locateGroup(c, q.To.ID)
	}
	a := c.Actor(q.To.ID)
	if a == nil {
		return fmt.Errorf("%w with number %d", engine.ErrUnknownActor, q.To.ID)
	}
	at := a.Stand()
	if at.Kind == plan.Supervisor {
		return &engine.Error{Kind: engine.KindInvalid, Message: "a supervisor takes no messages", By: a.Path()}
	}
	t.only, t.group, t.guard = a, at.Group, at.Guard
	if at.Quarantined && !q.Meta.Probe {
		return Refuse(a.Path(), Refused)
	}
	return nil
}

func (t *target) locateGroup(c Caller, id engine.ID) error {
	if t.group = c.Group(id); t.group == nil {
		return fmt.Errorf("%w with number %d", engine.ErrUnknownActor, id)
	}
	spec := c.View().Plan.Group(t.group.Path())
	if spec == nil {
		return fmt.Errorf("%w %q: the running plan does not have it", engine.ErrUnknownActor, t.group.Path())
	}
	t.route, t.guard = spec.Route, t.group.Guard()
	return nil
}

// gate refuses what emergency mode does not admit.
func (t *target) gate(c Caller, q *Question) error {
	if !c.Emergency() {
		return nil
	}
	v := c.View()
	spec := v.Plan.Emergency
	if spec == nil || spec.Admit == nil || q.Meta.Probe {
		return nil
	}
	if ok, err := spec.Admit.Condition(v.Env(c.Now(), t.name(), q.Msg, &q.Meta)); ok && err == nil {
		return nil
	}
	return Refuse(t.name(), Emergency+": not admitted")
}

// pick chooses the actor that gets the message.
func (t *target) pick(meta *engine.Meta, open func(string) bool) (Actor, error) {
	switch {
	case t.only != nil:
		return t.only, nil
	case t.all():
		return nil, &engine.Error{Kind: engine.KindInvalid, By: t.group.Path(),
			Message: "a group that routes to all takes messages without an answer only"}
	}
	a := t.group.Pick(t.route.Pick, meta.Key, meta.Probe, open)
	if a == nil {
		return nil, Refuse(t.group.Path(), "no replica is ready, healthy, out of quarantine and behind a closed breaker")
	}
	return a, nil
}

// Request is the way of an ask: gates, edge guard, guard, route, actor. Runtimes have a shorter one to an actor that has
// nothing in its way.
func Request(c Caller, q *Question) (Reply, error) {
	var t target
	err := t.find(c, q)
	if t.guarded() {
		return guarded(c, &t, q, err)
	}
	var a Actor
	if err == nil {
		a, err = t.pick(&q.Meta, nil)
	}
	switch {
	case err != nil:
		c.Unsent(t.name(), *q, err)
	case q.Exchange != nil:
		err = q.Exchange.Pass(a, nil)
	default:
		return straight(c, &t, q, a)
	}
	return Reply{}, err
}

// straight is the way to an actor that has no guard.
func straight(c Caller, t *target, q *Question, a Actor) (Reply, error) {
	p := take(c, t, q)
	now := c.Now()
	v, err := c.Deliver(a, p, q.Meta.Attempt, now, p.until(now, q.Timeout))
	c.Kept().put(p)
	return Reply{Payload: v}, err
}

func guarded(c Caller, t *target, q *Question, refused error) (Reply, error) {
	p := take(c, t, q)
	r, err := p.reply(p.run(q.Timeout, refused))
	c.Kept().put(p) // a call that panics takes its passage with it
	return r, err
}
