package sim

import (
	"maps"
	"strings"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// roster is who exists.
type roster struct {
	root   engine.ID
	actors []*actor // by ID
	byPath map[string]*actor
	former map[string]*actor // by paths that they had before they moved
	groups kernel.Groups[*actor]

	changes uint64 // of byPath
}

// actor finds an actor by its ID, nil when there is none.
func (e *Engine) actor(id engine.ID) *actor {
	if int(id) >= len(e.roster.actors) {
		return nil
	}
	return e.roster.actors[id]
}

// Furnish makes the groups of a generation known.
func (e hands) Furnish(v *kernel.View) { e.roster.groups.Furnish(v.Plan, e.seedFor) }

// Create makes an actor known.
func (e hands) Create(id engine.ID, path string) {
	a := &actor{eng: e.Engine, id: id, path: path, name: path[strings.LastIndexByte(path, '/')+1:], seat: guard.Hash(path), unfit: kernel.UnfitDown,
		numbers: numbers{seed: e.seedFor(path)}}
	spec := e.control.helm.Incoming().Plan.Actor(path)
	if spec != nil {
		a.spec, a.box, a.alone, a.kind = spec, kernel.NewBox(spec.Mailbox), spec.Concurrency == 1, spec.Kind
		if spec.Parent < 0 {
			e.roster.root = id
		}
	}
	a.guard = e.guards.Of(path)
	r := &e.roster
	for len(r.actors) <= int(id) {
		r.actors = append(r.actors, nil)
	}
	r.actors[id], r.byPath[path] = a, a
	r.changes++
	if spec != nil && spec.Group != "" {
		if g := r.groups.At(spec.Group); g != nil {
			a.group = g
			g.Join(a, spec.Replica)
		}
	}
	e.afflict(a)
}

// Move gives an actor another path. Its ID stays; its old path still means it until another actor takes that.
func (e hands) Move(id engine.ID, path string) {
	a, r := e.actor(id), &e.roster
	if a == nil {
		return
	}
	if r.byPath[a.path] == a {
		delete(r.byPath, a.path)
	}
	if r.former == nil {
		r.former = map[string]*actor{}
	}
	r.former[a.path] = a
	delete(r.former, path)
	a.path, a.seat = path, guard.Hash(path)
	r.byPath[path] = a
	r.changes++
}

// forget takes an actor out of the roster.
func (e *Engine) forget(a *actor) {
	if e.roster.byPath[a.path] == a {
		delete(e.roster.byPath, a.path)
		e.roster.changes++
	}
	maps.DeleteFunc(e.roster.former, func(_ string, was *actor) bool { return was == a })
	e.roster.actors[a.id] = nil
	if a.group != nil {
		a.group.Part(a)
	}
}

// Ref resolves the path of an actor or a group, a name where it is unique, or "caller->callee" for a guarded edge. An
// unknown name gives an error that wraps engine.ErrUnknownActor.
func (e *Engine) Ref(name string) (engine.Ref, error) {
	return kernel.Resolve(&e.roster, &e.guards, e.view.Plan, name)
}

// ID finds the actor or group of a path.
func (r *roster) ID(path string) (engine.ID, bool) {
	if a := r.byPath[path]; a != nil {
		return a.id, true
	}
	if a := r.former[path]; a != nil {
		return a.id, true
	}
	return r.groups.ID(path)
}

// placeGuards lets senders find the guards in force.
func (e *Engine) placeGuards() {
	for _, a := range e.roster.actors {
		if a != nil {
			a.guard = e.guards.Of(a.path)
		}
	}
	e.roster.groups.Place(&e.guards)
}
