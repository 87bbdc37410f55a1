package engine

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Status is what the Machine knows now. It is a copy: it stays as it is while the Machine goes on.
type Status struct {
	Generation  uint64
	Digest      plan.Digest
	Health      float64 // 0..1; 1 before the first sample
	Level       string  // healthy, degraded, critical or unknown
	Emergency   bool
	Actors      []ActorStatus      // in plan order, supervisors included
	Supervisors []SupervisorStatus // in plan order
	Overrides   []Override         // actions in force, oldest first
	Patterns    []PatternStatus    // seen now, by pattern
}

// ActorStatus is one actor.
type ActorStatus struct {
	ID          ID
	Path        string
	Kind        plan.Kind
	State       string // starting running restarting stopping stopped failed paused quarantined
	Epoch       Epoch  // 0: never started
	Restarts    uint64 // incarnations after the first
	Since       time.Duration
	Paused      bool
	Quarantined bool
	Held        bool          // stopped by hand: only restart or resume start it again
	Failures    int           // in the current run of failures
	Next        time.Duration // when its backoff ends; 0 when it does not wait
}

// SupervisorStatus is what a supervisor decided.
type SupervisorStatus struct {
	Path     string
	Restarts uint64 // of its children, counted against its intensity
	Recent   int    // of them within the intensity's span
	GaveUp   uint64
}

// PatternStatus is a pattern of trouble that is seen now.
type PatternStatus struct {
	Pattern     string
	Actors      []string // paths
	Root        string   // path of the likely cause; "" when it is about the system
	Confidence  float64  // 0..1
	First, Last time.Duration
	Count       int
	Why         string
}

// Override is an action in force: what it has changed stays so until it is taken back.
type Override struct {
	Verb       string // pause stop quarantine force_open force_close emergency scale set_param adopt
	Target     string // path of an actor or group, name of a breaker or param; "" for the system
	By, Reason string
	Since      time.Duration
	Until      time.Duration // 0: no time has been set
	Emergency  bool          // it is taken back when the emergency is left
}

// Status gives a copy of what the Machine knows. It costs one walk over all actors; like Step it must not run
// beside another call.
func (m *Machine) Status() Status {
	if m.plan == nil {
		return Status{Level: LevelUnknown, Health: 1}
	}
	s := Status{
		Generation: m.generation, Digest: m.plan.Digest(),
		Health: m.health.score, Level: m.health.level, Emergency: m.emergency.on,
		Actors: make([]ActorStatus, 0, len(m.roster.byIndex)),
	}
	for _, a := range m.roster.byIndex {
		s.Actors = append(s.Actors, m.statusOf(a))
		if a.sup != nil {
			a.sup.spell.drop(m.now, a.def.Supervisor.Intensity.Within, m.wholeSeconds)
			s.Supervisors = append(s.Supervisors, SupervisorStatus{
				Path: a.def.Path, Restarts: a.sup.restarts, Recent: a.sup.spell.count, GaveUp: a.sup.gaveUp,
			})
		}
	}
	s.Overrides = m.Overrides()
	s.Patterns = m.patternStatus()
	return s
}

func (m *Machine) patternStatus() []PatternStatus {
	var out []PatternStatus
	for _, s := range m.patterns.sought {
		for _, f := range s.findings {
			if !f.told {
				continue
			}
			one := PatternStatus{
				Pattern: s.spec.Name, Root: pathOf(f.root), Confidence: f.confidence, First: f.first, Last: f.last, Count: f.times, Why: f.why,
			}
			for _, a := range f.actors {
				one.Actors = append(one.Actors, a.def.Path)
			}
			out = append(out, one)
		}
	}
	return out
}

func (m *Machine) statusOf(a *actor) ActorStatus {
	s := ActorStatus{
		ID: a.id, Path: a.def.Path, Kind: a.def.Kind, State: a.state(), Epoch: a.epoch,
		Restarts: uint64(max(a.epoch, 1) - 1), Since: a.since,
		Paused: a.paused, Quarantined: a.fenced, Held: a.held, Failures: int(a.tries), Next: m.clockwork.look(a.timer).at,
	}
	return s
}

// Overrides are the actions in force, oldest first. Like Step it must not run beside another call.
func (m *Machine) Overrides() []Override {
	var out []Override
	for _, u := range m.undos.list() {
		one := Override{
			Verb: u.did, Target: or(u.breaker, u.varied), By: u.by, Reason: u.reason, Since: u.since,
			Until: m.clockwork.look(u.timer).at, Emergency: u.emergency,
		}
		if a := m.roster.find(u.id); a != nil {
			one.Target = a.def.Path
		}
		if m.inForce(u) {
			out = append(out, one)
		}
	}
	return out
}

// inForce tells whether an action still shows. A variation may have come back to what the files say, a breaker of a key may have gone.
func (m *Machine) inForce(u *undo) bool {
	switch a := m.roster.find(u.id); u.verb {
	case "resume":
		return a != nil && a.paused
	case "restart":
		return a != nil && a.held
	case "release":
		return a != nil && a.fenced
	case "unforce":
		c := m.circuits.find(u.breaker)
		return c != nil && c.forced != ""
	case "calm":
		return m.emergency.on
	}
	return u.timer != 0 || u.emergency || m.plan.Variation().Has(u.verb, u.varied)
}

// state is what an actor is seen as: starting, running, stopping, restarting (its next incarnation is coming), stopped,
// failed (ended by a failure and not started again), and, while running, paused or quarantined.
func (a *actor) state() string {
	switch {
	case a.life == idle && a.kept && a.epoch > 0:
		return "restarting"
	case a.life == idle && a.failed:
		return "failed"
	case a.life == stopping && a.after == revive:
		return "restarting"
	case a.life == idle && a.parent != nil && a.parent.sup.revives(a):
		return "restarting"
	case a.life == running && a.paused:
		return "paused"
	case a.life == running && a.fenced:
		return "quarantined"
	default:
		return a.life.String()
	}
}

// revives tells whether the supervisor's sequence is about to start a child that is down.
func (s *supervisor) revives(a *actor) bool {
	if a.over || a.held {
		return false
	}
	switch s.phase {
	case lowering, delayed:
		return s.absorbs(a) || a == s.first
	case raising:
		return a.epoch > 0 && int(a.pos) >= s.hi
	default:
		return false
	}
}
