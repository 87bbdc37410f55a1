package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// variant is what the actions of the running Step want to change about the plan. All of it comes in force at the end of the
// Step, through the way of every reload: no rule is judged, and no list walked, while the plan changes under it. It is no
// generation of its own: a generation is what files say, and is on probation or rolled back whatever lies over it.
type variant struct {
	plan  *plan.Plan // nil: nothing changes
	by    string     // who wanted it first
	why   []string
	moved []*actor // by this Step; see lodge
}

// wanted is the plan as it will be at the end of the Step.
func (m *Machine) wanted() *plan.Plan {
	if m.variant.plan != nil {
		return m.variant.plan
	}
	return m.plan
}

// vary changes the plan's variation, or says why that cannot be.
func (m *Machine) vary(o origin, why string, change func(v *plan.Variation)) error {
	if m.mode != alive {
		return errors.New("the engine is stopping")
	}
	v := m.wanted().Variation()
	change(&v)
	next, err := m.plan.Vary(v)
	if err != nil {
		return err
	}
	if m.variant.plan == nil {
		m.variant.by = o.by
	}
	m.variant.plan = next
	m.variant.why = append(m.variant.why, why)
	return nil
}

// settleVariant puts what the Step's actions have changed in force.
func (m *Machine) settleVariant() {
	v := m.variant
	m.variant.plan, m.variant.by, m.variant.why = nil, "", nil
	if v.plan == nil || m.mode != alive || v.plan.Digest() == m.plan.Digest() {
		return
	}
	m.install(v.plan, func(changes plan.Changes) journal.Body {
		body := &journal.PlanVaried{Digest: v.plan.Digest().String(), Who: v.by, Why: strings.Join(v.why, ", ")}
		body.Changes, body.Omitted = told(changes)
		return body
	})
}

// giveWay ends the overrides that a reload has taken over, and says so.
func (m *Machine) giveWay(over plan.Variation, by string) {
	for _, s := range over.Replicas {
		result := "ended: the files have no such group any more"
		if g := m.plan.Group(s.Group); g != nil {
			result = fmt.Sprintf("ended: the files want %d replicas now", len(g.Members))
		}
		m.giveWayOf("scale", s.Group, by, result)
	}
	for _, a := range over.Adopted {
		result := "ended: the files have no such actor to move any more"
		if m.plan.Actor(a.Actor) != nil {
			result = "ended: the files have it at its own place"
		}
		m.giveWayOf("adopt", a.Actor, by, result)
	}
	for _, p := range over.Params {
		result := "ended: the files have no such param any more"
		if value, ok := m.params[p.Name]; ok {
			result = fmt.Sprintf("ended: the files want %v now", value)
		}
		m.giveWayOf("set_param", p.Name, by, result)
	}
}

func (m *Machine) giveWayOf(verb, varied, by, result string) {
	m.dropUndo(matter{verb: verb, varied: varied})
	m.tell("", &journal.ActionDone{Verb: verb, Target: varied, By: or(by, "reload"), Result: result})
}

// unvary takes an override back to what was before it.
func (m *Machine) unvary(u *undo, o origin) error {
	if u.earlier != nil {
		m.undos.note(u.earlier)
	}
	return m.vary(o, u.verb+" "+u.varied+" is over", func(v *plan.Variation) {
		if u.verb == "scale" {
			count, own := u.before.(int)
			if !own {
				count = len(m.plan.Base().Group(u.varied).Members)
			}
			v.Scale(u.varied, count)
			return
		}
		if u.verb == "adopt" {
			under, own := u.before.(string)
			if !own {
				base := m.plan.Base()
				under = base.Actors[base.Actor(u.varied).Parent].Path
			}
			v.Adopt(u.varied, under)
			return
		}
		value := u.before
		if value == nil {
			value = m.plan.Base().ParamValues()[u.varied]
		}
		v.Set(u.varied, value)
	})
}

// undoVariant plans the undoing of an override, back to what was in force before it. One override with `for` after
// another goes back to what was before both.
func (m *Machine) undoVariant(u undo, s Steer, o origin) {
	switch last := m.undos.of[u.matter]; {
	case last == nil:
	case last.timer != 0 || last.emergency:
		u.before, u.earlier = last.before, last.earlier
	case s.For > 0 || o.emergency:
		u.earlier = last
	}
	m.undoLater(u, s, o, true)
}

// scale changes how many replicas groups have. Those that stay are not touched; the highest numbers go.
func (m *Machine) scale(s Steer, where *rules.Program, o origin) error {
	paths, err := m.groupsOf(s, where, o)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := m.scaleGroup(path, s, o); err != nil {
			return err
		}
	}
	return nil
}

// groupsOf are the groups that an action is about, by what its target names: a group, or a replica of it.
func (m *Machine) groupsOf(s Steer, where *rules.Program, o origin) ([]string, error) {
	found, err := m.targets(s.Target, where, o)
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, a := range found {
		switch {
		case a.def.Group == "" && plan.IsGlob(s.Target):
		case a.def.Group == "" && a.def.Kind == plan.Supervisor:
			return nil, fmt.Errorf("%q is a supervisor, which has no replicas; scale a group below it", a.def.Path)
		case a.def.Group == "":
			return nil, fmt.Errorf("%q has no replicas to scale; give it replicas: 1", a.def.Path)
		case !slices.Contains(groups, a.def.Group):
			groups = append(groups, a.def.Group)
		}
	}
	if len(groups) == 0 && where == nil {
		return nil, fmt.Errorf("%q matches no group of replicas", s.Target)
	}
	return groups, nil
}

func (m *Machine) scaleGroup(path string, s Steer, o origin) error {
	have := len(m.wanted().Group(path).Members)
	want, err := s.replicas(have)
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	u := undo{matter: matter{verb: "scale", varied: path}}
	for _, own := range m.wanted().Variation().Replicas {
		if own.Group == path {
			u.before = own.Count
		}
	}
	why := fmt.Sprintf("scale %s from %d to %d", path, have, want)
	if err := m.vary(o, why, func(v *plan.Variation) { v.Scale(path, want) }); err != nil {
		return err
	}
	m.undoVariant(u, s, o)
	return nil
}

// replicas is how many a group of so many gets.
func (s Steer) replicas(have int) (int, error) {
	least, most := max(s.Min, 1), s.Max
	if most <= 0 {
		most = plan.MaxReplicas
	}
	switch {
	case s.Count != 0 && s.By != 0:
		return 0, errors.New("scale takes replicas or by, not both")
	case s.Count != 0:
		return s.Count, nil
	case s.By == 0:
		return 0, errors.New("scale needs replicas, at least 1, or by")
	case s.By > 0 && have >= most:
		return 0, fmt.Errorf("it has %d replicas, and %d is the most", have, most)
	case s.By < 0 && have <= least:
		return 0, fmt.Errorf("it has %d replicas, and %d is the least", have, least)
	}
	return have + min(max(s.By, least-have), most-have), nil
}

// setParam gives a param another value; expressions see it from then on.
func (m *Machine) setParam(s Steer, o origin) error {
	if s.Text == "" {
		return errors.New("set_param has no name")
	}
	value := s.Payload
	if n, ok := value.(int); ok {
		value = float64(n)
	}
	u := undo{matter: matter{verb: "set_param", varied: s.Text}}
	for _, own := range m.wanted().Variation().Params {
		if own.Name == s.Text {
			u.before = own.Value
		}
	}
	why := fmt.Sprintf("set params.%s to %v", s.Text, value)
	if err := m.vary(o, why, func(v *plan.Variation) { v.Set(s.Text, value) }); err != nil {
		return err
	}
	m.undoVariant(u, s, o)
	return nil
}
