package draw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// rule adds a rule and what it watches and acts on.
func (b *builder) rule(r *plan.Rule) {
	n := Node{ID: "rules/" + r.Name, Name: r.Name, Kind: "rule", Detail: "by hand"}
	if r.When != nil {
		n.Detail = fmt.Sprintf("for each %v", r.Subject)
	}
	if !r.Enabled {
		n.Detail = "off"
	}
	b.graph.Nodes = append(b.graph.Nodes, n)
	for _, action := range r.Then {
		b.acts(n.ID, r, action)
	}
	if r.When != nil {
		for _, s := range r.When.Names() {
			if s.Function == "actor" || s.Function == "share.target" {
				b.reach(n.ID, s.Name, "watches", "")
			}
		}
	}
}

// acts links a rule with what an action is about: its target, or the rule's subjects.
func (b *builder) acts(rule string, r *plan.Rule, a plan.Action) {
	switch {
	case a.Verb == "run":
		b.link(Edge{From: rule, To: "rules/" + a.Text, Kind: "acts", Label: a.Verb})
	case a.Target != "":
		b.reach(rule, a.Target, "acts", a.Verb)
	case r.Subject == rules.ActorSubject && r.When != nil && about(a.Verb):
		b.covering(rule, b.subjects(r), "acts", a.Verb)
	}
}

// about says whether an action is about actors, not about the engine or the outside.
func about(verb string) bool {
	return !slices.Contains([]string{"log", "webhook", "checkpoint", "emergency", "set_param"}, verb)
}

// reach links with the actors that a target means. A breaker's target means whom the breaker guards.
func (b *builder) reach(from, target, kind, label string) {
	found, err := b.plan.Select(target)
	if err != nil {
		if _, callee, ok := strings.Cut(target, "->"); ok {
			found, err = b.plan.Select(callee)
		}
	}
	if err == nil {
		b.covering(from, found, kind, label)
	}
}

// subjects are the actors that a rule about actors can ever be about, as far as its `where` reads only what never changes.
func (b *builder) subjects(r *plan.Rule) []int {
	var out []int
	fixed := r.Where != nil && !slices.ContainsFunc(r.Where.Reads(), varies)
	for i := range b.plan.Actors {
		if fixed {
			ok, err := r.Where.Condition(&rules.Env{Actor: b.view(i)})
			if err != nil || !ok {
				continue
			}
		}
		out = append(out, i)
	}
	return out
}

// varies says whether what an expression reads can change while the engine runs.
func varies(read string) bool {
	return !slices.Contains([]string{"actor.path", "actor.name", "actor.group", "actor.replica", "actor.labels"}, read) &&
		!strings.HasPrefix(read, "actor.labels.")
}

func (b *builder) view(i int) *rules.Actor {
	a := &b.plan.Actors[i]
	labels := make(map[string]string, len(a.Labels))
	for _, l := range a.Labels {
		labels[l.Key] = l.Value
	}
	return &rules.Actor{Name: a.Name, Path: a.Path, Group: a.Group, Replica: a.Replica, Labels: labels}
}

// covering links with the fewest nodes that stand for the actors: a supervisor for all below it.
func (b *builder) covering(from string, actors []int, kind, label string) {
	chosen := make([]bool, len(b.plan.Actors))
	for _, i := range actors {
		chosen[i] = true
	}
	for i := len(b.plan.Actors) - 1; i >= 0; i-- { // children stand behind their parents
		if s := b.plan.Actors[i].Supervisor; s != nil && len(s.Children) > 0 && !chosen[i] {
			chosen[i] = !slices.ContainsFunc(s.Children, func(c int) bool { return !chosen[c] })
		}
	}
	for i := range chosen {
		parent := b.plan.Actors[i].Parent
		if chosen[i] && (parent < 0 || !chosen[parent] || b.partly(parent, chosen)) {
			b.link(Edge{From: from, To: b.plan.Actors[i].Path, Kind: kind, Label: label})
		}
	}
}

// partly says that a chosen supervisor does not stand for all of its children.
func (b *builder) partly(i int, chosen []bool) bool {
	return slices.ContainsFunc(b.plan.Actors[i].Supervisor.Children, func(c int) bool { return !chosen[c] })
}
