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
	block := ^uint32(0)
	if probe {
		block &^= unfitQuarantined | unfitSick
	}
	fit := func(a *actor) bool { return a.unfit.Load()&block == 0 && (open == nil || !open(a)) }
	switch how {
	case "round_robin":
		return nth(members, g.turn.Add(1)-1, fit)
	case "random":
		return nth(members, draw(), fit)
	case "hash":
		return rendezvous(members, key, fit)
	default:
		return leastLoaded(members, fit)
	}
}

// nth is the fit replica at place n, counted round and round, so that each has the same share.
func nth(members []*actor, n uint64, fit func(*actor) bool) *actor {
	var all uint64
	for _, a := range members {
		if fit(a) {
			all++
		}
	}
	if all == 0 {
		return nil
	}
	at := n % all
	for _, a := range members {
		if !fit(a) {
			continue
		}
		if at == 0 {
			return a
		}
		at--
	}
	return nil // one went unfit between the two looks
}

// leastLoaded is the fit replica with the fewest messages waiting and at work; the lowest of equals.
func leastLoaded(members []*actor, fit func(*actor) bool) *actor {
	var best *actor
	least := 0
	for _, a := range members {
		if !fit(a) {
			continue
		}
		if n := a.load(); best == nil || n < least {
			best, least = a, n
		}
	}
	return best
}

// load is how many messages wait for an actor or are at work.
func (a *actor) load() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.waiting() + len(a.parked)
	if a.inc != nil {
		n += a.inc.active
	}
	return n
}

// rendezvous is highest-random-weight hashing (Thaler and Ravishankar, 1998): a key stays with its replica while that
// one is fit, and only the keys of an unfit one move.
func rendezvous(members []*actor, key string, fit func(*actor) bool) *actor {
	var best *actor
	var most uint64
	k := fnv(key)
	for _, a := range members {
		if w := mix(k ^ fnv(a.path)); fit(a) && (best == nil || w > most) {
			best, most = a, w
		}
	}
	return best
}

// fnv is FNV-1a, the same in every process.
func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
