package engine

import (
	"fmt"

	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// judge asks the supervisor's on_failure what to do about a failure. Without one, and when the expression fails or
// says something else, the child is restarted.
func (m *Machine) judge(s *supervisor, a *actor, f *Failure) directive {
	program := s.self.def.Supervisor.OnFailure
	if program == nil {
		return doRestart
	}
	env := m.envOf(subject{actor: a})
	env.Error = &rules.Error{Kind: f.Kind, Message: f.Message, By: f.By}
	env.Supervisor = m.viewSupervisor(s)
	text, err := program.Text(env)
	if err == nil {
		for d := doRestart; d <= doEscalate; d++ {
			if d.String() == text {
				return d
			}
		}
		err = fmt.Errorf("on_failure gave %q, want resume, restart, stop or escalate", text)
	}
	m.ruleErred()
	m.tell(s.self.def.Path, &journal.RuleFailed{Rule: "on_failure", Subject: a.def.Path, Error: err.Error()})
	return doRestart
}
