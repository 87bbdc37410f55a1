package engine

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// matter is what an action that lasts is about, and how it is taken back.
type matter struct {
	verb    string // the action that takes it back
	id      ID     // of an actor
	breaker string
	varied  string // group, param or actor of whose definition another one is in force
}

// undo takes an action back: after its `for`, when the emergency it belongs to is left, or, when it has neither, never by itself.
type undo struct {
	matter
	did       string // the action
	before    any    // of what is varied: what it is taken back to; nil: what the files say
	earlier   *undo  // of what is varied: who wanted that
	by        string
	reason    string
	since     time.Duration
	timer     TimerID // 0: its time is not bounded
	number    uint64
	emergency bool
}

// inverse is the action that takes one back; "" when nothing does.
func inverse(verb string) string {
	switch verb {
	case "pause":
		return "resume"
	case "stop":
		return "restart"
	case "quarantine":
		return "release"
	case "force_open", "force_close":
		return "unforce"
	}
	return ""
}

// undoLater notes an action that lasts, and plans its undoing. What an emergency wants that was in force already stays as it was; any
// other action replaces the one before it, with its `for`. An emergency undoes only what it changed itself.
func (m *Machine) undoLater(u undo, s Steer, o origin, fresh bool) {
	if s.For <= 0 && o.emergency && !fresh {
		return
	}
	m.dropUndo(u.matter)
	m.undos.numbers++
	u.number, u.did, u.by, u.reason, u.since = m.undos.numbers, s.Verb, o.by, s.Reason, m.now
	u.emergency = o.emergency && fresh
	if s.For > 0 {
		u.timer = m.alarm(timer{purpose: undoAction, arg: u.number, at: m.now + s.For})
	}
	m.undos.note(&u)
}

// undos are the actions in force that last, one for each matter.
type undos struct {
	of      map[matter]*undo
	due     map[uint64]*undo // those with a timer, by number
	numbers uint64
}

func (s *undos) note(u *undo) {
	if s.of == nil {
		s.of, s.due = map[matter]*undo{}, map[uint64]*undo{}
	}
	s.of[u.matter] = u
	if u.timer != 0 {
		s.due[u.number] = u
	}
}

func (s *undos) forget(u *undo) {
	delete(s.of, u.matter)
	delete(s.due, u.number)
}

// list is all of them, oldest first.
func (s *undos) list() []*undo {
	return slices.SortedFunc(maps.Values(s.of), func(a, b *undo) int { return cmp.Compare(a.number, b.number) })
}

// dropUndo forgets an action that is not in force any more, and what would have undone it.
func (m *Machine) dropUndo(of matter) {
	if u := m.undos.of[of]; u != nil {
		m.disarm(u.timer)
		m.undos.forget(u)
	}
}

// undoNumber undoes the action whose time is over.
func (m *Machine) undoNumber(number uint64) {
	if u := m.undos.due[number]; u != nil {
		m.undos.forget(u)
		m.takeBack(u, "its time is over")
	}
}

// undoEmergency undoes what the emergency changed, last first.
func (m *Machine) undoEmergency() {
	for _, u := range slices.Backward(m.undos.list()) {
		if !u.emergency || m.undos.of[u.matter] != u {
			continue
		}
		m.dropUndo(u.matter)
		m.takeBack(u, "the emergency is over")
	}
}

func (m *Machine) takeBack(u *undo, why string) {
	s := Steer{Verb: u.verb, Reason: why}
	o := origin{by: u.by, cause: byRule}
	switch {
	case u.verb == "unforce":
		if c := m.circuits.find(u.breaker); c != nil {
			o.subject.breaker = c
			m.unforce(c)
			m.done(s, o, nil)
		}
	case u.varied != "":
		s.Target, s.Text = u.varied, u.varied
		m.done(s, o, m.unvary(u, o))
	case u.verb == "calm":
		m.leaveEmergency(why)
	default:
		if a := m.roster.find(u.id); a != nil {
			o.subject.actor = a
			m.done(s, o, m.onActor(a, s, o))
		}
	}
}
