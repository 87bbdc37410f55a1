package main

import (
	"bytes"
	"context"
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

// hunt is the search for a schedule that breaks one scenario. Who plays schedules and who is told to stop share it: the one
// who comes first tells what was found.
type hunt struct {
	c *testCase
	w io.Writer

	mu     sync.Mutex
	best   *found // the smallest schedule so far, nil for none
	budget int    // schedules that are played when none breaks it
	runs   int    // schedules that were played
	whole  int    // faults of the schedule that was found first
	tries  int    // runs that looked for a smaller one
	failed bool   // its first line is told
	told   bool
}

// explore looks for random faults that break scenarios which pass without them. It reports whether it found any.
func (t *testRun) explore(ctx context.Context, w io.Writer) (bool, error) {
	any := false
	for _, c := range t.cases {
		if ctx.Err() != nil {
			return any, nil
		}
		start := time.Now()
		h := &hunt{c: c, w: w}
		t.hunting.Store(h)
		t.seek(h, newProgress(w, t.s, "explored"))
		took := time.Since(start)
		if h.best == nil {
			fmt.Fprintf(w, "pass  %s: %s: nothing found in %d schedules (%.0f/s)\n", c.file, c.spec.Name, h.runs, float64(h.runs)/took.Seconds())
			continue
		}
		any = true
		h.announce()
		if t.shrink && c.spec.Explore.Shrink {
			h.shrink(func(one scenario.Found) bool { return ctx.Err() == nil && t.broken(c, one) == h.best.broken })
		}
		if err := h.present(); err != nil {
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

// seek plays schedules, several at a time, until the first that breaks the scenario: the one with the lowest number.
func (t *testRun) seek(h *hunt, p *progress) {
	next := 0
	h.mu.Lock()
	if h.budget = t.runs; t.runs < 0 {
		h.budget = h.c.spec.Explore.Runs
	}
	h.mu.Unlock()
	take := func() (int, bool) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if next >= h.budget || h.best != nil && next > h.best.number {
			return 0, false
		}
		next++
		return next - 1, true
	}
	var workers sync.WaitGroup
	for range t.parallel {
		workers.Go(func() {
			for n, ok := take(); ok; n, ok = take() {
				seed := t.baseSeed(h.c) + uint64(n)
				f := scenario.Found{Steps: scenario.Schedule(h.c.spec, seed), Seed: seed}
				name := t.broken(h.c, f)
				h.mu.Lock()
				if h.runs++; name != "" && (h.best == nil || n < h.best.number) {
					h.best, h.whole = &found{f, n, name}, len(f.Steps)
				}
				p.step(h.runs, h.budget)
				h.mu.Unlock()
			}
		})
	}
	workers.Wait()
	p.end()
}

func (t *testRun) baseSeed(c *testCase) uint64 {
	if t.seed != 0 {
		return t.seed
	}
	return c.spec.Seed
}

// shrink looks for the smallest schedule that still fails, and keeps the smallest so far where a signal finds it.
func (h *hunt) shrink(fails func(scenario.Found) bool) {
	scenario.Shrink(h.best.Found, func(one scenario.Found) bool {
		failed := fails(one)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.tries++
		if failed && !h.told {
			h.best = &found{one, h.best.number, h.best.broken}
		}
		return failed
	})
}

// announce tells that something was found, before it is made small.
func (h *hunt) announce() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail()
}

// fail is the first line of what was found. It needs the lock.
func (h *hunt) fail() {
	if h.failed {
		return
	}
	h.failed = true
	fmt.Fprintf(h.w, "FAIL  %s: %s: %q does not survive schedule %d of %d, with %s (seed %d)\n", h.c.file, h.c.spec.Name, h.best.broken, h.best.number+1, h.budget,
		plural(h.whole, "fault", "faults"), h.best.Seed)
}

// present writes the smallest schedule so far as a scenario beside the original and shows it, once.
func (h *hunt) present() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.told || h.best == nil {
		return nil
	}
	h.told = true
	h.fail()
	f := h.best
	text, err := os.ReadFile(h.c.file)
	if err != nil {
		return err
	}
	text, err = scenario.Insert(text, h.c.spec.Place.Line, f.Seed, f.Steps)
	if err != nil {
		return fmt.Errorf("%s: %w", h.c.file, err)
	}
	path, err := writeNew(h.c.file, fmt.Sprintf("found-%d", f.Seed), text)
	if err != nil {
		return err
	}
	fmt.Fprintf(h.w, "  %s of %d in %d runs, written to %s:\n", plural(len(f.Steps), "fault", "faults"), h.whole, h.tries, path)
	for _, line := range scenario.Lines(f.Steps) {
		fmt.Fprintf(h.w, "    - %s\n", line)
	}
	fmt.Fprintf(h.w, "  again     lukhas-run test %s --run '^%s$' --shuffle %d\n", quoted(path), quoteRE(h.c.spec.Name), f.Seed)
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
