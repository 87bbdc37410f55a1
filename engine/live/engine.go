package live

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// Options are what an Engine is made of. Plan, Machine, Clock, Recorder and Factories are needed.
type Options struct {
	Plan      *plan.Plan
	Machine   kernel.Machine
	Clock     clock.Clock // engine time is its Now
	Seed      uint64      // of all randomness: jitter, routing, Rand
	Recorder  Recorder
	LastSeq   uint64                              // the last sequence number recorded before this run
	Factories func(kind plan.Kind) engine.Factory // nil for a kind without behaviours
	// Swapped is told of each plan that comes in force, by a reload or an action, before anything of it starts. It is called
	// under the engine's lock: it must be quick and must not call the engine. nil: nobody.
	Swapped func(p *plan.Plan)
	// Webhook posts a body as JSON to a URL; nil: http.DefaultClient does. It runs on a goroutine of its own.
	Webhook func(ctx context.Context, url string, headers []plan.Label, body any) error
	// RollBack is asked to reload an earlier plan, for this cause; it must not block. Nil: the engine reloads it by itself.
	RollBack func(x engine.RollBack, cause engine.Cause)
}

// Engine runs one plan until it is told to shut down or its root gives up. All methods are safe for concurrent use.
type Engine struct {
	options   Options
	clock     clock.Clock
	roster    roster
	view      atomic.Pointer[kernel.View]
	control   control
	pool      pool
	launcher  launcher
	scribe    kernel.Scribe
	letters   *kernel.Letters
	stacks    engine.Stacks
	emergency atomic.Bool
	detail    atomic.Uint32 // which durations are wanted
	outside   callers
	proxies   frames
	guards    kernel.Guards
	reloading sync.Mutex
	reloads   kernel.Reloads
	calls     atomic.Uint64 // numbers guarded calls, for their randomness
	up        chan struct{}
	upOnce    sync.Once
	done      chan struct{}
	code      int // with why valid once done is closed
	why       string
}

// New makes an engine that has not started. It fails when something in options is missing or the plan's guards cannot
// be made.
func New(o Options) (*Engine, error) {
	switch {
	case o.Plan == nil || len(o.Plan.Actors) == 0:
		return nil, errors.New("live: no plan")
	case o.Machine == nil || o.Clock == nil || o.Recorder == nil || o.Factories == nil:
		return nil, errors.New("live: Machine, Clock, Recorder and Factories must be set")
	case len(o.Plan.Actors) >= pageSize*maxPages:
		return nil, fmt.Errorf("live: %d actors are too many, at most %d", len(o.Plan.Actors), pageSize*maxPages-1)
	}
	e := &Engine{options: o, clock: o.Clock, up: make(chan struct{}), done: make(chan struct{})}
	e.pool.eng, e.launcher.eng, e.outside.eng, e.proxies.eng = e, e, e, e
	e.scribe.To, e.scribe.Wall, e.scribe.Last = o.Recorder, o.Clock.Wall, o.LastSeq
	e.letters = kernel.NewLetters(&e.scribe, e.after)
	e.control = control{timers: map[engine.TimerID]alarm{}, answers: map[uint64]chan string{}, supervisors: map[string]*actor{}}
	e.roster.byPath = newPaths(e, o.Plan)
	e.guards.Seed, e.guards.Placed, e.guards.Tell = e.seedFor, e.placeGuards, e.report
	e.guards.Now, e.guards.Wall, e.guards.After = e.now, o.Clock.Wall, e.after
	e.reloads.Of, e.reloads.Guards, e.reloads.Tell = e, &e.guards, e.happen
	v, err := e.guards.View(o.Plan, 1, e.now())
	if err != nil {
		return nil, fmt.Errorf("live: %w", err)
	}
	e.view.Store(v)
	e.control.helm = kernel.NewHelm(o.Machine, &e.scribe, &e.guards, hands{e}, v)
	e.control.helm.InPortions()
	hands{e}.Furnish(v)
	v.Commit()
	e.detail.Store(uint32(detailOf(o.Plan.Observe.Level)))
	return e, nil
}

// now is the engine's time.
func (e *Engine) now() time.Duration { return time.Duration(e.clock.Now()) }

// moment reads the clock once for the engine's time and the calendar's.
func (e *Engine) moment() kernel.Moment {
	now, wall := e.clock.Moment()
	return kernel.Moment{Now: time.Duration(now), Wall: wall.UnixNano()}
}

// Now is the engine's time: what its clock says.
func (e *Engine) Now() time.Duration { return e.now() }

func (e *Engine) after(d time.Duration, fn func()) { e.clock.AfterFunc(d, fn) }

func (e *Engine) seedFor(name string) uint64 { return guard.Mix(e.options.Seed ^ guard.Hash(name)) }

func (e *Engine) factories(k plan.Kind) engine.Factory { return e.options.Factories(k) }

// Start boots the plan and returns at once; Up tells when all is ready. It must be called once.
func (e *Engine) Start() {
	e.happen(kernel.Happening{In: engine.Boot{Plan: e.options.Plan, Seed: e.options.Seed}})
}

// Up is closed when the root supervisor is ready for the first time: everything below it has started.
func (e *Engine) Up() <-chan struct{} { return e.up }

// Done is closed when everything has stopped.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Result tells how the engine ended: 0 after a Shutdown, 70 when the root gave up. It is valid once Done is closed.
func (e *Engine) Result() (code int, why string) { return e.code, e.why }

// Submit tells the Machine something that happened outside: samples, mostly.
func (e *Engine) Submit(in engine.Input) { e.happen(kernel.Happening{In: in}) }

// Shutdown stops everything in reverse start order. Done tells when.
func (e *Engine) Shutdown(why string) { e.happen(kernel.Happening{In: engine.Shutdown{Why: why}}) }

// Ended is told that nothing runs any more.
func (e hands) Ended(code int, why string) {
	e.code, e.why = code, why
	for id, a := range e.control.timers {
		a.timer.Stop()
		delete(e.control.timers, id)
	}
	for n := range e.control.answers {
		e.Answered(n, "the engine has ended")
	}
	e.each(func(a *actor) bool {
		a.mu.Lock()
		stopped := a.phase == kernel.PhaseStopped
		a.mu.Unlock()
		if !stopped {
			a.shut(kernel.PhaseStopped, kernel.Stopped) // it waited for a restart that will not come
		}
		return true
	})
	e.pool.spawn(func() {
		e.letters.Close()
		e.pool.close()
		e.outside.close()
		close(e.done)
	})
}

// Furnish makes the groups of a generation known.
func (e hands) Furnish(v *kernel.View) {
	if v.Generation > 1 {
		e.roster.mu.Lock()
		e.roster.byPath.leave()
		e.roster.mu.Unlock()
	}
	e.roster.groups.Furnish(v.Plan, e.seedFor)
}
