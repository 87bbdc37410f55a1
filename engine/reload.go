package engine

import (
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// reloaded commits a new plan. What runs goes on under its new definition; added actors start in order, removed ones
// stop and are forgotten, and those whose own definition changed are replaced without spending intensity.
func (m *Machine) reloaded(in Reloaded) {
	why := m.unfit(in.Plan)
	next, err := m.plan.Successor(in.Plan)
	if why == "" && err != nil {
		why = err.Error()
	}
	if why != "" {
		m.tell("", &journal.ReloadRejected{Hash: in.Plan.Digest().String(), Diagnostics: []string{why}, Who: in.By})
		return
	}
	_, over := m.plan.Variation().Carry(m.plan.Base(), next.Base())
	in.Plan = next
	rolledBack := m.tryOut(in)
	m.generation = in.Generation
	m.install(next, func(changes plan.Changes) journal.Body { return m.committed(in, changes) })
	if rolledBack {
		m.makeGood()
	}
	if m.probation.status != ReloadVerifying {
		m.probation.over()
	}
	m.giveWay(over, in.By)
}

// install makes a plan the running one, of whichever generation.
func (m *Machine) install(next *plan.Plan, event func(plan.Changes) journal.Body) {
	old, changes := m.plan, plan.Diff(m.plan, next)
	m.plan, m.params = next, next.ParamValues()
	known := len(m.roster.byID) // those above are new
	removed, added := m.enrolAgain(old)
	m.tell("", event(changes))
	m.out = append(m.out, &Swap{Plan: next, Generation: m.generation})
	for _, a := range added {
		if int(a.id) > known {
			m.create(a)
		}
	}
	m.forgetSteering(removed)
	for _, a := range removed {
		m.remove(a)
	}
	m.walkAgain(added)
	for _, a := range added {
		if up := a.parent; up.life == idle && !up.kept {
			m.forsake(a, deadEnd) // its supervisor has ended for good
		}
	}
	m.replaceChanged(changes)
}

// unfit says why a plan cannot be taken over by a running engine; "" when it can.
func (m *Machine) unfit(p *plan.Plan) string {
	switch {
	case m.mode != alive:
		return "the engine is stopping"
	case p.Actors[0].Path != m.plan.Actors[0].Path:
		return "the root's name cannot change while the engine runs"
	}
	return ""
}

func (m *Machine) committed(in Reloaded, changes plan.Changes) *journal.ReloadCommitted {
	body := &journal.ReloadCommitted{
		Generation: in.Generation, Digest: in.Plan.Digest().String(), Who: in.By, Why: in.Why,
	}
	if p := &m.probation; p.status == ReloadVerifying {
		body.Probation = p.proven.Reload.VerifyFor
	}
	body.Changes, body.Omitted = told(changes)
	return body
}

// told are changes as an event tells them, and how many of them it leaves out.
func told(changes plan.Changes) (list []journal.Change, omitted int) {
	size := 0
	for i, c := range changes {
		if size += len(c.Path) + len(c.Old) + len(c.New); size > mostTold {
			return list, len(changes) - i
		}
		list = append(list, journal.Change{Class: c.Class.String(), Path: c.Path, From: c.Old, To: c.New})
	}
	return list, 0
}

// mostTold bounds the bytes of changes that one event tells: it must fit the journal, whatever a reload changes.
const mostTold = 128 << 10

// enrolAgain lines the roster up with the new plan. It gives the topmost of the removed actors, last first, and those
// that are new.
func (m *Machine) enrolAgain(old *plan.Plan) (removed, added []*actor) {
	r, before := &m.roster, m.roster.byIndex
	kept := make([]bool, len(before))
	r.byIndex = make([]*actor, len(m.plan.Actors))
	from := m.moving(old)
	for i := range m.plan.Actors {
		def := &m.plan.Actors[i]
		was, moved := from[def.Path]
		if !moved {
			was = old.Index(def.Path)
		}
		if was >= 0 && !kept[was] && (old.Actors[was].Supervisor != nil) == (def.Supervisor != nil) {
			kept[was] = true
			r.byIndex[i] = before[was]
			if moved {
				m.abandon(before[was])
				m.out = append(m.out, &Move{ID: before[was].id, Path: def.Path})
				added = append(added, before[was])
				m.variant.moved = append(m.variant.moved, before[was])
			}
			r.define(before[was], m.plan, i)
			continue
		}
		a := &actor{id: ID(len(r.byID) + 1), cause: byReload}
		if def.Group != "" && old.Group(def.Group) != nil {
			a.cause = byScale
		}
		r.byID = append(r.byID, a)
		r.byIndex[i] = a
		r.define(a, m.plan, i)
		added = append(added, a)
	}
	for i := len(before) - 1; i >= 0; i-- {
		if p := old.Actors[i].Parent; !kept[i] && (p < 0 || kept[p]) {
			removed = append(removed, before[i])
		}
	}
	r.accords = accords{}
	r.gather(m.plan)
	return removed, added
}

// remove stops an actor that the plan does not have any more and forgets it when it is gone.
func (m *Machine) remove(a *actor) {
	s := a.parent.sup
	a.gate = 0
	m.forgetTimer(a)
	if a.life == starting || a.life == running || a.life == stopping {
		m.roster.leaving[a.def.Path] = a
	}
	switch a.life {
	case starting, running:
		s.leaving++
		m.stop(a, vanish, m.goneBy(a))
	case stopping:
		s.leaving++
		a.after = vanish
		if a.sup != nil {
			a.sup.leave.exit = exitAsked
		}
	default:
		s.leaving++
		m.bury(a)
	}
}

// bury forgets an actor and all below it.
func (m *Machine) bury(a *actor) {
	s := a.parent.sup
	s.leaving--
	m.wake(s)
	m.erase(a)
	if m.roster.leaving[a.def.Path] != a {
		return
	}
	delete(m.roster.leaving, a.def.Path)
	if at := m.plan.Index(a.def.Path); at >= 0 {
		m.inherit(m.roster.byIndex[at])
	}
}

// inherit starts an actor that waited for the one before it to be gone, in its turn if its supervisor is at that.
func (m *Machine) inherit(a *actor) {
	if a.life != waiting || a.timer != 0 {
		return
	}
	s := a.parent.sup
	if s.phase != raising {
		m.reviveNow(a)
		return
	}
	a.life = idle
	s.hi = 0 // those that are up pass at once
	s.enter(raising)
	m.wake(s)
}

func (m *Machine) erase(a *actor) {
	if a.sup != nil {
		for i := len(a.sup.children) - 1; i >= 0; i-- {
			m.erase(a.sup.children[i])
		}
	}
	m.roster.byID[a.id-1] = nil
	m.out = append(m.out, &Remove{ID: a.id, Why: m.goneBy(a)})
}

// goneBy is why the plan does not have an actor any more.
func (m *Machine) goneBy(a *actor) string {
	if a.def.Group != "" && m.plan.Group(a.def.Group) != nil {
		return "scaled down"
	}
	return "removed by a reload"
}

// walkAgain lets the supervisors' sequences see their new lists of children. One that was steady walks only when it has
// somebody new; one that was walking begins its walk anew, where those already there pass at once.
func (m *Machine) walkAgain(added []*actor) {
	grew := make(map[*actor]bool)
	for _, a := range added {
		grew[a.parent] = true
	}
	for _, a := range m.roster.byIndex {
		if a.sup == nil || a.life == idle || a.life == waiting {
			continue
		}
		s := a.sup
		switch s.phase {
		case steady:
			if !grew[a] {
				continue
			}
			s.cause = byReload
			s.hi = 0
			s.enter(raising)
		case raising:
			s.hi = 0
			s.enter(raising)
		default:
			s.refirst()
			s.lo = len(s.children)
			if s.phase == delayed {
				s.enter(lowering)
			} else {
				s.enter(s.phase)
			}
		}
		m.wake(s)
	}
}

// refirst finds a place for the end of lowering when the failed child has been removed: where it stood.
func (s *supervisor) refirst() {
	if s.first == nil || int(s.first.pos) < len(s.children) && s.children[s.first.pos] == s.first {
		return
	}
	if len(s.children) == 0 {
		s.first = nil
		return
	}
	s.first = s.children[min(int(s.first.pos), len(s.children)-1)]
}

// replaceChanged restarts those whose own definition changed in a way that what runs cannot take over.
func (m *Machine) replaceChanged(changes plan.Changes) {
	for _, c := range changes.Actors() {
		at := m.plan.Index(c.Path)
		if at < 0 || c.Class != plan.RestartActor && c.Class != plan.Recreate {
			continue
		}
		a := m.roster.byIndex[at]
		if a.sup != nil || a.life != starting && a.life != running || a.parent.sup.absorbs(a) {
			continue // its next incarnation, if any, takes the new definition
		}
		a.cause, a.tries = byReload, 0
		m.awaitIfRaising(a)
		m.announce(a, journal.ActorRestarting{Directive: byReload.String()})
		m.stop(a, revive, "its definition changed")
	}
}

// forgetSteering lines rules, breakers and measurements up with the new plan.
func (m *Machine) forgetSteering(removed []*actor) {
	m.circuits.adopt(m.plan)
	m.equip()
	m.rulebook.adopt(m.plan)
	m.history.adopt(m.plan)
	m.contagion.adopt(m.plan, &m.roster)
	m.patterns.adopt(m.plan, &m.roster)
	gone := make(map[*actor]bool)
	for _, a := range removed {
		mark(gone, a)
	}
	m.rulebook.forget(func(s subject) bool {
		return gone[s.actor] || s.breaker != nil && m.circuits.find(s.breaker.id()) != s.breaker
	})
	m.rulebook.rest()
	m.rulebook.all = true
	for _, u := range m.undos.list() {
		a := m.roster.find(u.id)
		if gone[a] || u.breaker != "" && m.circuits.find(u.breaker) == nil { // those of variants: see giveWay
			m.dropUndo(u.matter)
		}
	}
	m.groups = map[string]*rules.Actor{}
}

// mark notes an actor and all below it.
func mark(gone map[*actor]bool, a *actor) {
	gone[a] = true
	if a.sup != nil {
		for _, c := range a.sup.children {
			mark(gone, c)
		}
	}
}
