package engine

import (
	"errors"
	"fmt"

	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// emergency is the mode in which only important calls pass. Its conditions must hold before it is entered or left; what
// its actions changed is undone on leaving. One that was ordered by hand is left by hand.
type emergency struct {
	on      bool
	ordered bool
	truth   // of the condition that would change the mode
	failing bool
}

// judgeEmergency enters or leaves by the plan's conditions.
func (m *Machine) judgeEmergency() {
	spec := m.plan.Emergency
	if spec == nil || m.emergency.on && m.emergency.ordered {
		return
	}
	condition, why := spec.Enter, "enter"
	if m.emergency.on {
		condition, why = spec.Leave, "leave"
	}
	m.emergency.turn(m.is(condition, why), m.now, spec.Hold)
	if !m.emergency.held(m.now, spec.Hold) {
		return
	}
	if m.emergency.on {
		m.leaveEmergency(condition.Source())
	} else {
		m.enterEmergency(condition.Source())
	}
}

// is evaluates a condition of the emergency. An error counts as false and is told once.
func (m *Machine) is(condition *rules.Program, name string) bool {
	if condition == nil {
		return false
	}
	is, err := condition.Condition(m.envOf(subject{}))
	if err != nil {
		m.ruleErred()
	}
	if err != nil && !m.emergency.failing {
		m.tell("", &journal.RuleFailed{Rule: "emergency." + name, Error: err.Error()})
	}
	m.emergency.failing = err != nil
	return is
}

// enterEmergency enters the mode and runs its actions once.
func (m *Machine) enterEmergency(why string) {
	if m.emergency.on {
		return
	}
	m.emergency = emergency{on: true}
	m.out = append(m.out, &EmergencyMode{On: true})
	m.tell("", &journal.EmergencyChanged{On: true, Why: why})
	if m.plan.Emergency != nil {
		m.actAll(m.plan.Emergency.Then, origin{by: "emergency", cause: byRule, emergency: true})
	}
}

// leaveEmergency undoes what entering did.
func (m *Machine) leaveEmergency(why string) {
	if !m.emergency.on {
		return
	}
	m.emergency = emergency{}
	m.dropUndo(matter{verb: "calm"})
	m.out = append(m.out, &EmergencyMode{On: false})
	m.tell("", &journal.EmergencyChanged{On: false, Why: why})
	m.undoEmergency()
}

// orderEmergency enters or leaves by hand or by a rule's action.
func (m *Machine) orderEmergency(s Steer, o origin) error {
	switch {
	case o.emergency:
		return errors.New("an emergency's own actions cannot change the emergency")
	case s.Text == "enter":
		m.enterEmergency(or(s.Reason, "ordered by "+o.by))
		m.emergency.ordered = true
		m.undoLater(undo{matter: matter{verb: "calm"}}, s, o, true)
	case s.Text == "leave" && s.For > 0:
		return errors.New(`"emergency: leave" cannot be undone, so it takes no for`)
	case s.Text == "leave":
		m.leaveEmergency(or(s.Reason, "ordered by "+o.by))
	default:
		return fmt.Errorf("emergency is %q, want enter or leave", s.Text)
	}
	return nil
}
