package clock

import "math/bits"

const (
	slotBits = 6
	slots    = 1 << slotBits
	levels   = (63 + slotBits - 1) / slotBits
)

// wheel is a hierarchical timer wheel (Varghese and Lauck, 1987) over
// nanoseconds, 64 slots a level. Insert and remove are O(1); an entry moves
// down at most levels-1 times before it is due.
//
// Invariant: an entry stands at the level of the highest 6-bit digit in which
// its deadline differs from now, in the slot of its own digit there; equal
// deadlines therefore always share one list, in order of arrival.
type wheel struct {
	now    int64
	filled [levels]uint64 // bit s of filled[l] is set exactly when lists[l][s] is not empty
	lists  [levels][slots]list
}

type list struct{ first, last *entry }

// entry is one pending function. It is in a list exactly when queued is true.
type entry struct {
	at         int64
	f          func()
	prev, next *entry
	level      uint8
	slot       uint8
	queued     bool
}

func (w *wheel) insert(e *entry) {
	level := levelOf(e.at ^ w.now)
	slot := digit(e.at, level)
	l := &w.lists[level][slot]
	e.level, e.slot, e.queued = uint8(level), uint8(slot), true
	e.prev, e.next = l.last, nil
	if l.last == nil {
		l.first = e
		w.filled[level] |= 1 << slot
	} else {
		l.last.next = e
	}
	l.last = e
}

func (w *wheel) remove(e *entry) bool {
	if !e.queued {
		return false
	}
	l := &w.lists[e.level][e.slot]
	if e.prev == nil {
		l.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		l.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	if l.first == nil {
		w.filled[e.level] &^= 1 << e.slot
	}
	e.prev, e.next, e.queued = nil, nil, false
	return true
}

// nearest returns the slot that holds the earliest deadlines: the first filled
// slot of the lowest filled level, since all of a level is due before any of
// the next one.
func (w *wheel) nearest() (level, slot int, ok bool) {
	for l := range levels {
		if w.filled[l] != 0 {
			return l, bits.TrailingZeros64(w.filled[l]), true
		}
	}
	return 0, 0, false
}

func (w *wheel) next() (int64, bool) {
	level, slot, ok := w.nearest()
	if !ok {
		return 0, false
	}
	return w.earliest(level, slot), true
}

// earliest is the earliest deadline of a slot that is not empty.
func (w *wheel) earliest(level, slot int) int64 {
	first := w.lists[level][slot].first
	at := first.at
	for e := first.next; e != nil && level > 0; e = e.next {
		at = min(at, e.at)
	}
	return at
}

// pop moves now to the next entry due at or before to and takes it out. When
// there is none it moves now to to and returns nil.
func (w *wheel) pop(to int64) *entry {
	for {
		level, slot, ok := w.nearest()
		if !ok {
			w.now = max(w.now, to)
			return nil
		}
		at := w.earliest(level, slot)
		if at > to {
			w.moveTo(to)
			return nil
		}
		// An entry that is alone in its slot need not be handed down: the others stand where they belong also when now is its
		// deadline, because those of this level differ from it in their digit here.
		if e := w.lists[level][slot].first; level == 0 || e.next == nil {
			w.remove(e)
			w.now = at
			return e
		}
		w.moveTo(at)
	}
}

// moveTo sets now, which must not pass a pending deadline, and hands the slot
// that now has entered down to the levels below it.
func (w *wheel) moveTo(to int64) {
	if to <= w.now {
		return
	}
	level := levelOf(to ^ w.now)
	w.now = to
	slot := digit(to, level)
	l := w.lists[level][slot]
	w.lists[level][slot] = list{}
	w.filled[level] &^= 1 << slot
	for e := l.first; e != nil; {
		next := e.next
		w.insert(e)
		e = next
	}
}

func levelOf(difference int64) int {
	return (bits.Len64(uint64(difference)|1) - 1) / slotBits
}

func digit(at int64, level int) int {
	return int(at>>(level*slotBits)) & (slots - 1)
}
