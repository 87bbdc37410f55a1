package kernel

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Guards are the guards of the running generation. They outlive generations: a reload gives one another policy. It is safe for
// concurrent use once its fields are set; Prepare and the commit that it gives must not overlap with others.
type Guards struct {
	Seed   func(name string) uint64 // of a guard's randomness
	Placed func()                   // the guards in force have changed: actors and groups look up theirs
	Told   bool                     // attempts of guarded calls are recorded whatever the plan says
	Now    func() time.Duration
	Wall   func() time.Time
	After  func(d time.Duration, fn func()) // calls fn once d has passed
	// Tell tells the Machine of a breaker's transition, on the goroutine that caused it, which may be carrying effects out.
	Tell func(Happening)

	mu     sync.Mutex
	byName map[string]*guard.Guard
	edges  map[string]*edge
	sorted atomic.Pointer[[]*guard.Guard]          // by name; replaced, never changed, as the next two
	own    atomic.Pointer[map[string]*guard.Guard] // by path of the actor or group
	listed atomic.Pointer[[]*edge]                 // by number from 1
}

// edge is a guard that stands outside the callee's, for one caller.
type edge struct {
	number uint32
	to     string // path of the callee
	guard  atomic.Pointer[guard.Guard]
}

// View is the generation of a plan, with guards that its Commit puts in force. Where that cannot be there is an error, and the
// guards stay as they are.
func (gs *Guards) View(p *plan.Plan, generation uint64, now time.Duration) (v *View, err error) {
	v = NewView(p, generation)
	v.Calls = v.Calls || gs.Told
	commit, err := gs.Prepare(p, now)
	if err == nil {
		v.Commit = commit
	}
	return v, err
}

// Prepare makes or updates the guards of a plan, now. What it returns puts them in force and cannot fail.
func (gs *Guards) Prepare(p *plan.Plan, now time.Duration) (commit func(), err error) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	byName := map[string]*guard.Guard{}
	var commits []func()
	all := guard.Place(p)
	for _, at := range all {
		name := at.Spec.Name
		if byName[name] != nil {
			continue // the same edge named by another call
		}
		g, change, err := gs.make(at.Spec, now)
		if err != nil {
			return nil, fmt.Errorf("guard %q: %w", name, err)
		}
		byName[name], commits = g, append(commits, change)
	}
	return func() {
		for _, change := range commits {
			change()
		}
		gs.place(all, byName)
		gs.Placed()
	}, nil
}

// make gives the guard of that name, and what makes it follow the spec.
func (gs *Guards) make(spec *plan.Guard, now time.Duration) (*guard.Guard, func(), error) {
	if g := gs.byName[spec.Name]; g != nil {
		change, err := g.Prepare(now, spec)
		return g, change, err
	}
	g, err := guard.New(spec, guard.Options{Seed: gs.Seed(spec.Name), Now: now, Listen: gs.tripped})
	return g, func() {}, err
}

// tripped is told of every transition of a breaker. An open breaker gets a timer, so that its state moves on without traffic.
func (gs *Guards) tripped(name string, b *breaker.Breaker, t breaker.Transition) {
	now := gs.Now()
	if t.Until != breaker.Never {
		gs.After(time.Duration(t.Until)-now, func() { b.Tick(int64(gs.Now())) })
	}
	in := guard.Report(name, t)
	gs.Tell(Happening{In: in, Fact: in.Report(now, gs.Wall())})
}

// place puts guards where senders find them.
func (gs *Guards) place(all []guard.Placed, byName map[string]*guard.Guard) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	gs.byName = byName
	if gs.edges == nil {
		gs.edges = map[string]*edge{}
	}
	var listed []*edge
	if old := gs.listed.Load(); old != nil {
		listed = slices.Clone(*old)
	}
	own, outer := map[string]*guard.Guard{}, map[*edge]bool{}
	for _, at := range all { // in the plan's order, so that numbers do not depend on that of a map
		if !at.Edge {
			own[at.Path] = byName[at.Spec.Name]
			continue
		}
		ed := gs.edges[at.Spec.Name]
		if ed == nil {
			ed = &edge{number: uint32(len(listed) + 1), to: at.Path}
			gs.edges[at.Spec.Name] = ed
			listed = append(listed, ed)
		}
		outer[ed] = true
		ed.guard.Store(byName[at.Spec.Name])
	}
	for _, ed := range listed {
		if !outer[ed] {
			ed.guard.Store(nil)
		}
	}
	sorted := make([]*guard.Guard, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		sorted = append(sorted, byName[name])
	}
	gs.listed.Store(&listed)
	gs.sorted.Store(&sorted)
	gs.own.Store(&own)
}

// Of is the guard of an actor or group, by path; nil when it has none.
func (gs *Guards) Of(path string) *guard.Guard {
	if own := gs.own.Load(); own != nil {
		return (*own)[path]
	}
	return nil
}

// Edge is the guard of an edge, nil when it has none any more.
func (gs *Guards) Edge(number uint32) *guard.Guard {
	listed := gs.listed.Load()
	if number == 0 || listed == nil || int(number) > len(*listed) {
		return nil
	}
	return (*listed)[number-1].guard.Load()
}

// edgeNamed finds a guarded edge by its name, nil when there is none.
func (gs *Guards) edgeNamed(name string) *edge {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if ed := gs.edges[name]; ed != nil && ed.guard.Load() != nil {
		return ed
	}
	return nil
}

// all are the guards in force, by name.
func (gs *Guards) all() []*guard.Guard {
	if sorted := gs.sorted.Load(); sorted != nil {
		return *sorted
	}
	return nil
}

// Snapshots looks at all guards, by name.
func (gs *Guards) Snapshots(now time.Duration) []guard.Snapshot {
	all := gs.all()
	out := make([]guard.Snapshot, 0, len(all))
	for _, g := range all {
		out = append(out, g.Snapshot(now))
	}
	return out
}

// Force overrides a breaker by its name, or by its guard's; see guard.Guard.Force.
func (gs *Guards) Force(now time.Duration, name, mode string) {
	for _, g := range gs.all() {
		g.Force(now, name, mode)
	}
}
