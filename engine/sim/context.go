package sim

import (
	"context"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// frame is the Context of the message that it handles.
var _ engine.Context = (*frame)(nil)

// Self implements engine.Context.
func (f *frame) Self() engine.Ref          { return engine.Ref{ID: f.inc.a.id} }
func (f *frame) Path() string              { return f.inc.a.path }
func (f *frame) Incarnation() engine.Epoch { return f.inc.epoch }
func (f *frame) Plan() *plan.Plan          { return f.view.Plan }
func (f *frame) Meta() engine.Meta         { return f.env.meta }
func (f *frame) Actor() *plan.Actor        { return f.spec }

// Now implements engine.Context; a skewed actor's clock is off.
func (f *frame) Now() time.Duration {
	f.check()
	if !f.fresh {
		f.now, f.fresh = f.eng.Now()+f.actor.skew, true
	}
	return f.now
}

// Rand implements engine.Context: SplitMix64 on the incarnation's own stream.
func (f *frame) Rand() uint64 {
	f.check()
	f.inc.rng += guard.Golden
	return guard.Mix(f.inc.rng)
}

// Ref implements engine.Context.
func (f *frame) Ref(name string) (engine.Ref, error) { return f.eng.Ref(name) }

// check notices a context that is used by somebody else or too late.
func (f *frame) check() {
	e := f.eng
	if !e.options.Strict {
		return
	}
	c, k := e.loop.current, e.loop.inside
	if f.stale || !f.user || c == nil || c.frame != f && e.brief != f && (k == nil || k.frame != f) {
		e.cheats(f.actor.path, "its context was used outside its handler")
	}
}

// next makes meta what a message carries that this handler sends.
func (f *frame) next(meta *engine.Meta) {
	*meta = f.env.meta
	kernel.Follow(meta, f.inc.a.path)
}

// Tell implements engine.Context.
func (f *frame) Tell(to engine.Ref, m engine.Msg) error {
	f.check()
	env := envelope{msg: m}
	f.next(&env.meta)
	env.meta.Deadline = 0 // the asker's patience is not the tell's
	at := f.eng.now
	err := f.eng.tell(&f.caller, to, &env)
	f.fresh = f.fresh && at == f.eng.now
	return err
}

// Reply implements engine.Context.
func (f *frame) Reply(payload any) bool {
	f.check()
	if f.stashed {
		return false
	}
	f.answered = true
	return f.respond(payload, nil)
}

// Fail implements engine.Context.
func (f *frame) Fail(err *engine.Error) bool {
	f.check()
	if f.stashed {
		return false
	}
	f.answered, f.faulty = true, true
	return f.respond(nil, err)
}

// After implements engine.Context.
func (f *frame) After(d time.Duration, m engine.Msg) (cancel func() bool) {
	f.check()
	inc, meta := f.inc, engine.Meta{}
	f.next(&meta)
	meta.Deadline = 0
	a := new(clock.Alarm)
	alarms := &f.eng.loop.alarms
	alarms.Set(a, int64(f.eng.Now()+max(d, 0)), func() {
		if !inc.cut {
			_ = inc.a.offer(&envelope{msg: m, meta: meta, only: inc.epoch}, nil)
		}
	})
	return func() bool { return alarms.Cancel(a) }
}

// Stash implements engine.Context.
func (f *frame) Stash() error {
	f.check()
	if f.stashed {
		return nil
	}
	a := f.actor
	err := engine.Stashable(&f.env.msg, f.inc.limit == 1, f.answered, a.again.n+a.stash.n, int(a.box.Capacity))
	f.stashed = err == nil
	return err
}

// Unstash implements engine.Context.
func (f *frame) Unstash() int {
	f.check()
	if f.inc.limit != 1 {
		return 0
	}
	return f.actor.unstash()
}

// Emit implements engine.Context.
func (f *frame) Emit(body journal.Body) {
	f.check()
	m := &f.env.meta
	f.eng.scribe.Record(f.actor.path, body, &engine.Cause{Correlation: m.Correlation, Seq: m.Causation})
}

// Ask implements engine.Context.
func (f *frame) Ask(to engine.Ref, m engine.Msg, timeout time.Duration) (any, error) {
	f.check()
	q := kernel.Question{To: to, Msg: m, Timeout: timeout}
	f.next(&q.Meta)
	r, err := f.eng.request(&f.caller, &q)
	f.fresh = false
	return r.Payload, err
}

// AskAll implements engine.Context.
func (f *frame) AskAll(to []engine.Ref, m []engine.Msg, timeout time.Duration) ([]any, []error) {
	f.check()
	f.fresh = false
	return kernel.AskAll(&f.caller, f.many(to, m, timeout))
}

// AskUntil implements engine.EarlyAsker.
func (f *frame) AskUntil(to []engine.Ref, m []engine.Msg, timeout time.Duration, seen func(i int, value any, err error) bool) {
	f.check()
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

// Sleep implements engine.Context.
func (f *frame) Sleep(d time.Duration) error {
	f.check()
	f.fresh = false
	return f.caller.Sleep(d)
}

// Call implements engine.Context: the actor's model answers instead of fn.
func (f *frame) Call(timeout time.Duration, _ func(context.Context) (any, error)) (any, error) {
	f.check()
	f.fresh = false
	return f.outside(timeout)
}

// Stop implements engine.Context.
func (f *frame) Stop() { f.check(); f.quit = true }

// Stopping implements engine.Context.
func (f *frame) Stopping() bool { return f.stop != kernel.Stays || f.inc.gate&gateDown != 0 }

// Steer implements engine.Steerer.
func (f *frame) Steer(by string, a engine.Steer) {
	f.eng.happen(kernel.Wish(0, a, f.actor.path+"/"+by))
}
