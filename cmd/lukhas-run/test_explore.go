package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
)

// found is a schedule of random faults that breaks a scenario.
type found struct {
	number int // of the run, from 0
	seed   uint64
	steps  []plan.Step
	broken string // the expectation that failed
	report *scenario.Report
}

// explore looks for random faults that break scenarios which pass without them. It reports whether it found any.
func (t *testRun) explore(w io.Writer) (bool, error) {
	any := false
	for _, c := range t.cases {
		start := time.Now()
		f, runs := t.hunt(c, newProgress(w, t.s, "explored"))
		took := time.Since(start)
		if f == nil {
			fmt.Fprintf(w, "pass  %s: %s: nothing found in %d schedules (%.0f/s)\n", c.file, c.spec.Name, runs, float64(runs)/took.Seconds())
			continue
		}
		any = true
		if err := t.present(w, c, f, runs); err != nil {
			return true, err
		}
	}
	return any, nil
}

// broken is the first expectation that fails under a schedule, "" when none does. A schedule may well leave an expectation
// without a verdict: only what is false counts.
func (t *testRun) broken(c *testCase, seed uint64, steps []plan.Step) (string, *scenario.Report) {
	r, err := scenario.Run(c.spec, scenario.Options{Seed: seed, Shuffle: seed, Steps: steps, Plain: true})
	if err != nil {
		return "the run: " + err.Error(), nil
	}
	for i := range r.Results {
		if r.Results[i].Verdict == scenario.Fail {
			return r.Results[i].Name, r
		}
	}
	return "", r
}

// hunt plays schedules, several at a time, until the first that breaks the scenario: the one with the lowest number.
func (t *testRun) hunt(c *testCase, p *progress) (*found, int) {
	var mu sync.Mutex
	var first *found
	next, done := 0, 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next >= t.runs || first != nil && next > first.number {
			return 0, false
		}
		next++
		return next - 1, true
	}
	var workers sync.WaitGroup
	for range t.parallel {
		workers.Go(func() {
			for n, ok := take(); ok; n, ok = take() {
				seed := t.baseSeed(c) + uint64(n)
				steps := scenario.Schedule(c.spec, seed)
				name, report := t.broken(c, seed, steps)
				mu.Lock()
				if done++; name != "" && (first == nil || n < first.number) {
					first = &found{n, seed, steps, name, report}
				}
				p.step(done, t.runs)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	p.end()
	return first, done
}

func (t *testRun) baseSeed(c *testCase) uint64 {
	if t.seed != 0 {
		return t.seed
	}
	return c.spec.Seed
}

// present shrinks what was found, writes it as a scenario beside the original and shows it.
func (t *testRun) present(w io.Writer, c *testCase, f *found, runs int) error {
	fmt.Fprintf(w, "FAIL  %s: %s: %q does not survive schedule %d of %d, with %s\n", c.file, c.spec.Name, f.broken, f.number, runs, plural(len(f.steps), "fault", "faults"))
	tries := 0
	if t.shrink && c.spec.Explore.Shrink {
		f.steps, tries = scenario.Shrink(f.steps, func(steps []plan.Step) bool {
			name, _ := t.broken(c, f.seed, steps)
			return name == f.broken
		})
	}
	text, err := os.ReadFile(c.file)
	if err != nil {
		return err
	}
	text, err = scenario.Insert(text, c.spec.Place.Line, f.seed, f.steps)
	if err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	ext := filepath.Ext(c.file)
	path := fmt.Sprintf("%s.found-%d%s", strings.TrimSuffix(c.file, ext), f.seed, ext)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(w, "  shrunk to %s in %d runs, in %s:\n", plural(len(f.steps), "fault", "faults"), tries, path)
	for _, line := range scenario.Lines(f.steps) {
		fmt.Fprintf(w, "    - %s\n", line)
	}
	fmt.Fprintf(w, "  again     lukhas-run test %s --run '^%s$' --shuffle %d\n", quoted(path), quoteRE(c.spec.Name), f.seed)
	return nil
}
