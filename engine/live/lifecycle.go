package live

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Start carries out a Start: the incarnation comes up on a worker.
func (e hands) Start(x *engine.Start) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	spec := a.spec(e.view.Load().Plan)
	if spec == nil {
		e.raise(kernel.Life{ID: x.ID, Epoch: x.Epoch, Path: a.Path()}.Absent())
		return
	}
	inc := e.incarnation(x)
	inc.a, inc.epoch, inc.limit, inc.began, inc.active = a, x.Epoch, int32(min(spec.Concurrency, math.MaxInt32)), e.control.now, 1
	inc.soft = spec.Kind == plan.Process || spec.Kind == plan.Upstream
	inc.gate.Store(gateDown)
	a.alone.Store(spec.Concurrency == 1)
	a.mu.Lock()
	a.inc, a.phase = inc, kernel.PhaseStarting
	a.cause = e.control.helm.CauseFor(a.Path())
	if a.paused {
		inc.gate.Or(gatePaused)
	}
	if a.rare != nil && a.rare.setting != nil { // one that the last incarnation did not come to waits on
		a.rare.setting.Held = true
		inc.gate.Or(gateErrand)
	}
	a.mu.Unlock()
	e.launcher.add(inc)
}

// bring brings an incarnation up on the worker's frame: behaviour, Start, Init. It reports whether the worker may go on.
// A launch only makes the behaviour: when that has a Start or Init, which may block, the rest is another worker's.
func (f *frame) bring(inc *incarnation, launch bool) bool {
	a := inc.a
	f.inc, f.actor, f.seen = inc, a, true
	a.mu.Lock()
	inc.list(f)
	f.born = birth{behavior: inc.behavior, cause: a.cause}
	a.mu.Unlock()
	f.env, f.until = envelope{priority: engine.UsualPriority}, 0
	f.view, f.fresh, f.failure = f.eng.view.Load(), false, nil
	f.ready()
	f.blocks, f.bringing = launch, true
	err := engine.ErrStopped
	if f.begins() {
		err = f.protect(func() error { return f.rise(inc) })
	}
	f.bringing = false
	if !f.turn.CompareAndSwap(turnUser, turnLoop) {
		return false
	}
	if err == errBlocks {
		f.handOver(inc)
	} else {
		f.risen(inc, err)
	}
	f.born = birth{}
	return true
}

// birth is what a start has come to.
type birth struct {
	behavior engine.Behavior // made, perhaps by a launch
	cause    engine.Cause    // of what comes of the start: first what caused it, then the event that tells of it
	when     kernel.Moment   // the clock was last read
}

// bear gives the incarnation what its start has come to so far.
func (inc *incarnation) bear(b *birth) {
	inc.a.mu.Lock()
	defer inc.a.mu.Unlock()
	inc.behavior = b.behavior
	if inc.ending == kernel.NotEnding { // else a stop has named another cause
		inc.a.cause = b.cause
	}
}

// errBlocks says that a start may block and must go on elsewhere.
var errBlocks = errors.New("the start may block")

// handOver gives an incarnation whose behaviour is made to a worker of its own.
func (f *frame) handOver(inc *incarnation) {
	inc.a.mu.Lock()
	inc.behavior = f.born.behavior
	inc.unlist(f)
	f.inc, f.seen = nil, false
	inc.a.mu.Unlock()
	f.eng.pool.dispatch(task{inc: inc, start: true})
}

// rise is the part of a start that runs a behaviour's code.
func (f *frame) rise(inc *incarnation) error {
	if err := f.make(); err != nil {
		return err
	}
	b := f.born.behavior
	r, runs := b.(engine.Runner)
	i, inits := b.(engine.Initer)
	if f.blocks && (runs || inits) {
		return errBlocks
	}
	if f.givenUp() {
		return engine.ErrStopped
	}
	if runs || inits {
		f.env.slip = f.slipOf(slip{correlation: f.born.cause.Correlation, causation: f.born.cause.Seq})
	}
	if runs {
		inc.a.mu.Lock()
		late := f.givenUp() // with the lock, so that who gives it up either keeps it from starting or stops what it starts
		if !late {
			inc.behavior, inc.runs = b, true // also when its Start fails half way: Stop ends what began
		}
		inc.a.mu.Unlock()
		if late {
			return engine.ErrStopped
		}
		if err := r.Start(life{inc}); err != nil {
			return err
		}
		if f.givenUp() {
			return engine.ErrStopped // it has stopped already, and another may run in its place
		}
	}
	f.announce(inc)
	if inits {
		inc.bear(&f.born)
		err := i.Init(f)
		f.born.when = f.eng.moment()
		return err
	}
	return nil
}

// make makes the behaviour, unless a launch has made it already.
func (f *frame) make() error {
	if f.born.behavior != nil {
		return nil
	}
	spec := f.Actor()
	factory := f.eng.factories(spec.Kind)
	if factory == nil {
		return kernel.Unmade(spec)
	}
	b, err := factory(spec, f.view.Plan)
	f.born.behavior = b
	return err
}

// announce tells that the incarnation runs.
func (f *frame) announce(inc *incarnation) {
	f.started = journal.ActorStarted{Incarnation: uint64(inc.epoch)}
	if l, ok := engine.As[engine.Located](f.born.behavior); ok {
		f.started.PID, f.started.Address = l.Locate()
	}
	f.born.when = f.eng.moment()
	f.born.cause.Seq = f.eng.scribe.RecordAt(f.born.when.Wall, &f.ink, inc.a.Path(), &f.started, &f.born.cause)
}

// risen settles a start: the incarnation is ready, or it failed and ends.
func (f *frame) risen(inc *incarnation, err error) {
	a := inc.a
	f.env = envelope{}
	if f.failure == nil && err != nil {
		f.failure = kernel.Unstarted(err, a.Path())
	}
	if f.failure != nil {
		f.failure.Starting = true
		failure := *f.failure
		a.mu.Lock()
		if inc.ending == kernel.NotEnding {
			inc.ending, inc.end().Failure = kernel.EndExited, &failure
		}
		f.failure = nil
		f.leave()
		return
	}
	a.mu.Lock()
	if inc.ending != kernel.NotEnding {
		f.leave()
		return
	}
	a.phase = kernel.PhaseRunning
	inc.behavior, a.cause = f.born.behavior, f.born.cause
	a.atRestart()
	inc.unlist(f)
	f.inc, f.seen = nil, false
	a.mu.Unlock()
	f.ups = append(f.ups, f.arrival().Ready(inc.life(), f.born.cause, f.born.when, f.born.when.Now-inc.began, inc))
	if !f.launching {
		f.tellUps()
	}
}

// arrival gives memory for what is told of a start.
func (f *frame) arrival() *kernel.Arrival {
	if len(f.arrivals) == 0 {
		return new(kernel.Arrival)
	}
	next := &f.arrivals[0]
	f.arrivals = f.arrivals[1:]
	return next
}

// life is what the incarnation is called in what is told of it.
func (inc *incarnation) life() kernel.Life {
	return kernel.Life{ID: inc.a.id, Epoch: inc.epoch, Path: inc.a.Path()}
}

// Open lets messages in, at the moment between the Machine's learning that the incarnation is up and the effects of
// that: who hears of it finds it open, and what fails on a message fails after it was up. It is called under the control
// lock.
func (inc *incarnation) Open() {
	a := inc.a
	a.mu.Lock()
	inc.active--
	if inc.ending != kernel.NotEnding { // a stop came first
		last := inc.active == 0 && inc.stage() < kernel.StageEnding
		if last {
			inc.end().Stage = kernel.StageEnding
		}
		a.mu.Unlock()
		if last {
			inc.finish(true)
		}
		return
	}
	defer a.mu.Unlock()
	inc.gate.And(^gateDown)
	a.mark(kernel.UnfitDown|kernel.UnfitSick, false) // its checks begin anew and tell only changes
	if inc.limit == 1 && a.work() > 0 && a.eng.control.volunteer.takes(inc) {
		inc.active++
		return
	}
	a.rouse()
}

// atRestart applies the mailbox's policy for what waited when a new incarnation comes up. It needs the actor's lock.
func (a *actor) atRestart() {
	if !a.box.Drop || a.inc.epoch == 1 {
		a.rare.unstash()
		return
	}
	for _, env := range a.empty() {
		a.deadLetter(kernel.Restart, &env, a.refuse(kernel.Restart))
	}
}

// empty takes all that waits out of the mailbox. It needs the lock, and nobody else at the consuming end.
func (a *actor) empty() []envelope {
	var all []envelope
	var env envelope
	a.rare.unstash()
	for a.rare.retry(&env) || a.front.pop(&env) || a.back.pop(&env) {
		if kernel.NoticeOf(&env.msg) == nil { // nobody is left who wanted to know
			all = append(all, env)
		}
	}
	a.done.Store(a.sent)
	if a.rare.crowd() == 0 {
		return all
	}
	for _, p := range a.rare.parked {
		if p.room.w == nil {
			all = append(all, p.env)
			continue
		}
		p.room.settle(nil, a.refuse(kernel.Stopped))
	}
	a.rare.parked = nil
	a.mark(markHungry, false)
	return all
}

// Continue carries out a Continue: the message that failed is answered with its failure and forgotten.
func (e hands) Continue(x *engine.Continue) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	inc := a.inc
	if inc == nil || inc.epoch != x.Epoch || !inc.poisoned() || inc.ending != kernel.NotEnding {
		return
	}
	poison, verdict := inc.takePoison()
	poison.reply().settle(nil, verdict)
	inc.last.Verdict = nil
	a.phase = kernel.PhaseRunning
	inc.gate.And(^gateDown)
	a.mark(kernel.UnfitDown, false)
	a.rouse()
}

// Stop carries out a Stop: drain, cancel, fence.
func (e hands) Stop(x *engine.Stop) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	a.mu.Lock()
	inc := a.inc
	if inc == nil || inc.epoch != x.Epoch || inc.stage() == kernel.StageGone {
		if inc != nil && inc.epoch == x.Epoch { // its own end is about to be told
			inc.ending, inc.end().Again = kernel.EndStopped, x.Again
		}
		a.mu.Unlock()
		e.raise(kernel.Happening{In: engine.Stopped{ID: x.ID, Epoch: x.Epoch}})
		return
	}
	a.cause = e.control.helm.CauseFor(a.Path())
	starting := a.phase == kernel.PhaseStarting
	a.phase = kernel.PhaseStopping
	a.mark(kernel.UnfitDown, true)
	inc.gate.Or(gateDown)
	inc.ending = kernel.EndStopped
	end := inc.end()
	end.Ask(x, e.control.now)
	poison, verdict := inc.takePoison()
	if poison != nil {
		a.poisoned(poison, verdict)
	}
	then := end.Begin(inc.active == 0, poison != nil || starting) // a start has no message to finish
	a.mu.Unlock()
	switch then {
	case kernel.ThenFinish:
		inc.finish(true)
	case kernel.ThenCancel:
		inc.cancel()
	case kernel.ThenDrain:
		e.clock.AfterFunc(x.Drain, inc.cancel)
	}
}

// poisoned decides about the message that killed an incarnation: it is tried again first, or it is a dead letter. It
// needs the lock.
func (a *actor) poisoned(env *envelope, answer error) {
	if a.box.Again(env.tries(), env.msg) && env.only() == 0 {
		a.unusual().putBack(env)
		return
	}
	a.deadLetter(kernel.Poison, env, answer)
}

// cancel tells the handlers to stop: blocked calls return ErrStopped. What is not out after the kill time is fenced off.
func (inc *incarnation) cancel() {
	a := inc.a
	a.mu.Lock()
	if inc.stage() >= kernel.StageCancel {
		a.mu.Unlock()
		return
	}
	inc.end().Stage = kernel.StageCancel
	inc.cut.Store(true)
	for f := inc.frames; f != nil; f = f.right {
		f.interrupt(kernel.LeaveStopped)
	}
	kill := inc.end().Kill
	a.mu.Unlock()
	a.eng.clock.AfterFunc(kill, inc.fence)
}

// fence gives up the handlers that did not return: a goroutine cannot be killed, but what it does from now on gets
// nowhere.
func (inc *incarnation) fence() {
	a := inc.a
	a.mu.Lock()
	if inc.stage() >= kernel.StageEnding {
		a.mu.Unlock()
		return
	}
	inc.gate.Or(gateFenced)
	var next *frame
	for f := inc.frames; f != nil; f = next {
		next = f.right
		if !f.turn.CompareAndSwap(turnUser, turnFenced) {
			continue // it is on its way out: it begins nothing any more
		}
		inc.end().Leaked = true
		inc.unlist(f)
		inc.active--
		a.lost(f)
	}
	last := inc.active == 0
	if last {
		inc.end().Stage = kernel.StageEnding
	}
	a.mu.Unlock()
	if last {
		inc.finish(false)
	}
}

// lost answers for the message of a fenced handler. It needs the lock. The frame's envelope is read only: its goroutine
// may still look at it.
func (a *actor) lost(f *frame) {
	if f.env.msg.Type == "" {
		return // a start, which may be writing its slip
	}
	env := f.env
	a.deadLetter(kernel.InFlight, &env, kernel.CutShort(a.Path(), "it did not stop in time and was given up"))
}

// finish ends what the behaviour owns and reports the end. underControl tells that the caller holds the control lock.
func (inc *incarnation) finish(underControl bool) {
	a := inc.a
	a.mu.Lock()
	kill := inc.end().Kill
	var runner engine.Runner
	if inc.runs {
		runner = inc.behavior.(engine.Runner)
	}
	a.mu.Unlock()
	if runner == nil {
		inc.gone(underControl)
		return
	}
	a.eng.pool.spawn(func() {
		inc.stopRunner(runner, kill)
		inc.gone(false)
	})
}

// stopRunner bounds a Runner's Stop by the kill time, and the wait for one that does not keep to it by a grace on top.
func (inc *incarnation) stopRunner(r engine.Runner, kill time.Duration) {
	e := inc.a.eng
	if kill <= 0 {
		kill = kernel.DefaultKill
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	soft := e.clock.AfterFunc(kill, func() { cancel(context.DeadlineExceeded) })
	defer soft.Stop()
	w := newWaiter(e.clock)
	defer w.rest()
	t := w.begin(kernel.ForTurn, nil, nil, e.now()+kill+stopGrace)
	e.pool.spawn(func() {
		var complaint error
		defer func() { t.settle(nil, complaint) }() // also when Stop ends its goroutine
		_, complaint = kernel.EndRunner(ctx, r)
	})
	switch _, err := w.wait(); {
	case err == guard.ErrTooLate:
		inc.a.mu.Lock()
		inc.end().Leaked = true
		inc.a.mu.Unlock()
	case err != nil:
		e.scribe.Complain(inc.a.Path(), err.Error(), engine.Cause{})
	}
}

const (
	// stopGrace is what a Runner has after its deadline to return from Stop.
	stopGrace = time.Second
)

// gone reports the end of an incarnation.
func (inc *incarnation) gone(underControl bool) {
	a, e := inc.a, inc.a.eng
	a.mu.Lock()
	end := inc.end()
	end.Stage = kernel.StageGone
	inc.gate.Or(gateDown)
	inc.cut.Store(true)
	h := inc.life().Gone(end.Gone(inc.ending, e.now()), a.cause, &e.stacks, inc)
	a.mark(kernel.UnfitDown, true)
	inc.behavior = nil
	if poison, verdict := inc.takePoison(); poison != nil {
		a.poisoned(poison, verdict)
	}
	watched := a.watches()
	a.lookAway()
	a.mu.Unlock()
	for _, w := range watched {
		e.unwatch(w)
	}
	if underControl {
		e.raise(h)
		return
	}
	e.happen(h)
}

// Settle closes the mailbox of an incarnation that was stopped for good, unless the Machine has said Start or Close already.
func (inc *incarnation) Settle() {
	a := inc.a
	a.mu.Lock()
	latest, was := a.inc == inc, a.phase
	if latest {
		a.phase = inc.end().After(inc.ending, was)
	}
	stopped := latest && a.phase != was && a.phase == kernel.PhaseStopped
	a.mu.Unlock()
	if stopped {
		a.shut(kernel.PhaseStopped, kernel.Stopped)
	}
}

// Close carries out a Close: no incarnation follows.
func (e hands) Close(x *engine.Close) {
	if a := e.actor(x.ID); a != nil {
		a.shut(kernel.PhaseStopped, x.Why)
	}
}

// shut closes a mailbox: what waits becomes dead letters, askers and watchers are told. It is called under the control lock, and
// not under the actor's: a watcher's is taken.
func (a *actor) shut(p kernel.Phase, why string) {
	a.mu.Lock()
	a.phase = p
	for _, env := range a.empty() {
		a.deadLetter(why, &env, kernel.Unreachable(a.Path(), why))
	}
	if a.rare == nil {
		a.mu.Unlock()
		return
	}
	if s := a.rare.setting; s != nil {
		a.rare.setting = nil
		s.Void(a.Path(), &a.eng.scribe)
	}
	watchers, t := a.rare.watchers.Take(), a.obituary(why)
	a.mu.Unlock()
	for _, w := range watchers {
		w.Tell(&kernel.Notice{Watch: w, Terminated: t})
	}
}

// exited begins the end of an incarnation that ends by itself.
func (inc *incarnation) exited(failure *engine.Failure) {
	a := inc.a
	a.mu.Lock()
	if inc.ending != kernel.NotEnding || inc.stage() != kernel.StageNone {
		a.mu.Unlock()
		return
	}
	end := inc.end()
	inc.ending = kernel.EndExited
	end.Exit(failure, a.phase == kernel.PhaseStarting)
	inc.gate.Or(gateDown)
	a.mark(kernel.UnfitDown, true)
	a.phase = kernel.PhaseFailed
	then := end.Begin(inc.active == 0, failure != nil)
	a.mu.Unlock()
	switch then {
	case kernel.ThenFinish:
		a.eng.pool.spawn(func() { inc.finish(false) })
	case kernel.ThenCancel:
		inc.cancel()
	case kernel.ThenDrain:
		a.eng.clock.AfterFunc(kernel.DefaultKill, inc.cancel)
	}
}

// Remove forgets an actor.
func (e hands) Remove(id engine.ID) {
	a := e.actor(id)
	if a == nil {
		return
	}
	a.shut(kernel.PhaseRemoved, kernel.Removed)
	e.forget(a)
}

// life is what a Runner knows of the engine.
type life struct{ inc *incarnation }

func (l life) Exited(failure *engine.Failure) {
	if failure != nil {
		copied := *failure
		failure = &copied
	}
	l.inc.exited(failure)
}

func (l life) Emit(body journal.Body) {
	if !l.over() {
		l.inc.a.eng.scribe.Record(l.inc.a.Path(), body, &engine.Cause{})
	}
}

func (l life) Healthy(ok bool, why string) {
	l.inc.a.eng.healthy(l.inc, ok, why)
}

func (l life) Actor() *plan.Actor { return l.inc.a.spec(l.inc.a.eng.view.Load().Plan) }
func (l life) Path() string       { return l.inc.a.Path() }
func (l life) Now() time.Duration { return l.inc.a.eng.now() }

func (l life) over() bool {
	l.inc.a.mu.Lock()
	defer l.inc.a.mu.Unlock()
	return l.inc.stage() == kernel.StageGone
}
