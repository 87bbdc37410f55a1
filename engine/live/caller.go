package live

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// caller is who may block: a handler, or a program outside. Its fields belong to the goroutine that waits, but for
// stop and the waiter's settle, which anyone may use to end the wait.
type caller struct {
	kernel.Spare
	eng     *Engine
	actor   *actor       // nil outside
	view    *kernel.View // the generation in force for what it does
	w       *waiter
	stop    atomic.Uint32 // a kernel.Leave
	slip    *slip         // of its last message that needed one of its own
	spoiled atomic.Bool   // may not be used again
	told    bool          // it has had its ErrStopped; the next blocking call ends its goroutine

	of *caller // the handler whose work this is, when it is one beside; nil otherwise
	at *actor  // that handler's

	mu     sync.Mutex
	cancel context.CancelFunc // of a running Call
	aides  []aide             // who work beside a handler
}

// aide is a caller that works for a handler beside it.
type aide struct {
	c      *caller
	needed bool
}

// principal is the handler that the caller is or works for, with its actor; nil outside.
func (c *caller) principal() (*caller, *actor) {
	switch {
	case c.of != nil:
		return c.of, c.at
	case c.actor != nil:
		return c, c.actor
	}
	return nil, nil
}

func (c *caller) init(e *Engine) {
	c.eng, c.w = e, newWaiter(e.clock)
}

func (c *caller) rest() { c.w.rest() }

// begin starts a wait. A caller that is told to stop between the check and the wait finds its wait settled.
func (c *caller) begin(p kernel.Purpose, target *actor, deadline time.Duration) ticket {
	t := c.w.begin(p, c.actor, target, deadline)
	if why := c.stopped(); why != nil {
		t.settle(nil, why)
	}
	return t
}

func (c *caller) wait() (any, error) { return c.w.wait() }

// abandon ends a wait that is not waited for after all.
func (c *caller) abandon(t ticket) {
	t.settle(nil, nil)
	_, _ = c.w.wait()
}

// interrupt makes the caller stop waiting, now and from now on.
func (c *caller) interrupt(why kernel.Leave) {
	if !c.stop.CompareAndSwap(uint32(kernel.Stays), uint32(why)) {
		return
	}
	c.w.current().settle(nil, c.stopped())
	c.mu.Lock()
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// stopped is the error that a wait ends with once the caller must stop.
func (c *caller) stopped() error { return kernel.Leave(c.stop.Load()).Err() }

// Blocks is asked before each wait. A handler that was told to stop and waits again is unwound: an error alone it
// could swallow in a loop, and a panic it could recover from.
func (c *caller) Blocks() error {
	why := c.stopped()
	if why != nil && c.actor != nil {
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
	c.begin(kernel.ForTime, nil, c.eng.now()+d)
	_, err := c.wait()
	return c.tell(err)
}

// tell remembers that the caller has had its ErrStopped.
func (c *caller) tell(err error) error {
	if err == engine.ErrStopped {
		c.told = true
	}
	return err
}

// endsWith makes the caller stop waiting when ctx ends, until the function that it gives is called.
func (c *caller) endsWith(ctx context.Context) (release func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	stop := context.AfterFunc(ctx, c.Cancel)
	return func() {
		if !stop() {
			c.spoiled.Store(true) // it may still be on its way: nobody else may get this caller
		}
	}
}
