package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// roster is who exists.
type roster struct {
	root   engine.ID
	actors []*actor // by ID
	byPath map[string]*actor
	groups map[string]*group
	list   []*group // by number, never shrinks
}

// actor finds an actor by its ID, nil when there is none.
func (e *Engine) actor(id engine.ID) *actor {
	if int(id) >= len(e.roster.actors) {
		return nil
	}
	return e.roster.actors[id]
}

func (e *Engine) group(id engine.ID) *group {
	if i := int(id &^ kernel.GroupBit); i < len(e.roster.list) {
		return e.roster.list[i]
	}
	return nil
}

// furnish makes the groups of a generation known.
func (e *Engine) furnish(v *kernel.View) {
	r := &e.roster
	for i := range v.Plan.Groups {
		path := v.Plan.Groups[i].Path
		if r.groups[path] == nil {
			g := &group{id: kernel.GroupBit | engine.ID(len(r.list)), path: path, numbers: numbers{seed: e.seedFor(path)}}
			r.groups[path] = g
			r.list = append(r.list, g)
		}
	}
}

// create makes an actor known.
func (e *Engine) create(id engine.ID, path string) {
	a := &actor{eng: e, id: id, path: path, name: path[strings.LastIndexByte(path, '/')+1:], seat: guard.Hash(path), unfit: unfitDown,
		numbers: numbers{seed: e.seedFor(path)}}
	spec := e.incoming.Plan.Actor(path)
	if spec != nil {
		a.spec, a.box, a.alone, a.kind = spec, newBox(spec.Mailbox), spec.Concurrency == 1, spec.Kind
		if spec.Parent < 0 {
			e.roster.root = id
		}
	}
	a.guard = e.guards.own[path]
	r := &e.roster
	for len(r.actors) <= int(id) {
		r.actors = append(r.actors, nil)
	}
	r.actors[id], r.byPath[path] = a, a
	if spec != nil && spec.Group != "" {
		if g := r.groups[spec.Group]; g != nil {
			a.group = g
			g.join(a, spec.Replica)
		}
	}
	e.afflict(a)
}

// forget takes an actor out of the roster.
func (e *Engine) forget(a *actor) {
	if e.roster.byPath[a.path] == a {
		delete(e.roster.byPath, a.path)
	}
	e.roster.actors[a.id] = nil
	if a.group != nil {
		a.group.part(a)
	}
}

// Ref resolves the path of an actor or a group, a name where it is unique, or "caller->callee" for a guarded edge. An
// unknown name gives an error that wraps engine.ErrUnknownActor.
func (e *Engine) Ref(name string) (engine.Ref, error) {
	r := &e.roster
	if a := r.byPath[name]; a != nil {
		return engine.Ref{ID: a.id}, nil
	}
	if g := r.groups[name]; g != nil {
		return engine.Ref{ID: g.id}, nil
	}
	if edge := e.guards.edges[name]; edge != nil && edge.guard != nil {
		to, err := e.Ref(edge.to)
		to.Edge = edge.number
		return to, err
	}
	if strings.Contains(name, "->") {
		return engine.Ref{}, fmt.Errorf("%w: no guarded edge %q", engine.ErrUnknownActor, name)
	}
	return e.refByName(name)
}

// refByName resolves a bare name: a group's before a replica's, then what the plan finds.
func (e *Engine) refByName(name string) (engine.Ref, error) {
	found := named(e.view.Plan, name)
	switch len(found) {
	case 0:
		return engine.Ref{}, fmt.Errorf("%w %q", engine.ErrUnknownActor, name)
	case 1:
		if a := e.roster.byPath[found[0]]; a != nil {
			return engine.Ref{ID: a.id}, nil
		}
		if g := e.roster.groups[found[0]]; g != nil {
			return engine.Ref{ID: g.id}, nil
		}
		return engine.Ref{}, fmt.Errorf("%w %q: it is not started yet", engine.ErrUnknownActor, name)
	}
	return engine.Ref{}, fmt.Errorf("%w %q: it could be %s; use the path", engine.ErrUnknownActor, name, strings.Join(found, " or "))
}

// named are the paths of the groups of that name, else of the actors.
func named(p *plan.Plan, name string) []string {
	var found []string
	for i := range p.Groups {
		if p.Groups[i].Name == name {
			found = append(found, p.Groups[i].Path)
		}
	}
	if len(found) > 0 {
		return found
	}
	for i := range p.Actors {
		if p.Actors[i].Name == name {
			found = append(found, p.Actors[i].Path)
		}
	}
	return found
}

// guards are the guards of the running generation. They outlive generations: a reload gives one another policy.
type guards struct {
	byName map[string]*guard.Guard
	sorted []*guard.Guard          // by name
	own    map[string]*guard.Guard // by path of the actor or group
	edges  map[string]*edge
	listed []*edge // by number from 1
}

// edge is a guard that stands outside the callee's, for one caller.
type edge struct {
	number uint32
	to     string       // path of the callee
	guard  *guard.Guard // nil when the running generation has none
}

// prepareGuards makes or updates the guards of a plan. What it returns puts them in force and cannot fail.
func (e *Engine) prepareGuards(p *plan.Plan) (commit func(), err error) {
	byName := map[string]*guard.Guard{}
	var commits []func()
	all := guard.Place(p)
	for _, at := range all {
		name := at.Spec.Name
		if byName[name] != nil {
			continue // the same edge named by another call
		}
		if g := e.guards.byName[name]; g != nil {
			change, err := g.Prepare(e.Now(), at.Spec)
			if err != nil {
				return nil, fmt.Errorf("guard %q: %w", name, err)
			}
			commits, byName[name] = append(commits, change), g
			continue
		}
		g, err := guard.New(at.Spec, guard.Options{Seed: e.seedFor(name), Now: e.Now(), Listen: e.tripped})
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
	gs.byName, gs.sorted, gs.own = byName, nil, map[string]*guard.Guard{}
	for _, ed := range gs.listed {
		ed.guard = nil
	}
	for _, at := range all {
		g := byName[at.Spec.Name]
		if !slices.Contains(gs.sorted, g) {
			gs.sorted = append(gs.sorted, g)
		}
		if !at.Edge {
			gs.own[at.Path] = g
			continue
		}
		ed := gs.edges[at.Spec.Name]
		if ed == nil {
			ed = &edge{number: uint32(len(gs.listed) + 1), to: at.Path}
			gs.edges[at.Spec.Name] = ed
			gs.listed = append(gs.listed, ed)
		}
		ed.guard = g
	}
	slices.SortFunc(gs.sorted, func(a, b *guard.Guard) int { return strings.Compare(a.Name(), b.Name()) })
	for _, a := range e.roster.actors {
		if a != nil {
			a.guard = gs.own[a.path]
		}
	}
	for _, g := range e.roster.list {
		g.guard = gs.own[g.path]
	}
}

// edgeGuard is the guard of an edge, nil when it has none any more.
func (e *Engine) edgeGuard(number uint32) *guard.Guard {
	if number == 0 || int(number) > len(e.guards.listed) {
		return nil
	}
	return e.guards.listed[number-1].guard
}

// tripped is told of every transition of a breaker. An open breaker gets a timer, so that its state moves on without
// traffic.
func (e *Engine) tripped(name string, b *breaker.Breaker, t breaker.Transition) {
	if t.Until != breaker.Never {
		e.after(time.Duration(t.Until)-e.Now(), func() { b.Tick(int64(e.Now())) })
	}
	in := guard.Report(name, t)
	e.happen(happening{in: in, fact: in.Report(e.Now(), e.Wall())})
}
