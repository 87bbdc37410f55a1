package engine

// undo takes an action back: after its `for`, or when the emergency it belongs to is left. Its verb is the action that
// does so; what it is about is an actor or a breaker, or the system.
type undo struct {
	verb      string
	id        ID
	breaker   string
	varied    string // group or param whose override is taken back
	before    any    // what it is taken back to; nil: what the files say
	by        string
	timer     TimerID // 0: only the emergency's end undoes it
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

func (u undo) same(v undo) bool {
	return u.verb == v.verb && u.id == v.id && u.breaker == v.breaker && u.varied == v.varied
}

// undoLater plans an action's undoing. One that was in force already and has no `for` of its own stays as it was; a new
// `for` replaces the old one; an emergency undoes only what it changed itself.
func (m *Machine) undoLater(u undo, s Steer, o origin, fresh bool) {
	if s.For <= 0 && !(o.emergency && fresh) {
		if !o.emergency {
			m.dropUndo(u) // without `for` it lasts
		}
		return
	}
	m.dropUndo(u)
	m.undos.numbers++
	u.number, u.by = m.undos.numbers, o.by
	u.emergency = o.emergency && fresh
	if s.For > 0 {
		u.timer = m.alarm(timer{purpose: undoAction, arg: u.number, at: m.now + s.For})
	}
	m.undos.list = append(m.undos.list, u)
}

// undos are the actions in force that will be undone, oldest first. They are few: as many as there are temporary
// actions at one time.
type undos struct {
	list    []undo
	numbers uint64
}

// dropUndo forgets what would have undone an action.
func (m *Machine) dropUndo(u undo) {
	for i, v := range m.undos.list {
		if v.same(u) {
			m.disarm(v.timer)
			m.undos.list = append(m.undos.list[:i], m.undos.list[i+1:]...)
			return
		}
	}
}

// undoNumber undoes the action whose time is over.
func (m *Machine) undoNumber(number uint64) {
	for i, u := range m.undos.list {
		if u.number == number {
			m.undos.list = append(m.undos.list[:i], m.undos.list[i+1:]...)
			m.takeBack(u, "its time is over")
			return
		}
	}
}

// undoEmergency undoes what the emergency changed, last first.
func (m *Machine) undoEmergency() {
	for i := len(m.undos.list) - 1; i >= 0; i-- {
		if i >= len(m.undos.list) || !m.undos.list[i].emergency {
			continue
		}
		u := m.undos.list[i]
		m.undos.list = append(m.undos.list[:i], m.undos.list[i+1:]...)
		m.disarm(u.timer)
		m.takeBack(u, "the emergency is over")
	}
}

func (m *Machine) takeBack(u undo, why string) {
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
