package engine

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lukhasai/lukhas-run/journal"
)

// quarantine cuts an actor off from all but probes. With max_share the share of its group that would then be cut off
// must not exceed it: the check is made as if the ejection had happened, so the limit is never passed, and a share
// below 1 always leaves somebody (Envoy checks before, and so ejects one more).
func (m *Machine) quarantine(a *actor, s Steer, o origin) error {
	fresh := !a.fenced
	group, out := peers(a)
	if fresh {
		out++
	}
	share := float64(out) / float64(group)
	if fresh && s.MaxShare > 0 && share > s.MaxShare {
		return fmt.Errorf("%q stays: %d of %d in its group would be quarantined, max_share is %g", a.def.Path, out, group, s.MaxShare)
	}
	if fresh {
		a.fenced = true
		m.out = append(m.out, &Quarantine{ID: a.id, On: true})
	}
	if fresh || s.For > 0 {
		reason := or(s.Reason, "by "+o.by)
		m.tell(a.def.Path, &journal.Quarantined{For: s.For, Share: journal.Number(share), Reason: reason, Rule: o.rule})
	}
	m.undoLater(undo{matter: matter{verb: "release", id: a.id}}, s, o, fresh)
	return nil
}

// unfence lets an actor's callers reach it again.
func (m *Machine) unfence(a *actor, reason string) {
	if !a.fenced {
		return
	}
	a.fenced = false
	m.dropUndo(matter{verb: "release", id: a.id})
	m.out = append(m.out, &Quarantine{ID: a.id, On: false})
	m.tell(a.def.Path, &journal.Released{Reason: reason})
}

// peers counts the actor's group and how many of it are quarantined. The group is its replicas or, without replicas,
// the actors of its supervisor.
func peers(a *actor) (group, out int) {
	if a.parent == nil {
		return 1, 0
	}
	for _, c := range a.parent.sup.children {
		if c.sup != nil || c.def.Group != a.def.Group {
			continue
		}
		group++
		if c.fenced {
			out++
		}
	}
	return group, out
}

// worstFirst orders actors by their error rate, then by their calls, then as they stand in the plan, so that a limited
// share goes to those who need it most.
func (m *Machine) worstFirst(found []*actor) []*actor {
	sorted := slices.Clone(found)
	slices.SortStableFunc(sorted, worse)
	return sorted
}

// worse is negative when a is in a worse state than b.
func worse(a, b *actor) int {
	switch {
	case a.sample == nil && b.sample == nil:
		return cmp.Compare(a.index, b.index)
	case a.sample == nil:
		return 1
	case b.sample == nil:
		return -1
	}
	return cmp.Or(
		cmp.Compare(b.sample.ErrorRate, a.sample.ErrorRate),
		cmp.Compare(b.sample.Calls, a.sample.Calls),
		cmp.Compare(a.index, b.index),
	)
}
