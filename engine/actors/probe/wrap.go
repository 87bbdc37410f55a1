package probe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// Exec runs a command to its end, in the topology's directory and with these variables; nil is exit code 0. It returns soon
// after ctx is done, and nothing of the command is left then.
type Exec func(ctx context.Context, command []string, base string, env []plan.EnvVar) error

// Defaults where a plan that was built in Go leaves a figure out.
const (
	defaultWithin   = 30 * time.Second
	defaultInterval = 5 * time.Second
	defaultTimeout  = time.Second
	defaultFail     = 3
	defaultPass     = 1
	readyInterval   = 100 * time.Millisecond
	lostAfter       = 10          // alarms
	lookAgain       = time.Second // for a health probe that a reload may bring or change
)

// Wrap gives a factory's behaviours the probes of their definitions. A behaviour without a probe is left as it is, but for
// processes and upstreams, to which a reload may bring a health probe while they run. c measures, exec runs commands.
func Wrap(inner engine.Factory, c clock.Clock, exec Exec) engine.Factory {
	return func(a *plan.Actor, p *plan.Plan) (engine.Behavior, error) {
		b, err := inner(a, p)
		if err != nil {
			return nil, err
		}
		outside := a.Kind == plan.Process || a.Kind == plan.Upstream
		if a.Ready == nil && a.Health == nil && !outside {
			return b, nil
		}
		return &probed{inner: b, def: a, asker: asker{inner: b, base: p.Dir, env: envOf(a), exec: exec}, clock: c}, nil
	}
}

func envOf(a *plan.Actor) []plan.EnvVar {
	if a.Process == nil {
		return nil
	}
	return a.Process.Env
}

// probed is a behaviour with its probes. Handle belongs to the runtime's rules; the rest is safe beside it.
type probed struct {
	inner engine.Behavior
	def   *plan.Actor
	asker asker
	clock clock.Clock

	life   engine.Life
	judge  judge
	cancel context.CancelFunc // of the loop that asks past the mailbox
	loop   sync.WaitGroup

	mu     sync.Mutex
	alarm  clock.Timer // goes off when a message probe is not answered in time
	asked  uint64      // number of the message probe under way
	misses int         // alarms that it has let pass
	ended  bool
}

// Unwrap gives the behaviour itself.
func (b *probed) Unwrap() engine.Behavior { return b.inner }

// Start starts what the behaviour owns.
func (b *probed) Start(life engine.Life) error {
	b.life = life
	b.judge.report = life.Healthy
	if r, ok := b.inner.(engine.Runner); ok {
		return r.Start(life)
	}
	return nil
}

// Init initialises the behaviour, waits until it is ready and begins to watch its health.
func (b *probed) Init(ctx engine.Context) error {
	if i, ok := b.inner.(engine.Initer); ok {
		if err := i.Init(ctx); err != nil {
			return err
		}
	}
	if spec := ctx.Actor().Ready; spec != nil {
		if err := b.awaitReady(ctx, spec); err != nil {
			return err
		}
	}
	b.watch(ctx)
	return nil
}

// awaitReady asks until the probe passes.
func (b *probed) awaitReady(ctx engine.Context, spec *plan.Probe) error {
	within := orDefault(spec.Within, defaultWithin)
	if spec.Message != "" && !b.asker.direct() {
		return b.awaitAnswer(ctx, spec, within)
	}
	last := ""
	_, err := ctx.Call(within, func(c context.Context) (any, error) {
		for {
			err := b.once(c, spec)
			if err == nil {
				return nil, nil
			}
			if c.Err() == nil || last == "" {
				last = err.Error() // not what the end of the time made of it
			}
			if b.asker.final(spec) || !b.sleep(c, orDefault(spec.Interval, readyInterval)) {
				return nil, err
			}
		}
	})
	if err == nil || err == engine.ErrStopped {
		return err
	}
	return unready(ctx, within, last)
}

func unready(ctx engine.Context, within time.Duration, last string) error {
	return &engine.Error{Kind: engine.KindStart, By: ctx.Path(), Message: fmt.Sprintf("not ready within %s: %s", within, last)}
}

// awaitAnswer asks a script or Go actor that is only starting until it answers. It waits by the context, so that a
// simulation's time passes too.
func (b *probed) awaitAnswer(ctx engine.Context, spec *plan.Probe, within time.Duration) error {
	began, slept := ctx.Now(), time.Duration(0)
	for {
		err := b.askInside(ctx, engine.Msg{Type: spec.Message})
		if err == nil || err == engine.ErrStopped {
			return err
		}
		left := within - max(ctx.Now()-began, slept) // the time of the answers counts, and no wait is for nothing
		if left <= 0 {
			return unready(ctx, within, err.Error())
		}
		wait := min(left, orDefault(spec.Interval, readyInterval))
		if stopped := ctx.Sleep(wait); stopped != nil {
			return stopped
		}
		slept += wait
	}
}

// askInside asks a script or Go actor that is only starting, on its own goroutine.
func (b *probed) askInside(ctx engine.Context, m engine.Msg) error {
	a := &answering{Context: ctx}
	if err := b.inner.Handle(a, m); err != nil {
		return err
	}
	return a.verdict()
}

// once asks one time, within the probe's timeout.
func (b *probed) once(c context.Context, spec *plan.Probe) error {
	if b.asker.final(spec) {
		return b.asker.ask(c, spec)
	}
	c, cancel := context.WithCancelCause(c)
	defer cancel(nil)
	timer := b.clock.AfterFunc(orDefault(spec.Timeout, defaultTimeout), func() { cancel(context.DeadlineExceeded) })
	defer timer.Stop()
	return b.asker.ask(c, spec)
}

// sleep is false when c ended first.
func (b *probed) sleep(c context.Context, d time.Duration) bool {
	over := make(chan struct{})
	timer := b.clock.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	select {
	case <-over:
		return true
	case <-c.Done():
		return false
	}
}

// Handle passes messages on and answers the message probes between them.
func (b *probed) Handle(ctx engine.Context, m engine.Msg) error {
	if c, ok := m.Payload.(check); ok {
		return b.answer(ctx, c)
	}
	b.revive(ctx)
	return b.inner.Handle(ctx, m)
}

// Stop ends the probes and then the behaviour.
func (b *probed) Stop(ctx context.Context) error {
	b.mu.Lock()
	b.ended = true
	if b.alarm != nil {
		b.alarm.Stop()
	}
	cancel := b.cancel
	b.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	b.loop.Wait()
	if r, ok := b.inner.(engine.Runner); ok {
		return r.Stop(ctx)
	}
	return nil
}

// current is the health probe in the running generation; nil without one.
func (b *probed) current() *plan.Probe {
	if d, ok := b.life.(engine.Definer); ok {
		if a := d.Actor(); a != nil {
			return a.Health
		}
		return nil
	}
	return b.def.Health
}

func orDefault[N time.Duration | int](n, other N) N {
	if n > 0 {
		return n
	}
	return other
}
