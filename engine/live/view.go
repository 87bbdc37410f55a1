package live

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Actors are kept in pages, so that looking one up by its ID takes two loads and no lock.
const (
	pageSize = 1 << 12
	maxPages = 1 << 12
)

type page [pageSize]atomic.Pointer[actor]

// roster is who exists.
type roster struct {
	pages [maxPages]atomic.Pointer[page]

	// moved are the places of those that have moved, oldest first, the first being where they came; replaced, never changed.
	moved atomic.Pointer[map[engine.ID][]string]

	mu     sync.RWMutex
	left   []engine.ID // of those in moved, who were removed, oldest first
	byPath paths
	former map[string]*actor // by paths that they had before

	groups kernel.Groups[*actor]
}

// actor finds an actor by its ID, nil when there is none.
func (e *Engine) actor(id engine.ID) *actor {
	if id >= pageSize*maxPages {
		return nil
	}
	p := e.roster.pages[id/pageSize].Load()
	if p == nil {
		return nil
	}
	return p[id%pageSize].Load()
}

func (e *Engine) byPath(path string) *actor {
	e.roster.mu.RLock()
	defer e.roster.mu.RUnlock()
	return e.roster.find(path)
}

// find is the actor of a path, also of one that it had before it moved; nil for a path that nobody has. It needs the lock.
func (r *roster) find(path string) *actor {
	if a := r.byPath.find(path); a != nil {
		return a
	}
	return r.former[path]
}

// each visits all actors in the order of their IDs, until visit says stop.
func (e *Engine) each(visit func(*actor) bool) {
	for i := range e.roster.pages {
		p := e.roster.pages[i].Load()
		if p == nil {
			return
		}
		for j := range p {
			if a := p[j].Load(); a != nil && !visit(a) {
				return
			}
		}
	}
}

// Create makes an actor known.
func (e hands) Create(id engine.ID, path string) {
	v := e.control.helm.Incoming()
	a := e.newborn(id)
	a.eng, a.id, a.path = e.Engine, id, path
	a.unfit.Store(kernel.UnfitDown)
	a.at.Store(int32(id) - 1) // where it stands in the first plan
	spec := a.spec(v.Plan)
	if spec != nil {
		a.box = kernel.NewBox(spec.Mailbox)
		a.alone.Store(spec.Concurrency == 1)
		a.kind = spec.Kind
	}
	if g := e.guards.Of(path); g != nil {
		a.protectBy(g)
	}
	if !e.native(id) {
		delete(e.control.supervisors, path) // of another kind from now on
	}
	if a.kind == plan.Supervisor {
		e.control.supervisors[path] = a
	}
	r := &e.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if spec != nil && spec.Group != "" {
		a.group = r.groups.At(spec.Group)
	}
	at := &r.pages[id/pageSize]
	if at.Load() == nil {
		at.Store(new(page))
	}
	at.Load()[id%pageSize].Store(a) // from here on it is seen: what has no lock of its own is settled
	r.byPath.put(a)
	if a.group != nil {
		a.group.Join(a, spec.Replica)
	}
}

// forget takes an actor out of the roster. It needs the control lock.
func (e *Engine) forget(a *actor) {
	if e.control.supervisors[a.Path()] == a {
		delete(e.control.supervisors, a.Path())
	}
	r := &e.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byPath.find(a.Path()) == a {
		r.byPath.remove(a.Path())
	}
	maps.DeleteFunc(r.former, func(_ string, was *actor) bool { return was == a })
	r.leave(a)
	r.pages[a.id/pageSize].Load()[a.id%pageSize].Store(nil)
	if a.group != nil {
		a.group.Part(a)
	}
}

// Ref resolves the path of an actor or a group, a name where it is unique, or "caller->callee" for a guarded edge. An
// unknown name gives an error that wraps engine.ErrUnknownActor.
func (e *Engine) Ref(name string) (engine.Ref, error) {
	return kernel.Resolve(&e.roster, &e.guards, e.view.Load().Plan, name)
}

// ID finds the actor or group of a path.
func (r *roster) ID(path string) (engine.ID, bool) {
	r.mu.RLock()
	a := r.find(path)
	r.mu.RUnlock()
	if a != nil {
		return a.id, true
	}
	return r.groups.ID(path)
}
