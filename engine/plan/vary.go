package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MaxReplicas is how many replicas one group may have.
const MaxReplicas = 100_000

// Variation is what actions have changed about a plan while it runs. It lies over everything that files say. It holds only
// what differs from them: the zero Variation changes nothing.
type Variation struct {
	Replicas []Scaled  // by group
	Params   []Param   // by name
	Adopted  []Adopted // by actor
}

// Scaled is a group with another number of replicas.
type Scaled struct {
	Group string // path
	Count int    // 1..MaxReplicas
}

// Override is one entry of a variation as people read it.
type Override struct {
	Verb   string // of the action: scale, adopt, set_param
	Target string // path of a group or actor, name of a param
	What   string // replicas of root/workers/resize, params.slow
	Value  string
	Before string // what the files say
}

// Base is the plan that was compiled or built: p itself unless p is a variant of it.
func (p *Plan) Base() *Plan {
	if p.base != nil {
		return p.base
	}
	return p
}

// Variation is how p differs from its Base. The caller may change what it gets.
func (p *Plan) Variation() Variation { return p.variation.clone() }

func (v Variation) clone() Variation {
	return Variation{Replicas: slices.Clone(v.Replicas), Params: slices.Clone(v.Params), Adopted: slices.Clone(v.Adopted)}
}

// Has tells whether it has what the action of that verb changes about its target: a group, actor or param.
func (v Variation) Has(verb, target string) bool {
	switch verb {
	case "scale":
		return slices.ContainsFunc(v.Replicas, func(s Scaled) bool { return s.Group == target })
	case "adopt":
		return slices.ContainsFunc(v.Adopted, func(a Adopted) bool { return a.Actor == target })
	case "set_param":
		return slices.ContainsFunc(v.Params, func(p Param) bool { return p.Name == target })
	}
	return false
}

// Scale sets the number of replicas of a group.
func (v *Variation) Scale(group string, count int) {
	at, found := slices.BinarySearchFunc(v.Replicas, group, func(s Scaled, path string) int { return strings.Compare(s.Group, path) })
	if !found {
		v.Replicas = slices.Insert(v.Replicas, at, Scaled{})
	}
	v.Replicas[at] = Scaled{group, count}
}

// Set gives a param a value.
func (v *Variation) Set(name string, value any) {
	at, found := slices.BinarySearchFunc(v.Params, name, func(p Param, name string) int { return strings.Compare(p.Name, name) })
	if !found {
		v.Params = slices.Insert(v.Params, at, Param{})
	}
	v.Params[at] = Param{Name: name, Value: value}
}

// Overrides lists what a variant changes about its base, for people.
func (p *Plan) Overrides() []Override {
	var out []Override
	for _, s := range p.variation.Replicas {
		out = append(out, Override{
			Verb: "scale", Target: s.Group, What: "replicas of " + s.Group, Value: fmt.Sprint(s.Count), Before: fmt.Sprint(len(p.base.Group(s.Group).Members)),
		})
	}
	for _, own := range p.variation.Adopted {
		out = append(out, Override{Verb: "adopt", Target: own.Actor, What: "place of " + own.Actor, Value: own.path(), Before: own.Actor})
	}
	hide := p.hider()
	for _, param := range p.variation.Params {
		before, _ := p.base.params[param.Name]
		out = append(out, Override{
			Verb: "set_param", Target: param.Name, What: "params." + param.Name, Value: hide(fmt.Sprint(param.Value)), Before: hide(fmt.Sprint(before)),
		})
	}
	return out
}

// Carry tells what of a variation of old stays in force when next replaces old, and what does not: where the two say
// different things themselves, or next has no such group or param, next takes over. Both are bases.
func (v Variation) Carry(old, next *Plan) (kept, over Variation) {
	for _, s := range v.Replicas {
		was, is := old.Group(s.Group), next.Group(s.Group)
		if was != nil && is != nil && len(was.Members) == len(is.Members) {
			kept.Replicas = append(kept.Replicas, s)
		} else {
			over.Replicas = append(over.Replicas, s)
		}
	}
	for _, a := range v.Adopted {
		was, is, under := old.Actor(a.Actor), next.Actor(a.Actor), next.Actor(a.Under)
		if was != nil && is != nil && under != nil && under.Supervisor != nil && is.Adoptable() == nil && next.Index(a.path()) < 0 {
			kept.Adopted = append(kept.Adopted, a)
		} else {
			over.Adopted = append(over.Adopted, a)
		}
	}
	for _, p := range v.Params {
		was, had := old.params[p.Name]
		is, has := next.params[p.Name]
		if had && has && was == is {
			kept.Params = append(kept.Params, p)
		} else {
			over.Params = append(over.Params, p)
		}
	}
	return kept, over
}

// Successor is the plan that runs after next has been put in place of p's base: next, and over it what of p's variation
// stays in force.
func (p *Plan) Successor(next *Plan) (*Plan, error) {
	kept, _ := p.variation.Carry(p.Base(), next.Base())
	to, err := next.Base().Vary(kept)
	if err != nil {
		return nil, fmt.Errorf("with what actions have changed since: %w", err)
	}
	return to, nil
}

// Vary makes the variant of p's Base that a variation describes, sealed; the base itself when it changes nothing. Existing
// replicas keep their definitions and new ones come from the group's Make. The error says what cannot be: an unknown
// group or param, a value of another type, a number of replicas out of bounds or below what the topology names, a path
// that is taken, a quorum that could not be reached. It is safe for concurrent use.
func (p *Plan) Vary(v Variation) (*Plan, error) {
	base := p.Base()
	out := *base
	out.base, out.variation, out.formerly = base, Variation{}, nil
	if err := out.setParams(v.Params); err != nil {
		return nil, err
	}
	counts, err := out.counts(v.Replicas)
	if err != nil {
		return nil, err
	}
	moves, err := out.adoptions(v.Adopted)
	if err != nil {
		return nil, err
	}
	if len(out.variation.Params)+len(counts)+len(moves) == 0 {
		return base, nil
	}
	if len(counts)+len(moves) > 0 {
		if err := out.rebuild(counts, moves); err != nil {
			return nil, err
		}
	}
	if err := out.Seal(); err != nil {
		return nil, err
	}
	for _, own := range out.variation.Adopted {
		if out.formerly == nil {
			out.formerly = map[string]int{}
		}
		out.formerly[own.Actor] = out.Index(own.path())
	}
	return &out, nil
}

// setParams replaces values of params by those of the same type.
func (p *Plan) setParams(params []Param) error {
	p.Params = slices.Clone(p.Params)
	for _, own := range params {
		at := slices.IndexFunc(p.Params, func(q Param) bool { return q.Name == own.Name })
		if at < 0 {
			return p.unknownParam(own.Name)
		}
		was := p.Params[at].Value
		if want, got := kindOfParam(was), kindOfParam(own.Value); want != got {
			return fmt.Errorf("params.%s is a %s, got the %s %v", own.Name, want, got, own.Value)
		}
		if was == own.Value {
			continue
		}
		p.Params[at].Value = own.Value
		p.variation.Params = append(p.variation.Params, own)
	}
	return nil
}

func (p *Plan) unknownParam(name string) error {
	names := slices.Sorted(maps.Keys(p.params))
	return fmt.Errorf("unknown param %q%s", name, nearest(name, names))
}

// kindOfParam names the type of a param's value.
func kindOfParam(value any) string {
	switch value.(type) {
	case float64:
		return "number"
	case string:
		return "text"
	case bool:
		return "truth value"
	case nil:
		return "nothing"
	}
	return "compound"
}

// counts are the groups whose number of replicas changes, by path.
func (p *Plan) counts(scaled []Scaled) (map[string]int, error) {
	counts := map[string]int{}
	for _, s := range scaled {
		g := p.base.Group(s.Group)
		switch {
		case g == nil:
			return nil, fmt.Errorf("unknown group %q", s.Group)
		case s.Count < 1:
			return nil, fmt.Errorf("%q cannot have %d replicas, at least 1; stop or pause it instead", g.Path, s.Count)
		case s.Count > MaxReplicas:
			return nil, fmt.Errorf("%q cannot have %d replicas, at most %d", g.Path, s.Count, MaxReplicas)
		case s.Count < g.Named:
			return nil, fmt.Errorf("%q cannot have %d replicas: the topology names %s-%d, so at least %d", g.Path, s.Count, g.Name, g.Named-1, g.Named)
		case s.Count != len(g.Members):
			counts[s.Group] = s.Count
			p.variation.Replicas = append(p.variation.Replicas, s)
		}
	}
	return counts, nil
}

// rebuild makes the actors with other numbers of replicas (those beyond are left out, new ones follow the last) and at
// other places.
func (p *Plan) rebuild(counts map[string]int, moves map[string]Adopted) error {
	b := &rebuilder{
		plan: p, counts: counts, moves: moves, at: make([]int, len(p.base.Actors)), added: map[string][]int{}, adopted: map[int][]int{},
	}
	p.Actors, p.Secrets = nil, slices.Clone(p.Secrets)
	for i := range p.base.Actors {
		if err := b.copy(i); err != nil {
			return err
		}
	}
	b.adopt()
	b.link()
	p.Groups = slices.Clone(p.Groups)
	for i := range p.Groups {
		g := &p.Groups[i]
		n, changed := counts[g.Path]
		if !changed {
			continue
		}
		g.Members = slices.Clone(g.Members[:min(n, len(g.Members))])
		for _, at := range b.added[g.Path] {
			g.Members = append(g.Members, p.Actors[at].Path)
		}
	}
	slices.Sort(p.Secrets)
	p.Secrets = slices.Compact(p.Secrets)
	return p.reelect(counts)
}

// rebuilder makes the actors of a variant.
type rebuilder struct {
	plan    *Plan
	counts  map[string]int
	moves   map[string]Adopted
	at      []int            // where an actor of the base went; -1: it is left out
	added   map[string][]int // indexes of new replicas by group
	adopted map[int][]int    // indexes of those that a supervisor of the base adopts
}

// copy takes over one actor of the base and, after the last replica of a group that grows, makes the new ones.
func (b *rebuilder) copy(i int) error {
	p := b.plan
	a := p.base.Actors[i]
	n, changed := b.counts[a.Group]
	if _, moves := b.moves[a.Path]; moves || changed && a.Replica >= n {
		b.at[i] = -1
		return nil
	}
	b.at[i] = len(p.Actors)
	p.Actors = append(p.Actors, a)
	if !changed || a.Replica != len(p.base.Group(a.Group).Members)-1 {
		return nil
	}
	for replica := a.Replica + 1; replica < n; replica++ {
		next, secrets, err := p.base.Group(a.Group).another(p.base, replica)
		if err != nil {
			return fmt.Errorf("replica %d of %q: %w", replica, a.Group, err)
		}
		p.Secrets = append(p.Secrets, secrets...)
		b.added[a.Group] = append(b.added[a.Group], len(p.Actors))
		p.Actors = append(p.Actors, next)
	}
	return nil
}

// another makes a replica.
func (g *Group) another(p *Plan, replica int) (Actor, []string, error) {
	first := p.Actor(g.Members[0])
	path := fmt.Sprintf("%s-%d", g.Path, replica)
	a := Actor{Name: path[strings.LastIndexByte(path, '/')+1:], Path: path, Parent: first.Parent, Group: g.Path, Replica: replica, Definition: first.Definition}
	if g.Make == nil {
		return a, nil, nil
	}
	var secrets []string
	var err error
	a.Definition, secrets, err = g.Make(replica)
	return a, secrets, err
}

// link points parents and children at where they are now.
func (b *rebuilder) link() {
	p := b.plan
	origin := make([]int, len(p.Actors))
	for i, at := range b.at {
		if at >= 0 {
			origin[at] = i
		}
	}
	for i := range p.Actors {
		a := &p.Actors[i]
		if a.Parent >= 0 {
			a.Parent = b.at[a.Parent]
		}
		if a.Supervisor == nil {
			continue
		}
		def, own := *a.Definition, *a.Supervisor
		own.Children = nil
		for _, c := range a.Supervisor.Children {
			child := &p.base.Actors[c]
			if _, moves := b.moves[child.Path]; b.at[c] >= 0 && !moves {
				own.Children = append(own.Children, b.at[c])
			}
			if added := b.added[child.Group]; len(added) > 0 && child.Replica == len(p.base.Group(child.Group).Members)-1 {
				own.Children = append(own.Children, added...)
			}
		}
		own.Children = append(own.Children, b.adopted[origin[i]]...)
		def.Supervisor = &own
		a.Definition = &def
	}
}

// reelect gives consensus actors whose members are groups the replicas that there are now.
func (p *Plan) reelect(counts map[string]int) error {
	for i := range p.Actors {
		spec := p.Actors[i].Consensus
		if spec == nil || !slices.ContainsFunc(spec.Groups, func(path string) bool { _, changed := counts[path]; return changed }) {
			continue
		}
		own := *spec
		own.Members, own.Weights = nil, slices.Clone(spec.Weights)
		for _, m := range spec.Members {
			own.elect(p, counts, m)
		}
		slices.SortFunc(own.Weights, func(a, b Weight) int { return strings.Compare(a.Member, b.Member) })
		n := len(own.Members)
		if own.Majority {
			own.Quorum = n/2 + 1
		}
		if own.Quorum > n || own.Liars > 0 && 2*own.Quorum <= n+own.Liars {
			return fmt.Errorf("consensus %q could not be reached: a quorum of %d among %d members, %d of them lying", p.Actors[i].Path, own.Quorum, n, own.Liars)
		}
		def := *p.Actors[i].Definition
		def.Consensus = &own
		p.Actors[i].Definition = &def
	}
	return nil
}

// elect takes over one member of the base, leaves it out, or, after the last replica of its group, adds the new ones with
// the weight of the first.
func (s *ConsensusSpec) elect(p *Plan, counts map[string]int, member string) {
	a := p.base.Actor(member)
	n, changed := counts[a.Group]
	if !changed || !slices.Contains(s.Groups, a.Group) {
		s.Members = append(s.Members, member)
		return
	}
	if a.Replica >= n {
		s.Weights = slices.DeleteFunc(s.Weights, func(w Weight) bool { return w.Member == member })
		return
	}
	s.Members = append(s.Members, member)
	g := p.base.Group(a.Group)
	if a.Replica != len(g.Members)-1 {
		return
	}
	first := slices.IndexFunc(s.Weights, func(w Weight) bool { return w.Member == g.Members[0] })
	for replica := a.Replica + 1; replica < n; replica++ {
		path := fmt.Sprintf("%s-%d", g.Path, replica)
		s.Members = append(s.Members, path)
		if first >= 0 {
			s.Weights = append(s.Weights, Weight{Member: path, Value: s.Weights[first].Value})
		}
	}
}
