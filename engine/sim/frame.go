package sim

import (
	"errors"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// frame is the context of the message that a carrier handles.
type frame struct {
	caller
	inc  *incarnation
	env  envelope
	spec *plan.Actor // in the pinned generation
	user bool        // a behaviour's code is at work

	now      time.Duration
	fresh    bool // now has been read in this segment
	answered bool
	faulty   bool // answered with an error
	stashed  bool // the message at hand is put aside when the handler returns
	quit     bool // the behaviour asked for a normal stop
	failure  *engine.Failure
	began    time.Duration
	stale    bool // strict: the message is over, whoever uses the context now cheats
}

func newFrame(e *Engine) *frame {
	f := &frame{}
	f.caller.init(e)
	f.caller.self = f
	return f
}

// activate handles an incarnation's next message. The activation goes on with a further turn while there is work.
func (f *frame) activate(inc *incarnation) {
	if inc.server != nil {
		inc.server.activate()
		return
	}
	if f.eng.options.Strict {
		f = f.private()
	}
	f.inc, f.actor = inc, inc.a
	set, ok := f.take()
	if !ok {
		f.leave()
		return
	}
	inc.frames = append(inc.frames, f)
	gone := false
	if set != nil {
		gone = f.set(set)
	} else {
		gone = f.handle()
	}
	if gone {
		return
	}
	f.again()
}

// again ends a turn: the activation queues for its next one.
func (f *frame) again() {
	inc := f.inc
	inc.unlist(f)
	if inc.gate == 0 && inc.a.back.n+inc.a.again.n > 0 || inc.gate&gateDown == 0 && inc.a.setting != nil {
		f.inc = nil
		f.eng.push(task{kind: taskActivate, inc: inc})
		return
	}
	f.leave()
}

// private is a frame for one message only, so that a context that is used too late can be told from the next one.
func (f *frame) private() *frame {
	own := newFrame(f.eng)
	f.stale = true
	switch k := f.eng.loop.inside; {
	case k != nil:
		k.frame = own
	case f == f.eng.brief:
		f.eng.brief = own
	default:
		f.eng.loop.current.frame = own
	}
	return own
}

// take gets the next message or state to be set.
func (f *frame) take() (set *kernel.Setting, ok bool) {
	a, gate := f.actor, f.inc.gate
	switch {
	case gate&gateDown != 0:
		return nil, false
	case a.setting != nil:
		set, a.setting = a.setting, nil
		return set, true
	case gate != 0:
		return nil, false
	case a.again.pop(&f.env):
		return nil, true
	case a.back.pop(&f.env):
		if len(a.parked) > 0 {
			a.admit()
		}
		return nil, true
	}
	return nil, false
}

// leave ends the activation.
func (f *frame) leave() {
	inc := f.inc
	inc.unlist(f)
	f.inc = nil
	inc.release()
}

// release gives an activation back; the last one out of an incarnation that ends finishes it.
func (inc *incarnation) release() {
	inc.active--
	if inc.active == 0 && inc.ending != kernel.NotEnding && inc.end.Stage < kernel.StageEnding {
		inc.end.Stage = kernel.StageEnding
		inc.finish()
	}
}

// set sets the actor's state. It reports whether the activation is over.
func (f *frame) set(s *kernel.Setting) bool {
	f.env, f.failure = envelope{only: noMessage}, nil
	f.ready()
	f.protect(func() error { s.Do(f.inc.behavior, f.actor.path, &f.eng.scribe); return nil })
	if f.failure != nil {
		f.broken()
		return true
	}
	return false
}

// handle runs the handler for the message at hand and settles what came of it. It reports whether the activation is over.
func (f *frame) handle() bool {
	e, a := f.eng, f.actor
	if f.env.only != 0 && (f.env.only != f.inc.epoch || !f.heard()) {
		f.env = envelope{} // an older incarnation's timer or watch, or a watch that was taken back
		return false
	}
	if f.env.reply.w != nil && !f.env.reply.waits() {
		a.deadLetter(kernel.Expired, &f.env, nil)
		f.env = envelope{}
		return false
	}
	f.view, f.spec = e.view, a.spec
	f.fresh, f.answered, f.faulty, f.stashed, f.quit, f.failure = false, false, false, false, false, nil
	f.ready()
	f.began = e.Now()
	e.digest.message(f.began, a, &f.env)
	if f.tried() {
		return f.over(nil)
	}
	err := f.protect(func() error { return f.inc.behavior.Handle(f, f.env.msg) })
	return f.over(err)
}

// over settles a handler that has returned.
func (f *frame) over(err error) bool {
	if f.failure == nil && err != nil && !(f.stop != kernel.Stays && errors.Is(err, engine.ErrStopped)) {
		f.failure = engine.FailureOf(err, f.actor.path)
	}
	if !f.stashed || f.failure != nil { // else it is counted when it is handled
		f.actor.count(f.eng.Now()-f.began, f.failure != nil || f.faulty)
	}
	return f.outcome(err)
}

// ready prepares the frame for a behaviour's code.
func (f *frame) ready() {
	f.told, f.stop, f.cancel = false, kernel.Stays, nil
	if f.inc.cut {
		f.stop = kernel.LeaveStopped
	}
}

// outcome answers the asker and decides how the activation goes on.
func (f *frame) outcome(err error) bool {
	switch {
	case f.failure != nil && f.inc.soft:
		f.respond(nil, f.failure.Answer())
		f.env = envelope{}
		return false
	case f.failure != nil:
		f.broken()
		return true
	case err != nil: // stopped while it waited
		f.interrupted()
		return false
	}
	switch {
	case f.stashed:
		f.actor.stash.push(&f.env)
	case !f.answered:
		f.respond(nil, nil)
	}
	f.env = envelope{}
	if f.quit {
		f.inc.exited(nil)
	}
	return false
}

// interrupted settles the message of a handler that was cut short by a stop.
func (f *frame) interrupted() {
	if f.stashed {
		f.actor.stash.push(&f.env)
		f.env = envelope{}
		return
	}
	f.actor.deadLetter(kernel.InFlight, &f.env, kernel.CutShort(f.actor.path, "stopped while it handled the message"))
	f.env = envelope{}
}

// protect runs a behaviour's code and turns a panic into f.failure. runtime.Goexit goes on; see unwound.
func (f *frame) protect(fn func() error) (err error) {
	returned := false
	f.user = true
	f.wear()
	defer func() {
		if returned {
			f.user = false
			return
		}
		switch r := recover(); {
		case r == (unwinding{}) && !f.eng.loop.closing:
			f.user = false
			err = engine.ErrStopped
		case r == (unwinding{}):
			panic(r)
		case r != nil:
			f.user = false
			f.failure = engine.Panicked(r, f.actor.path, 1)
		}
	}()
	err = fn()
	returned = true
	return err
}

// unwound settles the message of a handler that ended its goroutine. The activation goes on elsewhere.
func (f *frame) unwound() {
	inc := f.inc
	if inc == nil || !f.user {
		return
	}
	f.user = false
	f.actor.count(f.eng.Now()-f.began, true)
	if inc.a.phase == kernel.PhaseStarting {
		f.failure = kernel.Goexited(f.actor.path)
		f.risen(nil)
		return
	}
	if f.stop != kernel.Stays {
		f.interrupted()
	} else {
		f.failure = kernel.Goexited(f.actor.path)
		if f.outcome(nil) {
			return
		}
	}
	f.again()
}

// broken reports a failure to the Machine: the incarnation waits for the verdict, this activation is over.
func (f *frame) broken() {
	inc, a := f.inc, f.actor
	f.failure.MessageType, f.failure.Correlation = f.env.msg.Type, f.env.meta.Correlation
	env, failure := f.env, *f.failure
	f.env, f.failure = envelope{}, nil
	inc.unlist(f)
	f.inc = nil
	a.broke(inc, &env, &failure)
}

// broke ends an activation with a failure on a message and makes it known, unless another one came first.
func (a *actor) broke(inc *incarnation, env *envelope, failure *engine.Failure) {
	env.tries++
	if inc.ending != kernel.NotEnding || inc.poison != nil || inc.gate&gateDown != 0 {
		inc.release()
		if env.only != noMessage {
			a.deadLetter(kernel.InFlight, env, failure.Answer())
		}
		return
	}
	inc.await(env, failure)
	inc.release()
	a.eng.happen(inc.life().Failed(failure, &env.meta, &a.eng.stacks))
}

// await lets a failed incarnation wait for the verdict.
func (inc *incarnation) await(env *envelope, failure *engine.Failure) {
	inc.gate |= gateDown
	inc.a.mark(kernel.UnfitDown, true)
	inc.a.phase = kernel.PhaseFailed
	inc.poison, inc.end.Verdict = env, failure.Answer()
}

// stumble is a failure that no message is to blame for. Handlers that wait go on meanwhile, as those beside one that fails do.
func (a *actor) stumble(failure *engine.Failure) {
	if inc := a.inc; inc.ending == kernel.NotEnding && inc.poison == nil && inc.gate&gateDown == 0 {
		inc.await(&envelope{only: noMessage}, failure)
		a.eng.happen(inc.life().Failed(failure, &engine.Meta{}, &a.eng.stacks))
	}
}

// respond answers the asker of the message at hand. It reports whether somebody still waited.
func (f *frame) respond(value any, err error) bool { return f.actor.respond(&f.env, value, err) }

// count counts a handled message.
func (a *actor) count(took time.Duration, failed bool) {
	a.eng.digest.ended(a.eng.Now(), a, failed)
	a.calls++
	if failed {
		a.failures++
	}
	if a.eng.detailed {
		if a.hist == nil {
			a.hist = new(engine.Histogram)
		}
		a.hist.Add(took)
	}
}
