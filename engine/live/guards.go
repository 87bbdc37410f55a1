package live

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// guards are the guards of the running generation, by name. They outlive generations: a reload gives one another
// policy.
type guards struct {
	mu     sync.Mutex
	byName map[string]*guard.Guard
	edges  map[string]*edge
	listed atomic.Pointer[[]*edge] // by number from 1; replaced, never changed
}

// edge is a guard that stands outside the callee's, for one caller.
type edge struct {
	number uint32
	to     string // path of the callee
	guard  atomic.Pointer[guard.Guard]
}

// prepareGuards makes or updates the guards of a plan. What it returns puts them in force and cannot fail; it must be
// called under the control lock or before the start.
func (e *Engine) prepareGuards(p *plan.Plan) (commit func(), err error) {
	gs := &e.guards
	gs.mu.Lock()
	defer gs.mu.Unlock()
	now := e.now()
	byName := map[string]*guard.Guard{}
	var commits []func()
	all := guard.Place(p)
	for _, at := range all {
		name := at.Spec.Name
		if byName[name] != nil {
			continue // the same edge named by another call
		}
		if g := gs.byName[name]; g != nil {
			change, err := g.Prepare(now, at.Spec)
			if err != nil {
				return nil, fmt.Errorf("guard %q: %w", name, err)
			}
			commits, byName[name] = append(commits, change), g
			continue
		}
		g, err := guard.New(at.Spec, guard.Options{Seed: e.seedFor(name), Now: now, Listen: e.tripped})
		if err != nil {
			return nil, fmt.Errorf("guard %q: %w", name, err)
		}
		byName[name] = g
	}
	return func() {
		for _, change := range commits {
			change()
		}
		e.placeGuards(all, byName)
	}, nil
}

// placeGuards puts guards where senders find them.
func (e *Engine) placeGuards(all []guard.Placed, byName map[string]*guard.Guard) {
	gs := &e.guards
	gs.mu.Lock()
	gs.byName = byName
	own := map[string]*guard.Guard{}
	outer := map[string]guard.Placed{}
	for _, at := range all {
		if at.Edge {
			outer[at.Spec.Name] = at
		} else {
			own[at.Path] = byName[at.Spec.Name]
		}
	}
	var listed []*edge
	if old := gs.listed.Load(); old != nil {
		listed = append(listed, *old...)
	}
	for name, ed := range gs.edges {
		if _, kept := outer[name]; !kept {
			ed.guard.Store(nil)
		}
	}
	for _, at := range all { // in the plan's order, so that numbers do not depend on map order
		if !at.Edge {
			continue
		}
		ed := gs.edges[at.Spec.Name]
		if ed == nil {
			ed = &edge{number: uint32(len(listed) + 1), to: at.Path}
			gs.edges[at.Spec.Name] = ed
			listed = append(listed, ed)
		}
		ed.guard.Store(byName[at.Spec.Name])
	}
	gs.listed.Store(&listed)
	gs.mu.Unlock()
	e.each(func(a *actor) bool { a.protectBy(own[a.path]); return true })
	e.roster.mu.RLock()
	defer e.roster.mu.RUnlock()
	for _, g := range e.roster.list {
		g.guard.Store(own[g.path])
	}
	e.ownGuards.Store(&own)
}

// edgeNamed finds a guarded edge by its name.
func (e *Engine) edgeNamed(name string) *edge {
	e.guards.mu.Lock()
	defer e.guards.mu.Unlock()
	if ed := e.guards.edges[name]; ed != nil && ed.guard.Load() != nil {
		return ed
	}
	return nil
}

// edgeGuard is the guard of an edge, nil when it has none any more.
func (e *Engine) edgeGuard(number uint32) *guard.Guard {
	listed := e.guards.listed.Load()
	if number == 0 || listed == nil || int(number) > len(*listed) {
		return nil
	}
	return (*listed)[number-1].guard.Load()
}

// tripped is told of every transition of a breaker, on the goroutine that caused it, which may hold the control lock.
// An open breaker gets a timer, so that its state moves on without traffic.
func (e *Engine) tripped(name string, b *breaker.Breaker, t breaker.Transition) {
	if t.Until != breaker.Never {
		e.clock.AfterFunc(time.Duration(t.Until)-e.now(), func() { b.Tick(e.clock.Now()) })
	}
	in := guard.Report(name, t)
	e.report(happening{in: in, fact: in.Report(e.now(), e.clock.Wall())})
}

// force overrides a breaker by its name, or by its guard's.
func (e *Engine) force(x *engine.Force) {
	gs := &e.guards
	gs.mu.Lock()
	all := make([]*guard.Guard, 0, len(gs.byName))
	for _, g := range gs.byName {
		all = append(all, g)
	}
	gs.mu.Unlock()
	for _, g := range all {
		g.Force(e.now(), x.Breaker, x.Mode)
	}
}
