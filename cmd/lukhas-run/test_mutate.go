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
	Written   noticing    `json:"written"` // of those that weaken what the author wrote
	Default   noticing    `json:"default"` // of those that weaken what is as it is by default
	Noticed   int         `json:"noticed"` // of both

	cases []*testCase
}

// noticing counts mutations.
type noticing struct {
	Noticed int `json:"noticed"`
	Of      int `json:"of"`
}

func (n *noticing) add(w *weakened) {
	n.Of++
	if len(w.By) > 0 {
		n.Noticed++
	}
}

// weakened is what came of one mutation.
type weakened struct {
	scenario.Mutation
	Written bool     `json:"written"` // the author said it; else it is so by default
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
			place, said := x.Written(settings)
			if !said {
				place, _ = point.Written(settings)
			}
			m.Mutations = append(m.Mutations, &weakened{Mutation: x, Written: said, Place: shownPlace(place, c.spec.Plan, point)})
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
		if w.Written {
			m.Written.add(w)
		} else {
			m.Default.add(w)
		}
	}
	m.Noticed = m.Written.Noticed + m.Default.Noticed
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
// summed up. What the author did not write is counted apart: it is nobody's promise.
func (t *testRun) tellMutations(w io.Writer) {
	var written, byDefault noticing
	for _, m := range t.mutated {
		written.Noticed, written.Of = written.Noticed+m.Written.Noticed, written.Of+m.Written.Of
		byDefault.Noticed, byDefault.Of = byDefault.Noticed+m.Default.Noticed, byDefault.Of+m.Default.Of
		fmt.Fprintf(w, "mutations  %s (%s): %d of %d noticed\n", m.Topology, m.File, m.Written.Noticed, m.Written.Of)
		var owners []string
		for _, x := range m.Mutations {
			if !slices.Contains(owners, x.Of) {
				owners = append(owners, x.Of)
			}
		}
		for _, of := range owners {
			t.tellOwner(w, of, m.Mutations)
		}
		if m.Default.Of > 0 && !t.s.quiet() {
			fmt.Fprintf(w, "  and %d of %d noticed of what is by default\n", m.Default.Noticed, m.Default.Of)
		}
	}
	if written.Of > 0 {
		fmt.Fprintf(w, "mutations  in all: %d of %d noticed (%d%%), and %d of %d of what is by default\n", written.Noticed, written.Of,
			100*written.Noticed/written.Of, byDefault.Noticed, byDefault.Of)
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
		case !x.Written:
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

// unnoticed counts the mutations of what is written that no expectation minds.
func (t *testRun) unnoticed() int {
	n := 0
	for _, m := range t.mutated {
		n += m.Written.Of - m.Written.Noticed
	}
	return n
}
