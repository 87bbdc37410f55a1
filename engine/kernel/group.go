package kernel

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Replica is an actor of a group.
type Replica interface {
	comparable
	Actor
	guard.Member
	Unfit() uint32 // the reasons why nothing is routed to it, as bits; others than the kernel's do not count
}

// Replicas is a group of actors of one kind under one name. It is safe for concurrent use.
type Replicas[A Replica] struct {
	id      engine.ID
	path    string
	seed    uint64
	turn    atomic.Uint64 // of its choices
	calls   atomic.Uint64 // that were given a seed
	guard   atomic.Pointer[guard.Guard]
	members atomic.Pointer[[]A] // by replica number; replaced, never changed
	mu      sync.Mutex
	numbers []int32 // replica numbers of members
	views   [][]A   // what members will point to next
}

// NewReplicas is a group without members; the seed is of its choices.
func NewReplicas[A Replica](id engine.ID, path string, seed uint64) *Replicas[A] {
	return newReplicas[A](id, path, seed, 0)
}

// newReplicas has room for so many members.
func newReplicas[A Replica](id engine.ID, path string, seed uint64, room int) *Replicas[A] {
	g := &Replicas[A]{id: id, path: path, seed: seed, numbers: make([]int32, 0, room)}
	g.publish(make([]A, 0, room))
	return g
}

// publish lets readers see the members as they are now. Views that share a piece of memory are of one list, so none keeps another
// list. It needs the lock.
func (g *Replicas[A]) publish(members []A) {
	if len(g.views) == 0 {
		g.views = make([][]A, min(1+cap(members)-len(members), mostViews))
	}
	g.views[0] = members
	g.members.Store(&g.views[0])
	g.views = g.views[1:]
}

// mostViews is how many views of a growing group share a piece of memory.
const mostViews = 64

// Join adds a member. One with the highest number, as at a start, is put behind those that readers see: they look no further
// than what they loaded.
func (g *Replicas[A]) Join(a A, replica int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	members := g.Members()
	at := len(g.numbers)
	if at > 0 && g.numbers[at-1] >= int32(replica) {
		at, _ = slices.BinarySearch(g.numbers, int32(replica))
	}
	if at < len(members) {
		members, g.views = slices.Clone(members), nil
	}
	g.numbers = slices.Insert(g.numbers, at, int32(replica))
	g.publish(slices.Insert(members, at, a))
}

// Part takes a member out. What is behind the last one is never written to again: readers may still look at it.
func (g *Replicas[A]) Part(a A) {
	g.mu.Lock()
	defer g.mu.Unlock()
	members := g.Members()
	at := len(members) - 1
	for at >= 0 && members[at] != a { // replicas go last first
		at--
	}
	if at < 0 {
		return
	}
	g.numbers = slices.Delete(g.numbers, at, at+1)
	if at == len(members)-1 {
		members = slices.Clip(members[:at])
	} else {
		members, g.views = slices.Delete(slices.Clone(members), at, at+1), nil
	}
	g.publish(members)
}

// Path implements Group.
func (g *Replicas[A]) Path() string { return g.path }

// Guard implements Group.
func (g *Replicas[A]) Guard() *guard.Guard { return g.guard.Load() }

// Members are the replicas by number; nobody changes the slice.
func (g *Replicas[A]) Members() []A { return *g.members.Load() }

// Seed is where the randomness of the next guarded call to the group begins.
func (g *Replicas[A]) Seed() uint64 { return g.seed + g.calls.Add(1)*guard.Golden }

// Named implements Group.
func (g *Replicas[A]) Named(name string) Actor {
	for _, a := range g.Members() {
		if a.Name() == name {
			return a
		}
	}
	return nil
}

// Actors implements Group.
func (g *Replicas[A]) Actors() []Actor {
	members := g.Members()
	all := make([]Actor, len(members))
	for i, a := range members {
		all[i] = a
	}
	return all
}

// Pick implements Group.
func (g *Replicas[A]) Pick(how, key string, probe bool, open func(string) bool) Actor {
	block := uint32(UnfitAny)
	if probe {
		block &^= UnfitQuarantined | UnfitSick
	}
	fit := func(a A) bool { return a.Unfit()&block == 0 && (open == nil || !open(a.Name())) }
	var none A
	if a := guard.Pick(how, key, g.Members(), func() uint64 { return g.draw(how) }, fit); a != none {
		return a
	}
	return nil
}

// draw is the random number of the next choice; for round_robin its turn.
func (g *Replicas[A]) draw(how string) uint64 {
	turn := g.turn.Add(1)
	if how == "round_robin" {
		return turn - 1
	}
	return guard.Mix(g.seed + turn*guard.Golden)
}

// Groups are the groups of all generations. It is safe for concurrent use.
type Groups[A Replica] struct {
	mu     sync.RWMutex
	byPath map[string]*Replicas[A]
	last   atomic.Pointer[Replicas[A]]    // that was looked for: replicas are made known one after the other
	list   atomic.Pointer[[]*Replicas[A]] // by number, never shrinks; replaced, never changed
}

// Furnish makes the groups of a plan known; seed gives one its randomness by its path.
func (gs *Groups[A]) Furnish(p *plan.Plan, seed func(path string) uint64) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.byPath == nil {
		gs.byPath = map[string]*Replicas[A]{}
	}
	list := gs.All()
	for i := range p.Groups {
		if path := p.Groups[i].Path; gs.byPath[path] == nil {
			g := newReplicas[A](GroupBit|engine.ID(len(list)), path, seed(path), len(p.Groups[i].Members))
			gs.byPath[path] = g
			list = append(list, g) // behind what readers see
		}
	}
	gs.list.Store(&list)
}

// All are the groups by number; nobody changes the slice.
func (gs *Groups[A]) All() []*Replicas[A] {
	if list := gs.list.Load(); list != nil {
		return *list
	}
	return nil
}

// Numbered is the group with an ID, nil when there is none.
func (gs *Groups[A]) Numbered(id engine.ID) *Replicas[A] {
	if list := gs.All(); int(id&^GroupBit) < len(list) {
		return list[id&^GroupBit]
	}
	return nil
}

// At is the group of a path, nil when there is none.
func (gs *Groups[A]) At(path string) *Replicas[A] {
	if g := gs.last.Load(); g != nil && g.path == path {
		return g
	}
	gs.mu.RLock()
	defer gs.mu.RUnlock()
	g := gs.byPath[path]
	gs.last.Store(g)
	return g
}

// ID is the number of the group of a path.
func (gs *Groups[A]) ID(path string) (id engine.ID, known bool) {
	if g := gs.At(path); g != nil {
		return g.id, true
	}
	return 0, false
}

// Place gives the groups their guards.
func (gs *Groups[A]) Place(guards *Guards) {
	for _, g := range gs.All() {
		g.guard.Store(guards.Of(g.path))
	}
}
