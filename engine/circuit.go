package engine

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/suggest"
	"github.com/lukhasai/lukhas-run/rules"
)

// circuit is a breaker as the Machine knows it: by name, state and last measurements. The breaker itself trips on its
// callers' goroutines.
type circuit struct {
	owner   *supervisor // of a restart breaker, which lives in the Machine
	view    rules.Breaker
	touched bool   // among those that changed since the last sample
	forced  string // the mode an action put it in; "" is normal
}

// id is the name, with the key of a keyed breaker behind a slash.
func (c *circuit) id() string {
	if c.view.Key == "" {
		return c.view.Name
	}
	return c.view.Name + "/" + c.view.Key
}

// circuits are all known breakers: those of the plan, and the keyed ones that samples have told of.
type circuits struct {
	byID   map[string]*circuit
	sorted []*circuit // by id
}

func (c *circuits) find(id string) *circuit { return c.byID[id] }

// know finds a breaker or makes it known.
func (c *circuits) know(name, key string) *circuit {
	made := &circuit{view: rules.Breaker{Name: name, Key: key, State: "closed"}}
	id := made.id()
	if known, ok := c.byID[id]; ok {
		return known
	}
	if c.byID == nil {
		c.byID = map[string]*circuit{}
	}
	c.byID[id] = made
	at, _ := slices.BinarySearchFunc(c.sorted, id, func(c *circuit, id string) int { return cmp.Compare(c.id(), id) })
	c.sorted = slices.Insert(c.sorted, at, made)
	return made
}

// adopt makes the breakers of a plan known and forgets those that it does not have any more.
func (c *circuits) adopt(p *plan.Plan) {
	names := breakerNames(p)
	for _, name := range names {
		c.know(name, "")
	}
	c.sorted = slices.DeleteFunc(c.sorted, func(known *circuit) bool {
		_, kept := slices.BinarySearch(names, known.view.Name)
		if !kept {
			delete(c.byID, known.id())
		}
		return !kept
	})
}

// breakerNames are the names of a plan's breakers, sorted.
func breakerNames(p *plan.Plan) []string {
	var names []string
	add := func(g *plan.Guard) {
		if g != nil && g.Breaker != nil {
			names = append(names, g.Breaker.Name)
		}
	}
	for i := range p.Actors {
		a := &p.Actors[i]
		add(a.Guard)
		if a.Supervisor != nil && a.Supervisor.RestartBreaker != nil {
			names = append(names, a.Supervisor.RestartBreaker.Name)
		}
		if a.Script == nil {
			continue
		}
		for j := range a.Script.Handlers {
			for k := range a.Script.Handlers[j].Calls {
				add(a.Script.Handlers[j].Calls[k].Guard)
			}
		}
	}
	for i := range p.Groups {
		add(p.Groups[i].Guard)
	}
	for i := range p.Gateway {
		for j := range p.Gateway[i].Routes {
			add(p.Gateway[i].Routes[j].Guard)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// breakersOf are the breakers in front of an actor: its own or its group's, and a supervisor's against restart storms.
func (m *Machine) breakersOf(a *actor) []*circuit {
	guard := a.def.Guard
	if guard == nil && a.def.Group != "" {
		if g := m.plan.Group(a.def.Group); g != nil {
			guard = g.Guard
		}
	}
	var found []*circuit
	if guard != nil && guard.Breaker != nil {
		found = append(found, m.circuits.know(guard.Breaker.Name, ""))
	}
	if a.sup != nil && a.def.Supervisor.RestartBreaker != nil {
		found = append(found, m.circuits.know(a.def.Supervisor.RestartBreaker.Name, ""))
	}
	return found
}

// onBreakers does the actions that are about breakers: the one that the target names, or those in front of the actors
// that it names.
func (m *Machine) onBreakers(s Steer, where *rules.Program, o origin) error {
	found, err := m.breakerTargets(s.Target, where, o)
	if err != nil {
		return err
	}
	if s.For > 0 && inverse(s.Verb) == "" {
		return fmt.Errorf("%q cannot be undone, so it takes no for", s.Verb)
	}
	for _, c := range found {
		m.onBreaker(c, s, o)
	}
	return nil
}

func (m *Machine) breakerTargets(target string, where *rules.Program, o origin) ([]*circuit, error) {
	if target == "" && o.subject.breaker != nil {
		return []*circuit{o.subject.breaker}, nil
	}
	if c := m.circuits.find(target); c != nil {
		return []*circuit{c}, nil
	}
	actors, err := m.targets(target, where, o)
	if err != nil {
		return nil, m.orNearBreaker(target, err)
	}
	var found []*circuit
	for _, a := range actors {
		for _, c := range m.breakersOf(a) {
			if !slices.Contains(found, c) {
				found = append(found, c)
			}
		}
	}
	if len(found) == 0 && len(actors) > 0 && !plan.IsGlob(target) {
		return nil, fmt.Errorf("%q has no breaker", actors[0].def.Path)
	}
	return found, nil
}

// orNearBreaker replaces an unknown actor's error when a breaker's name is nearer.
func (m *Machine) orNearBreaker(target string, err error) error {
	names := make([]string, len(m.circuits.sorted))
	for i, c := range m.circuits.sorted {
		names[i] = c.id()
	}
	if near := suggest.Nearest(target, names); near != "" {
		return fmt.Errorf("unknown breaker %q; did you mean %q?", target, near)
	}
	return err
}

func (m *Machine) onBreaker(c *circuit, s Steer, o origin) {
	mode := map[string]string{"force_open": "forced_open", "force_close": "forced_closed"}[s.Verb]
	if mode == "" { // reset: also the way out of a forced mode
		m.unforce(c)
		m.force(c, "reset")
		return
	}
	fresh := c.forced != mode
	if o.emergency && s.Verb == "force_open" && (c.forced != "" || c.view.State != "closed") {
		return // an emergency opens only those that were closed, so that leaving it closes only those
	}
	if fresh {
		c.forced = mode
		m.force(c, mode)
	}
	m.undoLater(undo{matter: matter{verb: "unforce", breaker: c.id()}}, s, o, fresh)
}

// unforce gives a forced breaker back to its own state machine.
func (m *Machine) unforce(c *circuit) {
	m.dropUndo(matter{verb: "unforce", breaker: c.id()})
	if c.forced != "" {
		c.forced = ""
		m.force(c, "normal")
	}
}

// breakerChanged notes a transition that a breaker made by itself.
func (m *Machine) breakerChanged(in BreakerChanged) {
	c := m.circuits.find(in.Breaker)
	if c == nil {
		c = m.circuits.know(in.Breaker, "")
	}
	if in.To == "open" {
		m.opened(c)
	}
	if c.view.State != in.To {
		c.view.State, c.view.Since = in.To, 0
		m.rulebook.touchBreaker(c)
	}
}
