package live

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
)

// group is a set of replicas under one name.
type group struct {
	id      engine.ID
	path    string
	turn    atomic.Uint64
	guard   atomic.Pointer[guard.Guard]
	members atomic.Pointer[[]*actor] // by replica number; replaced, never changed
	mu      sync.Mutex
	numbers []int // replica numbers of members
}

func (g *group) join(a *actor, replica int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	members := slices.Clone(*g.members.Load())
	at, _ := slices.BinarySearch(g.numbers, replica)
	g.numbers = slices.Insert(g.numbers, at, replica)
	members = slices.Insert(members, at, a)
	g.members.Store(&members)
}

func (g *group) part(a *actor) {
	g.mu.Lock()
	defer g.mu.Unlock()
	members := slices.Clone(*g.members.Load())
	if at := slices.Index(members, a); at >= 0 {
		members = slices.Delete(members, at, at+1)
		g.numbers = slices.Delete(g.numbers, at, at+1)
	}
	g.members.Store(&members)
}

// pick chooses the replica for a message among those that are ready, not paused, not quarantined, healthy and, by
// open, whose breaker is not open. A probe may go to a quarantined one. nil: none is left.
func (g *group) pick(how string, key string, probe bool, draw func() uint64, open func(*actor) bool) *actor {
	members := *g.members.Load()
	block := uint32(unfitAny)
	if probe {
		block &^= unfitQuarantined | unfitSick
	}
	fit := func(a *actor) bool { return a.unfit.Load()&block == 0 && (open == nil || !open(a)) }
	if how == "round_robin" {
		draw = func() uint64 { return g.turn.Add(1) - 1 }
	}
	return guard.Pick(how, key, members, draw, fit)
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
func (a *actor) Seat() uint64 { return guard.Hash(a.path) }
