package sim

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Answer is how a request from outside ended.
type Answer struct {
	Payload  any
	Status   int // that a fallback wants answered; 0 is none
	Degraded bool
	Err      error // an *engine.Error; one that wraps engine.ErrUnknownActor for a name the plan does not have
	Took     time.Duration
}

// Ask sends a message to an actor or group, by path, unique name or edge, and calls done with the answer at the moment
// it comes, within Run. No goroutine waits unless a guard stands in the way.
func (e *Engine) Ask(name string, m engine.Msg, o engine.CallOptions, done func(Answer)) {
	to, err := e.Ref(name)
	if err != nil {
		done(Answer{Err: err})
		return
	}
	e.AskRef(to, m, o, done)
}

// Tell puts a message into an actor's mailbox, by path, unique name or edge. A mailbox whose policy is to block and that is
// full rejects it: nobody here can wait.
func (e *Engine) Tell(name string, m engine.Msg, o engine.CallOptions) error {
	to, err := e.Ref(name)
	if err != nil {
		return err
	}
	return e.tell(nil, to, &envelope{msg: m, meta: o.Meta()})
}

// request is the way of every ask: straight to an actor that has nothing in its way, else the kernel's.
func (e *Engine) request(c *caller, q *kernel.Question) (kernel.Reply, error) {
	if q.Msg.Type == "" {
		return kernel.Reply{}, kernel.Untyped()
	}
	if a := e.direct(q.To); a != nil {
		v, err := c.ask(a, &q.Msg, &q.Meta, q.Timeout)
		return kernel.Reply{Payload: v}, err
	}
	return kernel.Request(c, q)
}

// direct is the actor that a message reaches with nothing in its way: no guard, group, quarantine or emergency. nil:
// the long way decides.
func (e *Engine) direct(to engine.Ref) *actor {
	if to.Edge != 0 || to.ID&kernel.GroupBit != 0 || e.emergency {
		return nil
	}
	a := e.actor(to.ID)
	if a == nil || a.group != nil || a.kind == plan.Supervisor || a.unfit&kernel.UnfitQuarantined != 0 || a.guard != nil {
		return nil
	}
	return a
}

// until is when an ask ends that may take so long.
func (e *Engine) until(meta *engine.Meta, timeout time.Duration) time.Duration {
	at := e.Now() + timeout
	switch {
	case timeout > 0 && (meta.Deadline == 0 || at < meta.Deadline):
		return at
	case meta.Deadline == 0:
		return e.Now() + kernel.DefaultAsk
	}
	return meta.Deadline
}

// ask sends a message to one actor and waits for the answer.
func (c *caller) ask(to *actor, m *engine.Msg, meta *engine.Meta, timeout time.Duration) (any, error) {
	return c.askUntil(to, m, meta, meta.Attempt, c.eng.until(meta, timeout))
}

// askUntil is ask with an end in engine time, 0 for none of its own.
func (c *caller) askUntil(to *actor, m *engine.Msg, meta *engine.Meta, n int, deadline time.Duration) (any, error) {
	if err := c.Blocks(); err != nil {
		return nil, err
	}
	e, began := c.eng, c.eng.Now()
	if deadline == 0 {
		deadline = began + kernel.DefaultAsk
	}
	env := envelope{msg: *m, meta: *meta, reply: c.begin(kernel.ForAnswer, to, deadline)}
	env.meta.Deadline, env.meta.Attempt = deadline, n
	if f := c.principal(); f != nil {
		if circle := f.circle(to); circle != "" {
			c.abandon(env.reply)
			env.reply = ticket{}
			return nil, to.circular(f.actor, "ask", circle, &env)
		}
	}
	if err := to.receive(&env, c); err != nil {
		c.abandon(env.reply)
		e.called(to, &env, began, err)
		return nil, err
	}
	v, err := c.w.wait()
	e.called(to, &env, began, err)
	return v, c.tell(err)
}

// circular refuses a message whose sender, a handler of from's, would wait for itself.
func (a *actor) circular(from *actor, what, circle string, env *envelope) error {
	refused := kernel.Circular(from.path, what, circle)
	a.deadLetter(refused.Message, env, nil)
	return refused
}

// circle looks whether the handler waits for itself when it waits for to.
func (f *frame) circle(to *actor) string {
	if _, full := to.Hands(); !full {
		return ""
	}
	return kernel.Circle(f.actor, hand{f}, to)
}

// Hands implements kernel.Doer. One that is starting takes no message before its start is done; one that is paused takes none with its
// handlers stuck either, once it is resumed. A model's calls wait for nobody.
func (a *actor) Hands() (at []kernel.Hand, full bool) {
	inc := a.inc
	if inc == nil || inc.server != nil || len(inc.frames) == 0 {
		return nil, false
	}
	for _, f := range inc.frames {
		at = append(at, hand{f})
	}
	return at, a.phase == kernel.PhaseStarting || inc.gate&gateDown == 0 && inc.limit > 0 && len(at) >= inc.limit
}

// hand is a handler at work, as the search for circles sees it.
type hand struct{ f *frame }

// Serves implements kernel.Hand.
func (h hand) Serves(w *kernel.Wait) bool { return h.f.env.reply == w.Number.(ticket) }

// Waits implements kernel.Hand.
func (h hand) Waits() []kernel.Wait {
	own := &h.f.w
	if !own.on || own.purpose == kernel.ForTime {
		return nil
	}
	if own.target != nil {
		return []kernel.Wait{own.seen(true)}
	}
	var all []kernel.Wait
	for _, one := range h.f.aides {
		all = append(all, one.c.w.seen(one.needed))
	}
	return all
}

// seen is the wait as the search for circles sees it.
func (w *waiter) seen(needed bool) kernel.Wait {
	seen := kernel.Wait{Needed: needed, Holds: func() bool { return true }} // nothing else happens meanwhile
	if w.on && w.purpose != kernel.ForTime && w.target != nil {
		seen.On, seen.Number = w.target, w.current()
	}
	return seen
}

// tell is the way of every tell, as request is of every ask. c is nil for senders that cannot wait.
func (e *Engine) tell(c *caller, to engine.Ref, env *envelope) error {
	if env.msg.Type == "" {
		return kernel.Untyped()
	}
	if a := e.direct(to); a != nil {
		return a.receive(env, c)
	}
	return e.tellFar(c, to, env)
}

// tellFar is tell along the kernel's way.
func (e *Engine) tellFar(c *caller, to engine.Ref, env *envelope) error {
	own := c
	if own == nil {
		own = e.take()
		own.view = e.view
		defer e.put(own)
	}
	q := kernel.Question{To: to, Msg: env.msg, Meta: env.meta}
	return kernel.Tell(own, &q, e.letters, func(a kernel.Actor) error {
		env.meta.Key = q.Meta.Key // the route may have given it one
		return a.(*actor).receive(env, c)
	})
}
