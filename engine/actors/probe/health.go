package probe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// judge turns single answers into changes of health. An actor begins healthy: it has been ready.
type judge struct {
	report func(ok bool, why string)

	mu     sync.Mutex
	sick   bool
	streak int // answers in a row that contradict
}

// take counts one answer; a change is reported once.
func (j *judge) take(spec *plan.Probe, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if (err != nil) == j.sick {
		j.streak = 0
		return
	}
	j.streak++
	switch {
	case err != nil && j.streak >= orDefault(spec.Fail, defaultFail):
		j.sick, j.streak = true, 0
		j.report(false, err.Error())
	case err == nil && j.streak >= orDefault(spec.Pass, defaultPass):
		j.sick, j.streak = false, 0
		j.report(true, "")
	}
}

// clear ends a sickness that nobody asks about any more: a reload took the probe away.
func (j *judge) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.sick {
		j.sick, j.streak = false, 0
		j.report(true, "no longer probed")
	}
}

// watch begins to ask: from outside where that is possible, else through the mailbox.
func (b *probed) watch(ctx engine.Context) {
	spec := b.current()
	if spec != nil && spec.Message != "" && !b.asker.direct() {
		b.arm(ctx, spec)
		return
	}
	if spec == nil && b.def.Kind != plan.Process && b.def.Kind != plan.Upstream {
		return
	}
	c, cancel := context.WithCancel(context.Background())
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		cancel()
		return
	}
	b.cancel = cancel
	b.loop.Go(func() { b.ask(c) })
}

// ask asks at intervals until c ends, by the probe of whichever generation runs. It looks for that probe at least every
// lookAgain, so that an interval made shorter does not wait for the end of the long one.
func (b *probed) ask(c context.Context) {
	waited := time.Duration(0)
	for {
		step := lookAgain
		if spec := b.current(); spec != nil {
			step = max(0, min(step, orDefault(spec.Interval, defaultInterval)-waited))
		}
		if !b.sleep(c, step) {
			return
		}
		waited += step
		spec := b.current()
		switch {
		case spec == nil:
			b.judge.clear()
			waited = 0
		case waited >= orDefault(spec.Interval, defaultInterval):
			waited = 0
			err := b.once(c, spec)
			if c.Err() != nil {
				return
			}
			b.judge.take(spec, err)
		}
	}
}

// check is the payload of a message probe on its way through the actor's own mailbox.
type check struct{ number uint64 }

// arm sends the next message probe after an interval, and sets the alarm that goes off if it is not answered in time.
func (b *probed) arm(ctx engine.Context, spec *plan.Probe) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.asked++
	b.misses = 0
	number := b.asked
	interval, timeout := orDefault(spec.Interval, defaultInterval), orDefault(spec.Timeout, defaultTimeout)
	ctx.After(interval, engine.Msg{Type: spec.Message, Payload: check{number}})
	b.alarm = b.clock.AfterFunc(interval+timeout, func() { b.missed(number) })
}

// missed counts a probe that is still unanswered, and goes on counting as long as it is.
func (b *probed) missed(number uint64) {
	spec := b.current()
	if spec == nil {
		return
	}
	b.mu.Lock()
	stuck := b.asked == number && !b.ended
	if stuck {
		b.misses++
		b.alarm = b.clock.AfterFunc(orDefault(spec.Interval, defaultInterval), func() { b.missed(number) })
	}
	b.mu.Unlock()
	if stuck {
		b.judge.take(spec, fmt.Errorf("message %q was not answered within %s", spec.Message, orDefault(spec.Timeout, defaultTimeout)))
	}
}

// answer handles a message probe: the behaviour sees an ordinary message, and its answer comes here. An answer that is late
// counts for nothing: the alarm has counted it.
func (b *probed) answer(ctx engine.Context, c check) error {
	spec := b.current()
	if !b.valid(c) {
		return nil
	}
	if spec == nil || spec.Message == "" {
		b.judge.clear()
		return nil
	}
	a := &answering{Context: ctx}
	failure := b.inner.Handle(a, engine.Msg{Type: spec.Message})
	if failure == engine.ErrStopped {
		return failure
	}
	verdict := failure
	if verdict == nil {
		verdict = a.verdict()
	}
	if b.inTime() {
		b.judge.take(spec, verdict)
	}
	b.arm(ctx, spec)
	return failure
}

// revive sends a new probe when the one under way has been missed so often that a full mailbox must have refused it.
func (b *probed) revive(ctx engine.Context) {
	b.mu.Lock()
	lost := b.misses >= lostAfter && !b.ended
	if lost {
		b.alarm.Stop()
	}
	b.mu.Unlock()
	if spec := b.current(); lost && spec != nil {
		b.arm(ctx, spec)
	}
}

func (b *probed) valid(c check) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return c.number == b.asked && !b.ended
}

// inTime silences the alarm.
func (b *probed) inTime() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alarm.Stop()
	return b.misses == 0
}

// answering is the context of a message probe: the answer stays here.
type answering struct {
	engine.Context
	failed *engine.Error
}

// Reply takes the answer.
func (a *answering) Reply(any) bool { return true }

// Fail takes the error.
func (a *answering) Fail(err *engine.Error) bool {
	a.failed = err
	return true
}

// Meta marks the message as a probe.
func (a *answering) Meta() engine.Meta {
	m := a.Context.Meta()
	m.Probe = true
	return m
}

func (a *answering) verdict() error {
	if a.failed == nil {
		return nil
	}
	return a.failed
}
