package engine

import (
	"errors"
	"fmt"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/suggest"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// origin is who wants an action, and about what.
type origin struct {
	by        string // the rule, operator or program, for the journal
	rule      string // "" outside a rule
	cause     cause
	subject   subject
	emergency bool // undone when the emergency is left
	depth     int  // of run within run
}

// maxRunDepth bounds rules that run rules.
const maxRunDepth = 8

// commanded carries out an operator's or a program's wish and answers it.
func (m *Machine) commanded(in Commanded) {
	err := m.perform(in.Action, nil, origin{by: or(in.By, "operator"), cause: byOperator})
	m.settleVariant() // before the answer: who gets it finds it done
	if in.Number == 0 {
		return
	}
	answer := &Answered{Number: in.Number}
	if err != nil {
		answer.Error = err.Error()
	}
	m.out = append(m.out, answer)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// act builds a plan's action with what its place sees, and performs it.
func (m *Machine) act(a *plan.Action, o origin) {
	s := Steer{
		Verb: a.Verb, Target: a.Target, For: a.For, MaxShare: a.MaxShare, Message: a.Message,
		Text: a.Text, Level: a.Level, Count: a.Count, By: a.By, Min: a.Min, Max: a.Max, Reason: a.Reason, Headers: a.Headers, Timeout: a.Timeout,
	}
	if a.Payload != nil {
		payload, err := a.Payload.Build(m.envOf(o.subject))
		if err != nil {
			m.done(s, o, fmt.Errorf("payload: %w", err))
			return
		}
		s.Payload = payload
	}
	_ = m.perform(s, a.Where, o) // what became of it is in the event stream
}

// perform does one action and tells what became of it.
func (m *Machine) perform(s Steer, where *rules.Program, o origin) error {
	err := m.execute(s, where, o)
	m.done(s, o, err)
	return err
}

func (m *Machine) done(s Steer, o origin, err error) {
	result := "done"
	if err != nil {
		result = err.Error()
	}
	target := or(s.Target, o.subject.name())
	if s.Verb == "run" || s.Verb == "set_param" {
		target = or(s.Text, s.Target)
	}
	m.tell(o.subject.path(), &journal.ActionDone{Verb: s.Verb, Target: target, By: o.by, Reason: s.Reason, Result: result})
}

// execute finds out what an action is about and does it.
func (m *Machine) execute(s Steer, where *rules.Program, o origin) error {
	if s.For < 0 {
		return fmt.Errorf("for is %q, want more than 0", s.For)
	}
	if !(s.MaxShare >= 0 && s.MaxShare <= 1) {
		return fmt.Errorf("max_share is %g, want 0..1", s.MaxShare)
	}
	switch s.Verb {
	case "pause", "resume", "restart", "stop", "inject", "set_state", "quarantine", "release":
		return m.onActors(s, where, o)
	case "force_open", "force_close", "reset":
		return m.onBreakers(s, where, o)
	case "log", "webhook", "checkpoint", "emergency", "run", "stop_all":
		return m.onSystem(s, o)
	case "scale":
		return m.scale(s, where, o)
	case "set_param":
		return m.setParam(s, o)
	case "adopt":
		return m.adopt(s, where, o)
	}
	return fmt.Errorf("unknown action %q", s.Verb)
}

// onSystem does the actions that have no target.
func (m *Machine) onSystem(s Steer, o origin) error {
	if s.For > 0 && s.Verb != "emergency" {
		return fmt.Errorf("%q cannot be undone, so it takes no for", s.Verb)
	}
	switch s.Verb {
	case "log":
		line := &journal.Logged{Level: or(s.Level, "info"), Text: s.Text}
		if text, ok := s.Payload.(string); ok && line.Text == "" {
			line.Text = text
		} else {
			line.Fields = fieldsOf(s.Payload)
		}
		m.tell(o.subject.path(), line)
	case "webhook":
		if s.Text == "" {
			return errors.New("webhook has no URL")
		}
		m.out = append(m.out, &Webhook{URL: s.Text, Headers: s.Headers, Body: s.Payload, Timeout: s.Timeout})
	case "checkpoint":
		m.tell("", &journal.Checkpoint{Name: s.Text, Who: o.by})
	case "emergency":
		return m.orderEmergency(s, o)
	case "run":
		return m.runRule(or(s.Text, s.Target), o)
	case "stop_all":
		m.shutdown(Shutdown{Why: or(s.Reason, "asked by "+o.by)})
	}
	return nil
}

// fieldsOf is a payload as the fields of a log line: an object's own, else one named value.
func fieldsOf(payload any) journal.Values {
	switch payload := payload.(type) {
	case nil:
		return nil
	case map[string]any:
		return payload
	default:
		return journal.Values{"value": payload}
	}
}

// runRule performs a rule's actions without asking its condition.
func (m *Machine) runRule(name string, o origin) error {
	if o.depth >= maxRunDepth {
		return fmt.Errorf("rule %q: rules run one another more than %d deep", name, maxRunDepth)
	}
	for i := range m.plan.Rules {
		r := &m.plan.Rules[i]
		if r.Name != name {
			continue
		}
		o.depth++
		o.rule, o.by = name, fmt.Sprintf("rule %s, run by %s", name, o.by)
		m.actAll(r.Then, o)
		return nil
	}
	return m.unknownRule(name)
}

func (m *Machine) unknownRule(name string) error {
	var names []string
	for i := range m.plan.Rules {
		names = append(names, m.plan.Rules[i].Name)
	}
	if near := suggest.Nearest(name, names); near != "" {
		return fmt.Errorf("unknown rule %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown rule %q", name)
}

func (m *Machine) actAll(actions []plan.Action, o origin) {
	for i := range actions {
		m.act(&actions[i], o)
	}
}
