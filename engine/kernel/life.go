package kernel

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Phase is what an actor is doing, as status shows it.
type Phase uint8

// The phases.
const (
	PhaseNew Phase = iota
	PhaseStarting
	PhaseRunning
	PhaseFailed
	PhaseRestarting
	PhaseStopping
	PhaseStopped
	PhaseRemoved
)

// String is the phase as people read it.
func (p Phase) String() string {
	return [...]string{"new", "starting", "running", "failed", "restarting", "stopping", "stopped", "removed"}[p]
}

// Closed says why the mailbox of an actor in that phase takes nothing; nil when it does.
func (p Phase) Closed(path string) *engine.Error {
	switch p {
	case PhaseStopped:
		return Unreachable(path, Stopped)
	case PhaseRemoved:
		return Unreachable(path, Removed)
	}
	return nil
}

// Follow takes what the Machine announces of a supervisor for its phase: nothing else is heard of that. decided is false when it
// does not tell whether the supervisor is up.
func (p *Phase) Follow(body journal.Body) (up, decided bool) {
	switch body.(type) {
	case *journal.ActorStarting:
		*p = PhaseStarting
	case *journal.ActorReady:
		*p = PhaseRunning
		return true, true
	case *journal.ActorRestarting:
		*p = PhaseRestarting
	case *journal.ActorStopping:
		*p = PhaseStopping
		return false, true
	case *journal.ActorStopped, *journal.SupervisorGaveUp:
		*p = PhaseStopped
		return false, true
	}
	return false, false
}

// The reasons why an actor gets no routed message, as bits.
const (
	UnfitDown = 1 << iota
	UnfitPaused
	UnfitQuarantined
	UnfitSick
	UnfitAny = 1<<iota - 1
)

// Overflow is what a full mailbox does.
type Overflow uint8

// The policies.
const (
	OverflowReject Overflow = iota
	OverflowBlock
	OverflowDropOldest
	OverflowDropNewest
)

// Box is an actor's mailbox policy, small because there may be a million.
type Box struct {
	Capacity uint32
	Attempts uint16
	Overflow Overflow
	Drop     bool // what waits is dropped at a restart
}

// NewBox is the policy that a plan wants.
func NewBox(m plan.Mailbox) Box {
	b := Box{
		Capacity: uint32(min(max(m.Capacity, 1), math.MaxInt32)), Attempts: uint16(min(max(m.Attempts, 1), math.MaxUint16)),
		Drop: m.OnRestart == "drop",
	}
	switch m.Overflow {
	case "block":
		b.Overflow = OverflowBlock
	case "drop_oldest":
		b.Overflow = OverflowDropOldest
	case "drop_newest":
		b.Overflow = OverflowDropNewest
	}
	return b
}

// Again tells whether a message that killed its actor, having been delivered tries times, is tried once more.
func (b Box) Again(tries int, m engine.Msg) bool { return tries < int(b.Attempts) && m.Type != "" }

// EndRunner calls a Runner's Stop. What it complains of is told in the journal, and ends nothing: the incarnation is over
// anyway. One that gave up because ctx was done has said all there is.
func EndRunner(ctx context.Context, r engine.Runner) (err, complaint error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			complaint = fmt.Errorf("its Stop failed: %w", err)
		}
	}()
	return r.Stop(ctx), nil
}

// Unmade is the failure of a start for which there is no behaviour.
func Unmade(a *plan.Actor) *engine.Error {
	return &engine.Error{Kind: engine.KindStart, Message: "no behaviour for actors of kind " + a.Kind.String(), By: a.Path}
}

// Unstarted is the failure of a start that returned an error.
func Unstarted(err error, path string) *engine.Failure {
	f := engine.FailureOf(err, path)
	if f.Kind == engine.KindCrash {
		f.Kind = engine.KindStart
	}
	return f
}

// Goexited is the failure of a handler that ended its goroutine.
func Goexited(path string) *engine.Failure {
	return &engine.Failure{Kind: engine.KindCrash, Message: "the handler ended its goroutine (runtime.Goexit)", By: path}
}
