package live

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// group is a set of replicas under one name.
type group struct {
	id      engine.ID
	path    string
	seed    uint64 // of its draws
	turn    atomic.Uint64
	guard   atomic.Pointer[guard.Guard]
	members atomic.Pointer[[]*actor] // by replica number; replaced, never changed
	mu      sync.Mutex
	numbers []int32 // replica numbers of members
}

// join adds a member. One with the highest number, as at a start, is put behind those that readers see: they look no further
// than what they loaded.
func (g *group) join(a *actor, replica int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	members := *g.members.Load()
	at := len(g.numbers)
	if at > 0 && g.numbers[at-1] >= int32(replica) {
		at, _ = slices.BinarySearch(g.numbers, int32(replica))
	}
	if at < len(members) {
		members = slices.Clone(members)
	}
	g.numbers = slices.Insert(g.numbers, at, int32(replica))
	members = slices.Insert(members, at, a)
	g.members.Store(&members)
}

// part takes a member out. What is behind the last one is never written to again: readers may still look at it.
func (g *group) part(a *actor) {
	g.mu.Lock()
	defer g.mu.Unlock()
	members := *g.members.Load()
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
		members = slices.Delete(slices.Clone(members), at, at+1)
	}
	g.members.Store(&members)
}

// Path is the group's path.
func (g *group) Path() string { return g.path }

// Guard is the group's guard, nil when it has none.
func (g *group) Guard() *guard.Guard { return g.guard.Load() }

// Named is the replica with that name, nil when it has left.
func (g *group) Named(name string) kernel.Actor {
	for _, a := range *g.members.Load() {
		if a.Name() == name {
			return a
		}
	}
	return nil
}

// Pick implements kernel.Group.
func (g *group) Pick(how, key string, probe bool, open func(string) bool) kernel.Actor {
	block := uint32(kernel.UnfitAny)
	if probe {
		block &^= kernel.UnfitQuarantined | kernel.UnfitSick
	}
	fit := func(a *actor) bool { return a.unfit.Load()&block == 0 && (open == nil || !open(a.Name())) }
	draw := func() uint64 { return kernel.Draw(how, g.seed, g.turn.Add(1)) }
	if a := guard.Pick(how, key, *g.members.Load(), draw, fit); a != nil {
		return a
	}
	return nil
}

// Load implements guard.Member.
func (a *actor) Load() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.waiting() + a.rare.crowd()
	if a.inc != nil {
		n += int(a.inc.active)
	}
	return n
}

// Seat implements guard.Member.
func (a *actor) Seat() uint64 { return guard.Hash(a.Path()) }
