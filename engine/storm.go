package engine

import (
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// storm is a supervisor's breaker against restart storms. Each counted failure of a child is a failed call. While the
// breaker is open restarts wait; half open it lets a few probe: one that comes up is a success. It lives as long as the
// supervisor's definition has it, over all incarnations.
type storm struct {
	breaker *breaker.Breaker
	name    string
	probes  []probe
}

// probe is a restart that a half-open breaker let through and whose outcome it waits for.
type probe struct {
	holder ID // the child; a group's restart is held by the supervisor
	permit breaker.Permit
}

// patience is how long a restart waits when its breaker cannot say.
const patience = time.Second

// equip gives every supervisor the restart breaker of its definition; one that it has already takes the new policy.
func (m *Machine) equip() {
	for _, a := range m.roster.byIndex {
		if a.sup == nil {
			continue
		}
		spec := a.def.Supervisor.RestartBreaker
		if spec == nil {
			a.sup.storm = nil
			continue
		}
		if err := m.equipOne(a, spec); err != nil {
			m.tell(a.def.Path, &journal.RuleFailed{Rule: "restart_breaker", Subject: a.def.Path, Error: err.Error()})
		}
		m.circuits.know(spec.Name, "").owner = a.sup
	}
}

func (m *Machine) equipOne(a *actor, spec *plan.Breaker) error {
	if a.sup.storm != nil {
		a.sup.storm.name = spec.Name
		return a.sup.storm.breaker.SetPolicy(int64(m.now), spec.Policy)
	}
	b, err := breaker.New(spec.Policy, m.seed^uint64(a.id), int64(m.now))
	if err != nil {
		return err
	}
	s := &storm{breaker: b, name: spec.Name}
	b.Listen(func(t breaker.Transition) { m.stormChanged(s.name, t) })
	a.sup.storm = s
	return nil
}

// stormChanged tells of a restart breaker's transition. The listener runs within the Machine's own call.
func (m *Machine) stormChanged(name string, t breaker.Transition) {
	c := m.circuits.know(name, "")
	c.view.State = t.To.String()
	m.rulebook.touchBreaker(c)
	if t.To == breaker.Open {
		m.opened(c)
	}
	body := &journal.BreakerChanged{
		Breaker: name, From: t.From.String(), To: t.To.String(), Generation: t.Generation, Reason: t.Trigger,
	}
	if t.Values != "" {
		body.Values = journal.Values{"read": t.Values}
	}
	m.tell("", body)
}

// failedIn counts a failure: the probe's, if the child was one, else one of those that may trip the breaker.
func (s *storm) failedIn(holder ID, now time.Duration) {
	if s == nil || s.settle(holder, now, breaker.Failed) {
		return
	}
	if permit, verdict := s.breaker.Allow(int64(now)); verdict.Admitted {
		s.breaker.Done(int64(now), permit, breaker.Failed)
	}
}

// admits tells whether a restart may go ahead, and if not, how long it waits before it asks again.
func (s *storm) admits(holder ID, now time.Duration) (wait time.Duration, ok bool) {
	if s == nil {
		return 0, true
	}
	permit, verdict := s.breaker.Allow(int64(now))
	if !verdict.Admitted {
		return max(verdict.RetryAfter, patience), false
	}
	if permit.Probe() {
		s.probes = append(s.probes, probe{holder, permit})
	} else {
		s.breaker.Done(int64(now), permit, breaker.Ignored)
	}
	return 0, true
}

// settle ends a holder's probe; false when it has none.
func (s *storm) settle(holder ID, now time.Duration, outcome breaker.Outcome) bool {
	if s == nil {
		return false
	}
	at := slices.IndexFunc(s.probes, func(p probe) bool { return p.holder == holder })
	if at < 0 {
		return false
	}
	permit := s.probes[at].permit
	s.probes = slices.Delete(s.probes, at, at+1)
	s.breaker.Done(int64(now), permit, outcome)
	return true
}

// force overrides a breaker: a restart breaker here and now, any other through the runtime.
func (m *Machine) force(c *circuit, mode string) {
	if c.owner == nil || c.owner.storm == nil {
		m.out = append(m.out, &Force{Breaker: c.id(), Mode: mode})
		return
	}
	b := c.owner.storm.breaker
	if parsed, ok := breaker.ParseMode(mode); ok {
		b.Force(int64(m.now), parsed)
	} else {
		b.Reset(int64(m.now))
	}
}
