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
	"github.com/lukhasai/lukhas-run/journal"
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

// placed is a guard of a plan and where it stands.
type placed struct {
	spec *plan.Guard
	path string // of the actor or group; of the callee for an edge
	edge bool
}

// guardsOf finds all guards of a plan: of actors, of groups, of script calls, of gateway routes.
func guardsOf(p *plan.Plan) []placed {
	var all []placed
	for i := range p.Actors {
		a := &p.Actors[i]
		if a.Guard != nil {
			all = append(all, placed{a.Guard, a.Path, false})
		}
		if a.Script == nil {
			continue
		}
		for _, h := range a.Script.Handlers {
			for _, c := range h.Calls {
				if c.Guard != nil {
					all = append(all, placed{c.Guard, c.To, true})
				}
			}
		}
	}
	for i := range p.Groups {
		if g := &p.Groups[i]; g.Guard != nil {
			all = append(all, placed{g.Guard, g.Path, false})
		}
	}
	for _, l := range p.Gateway {
		for _, r := range l.Routes {
			if r.Guard != nil {
				all = append(all, placed{r.Guard, r.To, true})
			}
		}
	}
	return all
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
	all := guardsOf(p)
	for _, at := range all {
		name := at.spec.Name
		if byName[name] != nil {
			continue // the same edge named by another call
		}
		if g := gs.byName[name]; g != nil {
			change, err := g.Prepare(now, at.spec)
			if err != nil {
				return nil, fmt.Errorf("guard %q: %w", name, err)
			}
			commits, byName[name] = append(commits, change), g
			continue
		}
		g, err := guard.New(at.spec, guard.Options{Seed: e.seedFor(name), Now: now, Listen: e.tripped})
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
func (e *Engine) placeGuards(all []placed, byName map[string]*guard.Guard) {
	gs := &e.guards
	gs.mu.Lock()
	gs.byName = byName
	own := map[string]*guard.Guard{}
	outer := map[string]placed{}
	for _, at := range all {
		if at.edge {
			outer[at.spec.Name] = at
		} else {
			own[at.path] = byName[at.spec.Name]
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
		if !at.edge {
			continue
		}
		ed := gs.edges[at.spec.Name]
		if ed == nil {
			ed = &edge{number: uint32(len(listed) + 1), to: at.path}
			gs.edges[at.spec.Name] = ed
			listed = append(listed, ed)
		}
		ed.guard.Store(byName[at.spec.Name])
	}
	gs.listed.Store(&listed)
	gs.mu.Unlock()
	e.each(func(a *actor) bool { a.guard.Store(own[a.path]); return true })
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
	from, to := t.From.String(), guard.StateName(t.To, t.Mode)
	if t.WouldOpen {
		to = "would_open"
	} else if t.From == t.To { // only the mode has changed
		from = "normal"
		if to == t.To.String() {
			from, to = "forced", t.To.String()
		}
	}
	body := journal.BreakerChanged{Breaker: name, From: from, To: to, Generation: t.Generation, Reason: t.Trigger}
	if t.Values != "" {
		body.Reason += ": " + t.Values
	}
	in := engine.BreakerChanged{Breaker: name, From: from, To: to, Generation: t.Generation, Reason: body.Reason}
	if t.Until != breaker.Never {
		in.Until = time.Duration(t.Until)
		body.Until = e.clock.Wall().Add(in.Until - e.now()).UnixNano()
	}
	e.report(happening{in: in, fact: body})
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
