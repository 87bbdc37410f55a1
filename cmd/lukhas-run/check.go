package main

import (
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

// findings are what checking files gave.
type findings struct {
	diags   spec.Diagnostics
	files   []spec.File // for showing the lines
	checked []string    // the files that were checked, as given
	notes   []string
	count   tally
}

// tally counts what is in valid topologies.
type tally struct {
	Topologies int `json:"topologies"`
	Policies   int `json:"policies"`
	Scenarios  int `json:"scenarios"`
	Actors     int `json:"actors"`
	Breakers   int `json:"breakers"`
	Rules      int `json:"rules"`
}

// checker checks gathered files: each topology with the policies and scenarios that belong to it.
type checker struct {
	shapeOnly       bool // no names, references and expressions
	allowMissingEnv bool
	now             time.Time
	step            func(done, total int) // after each file

	files []gatheredFile
	out   findings
	done  int
}

// check runs the pipeline of `run` over all files.
func (c *checker) check(g gathered) (findings, error) {
	c.files = g.files
	c.out.notes = slices.Clone(g.notes)
	for _, f := range g.files {
		c.out.checked = append(c.out.checked, f.path)
	}
	err := c.all()
	c.out.diags = sorted(c.out.diags)
	return c.out, err
}

// sorted puts the findings of several loads in file order, each once, and bounds those of each file.
func sorted(diags spec.Diagnostics) spec.Diagnostics {
	byFile := map[string]spec.Diagnostics{}
	for _, d := range diags {
		byFile[d.Pos.File] = append(byFile[d.Pos.File], d)
	}
	var out spec.Diagnostics
	for _, file := range slices.Sorted(maps.Keys(byFile)) {
		out = append(out, byFile[file].Sorted()...)
	}
	return out
}

// shape checks a file by itself against the table of fields.
func (c *checker) shape(f gatheredFile) error {
	set, diags, err := c.read(f)
	if err != nil {
		return err
	}
	c.take(set.Files, diags)
	c.stepped()
	return nil
}

func (c *checker) read(f gatheredFile) (*spec.Set, spec.Diagnostics, error) {
	opts, err := c.source(f, nil).Options()
	if err != nil {
		return nil, nil, exit{exitBug, err}
	}
	set, diags := spec.Load(spec.OS(), []string{f.path}, opts)
	return set, diags, nil
}

func (c *checker) source(f gatheredFile, beside []gatheredFile) host.Source {
	src := host.Source{Paths: []string{f.path}, Stdin: f.reader(), AllowMissingEnv: c.allowMissingEnv, Now: c.now}
	for _, b := range beside {
		src.Paths = append(src.Paths, b.path)
		if b.path == "-" {
			src.Stdin = b.reader()
		}
	}
	return src
}

func (c *checker) take(files []spec.File, diags spec.Diagnostics) {
	c.out.diags = append(c.out.diags, diags...)
	for _, f := range files {
		same := func(have spec.File) bool { return have.Path == f.Path }
		if !slices.ContainsFunc(c.out.files, same) {
			c.out.files = append(c.out.files, f)
		}
	}
}

func (c *checker) stepped() {
	if c.done++; c.step != nil {
		c.step(c.done, len(c.files))
	}
}

// all checks the files by themselves, or everything: topologies with their policies, then scenarios, then what belongs to
// nobody.
func (c *checker) all() error {
	if c.shapeOnly {
		for _, f := range c.files {
			if err := c.shape(f); err != nil {
				return err
			}
		}
		return nil
	}
	topologies, included, err := c.topologies()
	if err != nil {
		return err
	}
	policies := c.owners(topologies, included)
	for i, t := range topologies {
		if err := c.topology(t, policies.sure[i]); err != nil {
			return err
		}
	}
	for _, p := range policies.unsure {
		if err := c.fits(p.file, p.owners); err != nil {
			return err
		}
	}
	for _, f := range c.files {
		if err := c.scenarios(f); err != nil {
			return err
		}
	}
	for _, f := range policies.lone {
		if err := c.shape(f); err != nil {
			return err
		}
		if f.has(spec.KindPolicy) {
			c.out.notes = append(c.out.notes, f.path+": checked by itself; name its topology too, and names and expressions are checked against it")
		}
	}
	return nil
}

// topologies lists the files with a topology that no other one includes, and all that are included. Of two that include
// each other the first is a topology.
func (c *checker) topologies() ([]gatheredFile, map[string]bool, error) {
	var tops []gatheredFile
	included := map[string]bool{}
	for _, f := range c.files {
		if f.has(spec.KindTopology) {
			tops = append(tops, f)
		}
	}
	if len(c.files) < 2 {
		return tops, included, nil
	}
	for _, f := range tops {
		if included[filepath.Clean(f.path)] {
			continue
		}
		set, _, err := c.read(f)
		if err != nil {
			return nil, nil, err
		}
		for _, inner := range set.Files {
			if path := filepath.Clean(inner.Path); path != filepath.Clean(f.path) {
				included[path] = true
			}
		}
	}
	return slices.DeleteFunc(tops, func(f gatheredFile) bool { return included[filepath.Clean(f.path)] }), included, nil
}

// topology compiles a topology with its policies.
func (c *checker) topology(f gatheredFile, policies []gatheredFile) error {
	l, err := host.Load(c.source(f, policies))
	if err != nil {
		return exit{exitBug, err}
	}
	c.take(l.Set.Files, l.Diagnostics)
	c.stepped()
	c.out.count.Topologies++
	c.out.count.Policies += len(l.Set.Policies)
	if l.Plan != nil {
		c.out.count.plan(l.Plan)
	}
	return nil
}

func (t *tally) plan(p *plan.Plan) {
	t.Actors += len(p.Actors)
	t.Breakers += len(breakersOf(p))
	t.Rules += len(p.Rules)
}

// fits checks a policy that could belong to several topologies: it must fit one of them. When it fits none, what is wrong
// with it in the nearest case is said.
func (c *checker) fits(f gatheredFile, owners []gatheredFile) error {
	var nearest host.Loaded
	fewest := -1
	for _, t := range owners {
		l, err := host.Load(c.source(t, []gatheredFile{f}))
		if err != nil {
			return exit{exitBug, err}
		}
		errors := 0
		for _, d := range l.Diagnostics {
			if d.Severity == spec.Error && d.Pos.File == f.path {
				errors++
			}
		}
		if fewest < 0 || errors < fewest {
			fewest, nearest = errors, l
		}
	}
	c.stepped()
	c.out.count.Policies++
	c.take(nearest.Set.Files, nearest.Diagnostics)
	return nil
}

// scenarios compiles the scenarios of a file, each with its topology, as `test` does.
func (c *checker) scenarios(f gatheredFile) error {
	if !f.has(spec.KindScenario) {
		return nil
	}
	opts, err := c.source(f, nil).Options()
	if err != nil {
		return exit{exitBug, err}
	}
	l := scenario.Load(spec.OS(), f.path, opts, compiler.Options{})
	c.take(l.Files, l.Diagnostics)
	c.out.count.Scenarios += len(l.Scenarios)
	c.stepped()
	return nil
}

// ownership says to which topologies the other files belong.
type ownership struct {
	sure   [][]gatheredFile // by topology: its policies
	unsure []unsurePolicy
	lone   []gatheredFile // no topology is theirs
}

type unsurePolicy struct {
	file   gatheredFile
	owners []gatheredFile
}

// owners finds the topology of each policy: the only one there is, or those of the nearest directory upward.
func (c *checker) owners(topologies []gatheredFile, included map[string]bool) ownership {
	o := ownership{sure: make([][]gatheredFile, len(topologies))}
	for _, f := range c.files {
		switch {
		case f.has(spec.KindTopology), included[filepath.Clean(f.path)]:
		case !f.has(spec.KindPolicy):
			if !f.has(spec.KindScenario) {
				o.lone = append(o.lone, f)
			}
		case len(topologies) == 0:
			o.lone = append(o.lone, f)
		case len(topologies) == 1:
			o.sure[0] = append(o.sure[0], f)
		default:
			near := nearestOwners(f, topologies)
			if len(near) == 1 {
				o.sure[near[0]] = append(o.sure[near[0]], f)
				continue
			}
			u := unsurePolicy{file: f}
			for _, i := range near {
				u.owners = append(u.owners, topologies[i])
			}
			o.unsure = append(o.unsure, u)
		}
	}
	return o
}

// nearestOwners are the topologies in the policy's directory, or in the nearest above it that has any; all when none has.
func nearestOwners(f gatheredFile, topologies []gatheredFile) []int {
	var all []int
	for dir := filepath.Dir(f.path); ; dir = filepath.Dir(dir) {
		var here []int
		for i, t := range topologies {
			if filepath.Dir(filepath.Clean(t.path)) == filepath.Clean(dir) {
				here = append(here, i)
			}
		}
		if len(here) > 0 {
			return here
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for i := range topologies {
		all = append(all, i)
	}
	return all
}

// breakersOf lists the names of a plan's breakers, sorted.
func breakersOf(p *plan.Plan) []string {
	var names []string
	take := func(g *plan.Guard) {
		if g != nil && g.Breaker != nil {
			names = append(names, g.Breaker.Name)
		}
	}
	for i := range p.Actors {
		a := &p.Actors[i]
		take(a.Guard)
		if a.Supervisor != nil && a.Supervisor.RestartBreaker != nil {
			names = append(names, a.Supervisor.RestartBreaker.Name)
		}
		if a.Script != nil {
			for _, h := range a.Script.Handlers {
				for _, call := range h.Calls {
					take(call.Guard)
				}
			}
		}
	}
	for i := range p.Groups {
		take(p.Groups[i].Guard)
	}
	for _, l := range p.Gateway {
		for _, r := range l.Routes {
			take(r.Guard)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
