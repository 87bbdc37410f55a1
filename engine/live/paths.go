package live

import (
	"hash/maphash"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// paths finds actors by path: a hash table of the actors themselves, open and probed in a line, because a map of a
// million paths would take more memory for each actor than its mailbox. The roster's lock guards it.
//
// Until the first reload the table is empty: the actors stand as in the first plan, which finds them.
type paths struct {
	first *plan.Plan // nil once the table is in use
	eng   *Engine
	seed  maphash.Seed
	slots []*actor // a power of two, at least a quarter of them free
	n     int
}

func newPaths(e *Engine, first *plan.Plan) paths {
	return paths{first: first, eng: e, seed: maphash.MakeSeed(), slots: make([]*actor, 16)}
}

// find is nil for a path that nobody has.
func (p *paths) find(path string) *actor {
	if p.first == nil {
		return p.slots[p.slot(path)]
	}
	return p.eng.actor(engine.ID(p.first.Index(path) + 1))
}

// leave fills the table: from now on the first plan does not tell any more who there is.
func (p *paths) leave() {
	if p.first == nil {
		return
	}
	p.first = nil
	p.eng.each(func(a *actor) bool { p.put(a); return true })
}

// slot is where the actor of a path is, or would be.
func (p *paths) slot(path string) int {
	at := p.home(path)
	for p.slots[at] != nil && p.slots[at].Path() != path {
		at = (at + 1) & (len(p.slots) - 1)
	}
	return at
}

func (p *paths) home(path string) int {
	return int(maphash.String(p.seed, path)) & (len(p.slots) - 1)
}

// put makes a the actor of its path, in place of another. It is in the roster already.
func (p *paths) put(a *actor) {
	if p.first != nil {
		if at := int(a.id) - 1; at < len(p.first.Actors) && p.first.Actors[at].Path == a.Path() {
			return
		}
		p.leave()
	}
	at := p.slot(a.Path())
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
			p.slots[p.slot(a.Path())] = a
		}
	}
}

// remove takes the actor of a path out. Those behind it move up to where they would be without it.
func (p *paths) remove(path string) {
	p.leave()
	gap := p.slot(path)
	if p.slots[gap] == nil {
		return
	}
	p.n--
	p.slots[gap] = nil
	mask := len(p.slots) - 1
	for at := (gap + 1) & mask; p.slots[at] != nil; at = (at + 1) & mask {
		home := p.home(p.slots[at].Path())
		if (at-home)&mask >= (at-gap)&mask {
			p.slots[gap], p.slots[at] = p.slots[at], nil
			gap = at
		}
	}
}
