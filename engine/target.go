package engine

import (
	"fmt"
	"slices"

	"github.com/lukhasai/lukhas-run/rules"
)

// subject is what a rule is judged for: an actor or supervisor, a breaker, or, when both are missing, node or system.
type subject struct {
	actor   *actor
	breaker *circuit
}

func (s subject) name() string {
	switch {
	case s.actor != nil:
		return s.actor.def.Path
	case s.breaker != nil:
		return s.breaker.id()
	}
	return ""
}

// path is the actor that events about the subject belong to.
func (s subject) path() string {
	if s.actor != nil {
		return s.actor.def.Path
	}
	return ""
}

// targets are the actors that an action is about, in plan order: those its target names, else its subject, narrowed by
// where.
func (m *Machine) targets(target string, where *rules.Program, o origin) ([]*actor, error) {
	found, err := m.named(target, o)
	if err != nil || where == nil {
		return found, err
	}
	env := m.envOf(o.subject)
	var narrowed []*actor
	for _, a := range found {
		env.Actor = m.view(a)
		ok, err := where.Condition(env)
		if err != nil {
			return nil, fmt.Errorf("where, for %q: %w", a.def.Path, err)
		}
		if ok {
			narrowed = append(narrowed, a)
		}
	}
	return narrowed, nil
}

func (m *Machine) named(target string, o origin) ([]*actor, error) {
	if target == "" {
		if o.subject.actor == nil {
			return nil, fmt.Errorf("no target: name an actor, a path or a glob")
		}
		return []*actor{o.subject.actor}, nil
	}
	indexes, err := m.plan.Select(target)
	if err != nil {
		return nil, err
	}
	if len(indexes) == 0 {
		return nil, fmt.Errorf("no actor matches %q", target)
	}
	found := make([]*actor, len(indexes))
	for i, index := range indexes {
		found[i] = m.roster.byIndex[index]
	}
	return found, nil
}

// topmost leaves out actors whose supervisor is among them too: what happens to it happens to them.
func topmost(found []*actor) []*actor {
	chosen := make(map[ID]bool, len(found))
	for _, a := range found {
		chosen[a.id] = true
	}
	return slices.DeleteFunc(slices.Clone(found), func(a *actor) bool {
		for up := a.parent; up != nil; up = up.parent {
			if chosen[up.id] {
				return true
			}
		}
		return false
	})
}

// leaves replaces supervisors by the actors below them, each once, in plan order: supervisors take no messages.
func (m *Machine) leaves(found []*actor) []*actor {
	var out []*actor
	for _, a := range topmost(found) {
		out = appendLeaves(out, a)
	}
	return out
}

func appendLeaves(out []*actor, a *actor) []*actor {
	if a.sup == nil {
		return append(out, a)
	}
	for _, c := range a.sup.children {
		out = appendLeaves(out, c)
	}
	return out
}
