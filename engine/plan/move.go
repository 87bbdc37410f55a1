package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Adopted is an actor that an action has put under another supervisor.
type Adopted struct {
	Actor string // path in the base
	Under string // path of the supervisor, in the base too
}

// path is where the actor is then.
func (a Adopted) path() string { return a.Under + a.Actor[strings.LastIndexByte(a.Actor, '/'):] }

// Move is an actor that another plan has under another supervisor, and that goes on there: the same actor at another path.
type Move struct{ From, To string }

// Moves finds the actors that move from one plan to the next, by their new paths: those that an action moves or takes back,
// and those whose name is at one place before and at another after, if the next plan lets them be adopted. Everything else
// that is at another path is another actor.
func Moves(old, next *Plan) []Move {
	var out []Move
	for i := range next.Actors {
		to := &next.Actors[i]
		if !to.Adopt || old.at(to.Path) != nil || to.Adoptable() != nil {
			continue
		}
		if from := to.before(old, next); from != nil {
			out = append(out, Move{from.Path, to.Path})
		}
	}
	return out
}

// at is the actor that stands at a path, whatever other names it has.
func (p *Plan) at(path string) *Actor {
	if i := p.paths.last(p.Actors, path); i >= 0 {
		return &p.Actors[i]
	}
	return nil
}

// before is where the old plan has an actor that is new at its path, nil when it has none or might have several.
func (a *Actor) before(old, next *Plan) *Actor {
	var found *Actor
	for _, at := range old.names.all(old.Actors, a.Name) {
		was := &old.Actors[at]
		if was.Kind != a.Kind || was.Group != "" || next.at(was.Path) != nil {
			continue
		}
		if found != nil {
			return nil
		}
		found = was
	}
	for _, at := range next.names.all(next.Actors, a.Name) {
		if other := &next.Actors[at]; other != a && old.at(other.Path) == nil {
			return nil
		}
	}
	return found
}

// Adoptable says why an actor cannot be moved while it runs; nil when it can.
func (a *Actor) Adoptable() error {
	switch {
	case a.Supervisor != nil:
		return fmt.Errorf("%q is a supervisor; only single actors are adopted", a.Path)
	case a.Group != "":
		return fmt.Errorf("%q is a replica of %q, which stays together", a.Path, a.Group)
	case a.Persist.Mode != "" && a.Persist.Mode != "none":
		return fmt.Errorf("%q keeps its state under its path, so it stays there", a.Path)
	case !a.Adopt:
		return fmt.Errorf("%q may not be moved; give it adopt: true", a.Path)
	}
	return nil
}

// adoptions are the actors that move, by path, checked.
func (p *Plan) adoptions(adopted []Adopted) (map[string]Adopted, error) {
	moves := map[string]Adopted{}
	for _, own := range adopted {
		at, under := p.base.Index(own.Actor), p.base.Index(own.Under)
		switch {
		case at < 0:
			return nil, fmt.Errorf("%w %q", ErrUnknown, own.Actor)
		case under < 0 || p.base.Actors[under].Supervisor == nil:
			return nil, fmt.Errorf("%q is no supervisor", own.Under)
		case p.base.Actors[at].Parent == under:
			continue
		}
		if err := p.base.Actors[at].Adoptable(); err != nil {
			return nil, err
		}
		if p.base.Index(own.path()) >= 0 || p.base.Group(own.path()) != nil {
			return nil, fmt.Errorf("%q has a child called %q already", own.Under, p.base.Actors[at].Name)
		}
		moves[own.Actor] = own
		p.variation.Adopted = append(p.variation.Adopted, own)
	}
	return moves, nil
}

// Adopt puts an actor under another supervisor. Both are paths of the base.
func (v *Variation) Adopt(actor, under string) {
	at, found := slices.BinarySearchFunc(v.Adopted, actor, func(a Adopted, path string) int { return strings.Compare(a.Actor, path) })
	if !found {
		v.Adopted = slices.Insert(v.Adopted, at, Adopted{})
	}
	v.Adopted[at] = Adopted{actor, under}
}

// Origin is the path that the base has for an actor of this path.
func (p *Plan) Origin(path string) string {
	for _, own := range p.variation.Adopted {
		if own.path() == path {
			return own.Actor
		}
	}
	return path
}

// adopt appends the actors that move, below their new supervisors and last there.
func (b *rebuilder) adopt() {
	p := b.plan
	for i := range p.base.Actors {
		own, moves := b.moves[p.base.Actors[i].Path]
		if !moves {
			continue
		}
		a := p.base.Actors[i]
		up := p.base.Index(own.Under)
		def := *a.Definition
		def.Order = 0
		for _, c := range p.base.Actors[up].Supervisor.Children {
			def.Order = max(def.Order, p.base.Actors[c].Order+1)
		}
		def.Order += len(b.adopted[up])
		a.Path, a.Parent, a.Definition = own.path(), up, &def
		b.at[i] = len(p.Actors)
		b.adopted[up] = append(b.adopted[up], len(p.Actors))
		p.Actors = append(p.Actors, a)
	}
}
