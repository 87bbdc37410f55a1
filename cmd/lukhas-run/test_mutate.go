package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

// mutated is what the scenarios of one topology make of its mutations.
type mutated struct {
	Topology  string      `json:"topology"` // its name
	File      string      `json:"file"`
	Mutations []*weakened `json:"mutations"`
	Noticed   int         `json:"noticed"`

	cases []*testCase
}

// weakened is what came of one mutation.
type weakened struct {
	scenario.Mutation
	Place   string   `json:"place"`
	By      []string `json:"by,omitempty"` // expectations that noticed
	Changes bool     `json:"changes"`      // some run went another way

	fits bool // it makes another topology that compiles, for some scenario
}

// mutate weakens the topologies of scenarios that pass, one thing at a time, and finds which expectations notice.
func (t *testRun) mutate(p *progress) ([]*mutated, error) {
	opts, err := host.Source{Paths: []string{"-"}}.Options()
	if err != nil {
		return nil, exit{exitBug, err}
	}
	all := t.mutations()
	type job struct {
		w *weakened
		c *testCase
	}
	var jobs []job
	for _, m := range all {
		for _, w := range m.Mutations {
			for _, c := range m.cases {
				jobs = append(jobs, job{w, c})
			}
		}
	}
	var mu sync.Mutex
	next, done := 0, 0
	var workers sync.WaitGroup
	for range min(t.parallel, len(jobs)) {
		workers.Go(func() {
			for {
				mu.Lock()
				if next == len(jobs) {
					mu.Unlock()
					return
				}
				j := jobs[next]
				next++
				mu.Unlock()
				one := t.weaken(j.c, j.w.Mutation, opts)
				mu.Lock()
				j.w.join(one)
				done++
				p.step(done, len(jobs))
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	p.end()
	for _, m := range all {
		m.count()
	}
	return all, nil
}

// mutations lists what is to be tried, for each topology.
func (t *testRun) mutations() []*mutated {
	var out []*mutated
	for _, c := range t.cases {
		file := topologyFile(c)
		at := slices.IndexFunc(out, func(m *mutated) bool { return m.File == file && m.Topology == c.spec.Plan.Name })
		if at < 0 {
			at, out = len(out), append(out, &mutated{Topology: c.spec.Plan.Name, File: file})
		}
		m := out[at]
		m.cases = append(m.cases, c)
		settings := c.settings()
		for _, x := range scenario.Mutations(c.spec.Plan) {
			if slices.ContainsFunc(m.Mutations, func(have *weakened) bool { return have.Override == x.Override }) {
				continue
			}
			point := scenario.Point{Path: x.Path}
			place, _ := point.Written(settings)
			m.Mutations = append(m.Mutations, &weakened{Mutation: x, Place: shownPlace(place, c.spec.Plan, point)})
		}
	}
	return out
}

// join adds what another scenario made of the same mutation. The order of the scenarios does not show.
func (w *weakened) join(one weakened) {
	w.fits, w.Changes = w.fits || one.fits, w.Changes || one.Changes
	w.By = append(w.By, one.By...)
	slices.Sort(w.By)
	w.By = slices.Compact(w.By)
}

// count leaves out what changes no plan, and what the rest of the topology does not stand without.
func (m *mutated) count() {
	m.Mutations = slices.DeleteFunc(m.Mutations, func(w *weakened) bool { return !w.fits })
	for _, w := range m.Mutations {
		if len(w.By) > 0 {
			m.Noticed++
		}
	}
}

// weaken plays one scenario over a weakened topology.
func (t *testRun) weaken(c *testCase, m scenario.Mutation, opts spec.Options) weakened {
	var out weakened
	over, diags := spec.ParseOverride("mutation", []byte(m.Override), opts)
	if diags.HasErrors() {
		return out
	}
	l := scenario.Load(spec.OS(), c.file, opts, compiler.Options{Override: over})
	at := slices.IndexFunc(l.Scenarios, func(s *plan.Scenario) bool { return s.Place == c.spec.Place })
	if at < 0 || l.Scenarios[at].Plan.Digest() == c.spec.Plan.Digest() {
		return out
	}
	out.fits = true
	r, err := scenario.Run(l.Scenarios[at], t.options(scenario.Options{}))
	if err != nil {
		out.By, out.Changes = []string{err.Error()}, true
		return out
	}
	out.Changes = traffic(r) != traffic(c.report) || r.Events != c.report.Events
	for i := range r.Results {
		if r.Results[i].Verdict != scenario.Pass {
			out.By = append(out.By, fmt.Sprintf("%s (%s)", r.Results[i].Name, r.Results[i].Verdict))
		}
	}
	return out
}

// traffic is the part of a run's digest that is about messages. The other one begins with the plan.
func traffic(r *scenario.Report) string {
	_, data, _ := strings.Cut(r.Digest, "-")
	return data
}

// tellMutations writes what nobody noticed, by its owner, and who noticed the rest. What no scenario ever reaches is
// summed up.
func (t *testRun) tellMutations(w io.Writer) {
	noticed, tried := 0, 0
	for _, m := range t.mutated {
		noticed, tried = noticed+m.Noticed, tried+len(m.Mutations)
		fmt.Fprintf(w, "mutations  %s (%s): %d of %d noticed\n", m.Topology, m.File, m.Noticed, len(m.Mutations))
		var owners []string
		for _, x := range m.Mutations {
			if !slices.Contains(owners, x.Of) {
				owners = append(owners, x.Of)
			}
		}
		for _, of := range owners {
			t.tellOwner(w, of, m.Mutations)
		}
	}
	if tried > 0 {
		fmt.Fprintf(w, "mutations  in all: %d of %d noticed (%d%%)\n", noticed, tried, 100*noticed/tried)
	}
}

// tellOwner writes about the mutations of one actor, group, route or rule.
func (t *testRun) tellOwner(w io.Writer, of string, all []*weakened) {
	var idle []string
	head := false
	line := func(format string, args ...any) {
		if !head {
			fmt.Fprintf(w, "  %s\n", of)
			head = true
		}
		fmt.Fprintf(w, "    "+format+"\n", args...)
	}
	for _, x := range all {
		switch {
		case x.Of != of:
		case len(x.By) > 0:
			if !t.s.quiet() {
				line("noticed    %s: %s", x.What, strings.Join(x.By, ", "))
			}
		case x.Changes:
			line("unnoticed  %s  (%s)  %s", x.What, x.Place, x.Override)
		default:
			idle = append(idle, x.What)
		}
	}
	if len(idle) > 0 {
		line("untouched  %s", strings.Join(idle, "; "))
	}
}

// unnoticed counts the mutations that no expectation minds.
func (t *testRun) unnoticed() int {
	n := 0
	for _, m := range t.mutated {
		n += len(m.Mutations) - m.Noticed
	}
	return n
}
