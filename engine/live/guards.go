package live

import (
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// placeGuards lets senders find the guards in force. It is called under the control lock or before the start.
func (e *Engine) placeGuards() {
	e.each(func(a *actor) bool { a.protectBy(e.guards.Of(a.Path())); return true })
	e.roster.mu.RLock()
	defer e.roster.mu.RUnlock()
	for _, g := range e.roster.list {
		g.guard.Store(e.guards.Of(g.path))
	}
}

// tripped is told of every transition of a breaker, on the goroutine that caused it, which may hold the control lock.
// An open breaker gets a timer, so that its state moves on without traffic.
func (e *Engine) tripped(name string, b *breaker.Breaker, t breaker.Transition) {
	if t.Until != breaker.Never {
		e.clock.AfterFunc(time.Duration(t.Until)-e.now(), func() { b.Tick(e.clock.Now()) })
	}
	in := guard.Report(name, t)
	e.report(kernel.Happening{In: in, Fact: in.Report(e.now(), e.clock.Wall())})
}
