package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine/scenario"
)

// found is a schedule of random faults that breaks a scenario.
type found struct {
	scenario.Found
	number int    // of the run, from 0
	broken string // the expectation that failed
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
func (t *testRun) broken(c *testCase, f scenario.Found) string {
	r, err := scenario.Run(c.spec, scenario.Options{Seed: f.Seed, Shuffle: f.Seed, Steps: f.Steps, Plain: true})
	if err != nil {
		return "the run: " + err.Error()
	}
	for i := range r.Results {
		if r.Results[i].Verdict == scenario.Fail {
			return r.Results[i].Name
		}
	}
	return ""
}

// hunt plays schedules, several at a time, until the first that breaks the scenario: the one with the lowest number.
func (t *testRun) hunt(c *testCase, p *progress) (*found, int) {
	var mu sync.Mutex
	var first *found
	next, done, budget := 0, 0, t.runs
	if budget < 0 {
		budget = c.spec.Explore.Runs
	}
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		if next >= budget || first != nil && next > first.number {
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
				f := scenario.Found{Steps: scenario.Schedule(c.spec, seed), Seed: seed}
				name := t.broken(c, f)
				mu.Lock()
				if done++; name != "" && (first == nil || n < first.number) {
					first = &found{f, n, name}
				}
				p.step(done, budget)
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
	fmt.Fprintf(w, "FAIL  %s: %s: %q does not survive schedule %d of %d, with %s (seed %d)\n", c.file, c.spec.Name, f.broken, f.number+1, runs,
		plural(len(f.Steps), "fault", "faults"), f.Seed)
	before, tries := len(f.Steps), 0
	if t.shrink && c.spec.Explore.Shrink {
		f.Found, tries = scenario.Shrink(f.Found, func(one scenario.Found) bool { return t.broken(c, one) == f.broken })
	}
	text, err := os.ReadFile(c.file)
	if err != nil {
		return err
	}
	text, err = scenario.Insert(text, c.spec.Place.Line, f.Seed, f.Steps)
	if err != nil {
		return fmt.Errorf("%s: %w", c.file, err)
	}
	path, err := writeNew(c.file, fmt.Sprintf("found-%d", f.Seed), text)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "  %s of %d in %d runs, written to %s:\n", plural(len(f.Steps), "fault", "faults"), before, tries, path)
	for _, line := range scenario.Lines(f.Steps) {
		fmt.Fprintf(w, "    - %s\n", line)
	}
	fmt.Fprintf(w, "  again     lukhas-run test %s --run '^%s$' --shuffle %d\n", quoted(path), quoteRE(c.spec.Name), f.Seed)
	return nil
}

// maxFound bounds how many files of one name may stand beside each other.
const maxFound = 1000

// writeNew writes a file beside another, under a name that is not taken: shop.found-7.yaml, shop.found-7-2.yaml. One that
// says the same is not written again. It gives the path.
func writeNew(beside, what string, text []byte) (string, error) {
	ext := filepath.Ext(beside)
	for n := 1; n <= maxFound; n++ {
		path := strings.TrimSuffix(beside, ext) + "." + what
		if n > 1 {
			path += fmt.Sprintf("-%d", n)
		}
		path += ext
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, os.ErrExist) {
			if have, _ := os.ReadFile(path); bytes.Equal(have, text) {
				return path, nil
			}
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = f.Write(text)
		return path, errors.Join(err, f.Close())
	}
	return "", fmt.Errorf("%s: more than %d schedules beside it; remove some", beside, maxFound)
}
