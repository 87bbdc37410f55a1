package plan

import (
	"fmt"
	"strings"

	"github.com/lukhasai/lukhas-run/internal/suggest"
)

// Actor returns the actor with this path, nil when there is none. The plan must be sealed.
func (p *Plan) Actor(path string) *Actor {
	if i := p.Index(path); i >= 0 {
		return &p.Actors[i]
	}
	return nil
}

// Index returns where the actor with this path stands in Actors, -1 when there is none. The path that the files have for an
// actor means it also where an action has moved it. The plan must be sealed.
func (p *Plan) Index(path string) int {
	at := p.paths.last(p.Actors, path)
	if at >= 0 || p.formerly == nil {
		return at
	}
	if at, moved := p.formerly[path]; moved {
		return at
	}
	return -1
}

// Group returns the group of replicas with this path, nil when there is none. The plan must be sealed.
func (p *Plan) Group(path string) *Group {
	if i, ok := p.groupAt[path]; ok {
		return &p.Groups[i]
	}
	return nil
}

// Resolve gives the actors that a name means, as indexes in Actors: a path (with or without the root's own segment), a
// bare name where it is unique, or a group of replicas by path or name, which means all its members. The error wraps
// ErrUnknown or ErrAmbiguous and says what to write instead.
func (p *Plan) Resolve(name string) ([]int, error) {
	if found := p.byPath(name); found != nil {
		return found, nil
	}
	named := p.names.all(p.Actors, name)
	var groups []*Group
	for i := range p.Groups {
		if p.Groups[i].Name == name {
			groups = append(groups, &p.Groups[i])
		}
	}
	switch {
	case len(named) == 1 && len(groups) == 0:
		return named, nil
	case len(named) == 0 && len(groups) == 1:
		return p.members(groups[0]), nil
	case len(named) == 0 && len(groups) == 0:
		return nil, p.unknown(name)
	}
	return nil, p.ambiguous(name, named, groups)
}

func (p *Plan) byPath(name string) []int {
	if len(p.Actors) == 0 || !strings.Contains(name, "/") && name != p.Actors[0].Path {
		return nil
	}
	for _, path := range [...]string{name, p.Actors[0].Path + "/" + name} {
		if i := p.Index(path); i >= 0 {
			return []int{i}
		}
		if g, ok := p.groupAt[path]; ok {
			return p.members(&p.Groups[g])
		}
	}
	return nil
}

func (p *Plan) members(g *Group) []int {
	out := make([]int, len(g.Members))
	for i, path := range g.Members {
		out[i] = p.Index(path)
	}
	return out
}

func (p *Plan) ambiguous(name string, named []int, groups []*Group) error {
	var paths []string
	for _, i := range named {
		paths = append(paths, p.Actors[i].Path)
	}
	for _, g := range groups {
		paths = append(paths, g.Path)
	}
	return fmt.Errorf("%w %q: use one of the paths %s", ErrAmbiguous, name, strings.Join(paths, ", "))
}

func (p *Plan) unknown(name string) error {
	var names []string
	byPath := strings.Contains(name, "/")
	for i := range p.Actors {
		names = append(names, choose(byPath, p.Actors[i].Path, p.Actors[i].Name))
	}
	for i := range p.Groups {
		names = append(names, choose(byPath, p.Groups[i].Path, p.Groups[i].Name))
	}
	return fmt.Errorf("%w %q%s", ErrUnknown, name, nearest(name, names))
}

// nearest asks whether another name was meant; "" when none is near.
func nearest(name string, names []string) string {
	if near := suggest.Nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// IsGlob reports whether a target is a pattern over paths.
func IsGlob(target string) bool { return strings.Contains(target, "*") }

// Match reports whether a path fits a pattern: `*` stands for what is left of one level, `**` for any number of levels,
// none included.
func Match(pattern, path string) bool {
	return matchLevels(strings.Split(pattern, "/"), strings.Split(path, "/"))
}

// matchLevels is wildcard over levels, with ** as the star.
func matchLevels(pattern, path []string) bool {
	return wildcard(len(pattern), len(path),
		func(p int) bool { return pattern[p] == "**" },
		func(p, n int) bool { return matchLevel(pattern[p], path[n]) })
}

func matchLevel(pattern, name string) bool {
	return wildcard(len(pattern), len(name),
		func(p int) bool { return pattern[p] == '*' },
		func(p, n int) bool { return pattern[p] == name[n] })
}

// wildcard matches a pattern of np items against n items; a star takes any number of them. It remembers only the last
// star, because an earlier one never has to take more than it did: so it is quadratic at worst.
func wildcard(np, n int, isStar func(p int) bool, fits func(p, i int) bool) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < n {
		switch {
		case p < np && isStar(p):
			star, mark = p, i
			p++
		case p < np && fits(p, i):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < np && isStar(p) {
		p++
	}
	return p == np
}

// Select gives the actors that a target means, as indexes in Actors in plan order: a glob over paths (written from the
// root or from below it), which may mean none, or whatever Resolve understands.
func (p *Plan) Select(target string) ([]int, error) {
	if !IsGlob(target) {
		return p.Resolve(target)
	}
	below := p.Actors[0].Path + "/" + target
	var out []int
	for i := range p.Actors {
		if Match(target, p.Actors[i].Path) || Match(below, p.Actors[i].Path) {
			out = append(out, i)
		}
	}
	return out, nil
}
