package live

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/journal"
)

// Whose turn it is in a frame.
const (
	turnLoop   uint32 = iota // the activation's own code: it leaves by itself when the gate closes
	turnUser                 // a behaviour's code: it can be fenced off
	turnFenced               // given up; when it comes back its goroutine ends
)

// frame is what one worker needs to run handlers: the context of the message at hand. A worker uses it again for one
// message after another.
type frame struct {
	caller
	inc     *incarnation
	turn    atomic.Uint32
	env     envelope
	until   time.Duration   // the deadline of the ask at hand; 0 is none
	setting *kernel.Setting // to be done in place of a message; nil else
	look    ticket          // who is to be shown the state in place of a message; zero else
	seen    bool            // registered with the incarnation
	// left and right are its neighbours on the incarnation's list, under the actor's lock.
	left, right *frame

	now       time.Duration
	fresh     bool // now has been read in this segment
	answered  bool
	fault     string               // the kind of error that was answered, "" for none
	stashed   bool                 // the message at hand is put aside when the handler returns
	behind    bool                 // messages were put back: they come before those that the activation has stolen
	quit      bool                 // the behaviour asked for a normal stop
	bringing  bool                 // the code that runs is a start's
	launching bool                 // the frame's worker is at the launcher
	ups       []kernel.Happening   // of incarnations it has brought up there and not yet told of
	arrivals  []kernel.Arrival     // made for those that come next
	ink       journal.Ink          // of what is told of starts
	born      birth                // of the start at hand
	started   journal.ActorStarted // what is told of it
	blocks    bool                 // a launch: what may block is not done here
	dying     bool                 // its goroutine is ending
	launches  bool                 // the worker must go to the launcher next
	ahead     *incarnation         // the worker must run next, for which an activation is handed out
	failure   *engine.Failure
	tally
}

func newFrame(e *Engine) *frame {
	f := &frame{}
	f.caller.init(e)
	return f
}

// pace is how an activation goes on after a message.
type pace uint8

const (
	goOn pace = iota
	over      // the activation has left
	lost      // the frame was fenced off: its goroutine ends and touches nothing
)

// activate runs what waits for an incarnation until nothing is left or its gate closes. It reports whether the worker
// may go on with something else.
func (f *frame) activate(inc *incarnation) bool {
	f.inc, f.seen, f.first = inc, false, true
	f.actor = inc.a
	for f.take() {
		p := goOn
		switch {
		case f.setting != nil:
			p = f.set()
		case f.look.w != nil:
			p = f.show()
		default:
			p = f.handle()
		}
		if p != goOn {
			return p == over
		}
	}
	return true
}

// set sets the actor's state.
func (f *frame) set() pace {
	s := f.setting
	f.setting, f.failure = nil, nil
	f.ready()
	f.begun(func() error { s.Do(f.inc.behavior, f.inc.a.Path(), &f.eng.scribe); return nil })
	return f.errandDone()
}

// begun runs the behaviour's code for an errand, unless the incarnation has been given up.
func (f *frame) begun(do func() error) {
	if f.begins() {
		_ = f.protect(do)
	}
}

// errandDone decides how the activation goes on after an errand.
func (f *frame) errandDone() pace {
	if !f.turn.CompareAndSwap(turnUser, turnLoop) {
		return lost
	}
	if f.failure != nil {
		return f.broken()
	}
	return goOn
}

// take gets the next message or errand. When there is none, or the gate has closed, the activation ends.
func (f *frame) take() bool {
	inc := f.inc
	a := inc.a
	if f.seen && !f.behind && inc.limit == 1 && inc.gate.Load() == 0 && a.front.pop(&f.env) {
		f.taken(a)
		return true
	}
	f.tally.clock = 0
	a.mu.Lock()
	if !f.seen {
		f.seen = true
		inc.list(f)
	}
	gate := inc.gate.Load()
	switch {
	case gate&gateDown != 0:
	case a.rare.errands() > 0:
		f.setting, f.look = a.nextErrand()
		a.mu.Unlock()
		return true
	case gate&gatePaused != 0:
	case a.rare.retry(&f.env):
		f.behind = true
		a.mu.Unlock()
		return true
	default:
		f.behind = false
		if inc.limit == 1 && a.front.empty() && a.box.Overflow != kernel.OverflowDropOldest {
			a.front.steal(&a.back)
		}
		if a.front.pop(&f.env) || a.back.pop(&f.env) {
			a.done.Store(a.done.Load() + 1)
			if a.rare.crowd() > 0 {
				a.admit()
			}
			a.mu.Unlock()
			return true
		}
	}
	f.leave()
	return false
}

// taken counts a message that was taken without the lock.
func (f *frame) taken(a *actor) {
	a.done.Store(a.done.Load() + 1)
	if a.unfit.Load()&markHungry != 0 {
		a.mu.Lock()
		a.admit()
		a.mu.Unlock()
	}
}

// leave ends the activation. It is called with the lock and returns without it.
func (f *frame) leave() {
	inc := f.inc
	f.flush()
	inc.unlist(f)
	f.inc, f.seen = nil, false
	inc.active--
	last := inc.active == 0 && inc.ending != kernel.NotEnding && inc.stage() < kernel.StageEnding
	if last {
		inc.end().Stage = kernel.StageEnding
	}
	inc.a.mu.Unlock()
	if last {
		inc.finish(false)
	}
}

// handle runs the handler for the message at hand and settles what came of it.
func (f *frame) handle() pace {
	if only := f.env.only(); only != 0 && (only != f.inc.epoch || !f.heard()) {
		f.env = envelope{} // an older incarnation's timer or watch, or a watch that was taken back
		return goOn
	}
	waits := true
	if f.until = 0; f.env.asker != nil {
		f.until, waits = f.env.asked()
	}
	if !waits {
		f.actor.deadLetter(kernel.Expired, &f.env, nil)
		f.env = envelope{}
		return goOn
	}
	f.view = f.eng.view.Load()
	f.fresh, f.answered, f.stashed, f.quit, f.failure, f.fault = false, false, false, false, nil, ""
	f.ready()
	f.serve()
	f.start()
	err := engine.ErrStopped
	if f.begins() {
		err = f.protect(func() error { return f.inc.behavior.Handle(f, f.env.msg) })
	}
	if !f.turn.CompareAndSwap(turnUser, turnLoop) {
		return lost
	}
	if f.failure == nil && err != nil && !(f.stop.Load() != 0 && errors.Is(err, engine.ErrStopped)) {
		f.failure = engine.FailureOf(err, f.inc.a.Path())
	}
	if f.stashed && f.failure == nil {
		f.tally.clock = 0 // it is counted when it is handled
	} else {
		f.end(f.failure != nil || f.fault != "")
	}
	return f.outcome(err)
}

// begins hands the turn to the behaviour's code, unless the incarnation has been given up meanwhile: who gives it up says so before
// looking whose turn it is, so either the frame is fenced off or this sees it.
func (f *frame) begins() bool {
	f.turn.Store(turnUser)
	return f.inc.gate.Load()&gateFenced == 0
}

// givenUp tells that the frame was fenced off while a behaviour's code ran in it.
func (f *frame) givenUp() bool { return f.turn.Load() == turnFenced }

// serve publishes whose message is at hand, for the search for circles.
func (f *frame) serve() {
	if f.w.serves.Load() != f.env.asker {
		f.w.serves.Store(f.env.asker)
	}
	if f.env.asker != nil {
		f.w.servesWait.Store(f.env.wait)
	}
}

// ready prepares the frame for a behaviour's code. Whoever cuts the incarnation short sets cut before it interrupts the
// frames, so either the interrupt comes after this reset or cut is seen here.
func (f *frame) ready() {
	f.told = false
	f.stop.Store(uint32(kernel.Stays))
	if f.inc.cut.Load() {
		f.stop.Store(uint32(kernel.LeaveStopped))
	}
}

// outcome answers the asker and decides how the activation goes on.
func (f *frame) outcome(err error) pace {
	switch {
	case f.failure != nil && f.inc.soft:
		f.env.reply().settle(nil, f.failure.Answer())
		f.env = envelope{}
		return goOn
	case f.failure != nil:
		return f.broken()
	case err != nil: // stopped while it waited
		f.interrupted()
		return goOn
	}
	switch {
	case f.stashed:
		f.putAside()
	case !f.answered:
		f.env.reply().settle(nil, nil)
	}
	f.env = envelope{}
	if f.quit {
		f.inc.exited(nil)
	}
	return goOn
}

// interrupted settles the message of a handler that was cut short by a stop.
func (f *frame) interrupted() {
	if f.stashed {
		f.putAside()
		f.env = envelope{}
		return
	}
	f.actor.deadLetter(kernel.InFlight, &f.env, kernel.CutShort(f.actor.Path(), "stopped while it handled the message"))
	f.env = envelope{}
}

// putAside stashes the message at hand.
func (f *frame) putAside() {
	a := f.actor
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.unusual()
	r.stash.push(&f.env)
	r.aside++
}

// protect runs a behaviour's code and turns a panic into f.failure. runtime.Goexit goes on; see unwound.
func (f *frame) protect(fn func() error) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if r := recover(); r != nil {
			f.failure = engine.Panicked(r, f.inc.a.Path(), 1)
		}
	}()
	err = fn()
	returned = true
	return err
}

// unwound is called when the worker's goroutine ends. If a handler ended it, its message is settled, and the
// incarnation is returned when its activation must go on elsewhere.
func (f *frame) unwound() *incarnation {
	inc := f.inc
	f.dying = true
	if inc == nil || !f.turn.CompareAndSwap(turnUser, turnLoop) {
		return nil
	}
	gone := kernel.Goexited(inc.a.Path())
	switch {
	case f.bringing:
		f.failure = gone
		f.risen(inc, nil)
		return nil
	case f.stop.Load() != 0:
		f.end(true)
		f.interrupted()
	default:
		f.end(true)
		f.failure = gone
		if f.outcome(nil) != goOn {
			return nil
		}
	}
	f.inc.a.mu.Lock()
	f.flush()
	inc.unlist(f)
	inc.a.mu.Unlock()
	return inc
}

// broken reports a failure to the Machine: the incarnation waits for the verdict, this activation is over. The worker
// goes on with something else.
func (f *frame) broken() pace {
	inc, a := f.inc, f.inc.a
	f.failure.MessageType, f.failure.Correlation = f.env.msg.Type, f.env.cause().Correlation
	env, failure := f.env, *f.failure
	f.env = envelope{}
	env.failed()
	a.mu.Lock()
	first := inc.ending == kernel.NotEnding && !inc.poisoned() && inc.gate.Load()&gateDown == 0
	if first {
		inc.gate.Or(gateDown)
		a.mark(kernel.UnfitDown, true)
		a.phase = kernel.PhaseFailed
		inc.end().poison, inc.end().Verdict = &env, failure.Answer()
	}
	f.failure = nil
	f.leave()
	if !first {
		a.deadLetter(kernel.InFlight, &env, failure.Answer())
		return over
	}
	meta := env.meta()
	a.eng.happenLast(f, inc.life().Failed(&failure, &meta, &a.eng.stacks))
	return over
}
