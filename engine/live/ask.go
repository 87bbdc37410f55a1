package live

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// ask sends a message to one actor and waits for the answer, at most for timeout (0: until the message's deadline, or
// kernel.DefaultAsk).
func (c *caller) ask(to *actor, m *engine.Msg, meta *engine.Meta, timeout time.Duration) (any, error) {
	until := meta.Deadline
	if timeout > 0 {
		if at := c.eng.now() + timeout; until == 0 || at < until {
			until = at
		}
	}
	return c.askUntil(to, m, meta, meta.Attempt, until)
}

// askUntil is ask with an end in engine time, 0 for none of its own.
func (c *caller) askUntil(to *actor, m *engine.Msg, meta *engine.Meta, n int, deadline time.Duration) (any, error) {
	if err := c.Blocks(); err != nil {
		return nil, err
	}
	if deadline == 0 {
		deadline = c.eng.now() + kernel.DefaultAsk
	}
	t := c.begin(forAnswer, to, deadline)
	if c.actor != nil {
		if circle := c.circle(to); circle != "" {
			c.abandon(t)
			return nil, kernel.Circular(c.actor.Path(), circle)
		}
	}
	var env envelope
	c.enclose(&env, m, meta)
	env.attempt = uint16(n)
	env.ask(t)
	if err := to.offer(&env, c); err != nil {
		c.abandon(t)
		return nil, err
	}
	v, err := c.wait()
	return v, c.tell(err)
}

// circle looks whether an ask would wait for itself. The asker's own wait is published before it looks, so of several asks that
// close a circle at the same moment at least the last one sees it.
func (c *caller) circle(to *actor) string {
	if own := c.actor.activity(); own.asking.Load() != c.w {
		own.asking.Store(c.w)
	}
	return kernel.Circle(c.actor, to)
}

// Single tells whether the actor handles one message at a time.
func (a *actor) Single() bool { return a.alone.Load() }

// WaitsFor implements kernel.Asker.
func (a *actor) WaitsFor() kernel.Asker {
	x := a.active.Load()
	if x == nil || !a.Single() {
		return nil
	}
	w := x.asking.Load()
	if w == nil {
		return nil
	}
	state := w.state.Load()
	asker, target := w.asker.Load(), w.target.Load()
	if state&1 == 0 || asker != a || target == nil || w.state.Load() != state {
		return nil
	}
	return target
}
