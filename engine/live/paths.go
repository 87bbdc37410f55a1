package live

import "hash/maphash"

// paths finds actors by path: a hash table of the actors themselves, open and probed in a line, because a map of a
// million paths would take more memory for each actor than its mailbox. The roster's lock guards it.
type paths struct {
	seed  maphash.Seed
	slots []*actor // a power of two, at least a quarter of them free
	n     int
}

func newPaths(room int) paths {
	size := 16
	for size*3/4 < room {
		size *= 2
	}
	return paths{seed: maphash.MakeSeed(), slots: make([]*actor, size)}
}

// find is nil for a path that nobody has.
func (p *paths) find(path string) *actor { return p.slots[p.slot(path)] }

// slot is where the actor of a path is, or would be.
func (p *paths) slot(path string) int {
	at := p.home(path)
	for p.slots[at] != nil && p.slots[at].path != path {
		at = (at + 1) & (len(p.slots) - 1)
	}
	return at
}

func (p *paths) home(path string) int {
	return int(maphash.String(p.seed, path)) & (len(p.slots) - 1)
}

// put makes a the actor of its path, in place of another.
func (p *paths) put(a *actor) {
	at := p.slot(a.path)
	if p.slots[at] == nil {
		p.n++
	}
	p.slots[at] = a
	if p.n <= len(p.slots)*3/4 {
		return
	}
	old := p.slots
	p.slots = make([]*actor, 2*len(old))
	for _, a := range old {
		if a != nil {
			p.slots[p.slot(a.path)] = a
		}
	}
}

// remove takes the actor of a path out. Those behind it move up to where they would be without it.
func (p *paths) remove(path string) {
	gap := p.slot(path)
	if p.slots[gap] == nil {
		return
	}
	p.n--
	p.slots[gap] = nil
	mask := len(p.slots) - 1
	for at := (gap + 1) & mask; p.slots[at] != nil; at = (at + 1) & mask {
		home := p.home(p.slots[at].path)
		if (at-home)&mask >= (at-gap)&mask {
			p.slots[gap], p.slots[at] = p.slots[at], nil
			gap = at
		}
	}
}
