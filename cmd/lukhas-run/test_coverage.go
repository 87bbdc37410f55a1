package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/lukhasai/lukhas-run/engine/scenario"
)

// tellCoverage lists, for each topology, what no scenario has shown. Topologies are told apart by their name.
func (t *testRun) tellCoverage(w io.Writer) {
	var names []string
	points, shown := map[string][]string{}, map[string]map[string]bool{}
	for _, c := range t.cases {
		name := c.spec.Plan.Name
		if shown[name] == nil {
			names, shown[name] = append(names, name), map[string]bool{}
		}
		for _, p := range scenario.Points(c.spec.Plan) {
			if !slices.Contains(points[name], p) {
				points[name] = append(points[name], p)
			}
		}
		if c.report == nil {
			continue
		}
		for _, p := range c.report.Shown {
			shown[name][p] = true
		}
	}
	for _, name := range names {
		fmt.Fprintf(w, "coverage  %s: %d of %d\n", name, len(shown[name]), len(points[name]))
		for _, p := range points[name] {
			if !shown[name][p] {
				fmt.Fprintf(w, "  never seen: %s\n", p)
			}
		}
	}
}
