package engine

import "time"

// purpose is what a timer is for.
type purpose uint8

const (
	noPurpose    purpose = iota
	restartActor         // subject is the actor whose backoff ends
	restartGroup         // subject is the supervisor whose group waits
	undoAction           // arg is the place among the actions to be undone
	endProbation         // of the generation in force
)

// timer is one slot of the clockwork.
type timer struct {
	purpose purpose
	turn    uint32 // times the slot was used: the upper half of the TimerID
	subject ID
	arg     uint64
	at      time.Duration
}

// clockwork keeps the Machine's timers in slots that are used again, so that setting one allocates nothing and none is
// ever searched. A TimerID is the slot and how often it was used, so no ID comes twice.
type clockwork struct {
	slots []timer
	free  []uint32
}

func (c *clockwork) set(t timer) TimerID {
	var slot uint32
	if n := len(c.free); n > 0 {
		slot, c.free = c.free[n-1], c.free[:n-1]
	} else {
		slot = uint32(len(c.slots))
		c.slots = append(c.slots, timer{})
	}
	t.turn = c.slots[slot].turn + 1
	c.slots[slot] = t
	return TimerID(uint64(t.turn)<<32 | uint64(slot))
}

// take ends a timer and gives what it was for; noPurpose when it is not set any more.
func (c *clockwork) take(id TimerID) timer {
	t := c.look(id)
	if t.purpose != noPurpose {
		c.slots[uint32(id)].purpose = noPurpose
		c.free = append(c.free, uint32(id))
	}
	return t
}

// look gives a timer that is set, the zero timer for any other.
func (c *clockwork) look(id TimerID) timer {
	slot, turn := uint32(id), uint32(id>>32)
	if int(slot) >= len(c.slots) || c.slots[slot].turn != turn || c.slots[slot].purpose == noPurpose {
		return timer{}
	}
	return c.slots[slot]
}

// alarm sets a timer, at the earliest now.
func (m *Machine) alarm(t timer) TimerID {
	t.at = max(t.at, m.now)
	id := m.clockwork.set(t)
	e := m.pools.set.next()
	e.Timer, e.At = id, t.at
	m.out = append(m.out, e)
	return id
}

// disarm takes an alarm back; 0 and a timer that has come are no timer.
func (m *Machine) disarm(id TimerID) {
	if m.clockwork.take(id).purpose == noPurpose {
		return
	}
	e := m.pools.cancel.next()
	e.Timer = id
	m.out = append(m.out, e)
}

func (m *Machine) due(in Due) {
	t := m.clockwork.take(in.Timer)
	switch t.purpose {
	case restartActor:
		if a := m.roster.find(t.subject); a != nil {
			a.timer = 0
			m.reviveNow(a)
		}
	case restartGroup:
		if a := m.roster.find(t.subject); a != nil && a.sup != nil {
			a.sup.timer = 0
			m.wake(a.sup)
		}
	case undoAction:
		m.undoNumber(t.arg)
	case endProbation:
		m.probationDue()
	}
}
