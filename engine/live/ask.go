package live

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// ask sends a message to one actor and waits for the answer, at most for timeout (0: until the message's deadline, or
// kernel.DefaultAsk).
func (c *caller) ask(to *actor, m *engine.Msg, meta *engine.Meta, timeout time.Duration) (any, error) {
	now, until := c.eng.now(), meta.Deadline
	if timeout > 0 {
		if at := now + timeout; until == 0 || at < until {
			until = at
		}
	}
	return c.askUntil(to, m, meta, meta.Attempt, now, until)
}

// askUntil is ask, made now, with an end in engine time, 0 for none of its own.
func (c *caller) askUntil(to *actor, m *engine.Msg, meta *engine.Meta, n int, now, deadline time.Duration) (any, error) {
	if err := c.Blocks(); err != nil {
		return nil, err
	}
	if deadline == 0 {
		deadline = now + kernel.DefaultAsk
	}
	if detail(c.eng.detail.Load()) == detailSampled {
		c.w.date(now)
	}
	t := c.begin(kernel.ForAnswer, to, deadline)
	var env envelope
	c.enclose(&env, m, meta)
	env.attempt = uint16(n)
	if p, at := c.principal(); p != nil {
		if circle := p.circle(at, to); circle != "" {
			c.abandon(t)
			return nil, to.circular(at, "ask", circle, &env)
		}
	}
	env.ask(t)
	if err := to.offer(&env, c); err != nil {
		c.abandon(t)
		return nil, err
	}
	v, err := c.wait()
	return v, c.tell(err)
}

// circular refuses a message whose sender, a handler of from's, would wait for itself.
func (a *actor) circular(from *actor, what, circle string, env *envelope) error {
	refused := kernel.Circular(from.Path(), what, circle)
	a.deadLetter(refused.Message, env, nil)
	return refused
}

// circle looks whether the handler, of at's, waits for itself when it waits for to. Its own wait is published before it looks, so of
// several waits that close a circle at the same moment at least the last one sees it.
func (c *caller) circle(at, to *actor) string {
	c.asks(at)
	if to.ready() {
		return ""
	}
	return kernel.Circle(at, hand{c, at}, to)
}

// asks notes that the handler is about to wait, for those who ask its actor meanwhile.
func (c *caller) asks(at *actor) {
	if own := at.activity(); at.alone.Load() && own.asking.Load() != c.w {
		own.asking.Store(c.w)
	}
}

// ready tells, at a glance, that a message to the actor is not held up by handlers that wait.
func (a *actor) ready() bool {
	if a.alone.Load() {
		x := a.active.Load()
		if x == nil {
			return true
		}
		w := x.asking.Load()
		return w == nil || w.needs.Load() == 0 && (w.state.Load()&1 == 0 || w.asker.Load() != a)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inc == nil || !a.inc.busy()
}

// Hands implements kernel.Doer. One that is starting takes no message before its start is done; one that is paused takes none with
// its handlers stuck either, once it is resumed. Who is parked although there is room waits for nobody: admit leaves them until a
// quarter of the mailbox is free, which it never is when the consumer waits for them.
func (a *actor) Hands() (at []kernel.Hand, full bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	inc := a.inc
	if inc == nil {
		return nil, false
	}
	if a.rare.crowd() > 0 {
		a.letIn()
	}
	for f := inc.frames; f != nil; f = f.right {
		at = append(at, hand{&f.caller, a})
	}
	if a.phase == kernel.PhaseStarting {
		return at, true
	}
	return at, inc.gate.Load()&gateDown == 0 && inc.limit > 0 && len(at) >= int(inc.limit)
}

// hand is a handler at work, as the search for circles sees it.
type hand struct {
	c *caller
	a *actor
}

// Serves implements kernel.Hand.
func (h hand) Serves(w *kernel.Wait) bool {
	t := w.Number.(ticket)
	return h.c.w.serves.Load() == t.w && h.c.w.servesWait.Load() == uint32(t.gen)
}

// Waits implements kernel.Hand.
func (h hand) Waits() []kernel.Wait {
	own := h.c.w
	target, state := own.look()
	if own.asker.Load() != h.a {
		target, state = nil, 0
	}
	holds := func() bool { return own.state.Load() == state }
	if target != nil {
		return []kernel.Wait{{On: target, Needed: true, Number: ticket{own, state >> 1}, Holds: holds}}
	}
	h.c.mu.Lock()
	defer h.c.mu.Unlock()
	var all []kernel.Wait
	for _, one := range h.c.aides {
		if state == 0 && !one.needed {
			continue // it works beside them
		}
		w := kernel.Wait{Needed: one.needed, Holds: holds}
		beside := one.c.w
		if target, its := beside.look(); target != nil {
			w.On, w.Number = target, ticket{beside, its >> 1}
			w.Holds = func() bool { return (one.needed || holds()) && beside.state.Load() == its }
		}
		all = append(all, w)
	}
	return all
}

// look gives whose answer, or whose room, is waited for at this moment, nil for anything else, and the state of that wait; 0 when
// nothing is waited for.
func (w *waiter) look() (target *actor, state uint64) {
	state = w.state.Load()
	target = w.target.Load()
	if state&1 == 0 || w.state.Load() != state {
		return nil, 0
	}
	return target, state
}
