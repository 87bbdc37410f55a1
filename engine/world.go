package engine

import (
	"github.com/lukhasai/lukhas-run/rules"
)

// env is what every expression of the Machine may read; the caller adds its subject.
func (m *Machine) env() *rules.Env {
	return &rules.Env{Params: m.params, Now: m.now.Seconds()}
}

// view is an actor as expressions see it.
func (m *Machine) view(a *actor) *rules.Actor {
	return &rules.Actor{
		Name: a.def.Name, Path: a.def.Path, Group: a.def.Group, Replica: a.def.Replica,
		State: a.life.String(), Ready: a.life == running, Quarantined: a.fenced,
		Restarts: float64(max(a.epoch, 1) - 1),
	}
}

// viewSupervisor is a supervisor's own decisions as expressions see them.
func (m *Machine) viewSupervisor(s *supervisor) *rules.Supervisor {
	return &rules.Supervisor{
		Name: s.self.def.Name, Path: s.self.def.Path, Restarts: float64(s.restarts), GaveUp: float64(s.gaveUp),
	}
}
