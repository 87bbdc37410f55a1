package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

// weakened is what came of one mutation.
type weakened struct {
	scenario.Mutation
	by   []string // expectations that noticed
	fits bool     // it makes a topology that compiles, for some scenario
}

// mutate weakens the topologies of scenarios that pass, one thing at a time, and tells which expectations notice.
func (t *testRun) mutate(w io.Writer) error {
	opts, err := host.Source{Paths: []string{"-"}}.Options()
	if err != nil {
		return exit{exitBug, err}
	}
	unnoticed, all := 0, 0
	for _, c := range t.cases {
		fmt.Fprintf(w, "%s: %s\n", c.file, c.spec.Name)
		for _, m := range scenario.Mutations(c.spec.Plan) {
			x := t.weaken(c, m, opts)
			switch {
			case !x.fits:
				continue // the rest of the topology does not stand without it
			case len(x.by) == 0:
				unnoticed++
				fmt.Fprintf(w, "  unnoticed  %s  %s\n", m.What, m.Override)
			default:
				fmt.Fprintf(w, "  noticed    %s: %s\n", m.What, strings.Join(x.by, ", "))
			}
			all++
		}
	}
	fmt.Fprintf(w, "%d of %s noticed\n", all-unnoticed, plural(all, "mutation", "mutations"))
	return nil
}

// weaken plays one scenario over a weakened topology.
func (t *testRun) weaken(c *testCase, m scenario.Mutation, opts spec.Options) weakened {
	out := weakened{Mutation: m}
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
		out.by = []string{err.Error()}
		return out
	}
	for i := range r.Results {
		if r.Results[i].Verdict != scenario.Pass {
			out.by = append(out.by, fmt.Sprintf("%s (%s)", r.Results[i].Name, r.Results[i].Verdict))
		}
	}
	return out
}
