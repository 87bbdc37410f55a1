package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// Options are what an Engine is made of. Plan is needed.
type Options struct {
	Plan      *plan.Plan
	Seed      uint64    // of all randomness
	Start     time.Time // the calendar time of engine time 0; zero is 2020-01-01 UTC
	Factories func(kind plan.Kind) engine.Factory
	// World has the models, by path of the actor or of its group. A Go actor with a model is replaced by it unless Present
	// says that its behaviour is there; then the model answers its Context.Call.
	World   map[string]Model
	Present func(a *plan.Actor) bool
	// Recorder takes the events; nil: they are numbered and shown to the Observer only.
	Recorder Recorder
	Observer Observer
	// EventsOnly spares the Observer the calls.
	EventsOnly bool
	// Sample measures for the rules, every observe.interval of the plan; nil: nobody samples.
	Sample  func(now time.Duration) engine.Sampled
	Webhook func(url string, body any)
	// Swapped is told of each plan that comes in force, by a reload or an action, before anything of it starts; nil: nobody.
	Swapped func(p *plan.Plan)
	// RollBack is asked to reload an earlier plan, at the moment it is wanted; nil: the engine reloads it by itself.
	RollBack func(x engine.RollBack, cause engine.Cause)
	// Spoil spoils the newest state that was saved of an actor; nil: none are saved here.
	Spoil func(actor string) error
	// Watch are expressions whose over() and predict() need a history although the plan does not have them.
	Watch []*rules.Program
	// Shuffle seeds the choice among what can be done at the same moment; 0 is first come first served.
	Shuffle uint64
	// Strict gives each message a context of its own, so that one used too late or by somebody else is noticed.
	Strict bool
	// Plain leaves out what only tells runs apart: the digest, Marks and the Machine's inputs among the events. The run is
	// the same, and its events have the same numbers.
	Plain     bool
	MarkEvery time.Duration      // of Marks; 0: none are taken
	Calls     func(journal.Call) // is told how each attempt of a guarded call ended; nil: nobody is
	Steps     func(Step)         // is told all that the digest takes in; nil: nobody is
	MaxTurns  int                // tasks within one moment; 0 is a million
	Watchdog  time.Duration      // of the machine's time without a turn, after which a handler is stuck; 0 is 10s, negative never
}

// Engine runs one plan in virtual time.
type Engine struct {
	options  Options
	now      int64
	loop     loop
	brief    *frame // for what runs on the stack of somebody who waits
	roster   roster
	view     *kernel.View
	machine  *engine.Machine
	control  control
	guards   kernel.Guards
	scribe   kernel.Scribe
	strays   strays
	letters  *kernel.Letters
	stacks   engine.Stacks
	faults   faults
	digest   digest
	world    map[string]*Model
	tables   map[Latency]*quantiles
	callers  []*caller  // that are free
	requests []*request // that are free
	jobs     []*job     // that are free
	nothing  map[string]any
	call     Call     // shown to the observer
	watcher  Observer // of calls; nil: nobody wants to know of them
	seeds    map[string]uint64
	reloads  kernel.Reloads

	emergency bool
	detailed  bool // durations are wanted
	up        bool
	over      bool
	closed    bool
	code      int
	why       string
	cheat     atomic.Pointer[string]
}

// New makes an engine that has not started. It fails when the plan's guards cannot be made.
func New(o Options) (*Engine, error) {
	if o.Plan == nil || len(o.Plan.Actors) == 0 {
		return nil, errors.New("sim: no plan")
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.Factories == nil {
		o.Factories = func(plan.Kind) engine.Factory { return nil }
	}
	if o.Watchdog == 0 {
		o.Watchdog = 10 * time.Second
	}
	e := &Engine{options: o, world: map[string]*Model{}, tables: map[Latency]*quantiles{}, seeds: map[string]uint64{}, nothing: map[string]any{}}
	e.loop.driver, e.loop.shuffle, e.loop.maxTurns = make(chan struct{}, 1), o.Shuffle, o.MaxTurns
	if e.loop.maxTurns <= 0 {
		e.loop.maxTurns = 1_000_000
	}
	e.brief = newFrame(e)
	e.control = control{timers: map[engine.TimerID]*clock.Alarm{}, answers: map[uint64]func(error){}}
	e.machine = engine.NewMachine()
	e.machine.Watch(o.Watch)
	e.roster.byPath = map[string]*actor{}
	e.scribe.To, e.scribe.Wall = o.Recorder, e.Wall
	if o.Observer != nil {
		e.scribe.Seen = o.Observer.Event
	}
	if !o.EventsOnly {
		e.watcher = o.Observer
	}
	later := func(d time.Duration, fn func()) { e.after(d, fn) }
	e.letters = kernel.NewLetters(&e.scribe, later)
	e.guards.Seed, e.guards.Placed, e.guards.Tell, e.guards.Told = e.seedFor, e.placeGuards, e.happen, o.Calls != nil
	e.guards.Now, e.guards.Wall, e.guards.After = e.Now, e.Wall, later
	e.reloads.Of, e.reloads.Guards, e.reloads.Tell = e, &e.guards, e.happen
	e.digest.every, e.digest.tell, e.digest.off = o.MarkEvery, o.Steps, o.Plain
	for _, path := range slices.Sorted(maps.Keys(o.World)) {
		m := o.World[path]
		e.world[path] = &m
	}
	v, err := e.guards.View(o.Plan, 1, 0)
	if err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	e.view = v
	e.control.helm = kernel.NewHelm(e.machine, &e.scribe, &e.guards, hands{e}, v)
	e.control.helm.Unkept = o.Plain
	hands{e}.Furnish(v)
	v.Commit()
	e.detailed = o.Plan.Observe.Level != "basic"
	return e, nil
}

// Now is the engine's time.
func (e *Engine) Now() time.Duration { return time.Duration(e.now) }

// Wall is the calendar time of this moment.
func (e *Engine) Wall() time.Time { return e.options.Start.Add(e.Now()) }

// seedFor is the seed of what has a name.
func (e *Engine) seedFor(name string) uint64 {
	s, ok := e.seeds[name]
	if !ok {
		s = guard.Mix(e.options.Seed ^ guard.Hash(name))
		e.seeds[name] = s
	}
	return s
}

// Start boots the plan. It must be called once; Run then lets it come up.
func (e *Engine) Start() {
	e.happen(kernel.Happening{In: engine.Boot{Plan: e.options.Plan, Seed: e.options.Seed}})
	if e.options.Sample != nil {
		e.sampleLater()
	}
}

// sampleLater measures at the end of each interval of the plan in force.
func (e *Engine) sampleLater() {
	every := e.view.Plan.Observe.Interval
	if every <= 0 {
		every = time.Second
	}
	e.loop.own++
	e.after(every, func() {
		e.loop.own--
		if e.over {
			return
		}
		e.Submit(e.options.Sample(e.Now()))
		e.sampleLater()
	})
}

// Up tells whether the root supervisor has been ready: everything below it had started.
func (e *Engine) Up() bool { return e.up }

// Done tells whether everything has stopped, with which exit code (0 after Shutdown, 70 when the root gave up) and why.
func (e *Engine) Done() (done bool, code int, why string) { return e.over, e.code, e.why }

// Submit tells the Machine something that happened outside.
func (e *Engine) Submit(in engine.Input) { e.happen(kernel.Happening{In: in}) }

// Shutdown stops everything in reverse start order; Run then lets it happen.
func (e *Engine) Shutdown(why string) { e.happen(kernel.Happening{In: engine.Shutdown{Why: why}}) }

// Command gives an operator's wish to the Machine. done, which may be nil, is told the verdict.
func (e *Engine) Command(action engine.Steer, by string, done func(error)) {
	e.control.numbers++
	n := e.control.numbers
	if done != nil {
		e.control.answers[n] = done
	}
	e.happen(kernel.Wish(n, action, by))
}

// Answered implements kernel.Hands.
func (e hands) Answered(number uint64, failure string) {
	done := e.control.answers[number]
	if done == nil {
		return
	}
	delete(e.control.answers, number)
	if failure == "" {
		done(nil)
		return
	}
	done(errors.New(failure))
}

// Reload makes a plan the running generation, by whom and why as the journal shows it. Everything that can fail is
// prepared first; an error means that nothing has changed. The cause is what it goes back to, the zero Cause when it is the
// beginning.
func (e *Engine) Reload(in engine.Reloaded, cause engine.Cause) error {
	if in.Plan == nil {
		return errors.New("sim: no plan to reload")
	}
	return e.reloads.Reload(in, cause)
}

// RollBack has a generation rolled back, once all that made it necessary is done.
func (e hands) RollBack(x *engine.RollBack) {
	r, cause := *x, e.control.helm.CauseFor("")
	e.At(e.Now(), func() {
		switch {
		case e.options.RollBack == nil:
			e.reloads.RollBack(r, cause)
		case e.view.Generation == r.Generation: // else another reload was faster
			e.options.RollBack(r, cause)
		}
	})
}

// Since gives what was measured since the commit of the generation on probation, for the Sampled at hand. It wants to be
// asked for each: it also remembers what a later generation is compared with.
func (e *Engine) Since() engine.Figures { return e.reloads.Since() }

// Reloading is how the last reload ended, or that its generation is on probation.
func (e *Engine) Reloading() rules.Reload { return e.machine.Reload() }

// SetModel changes the model of an actor or group, by path. Incarnations at work take it over at once: calls under way end
// as they were to end.
func (e *Engine) SetModel(path string, m Model) {
	own := &m
	e.world[path] = own
	for _, a := range e.roster.actors {
		if a == nil || a.inc == nil || a.inc.server == nil || a.path != path && (a.group == nil || a.group.Path() != path) {
			continue
		}
		s := a.inc.server
		s.model, s.quantiles = own, e.quantilesOf(m.Latency)
		s.promote()
	}
}

// Ended is told that nothing runs any more.
func (e hands) Ended(code int, why string) {
	e.over, e.code, e.why = true, code, why
	numbers := slices.Sorted(maps.Keys(e.control.timers))
	for _, id := range numbers {
		e.loop.alarms.Cancel(e.control.timers[id])
		delete(e.control.timers, id)
	}
	for _, n := range slices.Sorted(maps.Keys(e.control.answers)) {
		e.Answered(n, "the engine has ended")
	}
	for _, a := range e.roster.actors {
		if a != nil && a.phase != kernel.PhaseStopped {
			a.shut(kernel.PhaseStopped, kernel.Stopped) // it waited for a restart that will not come
		}
	}
	e.letters.Close()
}

// cheats notes that a behaviour broke a rule. It may be called by any goroutine.
func (e *Engine) cheats(who, what string) {
	text := who + ": " + what
	e.cheat.CompareAndSwap(nil, &text)
}

// Close lets all goroutines of the engine end: handlers that still wait are unwound. The error says whether a behaviour
// was seen to cheat. After ErrStuck the goroutine that is stuck stays.
func (e *Engine) Close() error {
	if e.closed {
		return nil
	}
	e.closed, e.loop.closing = true, true
	if e.loop.stuck == nil {
		for _, k := range e.loop.coroutines {
			e.loop.inside = k
			k.stop()
		}
		e.loop.inside = nil
		for _, c := range e.loop.carriers {
			if c.dead {
				continue
			}
			c.wake <- struct{}{}
			<-e.loop.driver
		}
		if err := e.left(); err != nil {
			return err
		}
	}
	if text := e.cheat.Load(); text != nil {
		return fmt.Errorf("%w: %s", ErrCheat, *text)
	}
	return nil
}

// Generation is the number of the plan in force, Plan that plan, Emergency whether only what it admits gets through.
func (e *Engine) Generation() uint64 { return e.view.Generation }

// Plan is the plan in force.
func (e *Engine) Plan() *plan.Plan { return e.view.Plan }

// Emergency tells whether the emergency mode is on.
func (e *Engine) Emergency() bool { return e.emergency }

// Moves is how many things were done so far: messages handled, timers run out, answers heard.
func (e *Engine) Moves() uint64 { return e.loop.total }

// DeadLetters is how many messages were not handled so far.
func (e *Engine) DeadLetters() uint64 { return e.letters.Count() }

// Machine is the Machine's own view of the system.
func (e *Engine) Machine() engine.Status { return e.machine.Status() }

// Guards looks at all guards, by name.
func (e *Engine) Guards() []guard.Snapshot { return e.guards.Snapshots(e.Now()) }

// Actors visits every actor in the order of their making, until visit says stop.
func (e *Engine) Actors(visit func(engine.Vitals) bool) {
	for _, a := range e.roster.actors {
		if a != nil && !visit(a.vitals()) {
			return
		}
	}
}

// Actor looks at one actor, by path or unique name.
func (e *Engine) Actor(name string) (engine.Vitals, bool) {
	a := e.roster.byPath[name]
	if a == nil && !strings.Contains(name, "/") {
		if found := kernel.Named(e.view.Plan, name); len(found) == 1 {
			a = e.roster.byPath[found[0]]
		}
	}
	if a == nil {
		return engine.Vitals{}, false
	}
	return a.vitals(), true
}

func (a *actor) vitals() engine.Vitals {
	v := engine.Vitals{
		Path: a.path, Kind: a.kind, State: a.phase.String(), Capacity: int(a.box.Capacity),
		Ready: a.unfit&kernel.UnfitDown == 0, Paused: a.unfit&kernel.UnfitPaused != 0, Quarantined: a.unfit&kernel.UnfitQuarantined != 0, Healthy: a.unfit&kernel.UnfitSick == 0,
		Calls: a.calls, Failures: a.failures, DeadLetters: a.refused, Restarts: a.restarts, Latency: a.hist,
	}
	if a.group != nil {
		v.Group = a.group.Path()
	}
	v.Mailbox, v.InFlight = a.waiting()
	v.Blocked = len(a.parked)
	v.Mailbox -= v.Blocked
	inc := a.inc
	if inc == nil {
		return v
	}
	v.Incarnation = inc.epoch
	if v.Ready {
		v.Up = a.eng.Now() - inc.began
	}
	if s := inc.server; s != nil {
		v.Usage.Memory = s.memory()
	}
	return v
}

// waiting is how many messages wait, and how many are at work.
func (a *actor) waiting() (mailbox, inFlight int) {
	mailbox = a.back.n + a.again.n + a.stash.n + len(a.parked)
	if a.inc == nil {
		return mailbox, 0
	}
	if s := a.inc.server; s != nil {
		return mailbox + len(s.jobs) - s.working, s.working
	}
	return mailbox, len(a.inc.frames)
}

// Gauge tells of the messages of whichever actor has a path. It remembers which one that is: who looks with every call need not
// search each time.
type Gauge struct {
	eng  *Engine
	path string
	of   *actor
	seen uint64 // changes of the roster when it last searched
}

// Gauge is that of a path, whether or not an actor has it.
func (e *Engine) Gauge(path string) Gauge { return Gauge{eng: e, path: path} }

// Waiting is how many messages wait for the actor, how many may, and how many are at work.
func (g *Gauge) Waiting() (mailbox, capacity, inFlight int) {
	if r := &g.eng.roster; g.seen != r.changes {
		g.of, g.seen = r.byPath[g.path], r.changes
	}
	if g.of == nil {
		return 0, 0, 0
	}
	mailbox, inFlight = g.of.waiting()
	return mailbox, int(g.of.box.Capacity), inFlight
}

// Decided counts the Machine's steps: between two of them it sees the world as it did.
func (e *Engine) Decided() uint64 { return e.control.decided }

// Retries counts the retries that each actor got, by path, as its guards tell.
func (e *Engine) Retries(guards []guard.Snapshot) map[string]uint64 {
	return guard.Retries(e.Plan(), guards)
}
