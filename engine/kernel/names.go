package kernel

import (
	"fmt"
	"strings"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Directory finds the actor or group that is there by its path.
type Directory interface {
	ID(path string) (id engine.ID, known bool)
}

// Resolve finds what a name means: the path of an actor or a group, a name where it is unique, or "caller->callee" for a guarded
// edge. An unknown name gives an error that wraps engine.ErrUnknownActor.
func Resolve(d Directory, gs *Guards, p *plan.Plan, name string) (engine.Ref, error) {
	if id, ok := d.ID(name); ok {
		return engine.Ref{ID: id}, nil
	}
	if ed := gs.edgeNamed(name); ed != nil {
		to, err := Resolve(d, gs, p, ed.to)
		to.Edge = ed.number
		return to, err
	}
	if strings.Contains(name, "->") {
		return engine.Ref{}, fmt.Errorf("%w: no guarded edge %q", engine.ErrUnknownActor, name)
	}
	found := Named(p, name)
	switch len(found) {
	case 0:
		return engine.Ref{}, fmt.Errorf("%w %q", engine.ErrUnknownActor, name)
	case 1:
		if id, ok := d.ID(found[0]); ok {
			return engine.Ref{ID: id}, nil
		}
		return engine.Ref{}, fmt.Errorf("%w %q: it is not started yet", engine.ErrUnknownActor, name)
	}
	return engine.Ref{}, fmt.Errorf("%w %q: it could be %s; use the path", engine.ErrUnknownActor, name, strings.Join(found, " or "))
}

// Named are the paths of the groups of that bare name, else of the actors: a group's name comes before its replicas'.
func Named(p *plan.Plan, name string) []string {
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
