package engine

import "github.com/lukhasai/lukhas-run/journal"

// fate is what is known of an actor that is down or on its way down.
type fate uint8

const (
	forGood   fate = iota // no incarnation follows
	undecided             // a supervisor above leaves by its own decision: whether it is started again, its parent decides when it has gone
	back                  // another incarnation is meant to follow
)

// fate tells whether another incarnation follows one that ends, so that what waits for it is kept: by itself, with its
// group, or with a supervisor above that is restarted, or may be.
func (m *Machine) fate(a *actor, after sequel) fate {
	switch {
	case m.mode == closing:
		return forGood
	case after == revive:
		return back
	case after != regroup:
		return forGood
	}
	s := a.parent.sup
	switch {
	case s.phase != shutting && a.over:
		return forGood
	case s.phase != shutting:
		return back
	case s.self.parent == nil:
		return forGood
	case s.leave.exit != exitAsked:
		return undecided
	}
	return m.fate(s.self, s.self.after)
}

// keep notes that an actor that is or will be down may come up yet: the runtime keeps its mailbox open.
func (m *Machine) keep(a *actor) {
	a.kept = true
	a.mind()
}

// mind tells those above that the actor has something to take back.
func (a *actor) mind() {
	for up := a.parent; up != nil && !up.sup.keeps; up = up.parent {
		up.sup.keeps = true
	}
}

// decideFate closes what an actor that is down has kept, if no incarnation follows. What the runtime was told of a child's
// mailbox stands; a supervisor has none, and learns only here that it may come back.
func (m *Machine) decideFate(a *actor, after sequel) {
	switch {
	case m.fate(a, after) == forGood:
		m.forsake(a, a.lastWord())
	case a.sup != nil:
		m.keep(a)
	}
}

// deadEnd is the reason for the dead letters of an actor that ended or was stopped on its own.
const deadEnd = "actor stopped"

// lastWord is the reason for the dead letters of those who end for good with an actor.
func (a *actor) lastWord() string {
	if a.sup == nil || a.sup.leave.why == "" {
		return deadEnd
	}
	return "supervisor ended: " + a.sup.leave.why
}

// forsake settles that an actor, with all below it, has ended for good: mailboxes that were kept open are closed, and a
// restart that was announced is taken back.
func (m *Machine) forsake(a *actor, why string) {
	if a.sup != nil && a.sup.keeps {
		a.sup.keeps = false
		for i := len(a.sup.children) - 1; i >= 0; i-- {
			m.forsake(a.sup.children[i], why)
		}
	}
	if a.due {
		a.due = false
		m.tell(a.def.Path, &journal.ActorStopped{Incarnation: uint64(a.epoch), Reason: why})
	}
	if !a.kept {
		return
	}
	a.kept = false
	if a.sup == nil {
		e := m.pools.closes.next()
		e.ID, e.Why = a.id, why
		m.out = append(m.out, e)
	}
}
