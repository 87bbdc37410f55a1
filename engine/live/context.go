package live

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// frame is the Context of the message that it handles.
var _ engine.Context = (*frame)(nil)

func (f *frame) Self() engine.Ref          { return engine.Ref{ID: f.inc.a.id} }
func (f *frame) Path() string              { return f.inc.a.Path() }
func (f *frame) Incarnation() engine.Epoch { return f.inc.epoch }
func (f *frame) Plan() *plan.Plan          { return f.view.Plan }
func (f *frame) Actor() *plan.Actor        { return f.inc.a.spec(f.view.Plan) }

func (f *frame) Now() time.Duration {
	if !f.fresh {
		f.now, f.fresh = f.eng.now(), true
	}
	return f.now
}

// Rand is SplitMix64 on a counter, so that several handlers may draw at once.
func (f *frame) Rand() uint64 { return f.inc.rand() }

func (f *frame) Ref(name string) (engine.Ref, error) { return f.eng.Ref(name) }

// Meta is what the message at hand carries.
func (f *frame) Meta() engine.Meta {
	m := f.env.meta()
	m.Deadline = f.until
	return m
}

// next makes meta what a message carries that this handler sends.
func (f *frame) next(meta *engine.Meta) {
	*meta = f.Meta()
	kernel.Follow(meta, f.inc.a.Path())
}

// onward is the slip of what this handler sends: that of the message at hand, but for what is that message's alone.
func (f *frame) onward() *slip {
	s := f.env.slip
	if s == nil || s.from == "" && s.only == 0 {
		return s
	}
	return f.slipOf(slip{correlation: s.correlation, causation: s.causation, key: s.key})
}

func (f *frame) Tell(to engine.Ref, m engine.Msg) error {
	if f.turn.Load() != turnUser {
		return engine.ErrStopped
	}
	// The asker's deadline is not passed on: its patience is not the tell's.
	return f.eng.tell(&f.caller, to, &envelope{msg: m, from: f.inc.a, slip: f.onward(), priority: f.env.priority, attempt: 1})
}

func (f *frame) Reply(payload any) bool {
	if f.stashed {
		return false
	}
	f.answered = true
	return f.env.reply().settle(payload, nil)
}

func (f *frame) Fail(err *engine.Error) bool {
	if f.stashed {
		return false
	}
	f.answered, f.fault = true, cmp.Or(err.Kind, engine.KindCrash)
	return f.env.reply().settle(nil, err)
}

func (f *frame) After(d time.Duration, m engine.Msg) (cancel func() bool) {
	inc, later := f.inc, slip{only: f.inc.epoch}
	if s := f.env.slip; s != nil {
		later.correlation, later.causation, later.key = s.correlation, s.causation, s.key
	}
	env := envelope{msg: m, from: inc.a, slip: &later, priority: f.env.priority, attempt: 1}
	t := f.eng.clock.AfterFunc(d, func() {
		if !inc.cut.Load() {
			_ = inc.a.offer(&env, nil)
		}
	})
	return t.Stop
}

func (f *frame) Stash() error {
	if f.turn.Load() != turnUser {
		return engine.ErrStopped
	}
	a := f.inc.a
	a.mu.Lock()
	aside, room := a.rare.held(), int(a.box.Capacity)
	a.mu.Unlock()
	if f.stashed {
		return nil
	}
	err := engine.Stashable(&f.env.msg, f.inc.limit == 1, f.answered, aside, room)
	f.stashed = err == nil
	return err
}

func (f *frame) Unstash() int {
	if f.turn.Load() != turnUser || f.inc.limit != 1 {
		return 0
	}
	a := f.inc.a
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.rare.unstash()
	f.behind = f.behind || n > 0
	return n
}

func (f *frame) Emit(body journal.Body) {
	if f.turn.Load() != turnUser {
		return
	}
	cause := f.env.cause()
	f.eng.scribe.Record(f.inc.a.Path(), body, &cause)
}

func (f *frame) Ask(to engine.Ref, m engine.Msg, timeout time.Duration) (any, error) {
	if f.returned() {
		return nil, engine.ErrStopped
	}
	f.flush()
	q := kernel.Question{To: to, Msg: m, Timeout: timeout}
	f.next(&q.Meta)
	r, err := f.eng.request(&f.caller, &q)
	f.fresh = false
	return r.Payload, err
}

// returned tells whether the handler has returned whose context somebody still uses. It is not to be relied upon: the frame may
// serve another message by then.
func (f *frame) returned() bool { return f.turn.Load() == turnLoop }

// AskAll implements engine.Context.
func (f *frame) AskAll(to []engine.Ref, m []engine.Msg, timeout time.Duration) ([]any, []error) {
	if f.returned() {
		return make([]any, len(to)), slices.Repeat([]error{engine.ErrStopped}, len(to))
	}
	f.flush()
	f.fresh = false
	return kernel.AskAll(&f.caller, f.many(to, m, timeout))
}

// AskUntil implements engine.EarlyAsker.
func (f *frame) AskUntil(to []engine.Ref, m []engine.Msg, timeout time.Duration, seen func(i int, value any, err error) bool) {
	f.flush()
	kernel.AskUntil(&f.caller, f.many(to, m, timeout), func(i int, value any, err error) bool {
		f.fresh = false
		return seen(i, value, err)
	})
	f.fresh = false
}

func (f *frame) many(to []engine.Ref, m []engine.Msg, timeout time.Duration) *kernel.Many {
	q := &kernel.Many{To: to, Msgs: m, Timeout: timeout}
	f.next(&q.Meta)
	return q
}

func (f *frame) Sleep(d time.Duration) error {
	if f.returned() {
		return engine.ErrStopped
	}
	f.flush()
	f.fresh = false
	return f.caller.Sleep(d)
}

func (f *frame) Call(timeout time.Duration, fn func(context.Context) (any, error)) (any, error) {
	if f.returned() {
		return nil, engine.ErrStopped
	}
	f.flush()
	f.fresh = false
	return f.call(timeout, fn)
}

// call runs fn on the caller's goroutine under a context that ends with the timeout or with the caller.
func (c *caller) call(timeout time.Duration, fn func(context.Context) (any, error)) (any, error) {
	if err := c.Blocks(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if timeout > 0 {
		t := c.eng.clock.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })
		defer t.Stop()
	}
	c.mu.Lock()
	c.cancel = func() { cancel(engine.ErrStopped) }
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.cancel = nil
		c.mu.Unlock()
	}()
	if why := c.stopped(); why != nil {
		return nil, c.tell(why)
	}
	v, err := fn(ctx)
	switch cause := context.Cause(ctx); {
	case err == nil:
		return v, nil
	case c.stopped() != nil:
		return nil, c.tell(c.stopped())
	case cause == context.DeadlineExceeded:
		if own := (*engine.Error)(nil); errors.As(err, &own) && own.Kind == engine.KindTimeout {
			return nil, own // it knows whether anything was delivered
		}
		return nil, kernel.Late(c.name())
	}
	return v, err
}

// name is who the caller is, for messages.
func (c *caller) name() string {
	if c.actor == nil {
		return ""
	}
	return c.actor.Path()
}

func (f *frame) Stop() { f.quit = true }

func (f *frame) Stopping() bool { return f.stopped() != nil || f.inc.gate.Load()&gateDown != 0 }
