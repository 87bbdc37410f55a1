package sim

import (
	"context"
	"runtime"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// waiter is where somebody waits for one thing at a time: an answer, room in a mailbox, the end of a sleep. It is used
// again for the next wait under a new generation, so what comes late is dropped.
type waiter struct {
	eng     *Engine
	gen     uint64
	on      bool
	value   any
	err     error
	ask     *request // takes the outcome instead of a carrier
	job     *job     // of a model that works for this wait
	alarm   clock.Alarm
	late    func() // due, bound once
	source  *actor // who waits; nil outside
	target  *actor // whose answer, or whose room
	purpose kernel.Purpose

	carrier   *carrier // suspended in this wait, or else a coroutine
	coroutine *coroutine
}

// outcome is the error of a deadline that came first.
func (w *waiter) outcome() error {
	path := ""
	if w.target != nil {
		path = w.target.path
	}
	return w.purpose.Late(path)
}

// ticket names one wait of one waiter. The zero ticket is nobody's.
type ticket struct {
	w   *waiter
	gen uint64
}

func (w *waiter) init(e *Engine) {
	w.eng, w.late = e, w.due
}

// begin starts a wait that ends at the engine time deadline, 0 for none.
func (w *waiter) begin(p kernel.Purpose, source, target *actor, deadline time.Duration) ticket {
	w.gen++
	w.on, w.purpose, w.source, w.target, w.job = true, p, source, target, nil
	if deadline > 0 {
		w.eng.loop.alarms.Set(&w.alarm, int64(deadline), w.late)
	}
	return ticket{w, w.gen}
}

func (w *waiter) due() { w.current().settle(nil, w.outcome()) }

// current is the ticket of the present wait, or a dead one.
func (w *waiter) current() ticket { return ticket{w, w.gen} }

// waits reports whether the wait is still on.
func (t ticket) waits() bool { return t.w != nil && t.w.on && t.w.gen == t.gen }

// settle ends the wait and reports whether it did; false means that it was over already.
func (t ticket) settle(value any, err error) bool {
	if !t.waits() {
		return false
	}
	w := t.w
	w.on, w.value, w.err = false, value, err
	w.eng.loop.alarms.Cancel(&w.alarm)
	if j := w.job; j != nil {
		w.job = nil
		j.abandoned(t)
	}
	switch {
	case w.ask != nil:
		w.eng.push(task{kind: taskAsk, ask: w.ask})
		w.ask = nil
	case w.carrier != nil || w.coroutine != nil:
		w.eng.push(task{kind: taskResume, w: w})
	}
	return true
}

// Wake ends a wait for a place in a queue.
func (t ticket) Wake() { t.settle(nil, nil) }

// wait suspends the carrier at work until the wait is settled.
func (w *waiter) wait() (any, error) {
	if w.on {
		if k := w.eng.loop.inside; k != nil {
			w.coroutine = k
			k.suspend()
			w.coroutine = nil
		} else {
			w.carrier = w.eng.loop.current
			w.carrier.suspend(w)
			w.carrier = nil
		}
	}
	value, err := w.value, w.err
	w.value, w.err = nil, nil
	return value, err
}

// caller is who may wait: a handler, or a request from outside.
type caller struct {
	kernel.Spare
	eng    *Engine
	actor  *actor       // nil outside
	view   *kernel.View // the generation in force for what it does
	w      waiter
	stop   kernel.Leave
	told   bool // it has had its ErrStopped; the next wait ends its goroutine
	cancel context.CancelFunc
	self   *frame // nil for one that is no handler
	of     *frame // the handler whose work this is, when it is one beside; nil otherwise
	aides  []aide // who work beside a handler
}

// aide is a caller that works for a handler beside it.
type aide struct {
	c      *caller
	needed bool
}

// principal is the handler that the caller is or works for; nil outside.
func (c *caller) principal() *frame {
	if c.of != nil {
		return c.of
	}
	return c.self
}

func (c *caller) init(e *Engine) {
	c.eng = e
	c.w.init(e)
}

// begin starts a wait, settled at once when the caller has been told to stop.
func (c *caller) begin(p kernel.Purpose, target *actor, deadline time.Duration) ticket {
	t := c.w.begin(p, c.actor, target, deadline)
	if why := c.stopped(); why != nil {
		t.settle(nil, why)
	}
	return t
}

// abandon ends a wait that is not waited for after all.
func (c *caller) abandon(t ticket) {
	t.settle(nil, nil)
	c.w.value, c.w.err = nil, nil
}

// interrupt makes the caller stop waiting, now and from now on.
func (c *caller) interrupt(why kernel.Leave) {
	if c.stop != kernel.Stays {
		return
	}
	c.stop = why
	c.w.current().settle(nil, c.stopped())
	if c.cancel != nil {
		c.cancel()
	}
}

// stopped is the error that a wait ends with once the caller must stop.
func (c *caller) stopped() error { return c.stop.Err() }

// Blocks is asked before each wait. A handler that was told to stop and waits again is unwound: an error alone it
// could swallow in a loop, and a panic it could recover from.
func (c *caller) Blocks() error {
	why := c.stopped()
	if why != nil && c.actor != nil {
		if c.told && c.eng.loop.inside != nil {
			panic(unwinding{})
		}
		if c.told {
			runtime.Goexit()
		}
		c.told = true
	}
	return why
}

// Sleep waits until d has passed.
func (c *caller) Sleep(d time.Duration) error {
	if err := c.Blocks(); err != nil {
		return err
	}
	if d <= 0 {
		return nil
	}
	c.begin(kernel.ForTime, nil, c.eng.Now()+d)
	_, err := c.w.wait()
	return c.tell(err)
}

// tell remembers that the caller has had its ErrStopped.
func (c *caller) tell(err error) error {
	if err == engine.ErrStopped {
		c.told = true
	}
	return err
}

// take gives an outside caller.
func (e *Engine) take() *caller {
	if n := len(e.callers); n > 0 {
		c := e.callers[n-1]
		e.callers = e.callers[:n-1]
		return c
	}
	c := new(caller)
	c.init(e)
	return c
}

// put takes an outside caller back. Its waits are over; what is late finds an older generation.
func (e *Engine) put(c *caller) {
	c.clear()
	e.callers = append(e.callers, c)
}

func (c *caller) clear() { c.view, c.stop, c.told, c.cancel = nil, kernel.Stays, false, nil }
