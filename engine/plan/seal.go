package plan

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Seal checks the plan's invariants, builds its indexes and computes its digest. The plan must not be changed
// afterwards. The error wraps ErrPlan and names the actor or list; a plan that failed to seal must not be run.
func (p *Plan) Seal() error {
	for _, check := range []func() error{p.sealTree, p.sealGroups, p.sealOrder} {
		if err := check(); err != nil {
			return fmt.Errorf("%w: %w", ErrPlan, err)
		}
	}
	digest, err := p.computeDigest()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPlan, err)
	}
	p.digest = digest
	p.params = make(map[string]any, len(p.Params))
	for _, param := range p.Params {
		p.params[param.Name] = param.Value
	}
	return nil
}

// ParamValues gives the params by name, as rules.Env wants them. The caller must not change it; nil before Seal.
func (p *Plan) ParamValues() map[string]any { return p.params }

func (p *Plan) sealTree() error {
	if len(p.Actors) == 0 || p.Actors[0].Parent != -1 || p.Actors[0].Definition == nil || p.Actors[0].Supervisor == nil {
		return fmt.Errorf("the first actor must be a root supervisor with parent -1")
	}
	p.paths = newIndex(len(p.Actors), func(a *Actor) string { return a.Path })
	p.names = newIndex(len(p.Actors), func(a *Actor) string { return a.Name })
	for i := range p.Actors {
		a := &p.Actors[i]
		if at := p.paths.add(p.Actors, i); at >= 0 {
			return fmt.Errorf("actor %q: path is taken by actor %d", a.Path, at)
		}
		if err := p.checkActor(i, a); err != nil {
			return fmt.Errorf("actor %q: %w", a.Path, err)
		}
		p.names.add(p.Actors, i)
	}
	return p.checkChildren()
}

func (p *Plan) checkActor(i int, a *Actor) error {
	if a.Definition == nil {
		return fmt.Errorf("it has no definition")
	}
	if part := a.part(); part != a.Kind {
		return fmt.Errorf("kind is %v, but the part that is set is of a %v", a.Kind, part)
	}
	if i == 0 {
		return checkName(a.Name, a.Path, a.Name)
	}
	if a.Parent < 0 || a.Parent >= i {
		return fmt.Errorf("parent is %d, want the index of an earlier actor", a.Parent)
	}
	parent := &p.Actors[a.Parent]
	if parent.Supervisor == nil {
		return fmt.Errorf("parent %q is a %v, want a supervisor", parent.Path, parent.Kind)
	}
	return checkName(a.Name, a.Path, parent.Path+"/"+a.Name)
}

func checkName(name, path, want string) error {
	if name == "" || strings.Contains(name, "/") || path != want {
		return fmt.Errorf("name is %q, want a name without / that gives the path %q", name, want)
	}
	return nil
}

// part is the kind whose part is set; 0 when none or several are.
func (a *Actor) part() Kind {
	set := [...]bool{
		Supervisor: a.Supervisor != nil, Process: a.Process != nil, Upstream: a.Upstream != nil,
		Script: a.Script != nil, Go: a.Go != nil, Consensus: a.Consensus != nil,
	}
	found := Kind(0)
	for k, is := range set {
		switch {
		case is && found != 0:
			return 0
		case is:
			found = Kind(k)
		}
	}
	return found
}

// checkChildren holds each supervisor's list of children against its children's parents.
func (p *Plan) checkChildren() error {
	listed := 0
	for i := range p.Actors {
		a := &p.Actors[i]
		if a.Supervisor == nil {
			continue
		}
		if s := a.Supervisor.Strategy; s < OneForOne || s > RestForOne {
			return fmt.Errorf("actor %q: %v, want one_for_one, all_for_one or rest_for_one", a.Path, s)
		}
		order := 0
		for _, c := range a.Supervisor.Children {
			if c <= i || c >= len(p.Actors) || p.Actors[c].Parent != i {
				return fmt.Errorf("actor %q: child %d is no actor whose parent it is", a.Path, c)
			}
			if p.Actors[c].Order < order {
				return fmt.Errorf("actor %q: children are not in start order at %q", a.Path, p.Actors[c].Path)
			}
			order = p.Actors[c].Order
			listed++
		}
	}
	if listed != len(p.Actors)-1 {
		return fmt.Errorf("supervisors list %d children, want each of %d actors below the root once", listed, len(p.Actors)-1)
	}
	return nil
}

func (p *Plan) sealGroups() error {
	p.groupAt = make(map[string]int, len(p.Groups))
	for i := range p.Groups {
		g := &p.Groups[i]
		p.groupAt[g.Path] = i
		if p.Index(g.Path) >= 0 {
			return fmt.Errorf("group %q: an actor has that path", g.Path)
		}
		for replica, path := range g.Members {
			at := p.Index(path)
			if at < 0 || p.Actors[at].Group != g.Path || p.Actors[at].Replica != replica {
				return fmt.Errorf("group %q: member %d is %q, want an actor with that group and replica", g.Path, replica, path)
			}
		}
	}
	return nil
}

// sealOrder checks that named lists have distinct names, in order where the order means nothing.
func (p *Plan) sealOrder() error {
	return (&listCheck{}).value(root(), reflect.ValueOf(p).Elem(), "", sorted)
}

// listCheck walks a plan for its lists.
type listCheck struct {
	known uintptr // the definition last visited, which the next actor may share
}

func (l *listCheck) value(n *node, v reflect.Value, path string, order listOrder) error {
	switch {
	case n.text != nil || n.wrap && v.IsNil():
		return nil
	case n.wrap && v.Type() == definition:
		if l.known == v.Pointer() {
			return nil
		}
		l.known = v.Pointer()
		return l.value(n.elem, v.Elem(), path, order)
	case n.wrap:
		return l.value(n.elem, v.Elem(), path, order)
	case n.list:
		return l.list(n, v, path, order)
	}
	for i := range n.fields {
		f := &n.fields[i]
		if f.node.text != nil {
			continue
		}
		if err := l.value(f.node, v.Field(f.index), f.name, f.order); err != nil {
			return err
		}
	}
	return nil
}

func (l *listCheck) list(n *node, v reflect.Value, path string, order listOrder) error {
	var keys []string
	for i := range v.Len() {
		if n.elem.key >= 0 && order != tree {
			keys = append(keys, v.Index(i).Field(n.elem.key).String())
		}
		if err := l.value(n.elem, v.Index(i), path, sorted); err != nil {
			return err
		}
	}
	if order == ordered {
		slices.Sort(keys)
	}
	for i := 1; i < len(keys); i++ {
		if keys[i-1] >= keys[i] {
			return fmt.Errorf("%s: %q after %q, want distinct names in order", path, keys[i], keys[i-1])
		}
	}
	return nil
}
