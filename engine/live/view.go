package live

import (
	"fmt"
	"strings"
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

	mu     sync.RWMutex
	byPath paths
	groups map[string]*group
	list   []*group // by number, never shrinks
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
	return e.roster.byPath.find(path)
}

func (e *Engine) group(id engine.ID) *group {
	e.roster.mu.RLock()
	defer e.roster.mu.RUnlock()
	if i := int(id &^ kernel.GroupBit); i < len(e.roster.list) {
		return e.roster.list[i]
	}
	return nil
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

// create makes an actor known. It needs the control lock.
func (e *Engine) create(id engine.ID, path string) {
	v := e.incoming()
	a := &actor{eng: e, id: id, path: path}
	a.unfit.Store(unfitDown)
	a.at.Store(int32(id) - 1) // where it stands in the first plan
	spec := a.spec(v.Plan)
	if spec != nil {
		a.box = newBox(spec.Mailbox)
		a.alone.Store(spec.Concurrency == 1)
		a.kind = spec.Kind
	}
	if own := e.ownGuards.Load(); own != nil && len(*own) > 0 {
		a.protectBy((*own)[path])
	}
	delete(e.control.supervisors, path) // of another kind from now on
	if a.kind == plan.Supervisor {
		e.control.supervisors[path] = a
	}
	r := &e.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if spec != nil && spec.Group != "" {
		a.group = r.groups[spec.Group]
	}
	at := &r.pages[id/pageSize]
	if at.Load() == nil {
		at.Store(new(page))
	}
	at.Load()[id%pageSize].Store(a) // from here on it is seen: what has no lock of its own is settled
	r.byPath.put(a)
	if a.group != nil {
		a.group.join(a, spec.Replica)
	}
}

// forget takes an actor out of the roster. It needs the control lock.
func (e *Engine) forget(a *actor) {
	if e.control.supervisors[a.path] == a {
		delete(e.control.supervisors, a.path)
	}
	r := &e.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byPath.find(a.path) == a {
		r.byPath.remove(a.path)
	}
	r.pages[a.id/pageSize].Load()[a.id%pageSize].Store(nil)
	if a.group != nil {
		a.group.part(a)
	}
}

// Ref resolves the path of an actor or a group, a name where it is unique, or "caller->callee" for a guarded edge. An
// unknown name gives an error that wraps engine.ErrUnknownActor.
func (e *Engine) Ref(name string) (engine.Ref, error) {
	r := &e.roster
	r.mu.RLock()
	if a := r.byPath.find(name); a != nil {
		r.mu.RUnlock()
		return engine.Ref{ID: a.id}, nil
	}
	if g := r.groups[name]; g != nil {
		r.mu.RUnlock()
		return engine.Ref{ID: g.id}, nil
	}
	r.mu.RUnlock()
	if edge := e.edgeNamed(name); edge != nil {
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
	p := e.view.Load().Plan
	var found []string
	for i := range p.Groups {
		if p.Groups[i].Name == name {
			found = append(found, p.Groups[i].Path)
		}
	}
	if len(found) == 0 {
		for i := range p.Actors {
			if p.Actors[i].Name == name {
				found = append(found, p.Actors[i].Path)
			}
		}
	}
	switch len(found) {
	case 0:
		return engine.Ref{}, fmt.Errorf("%w %q", engine.ErrUnknownActor, name)
	case 1:
		r := &e.roster
		r.mu.RLock()
		defer r.mu.RUnlock()
		if a := r.byPath.find(found[0]); a != nil {
			return engine.Ref{ID: a.id}, nil
		}
		if g := r.groups[found[0]]; g != nil {
			return engine.Ref{ID: g.id}, nil
		}
		return engine.Ref{}, fmt.Errorf("%w %q: it is not started yet", engine.ErrUnknownActor, name)
	}
	return engine.Ref{}, fmt.Errorf("%w %q: it could be %s; use the path", engine.ErrUnknownActor, name, strings.Join(found, " or "))
}
