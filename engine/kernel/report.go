package kernel

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// Life names an incarnation in what is told of it.
type Life struct {
	ID    engine.ID
	Epoch engine.Epoch
	Path  string
}

// Ready tells that an incarnation has started, and how long that took.
func (l Life) Ready(cause engine.Cause, took time.Duration, up Incarnation) Happening {
	return Happening{
		In: engine.Started{ID: l.ID, Epoch: l.Epoch}, Cause: cause, Path: l.Path, Up: up,
		Fact: journal.ActorReady{Incarnation: uint64(l.Epoch), Took: took},
	}
}

// Arrival is what is told of an incarnation that has started. Very many start at once, so callers may make it in pieces.
type Arrival struct {
	started engine.Started
	ready   journal.ActorReady
}

// Ready is Life.Ready in memory that belongs to the Happening from then on; when is when the incarnation was ready.
func (a *Arrival) Ready(l Life, cause engine.Cause, when Moment, took time.Duration, up Incarnation) Happening {
	a.started, a.ready = engine.Started{ID: l.ID, Epoch: l.Epoch}, journal.ActorReady{Incarnation: uint64(l.Epoch), Took: took}
	return Happening{In: &a.started, When: when, Cause: cause, Path: l.Path, Up: up, Fact: &a.ready}
}

// Failed tells that an incarnation has failed on a message that carried meta and waits for the verdict.
func (l Life) Failed(f *engine.Failure, meta *engine.Meta, stacks *engine.Stacks) Happening {
	return Happening{
		In: engine.Failed{ID: l.ID, Epoch: l.Epoch, Failure: *f}, Path: l.Path,
		Cause: engine.Cause{Correlation: meta.Correlation, Seq: meta.Causation},
		Fact:  stacks.Report(f, l.Epoch),
	}
}

// Absent tells that an incarnation cannot start because the plan has no such actor.
func (l Life) Absent() Happening {
	return Happening{In: engine.Exited{ID: l.ID, Epoch: l.Epoch, Failure: &engine.Failure{
		Kind: engine.KindStart, Message: "the plan has no such actor", By: l.Path, ExitCode: -1, Starting: true}}}
}

// Healthy tells of a health check's change.
func (l Life) Healthy(ok bool, why string) Happening {
	return Happening{
		In: engine.Probed{ID: l.ID, Epoch: l.Epoch, Healthy: ok, Why: why}, Path: l.Path,
		Fact: journal.Probe{Healthy: ok, Why: why},
	}
}

// Gone is how an incarnation ended.
type Gone struct {
	Ending  Ending
	Failure *engine.Failure // of EndExited; nil is a normal end
	Leaked  bool
	Why     string
	Took    time.Duration // since the stop was asked for
}

// Gone tells that an incarnation has ended. cause is of what was being done to the actor.
func (l Life) Gone(g Gone, cause engine.Cause, stacks *engine.Stacks, gone Incarnation) Happening {
	h := Happening{Cause: cause, Path: l.Path, Gone: gone}
	switch {
	case g.Ending == EndStopped:
		h.In = engine.Stopped{ID: l.ID, Epoch: l.Epoch, Leaked: g.Leaked}
		h.Fact = journal.ActorStopped{Incarnation: uint64(l.Epoch), Reason: g.Why, Took: g.Took}
	case g.Failure != nil:
		h.In = engine.Exited{ID: l.ID, Epoch: l.Epoch, Failure: g.Failure}
		h.Fact = stacks.Report(g.Failure, l.Epoch)
		if !g.Failure.Starting { // while starting, the failure belongs to what caused the start
			h.Cause = engine.Cause{Correlation: g.Failure.Correlation}
		}
	default:
		h.In = engine.Exited{ID: l.ID, Epoch: l.Epoch}
		h.Fact = journal.ActorStopped{Incarnation: uint64(l.Epoch), Reason: "ended by itself"}
		h.Cause = engine.Cause{}
	}
	return h
}

// Wish tells of what somebody wants steered; number 0 waits for no verdict.
func Wish(number uint64, a engine.Steer, by string) Happening {
	return Happening{In: engine.Commanded{Number: number, Action: a, By: by}, Fact: a.Report(by)}
}
