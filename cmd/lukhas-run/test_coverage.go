package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
)

// coverage is what the scenarios have shown of one topology.
type coverage struct {
	Topology string     `json:"topology"` // its name
	File     string     `json:"file"`
	Points   int        `json:"points"`
	Seen     int        `json:"seen"`
	Files    []fileSeen `json:"files"` // those with scenarios of it
	Missing  []missed   `json:"missing"`

	cases []*testCase
}

// fileSeen is what the scenarios of one file show by themselves.
type fileSeen struct {
	File string `json:"file"`
	Seen int    `json:"seen"`
}

// missed is a point that no scenario has shown.
type missed struct {
	scenario.Point
	Place string `json:"place"` // where the author wrote it, or what is around it
}

// coverages sums up what the runs have shown, for each topology. Health that nobody configured is nobody's to show.
func (t *testRun) coverages() []*coverage {
	var out []*coverage
	for _, c := range t.cases {
		file := topologyFile(c)
		at := slices.IndexFunc(out, func(v *coverage) bool { return v.File == file && v.Topology == c.spec.Plan.Name })
		if at < 0 {
			at, out = len(out), append(out, &coverage{Topology: c.spec.Plan.Name, File: file, Missing: []missed{}})
		}
		out[at].cases = append(out[at].cases, c)
	}
	for _, v := range out {
		v.sum()
	}
	return out
}

// topologyFile is where the root of a case's topology stands.
func topologyFile(c *testCase) string {
	file, _, _ := strings.Cut(c.spec.Plan.Actors[0].Place, ":")
	return filepath.Clean(file)
}

func (v *coverage) sum() {
	var all []missed
	shown := map[string]map[string]bool{} // by file: what and way
	for _, c := range v.cases {
		if shown[c.file] == nil {
			shown[c.file] = map[string]bool{}
			v.Files = append(v.Files, fileSeen{File: c.file})
		}
		settings := c.settings()
		for _, p := range scenario.Points(c.spec.Plan) {
			place, written := p.Written(settings)
			switch {
			case slices.ContainsFunc(all, func(m missed) bool { return m.What == p.What && m.Way == p.Way }):
			case !written && p.What == "health":
			default:
				all = append(all, missed{p, shownPlace(place, c.spec.Plan, p)})
			}
		}
		if c.report != nil {
			for _, p := range c.report.Shown {
				shown[c.file][p.What+"\n"+p.Way] = true
			}
		}
	}
	v.Points = len(all)
	for _, m := range all {
		seen := false
		for i := range v.Files {
			if shown[v.Files[i].File][m.What+"\n"+m.Way] {
				v.Files[i].Seen++
				seen = true
			}
		}
		if seen {
			v.Seen++
		} else {
			v.Missing = append(v.Missing, m)
		}
	}
}

// shownPlace is where a point stands, or the actor that it is about.
func shownPlace(p plan.Place, of *plan.Plan, point scenario.Point) string {
	if p.Line > 0 {
		return p.String()
	}
	for i := range of.Actors {
		if strings.HasPrefix(point.Path, of.Actors[i].Path+".") {
			return of.Actors[i].Place
		}
	}
	return ""
}

// tellCoverage lists, for each topology, what no scenario has shown.
func (t *testRun) tellCoverage(w io.Writer, all []*coverage) {
	points, seen := 0, 0
	for _, v := range all {
		points, seen = points+v.Points, seen+v.Seen
		fmt.Fprintf(w, "coverage  %s (%s): %d of %d\n", v.Topology, v.File, v.Seen, v.Points)
		if len(v.Files) > 1 {
			for _, f := range v.Files {
				fmt.Fprintf(w, "  by itself   %s: %d\n", f.File, f.Seen)
			}
		}
		for _, m := range v.Missing {
			fmt.Fprintf(w, "  never seen  %s: %s  (%s)\n", m.What, m.Way, m.Place)
		}
	}
	if points > 0 {
		fmt.Fprintf(w, "coverage  in all: %d of %d (%d%%)\n", seen, points, 100*seen/points)
	}
}
