package plan

import (
	"hash/maphash"
	"slices"
)

// index finds actors by a text of theirs, their path or their name: a hash table of places in Actors, open and probed in a
// line. A map would take ten times its memory, which with a million actors is most of a plan.
type index struct {
	text  func(*Actor) string
	seed  maphash.Seed
	slots []uint32 // place + 1 of the last actor with a text, 0 is free; a power of two, at least a third of them free
	prior []uint32 // by place: place + 1 of the actor before it with the same text; nil while no text comes twice
}

// newIndex makes room for n actors.
func newIndex(n int, text func(*Actor) string) index {
	size := 4
	for size*2/3 < n {
		size *= 2
	}
	return index{text: text, seed: maphash.MakeSeed(), slots: make([]uint32, size)}
}

// slot is where the actors with a text are, or would be.
func (x *index) slot(in []Actor, text string) int {
	mask := len(x.slots) - 1
	at := int(maphash.String(x.seed, text)) & mask
	for x.slots[at] != 0 && x.text(&in[x.slots[at]-1]) != text {
		at = (at + 1) & mask
	}
	return at
}

// last is the place of the last actor with a text, -1 when there is none.
func (x *index) last(in []Actor, text string) int {
	if len(x.slots) == 0 {
		return -1
	}
	return int(x.slots[x.slot(in, text)]) - 1
}

// all are the places of the actors with a text, in order.
func (x *index) all(in []Actor, text string) []int {
	var found []int
	for at := x.last(in, text); at >= 0; {
		found = append(found, at)
		if x.prior == nil {
			break
		}
		at = int(x.prior[at]) - 1
	}
	slices.Reverse(found)
	return found
}

// add enters the actor at a place, in the order of places, and gives the place of the one before it with the same text, -1
// when it is the first.
func (x *index) add(in []Actor, place int) int {
	at := x.slot(in, x.text(&in[place]))
	before := int(x.slots[at]) - 1
	if before >= 0 {
		if x.prior == nil {
			x.prior = make([]uint32, len(in))
		}
		x.prior[place] = uint32(before + 1)
	}
	x.slots[at] = uint32(place + 1)
	return before
}
