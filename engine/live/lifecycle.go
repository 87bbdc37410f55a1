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

// begin carries out a Start: the incarnation comes up on a worker.
func (e *Engine) begin(x *engine.Start) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	spec := a.spec(e.view.Load().Plan)
	if spec == nil {
		e.raise(happening{in: engine.Exited{ID: x.ID, Epoch: x.Epoch, Failure: &engine.Failure{
			Kind: engine.KindStart, Message: "the plan has no such actor", By: a.path, ExitCode: -1, Starting: true}}})
		return
	}
	inc := &incarnation{a: a, epoch: x.Epoch, limit: int32(min(spec.Concurrency, math.MaxInt32)), began: e.control.now, active: 1}
	inc.soft = spec.Kind == plan.Process || spec.Kind == plan.Upstream
	inc.rng.Store(e.seedFor(a.path) + uint64(x.Epoch)*guard.Golden)
	inc.gate.Store(gateDown)
	a.alone.Store(spec.Concurrency == 1)
	a.mu.Lock()
	a.inc, a.phase = inc, phaseStarting
	a.cause = e.control.causeFor(a.path)
	if a.paused {
		inc.gate.Or(gatePaused)
	}
	if a.rare != nil {
		a.rare.sys = nil
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
	cause := a.cause // a stop may name another one at any moment
	a.mu.Unlock()
	f.env = envelope{meta: engine.Meta{Correlation: cause.Correlation, Causation: cause.Seq, Priority: engine.UsualPriority}}
	f.view, f.fresh, f.failure = f.eng.view.Load(), false, nil
	f.ready()
	f.turn.Store(turnUser)
	f.blocks, f.bringing = launch, true
	err := f.protect(func() error { return f.rise(inc) })
	f.bringing = false
	if !f.turn.CompareAndSwap(turnUser, turnLoop) {
		return false
	}
	if err == errBlocks {
		f.handOver(inc)
		return true
	}
	f.risen(inc, err)
	return true
}

// errBlocks says that a start may block and must go on elsewhere.
var errBlocks = errors.New("the start may block")

// handOver gives an incarnation whose behaviour is made to a worker of its own.
func (f *frame) handOver(inc *incarnation) {
	inc.a.mu.Lock()
	inc.unlist(f)
	f.inc, f.seen = nil, false
	inc.a.mu.Unlock()
	f.eng.pool.dispatch(task{inc: inc, start: true})
}

// rise is the part of a start that runs a behaviour's code.
func (f *frame) rise(inc *incarnation) error {
	b, err := f.make(inc)
	if err != nil {
		return err
	}
	r, runs := b.(engine.Runner)
	i, inits := b.(engine.Initer)
	if f.blocks && (runs || inits) {
		return errBlocks
	}
	if f.turn.Load() == turnFenced {
		return engine.ErrStopped
	}
	if runs {
		inc.a.mu.Lock()
		inc.runs = true // also when its Start fails half way: Stop ends what began
		inc.a.mu.Unlock()
		if err := r.Start(life{inc}); err != nil {
			return err
		}
	}
	f.announce(inc, b)
	if inits {
		return i.Init(f)
	}
	return nil
}

// make gives the incarnation its behaviour, which a launch may have made already.
func (f *frame) make(inc *incarnation) (engine.Behavior, error) {
	inc.a.mu.Lock()
	made := inc.behavior
	inc.a.mu.Unlock()
	if made != nil {
		return made, nil
	}
	spec := f.Actor()
	factory := f.eng.factories(spec.Kind)
	if factory == nil {
		return nil, &engine.Error{Kind: engine.KindStart, Message: "no behaviour for actors of kind " + spec.Kind.String(), By: spec.Path}
	}
	b, err := factory(spec, f.view.Plan)
	if err != nil {
		return nil, err
	}
	inc.a.mu.Lock()
	inc.behavior = b
	inc.a.mu.Unlock()
	return b, nil
}

func (f *frame) announce(inc *incarnation, b engine.Behavior) {
	started := journal.ActorStarted{Incarnation: uint64(inc.epoch)}
	if l, ok := engine.As[engine.Located](b); ok {
		started.PID, started.Address = l.Locate()
	}
	cause := inc.a.why()
	cause.Seq = f.eng.scribe.record(inc.a.path, started, &cause)
	inc.a.because(cause)
}

// risen settles a start: the incarnation is ready, or it failed and ends.
func (f *frame) risen(inc *incarnation, err error) {
	a := inc.a
	f.env = envelope{}
	if f.failure == nil && err != nil {
		f.failure = engine.FailureOf(err, a.path)
		if f.failure.Kind == engine.KindCrash {
			f.failure.Kind = engine.KindStart
		}
	}
	if f.failure != nil {
		f.failure.Starting = true
		failure := *f.failure
		a.mu.Lock()
		if inc.ending == notEnding {
			inc.ending, inc.end().failure = endExited, &failure
		}
		f.failure = nil
		f.leave()
		return
	}
	a.mu.Lock()
	if inc.ending != notEnding {
		f.leave()
		return
	}
	a.phase = phaseRunning
	e, cause := a.eng, a.cause
	a.box.restart(a)
	inc.unlist(f)
	f.inc, f.seen = nil, false
	a.mu.Unlock()
	e.reportLast(f, happening{
		in: engine.Started{ID: a.id, Epoch: inc.epoch}, cause: cause, actor: a.path, up: inc,
		fact: journal.ActorReady{Incarnation: uint64(inc.epoch), Took: e.now() - inc.began},
	})
}

// open lets messages in, at the moment between the Machine's learning that the incarnation is up and the effects of
// that: who hears of it finds it open, and what fails on a message fails after it was up. It is called under the control
// lock.
func (inc *incarnation) open() {
	a := inc.a
	a.mu.Lock()
	inc.active--
	if inc.ending != notEnding { // a stop came first
		last := inc.active == 0 && inc.stage() < stageEnding
		if last {
			inc.end().stop.stage = stageEnding
		}
		a.mu.Unlock()
		if last {
			inc.finish(true)
		}
		return
	}
	defer a.mu.Unlock()
	inc.gate.And(^gateDown)
	a.mark(unfitDown|unfitSick, false) // its checks begin anew and tell only changes
	if inc.limit == 1 && a.work() > 0 && a.eng.control.volunteer.takes(inc) {
		inc.active++
		return
	}
	a.rouse()
}

// restart applies the mailbox's policy for what waited when a new incarnation comes up. It needs the actor's lock.
func (b box) restart(a *actor) {
	if !b.Drop || a.inc.epoch == 1 {
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
		all = append(all, env)
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

// why is what the actor's next report is caused by.
func (a *actor) why() engine.Cause {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cause
}

func (a *actor) because(c engine.Cause) {
	a.mu.Lock()
	a.cause = c
	a.mu.Unlock()
}

// resume carries out a Continue: the message that failed is answered with its failure and forgotten.
func (e *Engine) resume(x *engine.Continue) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	inc := a.inc
	if inc == nil || inc.epoch != x.Epoch || !inc.poisoned() || inc.ending != notEnding {
		return
	}
	poison, verdict := inc.takePoison()
	poison.reply.settle(nil, verdict)
	a.phase = phaseRunning
	inc.gate.And(^gateDown)
	a.mark(unfitDown, false)
	a.rouse()
}

// halt carries out a Stop: drain, cancel, fence.
func (e *Engine) halt(x *engine.Stop) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	a.mu.Lock()
	inc := a.inc
	if inc == nil || inc.epoch != x.Epoch || inc.stage() == stageGone {
		if inc != nil && inc.epoch == x.Epoch { // its own end is about to be told
			inc.ending, inc.end().stop.again = endStopped, x.Again
		}
		a.mu.Unlock()
		e.raise(happening{in: engine.Stopped{ID: x.ID, Epoch: x.Epoch}})
		return
	}
	a.cause = e.control.causeFor(a.path)
	starting := a.phase == phaseStarting
	a.phase = phaseStopping
	a.mark(unfitDown, true)
	inc.gate.Or(gateDown)
	inc.ending = endStopped
	end := inc.end()
	end.asked = e.control.now
	end.stop.drain, end.stop.kill, end.stop.why, end.stop.again = x.Drain, x.Kill, x.Why, x.Again
	poison, verdict := inc.takePoison()
	if poison != nil {
		a.poisoned(poison, verdict)
	}
	switch {
	case end.stop.stage >= stageEnding: // it is ending by itself already; finish will see that it was asked
		a.mu.Unlock()
	case inc.active == 0:
		end.stop.stage = stageEnding
		a.mu.Unlock()
		inc.finish(true)
	case poison != nil || starting || x.Drain <= 0: // a start has no message to finish
		a.mu.Unlock()
		inc.cancel()
	default:
		end.stop.stage = max(end.stop.stage, stageDrain)
		a.mu.Unlock()
		e.clock.AfterFunc(x.Drain, inc.cancel)
	}
}

// poisoned decides about the message that killed an incarnation: it is tried again first, or it is a dead letter. It
// needs the lock.
func (a *actor) poisoned(env *envelope, answer error) {
	if env.tries < int32(a.box.Attempts) && env.msg.Type != "" && env.only == 0 {
		a.unusual().putBack(env)
		return
	}
	a.deadLetter(kernel.Poison, env, answer)
}

// cancel tells the handlers to stop: blocked calls return ErrStopped. What is not out after the kill time is fenced off.
func (inc *incarnation) cancel() {
	a := inc.a
	a.mu.Lock()
	if inc.stage() >= stageCancel {
		a.mu.Unlock()
		return
	}
	inc.end().stop.stage = stageCancel
	inc.cut.Store(true)
	for f := inc.frames; f != nil; f = f.right {
		f.interrupt(stopActor)
	}
	kill := inc.end().stop.kill
	a.mu.Unlock()
	a.eng.clock.AfterFunc(kill, inc.fence)
}

// fence gives up the handlers that did not return: a goroutine cannot be killed, but what it does from now on gets
// nowhere.
func (inc *incarnation) fence() {
	a := inc.a
	a.mu.Lock()
	if inc.stage() >= stageEnding {
		a.mu.Unlock()
		return
	}
	var next *frame
	for f := inc.frames; f != nil; f = next {
		next = f.right
		if !f.turn.CompareAndSwap(turnUser, turnFenced) {
			continue // it is on its way out
		}
		inc.end().leaked = true
		inc.unlist(f)
		inc.active--
		a.lost(f)
	}
	last := inc.active == 0
	if last {
		inc.end().stop.stage = stageEnding
	}
	a.mu.Unlock()
	if last {
		inc.finish(false)
	}
}

// lost answers for the message of a fenced handler. It needs the lock. The frame's envelope is read only: its goroutine
// may still look at it.
func (a *actor) lost(f *frame) {
	env := f.env
	if env.msg.Type != "" {
		a.deadLetter(kernel.InFlight, &env, kernel.CutShort(a.path, "it did not stop in time and was given up"))
	}
}

// finish ends what the behaviour owns and reports the end. underControl tells that the caller holds the control lock.
func (inc *incarnation) finish(underControl bool) {
	a := inc.a
	a.mu.Lock()
	kill := inc.end().stop.kill
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
		kill = defaultKill
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	soft := e.clock.AfterFunc(kill, func() { cancel(context.DeadlineExceeded) })
	defer soft.Stop()
	w := newWaiter(e.clock)
	defer w.rest()
	t := w.begin(forTurn, nil, nil, e.now()+kill+stopGrace)
	e.pool.spawn(func() {
		var err error
		defer func() {
			if p := recover(); p != nil {
				err = errors.New("panic")
			}
			t.settle(nil, err)
		}()
		err = r.Stop(ctx)
	})
	if _, err := w.wait(); err == guard.ErrTooLate {
		inc.a.mu.Lock()
		inc.end().leaked = true
		inc.a.mu.Unlock()
	}
}

const (
	// defaultKill bounds each phase of an end that nobody asked for.
	defaultKill = 5 * time.Second
	// stopGrace is what a Runner has after its deadline to return from Stop.
	stopGrace = time.Second
)

// gone reports the end of an incarnation.
func (inc *incarnation) gone(underControl bool) {
	a, e := inc.a, inc.a.eng
	a.mu.Lock()
	end := inc.end()
	end.stop.stage = stageGone
	inc.gate.Or(gateDown)
	inc.cut.Store(true)
	h := happening{cause: a.cause, actor: a.path}
	switch {
	case inc.ending == endStopped:
		h.in = engine.Stopped{ID: a.id, Epoch: inc.epoch, Leaked: end.leaked}
		h.fact = journal.ActorStopped{Incarnation: uint64(inc.epoch), Reason: end.stop.why, Took: e.now() - end.asked}
	case end.failure != nil:
		h.in = engine.Exited{ID: a.id, Epoch: inc.epoch, Failure: end.failure}
		h.fact = e.stacks.Report(end.failure, inc.epoch)
		if !end.failure.Starting { // while starting, the failure belongs to what caused the start
			h.cause = engine.Cause{Correlation: end.failure.Correlation}
		}
	default:
		h.in = engine.Exited{ID: a.id, Epoch: inc.epoch}
		h.fact = journal.ActorStopped{Incarnation: uint64(inc.epoch), Reason: "ended by itself"}
		h.cause = engine.Cause{}
	}
	a.mark(unfitDown, true)
	inc.behavior = nil
	if poison, verdict := inc.takePoison(); poison != nil {
		a.poisoned(poison, verdict)
	}
	a.mu.Unlock()
	h.gone = inc
	if underControl {
		e.raise(h)
		return
	}
	e.happen(h)
}

// settle closes the mailbox of an incarnation that was stopped for good. That of any other stays open until the Machine
// says Start or Close, which it may have done already.
func (inc *incarnation) settle() {
	a := inc.a
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.inc != inc || a.phase == phaseRemoved || a.phase == phaseStopped:
	case inc.ending == endStopped && !inc.end().stop.again:
		a.shut(phaseStopped, kernel.Stopped)
	default:
		a.phase = phaseRestarting
	}
}

// close carries out a Close: no incarnation follows.
func (e *Engine) close(x *engine.Close) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shut(phaseStopped, x.Why)
}

// shut closes a mailbox: what waits becomes dead letters, askers are told. It needs the lock.
func (a *actor) shut(p phase, why string) {
	a.phase = p
	for _, env := range a.empty() {
		a.deadLetter(why, &env, kernel.Unreachable(a.path, why))
	}
}

// exited begins the end of an incarnation that ends by itself.
func (inc *incarnation) exited(failure *engine.Failure) {
	a := inc.a
	a.mu.Lock()
	if inc.ending != notEnding || inc.stage() != stageNone {
		a.mu.Unlock()
		return
	}
	inc.ending, inc.end().failure = endExited, failure
	if failure != nil {
		failure.Starting = a.phase == phaseStarting
	}
	inc.gate.Or(gateDown)
	a.mark(unfitDown, true)
	a.phase = phaseFailed
	inc.end().stop.kill = defaultKill
	idle := inc.active == 0
	if idle {
		inc.end().stop.stage = stageEnding
	}
	a.mu.Unlock()
	if idle {
		a.eng.pool.spawn(func() { inc.finish(false) })
		return
	}
	if failure != nil {
		inc.cancel()
		return
	}
	a.eng.clock.AfterFunc(defaultKill, inc.cancel) // handlers still at work may finish
}

// remove forgets an actor.
func (e *Engine) remove(id engine.ID) {
	a := e.actor(id)
	if a == nil {
		return
	}
	a.mu.Lock()
	a.shut(phaseRemoved, kernel.Removed)
	a.mu.Unlock()
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
		l.inc.a.eng.scribe.record(l.inc.a.path, body, &engine.Cause{})
	}
}

func (l life) Healthy(ok bool, why string) {
	if !l.over() {
		l.inc.a.eng.healthy(l.inc, ok, why)
	}
}

func (l life) Actor() *plan.Actor { return l.inc.a.eng.view.Load().Plan.Actor(l.inc.a.path) }
func (l life) Path() string       { return l.inc.a.path }
func (l life) Now() time.Duration { return l.inc.a.eng.now() }

func (l life) over() bool {
	l.inc.a.mu.Lock()
	defer l.inc.a.mu.Unlock()
	return l.inc.stage() == stageGone
}
