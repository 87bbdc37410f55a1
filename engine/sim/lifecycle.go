package sim

import (
	"context"
	"errors"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Start carries out a Start: the incarnation comes up in a turn of its own.
func (e hands) Start(x *engine.Start) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	spec := e.view.Plan.Actor(a.path)
	if spec == nil {
		e.happen(kernel.Life{ID: x.ID, Epoch: x.Epoch, Path: a.path}.Absent())
		return
	}
	inc := &incarnation{a: a, epoch: x.Epoch, limit: spec.Concurrency, began: e.Now(), active: 1, gate: gateDown}
	inc.own = spec.Kind == plan.Script || spec.Kind == plan.Consensus
	inc.soft = spec.Kind == plan.Process || spec.Kind == plan.Upstream
	inc.rng = e.seedFor(a.path) + uint64(x.Epoch)*guard.Golden
	a.spec, a.alone = spec, spec.Concurrency == 1
	a.inc, a.phase = inc, kernel.PhaseStarting
	switch {
	case a.setting == nil:
	case a.setting.Bare: // what was in the last one's memory went with it
		a.setting = nil
	default: // one that the last incarnation did not come to waits on
		a.setting.Held = true
	}
	a.cause = e.control.helm.CauseFor(a.path)
	if a.paused {
		inc.gate |= gatePaused
	}
	if m := e.modelFor(spec); m != nil {
		inc.server, inc.brief = newServer(inc, m), true
	} else if a.hangs > 0 {
		inc.gate |= gateHung
	}
	e.push(task{kind: taskBring, inc: inc})
}

// bring brings an incarnation up: behaviour, Start, Init.
func (f *frame) bring(inc *incarnation) {
	if inc.server != nil {
		inc.server.bring()
		return
	}
	if f.eng.options.Strict {
		f = f.private()
	}
	a := inc.a
	f.inc, f.actor, f.view, f.spec = inc, a, f.eng.view, a.spec
	inc.frames = append(inc.frames, f)
	f.env = envelope{meta: engine.Meta{Correlation: a.cause.Correlation, Causation: a.cause.Seq, Priority: engine.UsualPriority}}
	f.fresh, f.failure, f.began = false, nil, f.eng.Now()
	f.ready()
	err := f.protect(func() error { return f.rise(inc) })
	f.risen(err)
}

// rise is the part of a start that runs a behaviour's code.
func (f *frame) rise(inc *incarnation) error {
	factory := f.eng.options.Factories(f.spec.Kind)
	if factory == nil {
		return kernel.Unmade(f.spec)
	}
	b, err := factory(f.spec, f.view.Plan)
	if err != nil {
		return err
	}
	inc.behavior, inc.brief = b, briefly(f.spec)
	r, runs := b.(engine.Runner)
	if runs {
		inc.runner = r // also when its Start fails half way: Stop ends what began
		if err := r.Start(life{inc}); err != nil {
			return err
		}
	}
	inc.announce()
	if i, ok := b.(engine.Initer); ok {
		return i.Init(f)
	}
	return nil
}

// briefly tells whether the handlers of an actor never wait: scripts that neither call nor tell.
func briefly(spec *plan.Actor) bool {
	if spec.Script == nil {
		return false
	}
	for i := range spec.Script.Handlers {
		if h := &spec.Script.Handlers[i]; len(h.Calls) > 0 || len(h.Tell) > 0 {
			return false
		}
	}
	return true
}

// announce records that an incarnation is up and not yet ready.
func (inc *incarnation) announce() {
	a, cause := inc.a, inc.a.cause
	cause.Seq = a.eng.scribe.Record(a.path, journal.ActorStarted{Incarnation: uint64(inc.epoch)}, &cause)
	a.cause = cause
}

// risen settles a start: the incarnation is ready, or it failed and ends.
func (f *frame) risen(err error) {
	inc := f.inc
	f.env = envelope{}
	if f.failure == nil && err != nil {
		f.failure = kernel.Unstarted(err, f.actor.path)
	}
	var failure *engine.Failure
	if f.failure != nil {
		copied := *f.failure
		failure, f.failure = &copied, nil
	}
	inc.unlist(f)
	f.inc = nil
	inc.risen(failure)
}

// risen is told how a start went, by failure or nil.
func (inc *incarnation) risen(failure *engine.Failure) {
	a := inc.a
	switch {
	case failure != nil:
		failure.Starting = true
		if inc.ending == kernel.NotEnding {
			inc.ending, inc.end.Failure = kernel.EndExited, failure
		}
		inc.release()
	case inc.ending != kernel.NotEnding:
		inc.release()
	default:
		a.phase = kernel.PhaseRunning
		a.atRestart()
		a.eng.happen(inc.life().Ready(a.cause, a.eng.Now()-inc.began, inc))
	}
}

// life is what the incarnation is called in what is told of it.
func (inc *incarnation) life() kernel.Life {
	return kernel.Life{ID: inc.a.id, Epoch: inc.epoch, Path: inc.a.path}
}

// Open lets messages in, at the moment between the Machine's learning that the incarnation is up and the effects of
// that: who hears of it finds it open, and what fails on a message fails after it was up.
func (inc *incarnation) Open() {
	if inc.ending != kernel.NotEnding {
		inc.release()
		return
	}
	inc.active--
	inc.gate &^= gateDown
	inc.a.mark(kernel.UnfitDown|kernel.UnfitSick, false) // its checks begin anew and tell only changes
	inc.a.rouse()
}

// atRestart applies the mailbox's policy for what waited when a new incarnation comes up.
func (a *actor) atRestart() {
	if !a.box.Drop || a.inc.epoch == 1 {
		a.unstash()
		return
	}
	for _, env := range a.empty() {
		a.deadLetter(kernel.Restart, &env, a.refuse(kernel.Restart))
	}
}

// empty takes all that waits out of the mailbox.
func (a *actor) empty() []envelope {
	var all []envelope
	var env envelope
	a.unstash()
	for _, q := range []*queue{&a.again, &a.back} {
		for q.pop(&env) {
			if kernel.NoticeOf(&env.msg) == nil { // nobody is left who wanted to know
				all = append(all, env)
			}
		}
	}
	for _, p := range a.parked {
		if p.room.w == nil {
			all = append(all, p.env)
			continue
		}
		p.room.settle(nil, a.refuse(kernel.Stopped))
	}
	a.parked = nil
	return all
}

// Continue carries out a Continue: the message that failed is answered with its failure and forgotten.
func (e hands) Continue(x *engine.Continue) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	inc := a.inc
	if inc == nil || inc.epoch != x.Epoch || inc.poison == nil || inc.ending != kernel.NotEnding {
		return
	}
	a.respond(inc.poison, nil, inc.end.Verdict)
	inc.poison, inc.end.Verdict = nil, nil
	a.phase = kernel.PhaseRunning
	inc.gate &^= gateDown
	a.mark(kernel.UnfitDown, false)
	a.rouse()
}

// Stop carries out a Stop: drain, cancel.
func (e hands) Stop(x *engine.Stop) {
	a := e.actor(x.ID)
	if a == nil {
		return
	}
	inc := a.inc
	if inc == nil || inc.epoch != x.Epoch || inc.end.Stage == kernel.StageGone {
		if inc != nil && inc.epoch == x.Epoch { // its own end is about to be told
			inc.ending, inc.end.Again = kernel.EndStopped, x.Again
		}
		e.happen(kernel.Happening{In: engine.Stopped{ID: x.ID, Epoch: x.Epoch}})
		return
	}
	a.cause = e.control.helm.CauseFor(a.path)
	starting := a.phase == kernel.PhaseStarting
	a.phase = kernel.PhaseStopping
	a.mark(kernel.UnfitDown, true)
	inc.gate |= gateDown
	inc.ending = kernel.EndStopped
	inc.end.Ask(x, e.Now())
	poison := inc.poison
	inc.poison = nil
	if poison != nil {
		a.poisoned(poison, inc.end.Verdict)
	}
	switch inc.end.Begin(inc.active == 0, poison != nil || starting) { // a start has no message to finish
	case kernel.ThenFinish:
		inc.finish()
	case kernel.ThenCancel:
		inc.cancel()
	case kernel.ThenDrain:
		e.after(x.Drain, inc.cancel)
	}
}

// poisoned decides about the message that killed an incarnation: it is tried again first, or it is a dead letter.
func (a *actor) poisoned(env *envelope, answer error) {
	if env.only == noMessage {
		return
	}
	if a.box.Again(env.tries, env.msg) && env.only == 0 {
		var one queue
		one.push(env)
		a.again.prepend(&one)
		return
	}
	a.deadLetter(kernel.Poison, env, answer)
}

// cancel tells the handlers to stop: blocked calls return ErrStopped. One that waits again is unwound, so none outlasts
// the moment and nothing has to be fenced off here.
func (inc *incarnation) cancel() {
	if inc.end.Stage >= kernel.StageCancel {
		return
	}
	inc.end.Stage = kernel.StageCancel
	inc.cut = true
	for _, f := range inc.frames {
		f.interrupt(kernel.LeaveStopped)
	}
	if inc.server != nil {
		inc.server.cancel()
	}
}

// finish ends what the behaviour owns and reports the end.
func (inc *incarnation) finish() {
	e := inc.a.eng
	if inc.server != nil {
		inc.server.down(inc.gone)
		return
	}
	r := inc.runner
	if r == nil {
		inc.gone()
		return
	}
	e.push(task{kind: taskJob, job: func() {
		ctx, cancel := context.WithCancelCause(context.Background())
		why := error(context.DeadlineExceeded) // there is no time in which it could wait
		if inc.end.Failure != nil {
			why = inc.end.Failure.Answer()
		}
		cancel(why)
		defer inc.gone()
		err, complaint := kernel.EndRunner(ctx, r)
		inc.end.Leaked = inc.end.Leaked || errors.Is(err, context.DeadlineExceeded)
		if complaint != nil {
			e.scribe.Complain(inc.a.path, complaint.Error(), engine.Cause{})
		}
	}})
}

// gone reports the end of an incarnation.
func (inc *incarnation) gone() {
	a, e := inc.a, inc.a.eng
	inc.end.Stage = kernel.StageGone
	inc.gate |= gateDown
	inc.cut = true
	h := inc.life().Gone(inc.end.Gone(inc.ending, e.Now()), a.cause, &e.stacks, inc)
	a.mark(kernel.UnfitDown, true)
	inc.behavior = nil
	if poison := inc.poison; poison != nil {
		inc.poison = nil
		a.poisoned(poison, inc.end.Verdict)
	}
	a.unwatchAll()
	e.happen(h)
}

// Settle closes the mailbox of an incarnation that was stopped for good, unless the Machine has said Start or Close already.
func (inc *incarnation) Settle() {
	a := inc.a
	if a.inc != inc {
		return
	}
	was := a.phase
	if a.phase = inc.end.After(inc.ending, was); a.phase != was && a.phase == kernel.PhaseStopped {
		a.shut(kernel.PhaseStopped, kernel.Stopped)
	}
}

// shut closes a mailbox: what waits becomes dead letters, askers and watchers are told.
func (a *actor) shut(p kernel.Phase, why string) {
	a.phase = p
	for _, env := range a.empty() {
		a.deadLetter(why, &env, kernel.Unreachable(a.path, why))
	}
	if s := a.setting; s != nil {
		a.setting = nil
		s.Void(a.path, &a.eng.scribe)
	}
	t := a.obituary(why)
	for _, w := range a.watchers.Take() {
		w.Tell(&kernel.Notice{Watch: w, Terminated: t})
	}
}

// exited begins the end of an incarnation that ends by itself.
func (inc *incarnation) exited(failure *engine.Failure) {
	a := inc.a
	if inc.ending != kernel.NotEnding || inc.end.Stage != kernel.StageNone {
		return
	}
	inc.ending = kernel.EndExited
	inc.end.Exit(failure, a.phase == kernel.PhaseStarting)
	inc.gate |= gateDown
	a.mark(kernel.UnfitDown, true)
	a.phase = kernel.PhaseFailed
	switch inc.end.Begin(inc.active == 0, failure != nil) {
	case kernel.ThenFinish:
		a.eng.push(task{kind: taskBrief, job: inc.finish})
	case kernel.ThenCancel:
		inc.cancel()
	case kernel.ThenDrain:
		a.eng.after(kernel.DefaultKill, inc.cancel)
	}
}

// Close carries out a Close: no incarnation follows.
func (e hands) Close(x *engine.Close) {
	if a := e.actor(x.ID); a != nil {
		a.shut(kernel.PhaseStopped, x.Why)
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

// life is what a Runner knows of the engine. Unlike in the live runtime it is for the handler's goroutine only.
type life struct{ inc *incarnation }

// Exited implements engine.Life.
func (l life) Exited(failure *engine.Failure) {
	if failure != nil {
		copied := *failure
		failure = &copied
	}
	l.inc.exited(failure)
}

// Emit implements engine.Life.
func (l life) Emit(body journal.Body) {
	if l.inc.end.Stage != kernel.StageGone {
		l.inc.a.eng.scribe.Record(l.inc.a.path, body, &engine.Cause{})
	}
}

// Healthy implements engine.Life.
func (l life) Healthy(ok bool, why string) {
	if l.inc.end.Stage != kernel.StageGone {
		l.inc.a.eng.healthy(l.inc, ok, why)
	}
}

// Path implements engine.Life.
func (l life) Path() string { return l.inc.a.path }

// Now implements engine.Life.
func (l life) Now() time.Duration { return l.inc.a.eng.Now() }
