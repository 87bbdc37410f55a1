package kernel

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

// Ending is how an incarnation goes.
type Ending uint8

// The ways to go.
const (
	NotEnding  Ending = iota
	EndExited         // by itself
	EndStopped        // a Stop effect wants it
)

// Stage is how far the end of an incarnation is.
type Stage uint8

// The stages, in order.
const (
	StageNone   Stage = iota
	StageDrain        // handlers may finish
	StageCancel       // blocked calls have returned ErrStopped
	StageEnding       // all handlers are out or fenced off; what the behaviour owns is being stopped
	StageGone
)

// DefaultKill bounds each phase of an end that nobody asked for.
const DefaultKill = 5 * time.Second

// End is how an incarnation goes, once it does: from drain to cancel to gone. It belongs to the actor's lock.
type End struct {
	Stage       Stage
	Again       bool // another incarnation follows
	Leaked      bool
	Drain, Kill time.Duration
	Why         string
	Asked       time.Duration   // when the stop was asked for
	Failure     *engine.Failure // of EndExited; nil is a normal end
	Verdict     *engine.Error   // what the asker of the message that it failed on is told
}

// Ask takes over what the Machine asks for.
func (e *End) Ask(x *engine.Stop, now time.Duration) {
	e.Drain, e.Kill, e.Why, e.Again, e.Asked = x.Drain, x.Kill, x.Why, x.Again, now
}

// Exit takes over that the incarnation ends by itself; handlers that are at work may finish when it does so without a failure.
func (e *End) Exit(f *engine.Failure, starting bool) {
	if f != nil {
		f.Starting = starting
	}
	e.Failure, e.Drain, e.Kill = f, DefaultKill, DefaultKill
}

// Then is what is to be done about handlers when an end begins.
type Then uint8

// What may be.
const (
	ThenWait   Then = iota // the end is under way already, and will see what has been asked for
	ThenFinish             // there are none: what the behaviour owns is stopped
	ThenCancel             // they are told to stop
	ThenDrain              // they have until Drain
)

// Begin moves the end on. Idle tells that no handler is at work, hasty that none has anything to finish.
func (e *End) Begin(idle, hasty bool) Then {
	switch {
	case e.Stage >= StageEnding:
		return ThenWait
	case idle:
		e.Stage = StageEnding
		return ThenFinish
	case hasty || e.Drain <= 0:
		return ThenCancel
	}
	e.Stage = max(e.Stage, StageDrain)
	return ThenDrain
}

// Gone is how it went.
func (e *End) Gone(by Ending, now time.Duration) Gone {
	return Gone{Ending: by, Failure: e.Failure, Leaked: e.Leaked, Why: e.Why, Took: now - e.Asked}
}

// Last is how it went as watchers see it: one that failed on a message was ended by that.
func (e *End) Last(by Ending) Gone {
	g := Gone{Ending: by, Failure: e.Failure, Why: e.Why}
	if g.Failure == nil && e.Verdict != nil {
		g.Failure = &engine.Failure{Kind: e.Verdict.Kind, Message: e.Verdict.Message}
	}
	return g
}

// After is the phase of an actor in phase p whose incarnation has gone, once the Machine has decided about that: the mailbox of one
// that was stopped for good closes. That of any other stays open until the Machine says Start or Close.
func (e *End) After(by Ending, p Phase) Phase {
	switch {
	case p == PhaseRemoved || p == PhaseStopped:
		return p
	case by == EndStopped && !e.Again:
		return PhaseStopped
	}
	return PhaseRestarting
}
