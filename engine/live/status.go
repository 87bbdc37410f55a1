package live

import (
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// ActorStatus is what an actor looks like at one moment.
type ActorStatus = engine.Vitals

// GroupStatus is a replica group.
type GroupStatus struct {
	Path     string
	Replicas []string // paths, by number
	Fit      int      // replicas that get messages
}

// Consult runs look while the Machine rests, under the control lock: it must not block or call the engine.
func (e *Engine) Consult(look func()) {
	e.control.mu.Lock()
	defer e.control.mu.Unlock()
	look()
}

// Status is what the engine looks like at one moment.
type Status struct {
	Generation  uint64
	Plan        *plan.Plan
	Now         time.Duration
	Emergency   bool
	DeadLetters uint64
	Actors      []ActorStatus // by path
	Groups      []GroupStatus
	Guards      []guard.Snapshot // by name
}

// Status looks at everything. It takes each actor's lock for a moment, one after another.
func (e *Engine) Status() Status {
	v := e.view.Load()
	s := Status{Generation: v.Generation, Plan: v.Plan, Now: e.now(), Emergency: e.emergency.Load(), DeadLetters: e.letters.Count()}
	e.Actors(func(a ActorStatus) bool { s.Actors = append(s.Actors, a); return true })
	slices.SortFunc(s.Actors, func(a, b ActorStatus) int { return strings.Compare(a.Path, b.Path) })
	for _, g := range e.roster.groups.All() {
		if v.Plan.Group(g.Path()) == nil {
			continue
		}
		st := GroupStatus{Path: g.Path()}
		for _, a := range g.Members() {
			st.Replicas = append(st.Replicas, a.Path())
			if a.unfit.Load()&kernel.UnfitAny == 0 {
				st.Fit++
			}
		}
		s.Groups = append(s.Groups, st)
	}
	s.Guards = e.Guards()
	return s
}

// Guards looks at all guards, by name.
func (e *Engine) Guards() []guard.Snapshot { return e.guards.Snapshots(e.now()) }

// Actors visits every actor in the order of their making, until visit says stop. It is the cheap way for samplers.
func (e *Engine) Actors(visit func(ActorStatus) bool) {
	now := e.now()
	e.each(func(a *actor) bool { return visit(a.status(now)) })
}

// Actor looks at the actor of a path; false says that there is none.
func (e *Engine) Actor(path string) (ActorStatus, bool) {
	a := e.byPath(path)
	if a == nil {
		return ActorStatus{}, false
	}
	return a.status(e.now()), true
}

func (a *actor) status(now time.Duration) ActorStatus {
	unfit := a.unfit.Load()
	s := ActorStatus{
		Path: a.Path(), Ready: unfit&kernel.UnfitDown == 0, Paused: unfit&kernel.UnfitPaused != 0,
		Quarantined: unfit&kernel.UnfitQuarantined != 0, Healthy: unfit&kernel.UnfitSick == 0,
	}
	if a.group != nil {
		s.Group = a.group.Path()
	}
	a.mu.Lock()
	s.State, s.Capacity, s.Mailbox, s.Blocked = a.phase.String(), int(a.box.Capacity), a.waiting()+a.rare.held(), a.rare.crowd()
	s.Kind = a.kind
	var b engine.Behavior
	if inc := a.inc; inc != nil {
		s.Incarnation, b = inc.epoch, inc.behavior
		for f := inc.frames; f != nil; f = f.right {
			s.InFlight++
		}
		if s.Ready {
			s.Up = now - inc.began
		}
	}
	a.mu.Unlock()
	if c := a.active.Load(); c != nil {
		s.Calls, s.Failures, s.DeadLetters, s.Restarts = c.calls.Load(), c.failures.Load(), c.refused.Load(), c.restarts.Load()
		s.Latency = c.hist.Load()
	}
	if l, ok := engine.As[engine.Located](b); ok {
		s.PID, s.Address = l.Locate()
	}
	if m, ok := engine.As[engine.Metered](b); ok {
		s.Usage, _ = m.Usage()
	}
	return s
}

// Plan is the plan in force.
func (e *Engine) Plan() *plan.Plan { return e.view.Load().Plan }

// Generation is its number.
func (e *Engine) Generation() uint64 { return e.view.Load().Generation }

// DeadLetters is how many messages were not handled since the engine started.
func (e *Engine) DeadLetters() uint64 { return e.letters.Count() }
