package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

const exitBadScenario = 2 // test: a file that cannot be read or does not compile

// testRun is one call of the verb.
type testRun struct {
	s        *settings
	pattern  string
	run      *regexp.Regexp
	seed     uint64
	parallel int
	testOutputs
	strict   bool
	digests  bool // only tell digests: the second of two processes
	steps    int  // with digests: the case whose steps are told instead; -1: none
	once     bool // only one process
	shuffle  uint64
	runs     int // of exploring, for each scenario
	shrink   bool
	mutants  bool
	mutated  []*mutated // with mutants, when all has passed
	coverage bool
	covered  []*coverage // with coverage, once all has run

	others  sync.WaitGroup // other processes that run
	hunting atomic.Pointer[hunt]

	behaviours map[string]engine.Factory // that programs around this one register

	cases []*testCase
	names map[string][]string // of all scenarios of a file
	files []spec.File
	diags spec.Diagnostics
}

// testOutputs are the reports for others, and what is written beside the scenarios.
type testOutputs struct {
	junit    string
	tap      bool
	github   bool
	timeline string // a picture, or a directory for several
	update   bool   // the golden traces
}

// testCase is one scenario of one file.
type testCase struct {
	file   string
	spec   *plan.Scenario
	report *scenario.Report
	err    error    // that it could not be played
	parted *parting // from the same run in another process; nil: it was equal
	took   time.Duration

	settings func() []compiler.Setting // of its topology

	golden  *scenario.Golden // the trace that it must have; nil: any
	strayed string           // how its trace differs
}

func newTest(s *settings) *cobra.Command {
	return (&testRun{s: s}).command()
}

func (t *testRun) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test PATH…",
		Short: "run scenarios in virtual time and judge what must hold",
		Long: "Every scenario runs twice, the second time in another process with another GOMAXPROCS; when the two runs differ, that is\n" +
			"a failure. Exit: 0 all pass, 1 something failed, 2 a file is bad, 66 one is not there.",
		Args: cobra.MinimumNArgs(1),
		Example: `  lukhas-run test examples/scenarios
  lukhas-run test outage.yaml --run 'heals' --seed 9
  lukhas-run test examples/scenarios --junit report.xml
  lukhas-run test outage.yaml --timeline outage.svg
  lukhas-run test outage.yaml --update`,
		RunE: func(cmd *cobra.Command, args []string) error {
			defer hurry()()
			return t.unlessStopped(cmd.Context(), func() error { return t.all(cmd, args) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&t.pattern, "run", "", "only scenarios whose name matches `RE`")
	f.Uint64Var(&t.seed, "seed", 0, "of all randomness; 0 is each scenario's own")
	f.IntVar(&t.parallel, "parallel", runtime.GOMAXPROCS(0), "how many scenarios run at the same time")
	f.StringVar(&t.junit, "junit", "", "write a JUnit report to `FILE`")
	f.BoolVar(&t.tap, "tap", false, "write a TAP report to standard output")
	f.BoolVar(&t.github, "github", false, "write annotations for GitHub to standard output")
	f.StringVar(&t.timeline, "timeline", "", "draw what happened into `FILE`.svg, or into a directory when there are several scenarios")
	f.BoolVar(&t.update, "update", false, "write the golden traces, FILE.trace beside each scenario file, of what passes")
	f.BoolVar(&t.strict, "strict", false, "warnings about a file are errors; with --mutate: mutations that nobody notices are")
	f.BoolVar(&t.digests, "digests", false, "only write the digest of each run")
	f.IntVar(&t.steps, "steps", -1, "with --digests: write each step of the scenario of this number instead")
	_ = f.MarkHidden("digests")
	_ = f.MarkHidden("steps")
	f.Uint64Var(&t.shuffle, "shuffle", 0, "seeds the choice among what can happen at the same moment; 0: first come, first served")
	f.IntVar(&t.runs, "explore", 0, "play `N` schedules of random faults on each scenario that passes, -1: as many as its explore.runs says; the first that breaks it is written beside it")
	f.BoolVar(&t.shrink, "shrink", true, "with --explore: look for the smallest schedule that breaks it")
	f.BoolVar(&t.coverage, "coverage", false, "tell what no scenario has shown at work: states of breakers, thresholds from both sides, rules, strategies, layers of guards")
	f.BoolVar(&t.mutants, "mutate", false, "weaken the topology, one thing at a time, and tell which expectations notice")
	f.BoolVar(&t.once, "once", false, "do not run a second time to see whether the runs are equal")
	return cmd
}

// unlessStopped does the verb's work until it is done or a signal comes. A run in virtual time has nothing to stop in order
// and may take long over a single moment, so it is left where it is; the other processes are waited for, which the context
// kills. A schedule that breaks a scenario is told as small as it has become.
func (t *testRun) unlessStopped(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		if ctx.Err() == nil {
			return err
		}
	case <-ctx.Done():
	}
	t.others.Wait()
	err := errors.New("stopped before all scenarios had run")
	if h := t.hunting.Load(); h != nil {
		err = errors.Join(h.present(), err)
	}
	return exit{interrupted(ctx), err}
}

func (t *testRun) all(cmd *cobra.Command, args []string) error {
	if err := t.settle(); err != nil {
		return exit{exitUsage, err}
	}
	if err := t.writable(); err != nil {
		return exit{exitNoInput, err}
	}
	start := time.Now()
	if err := t.gather(cmd, args); err != nil {
		return err
	}
	if t.diags.HasErrors() || t.strict && len(t.diags) > 0 {
		if err := spec.Render(cmd.ErrOrStderr(), t.diags, t.files, t.s.color(cmd.ErrOrStderr())); err != nil {
			return exit{exitFailed, err}
		}
		if err := t.refused(cmd.OutOrStdout()); err != nil {
			return exit{exitFailed, err}
		}
		return exit{code: exitBadScenario}
	}
	if len(t.cases) == 0 {
		return exit{exitBadScenario, fmt.Errorf("no scenario to run%s", t.narrowed())}
	}
	if err := t.checkTimeline(); err != nil {
		return exit{exitUsage, err}
	}
	if err := t.readGoldens(); err != nil {
		return exit{exitBadScenario, err}
	}
	if t.digests && t.steps >= 0 {
		return t.writeSteps(cmd.OutOrStdout())
	}
	twin := t.twin(cmd.Context(), args)
	t.play(newProgress(cmd.ErrOrStderr(), t.s, "ran"))
	if t.digests {
		return writeJSON(cmd.OutOrStdout(), t.digestLines())
	}
	if err := t.compare(cmd.Context(), args, twin); err != nil {
		return exit{exitFailed, err}
	}
	t.compareGoldens()
	failed := slices.ContainsFunc(t.cases, func(c *testCase) bool { return !c.passed() })
	if t.mutants && !failed {
		var err error
		if t.mutated, err = t.mutate(newProgress(cmd.ErrOrStderr(), t.s, "weakened")); err != nil {
			return err
		}
	}
	if err := t.results(cmd, args, start); err != nil {
		return exit{exitFailed, err}
	}
	switch {
	case failed:
		return exit{code: exitFailed}
	case t.strict && t.unnoticed() > 0:
		return exit{exitFailed, fmt.Errorf("%s unnoticed", plural(t.unnoticed(), "mutation goes", "mutations go"))}
	}
	return t.deeper(cmd.Context(), cmd.ErrOrStderr())
}

// results writes everything that was asked for.
func (t *testRun) results(cmd *cobra.Command, args []string, start time.Time) error {
	w := cmd.ErrOrStderr()
	if err := t.drawTimelines(); err != nil {
		return err
	}
	if t.coverage {
		t.covered = t.coverages()
		t.tellCoverage(w, t.covered)
	}
	t.tellMutations(w)
	if err := t.tell(cmd.OutOrStdout(), w, time.Since(start)); err != nil {
		return err
	}
	if !t.update {
		return nil
	}
	written, err := t.updateGoldens(args)
	for _, path := range written {
		fmt.Fprintf(w, "wrote %s\n", path)
	}
	return err
}

// deeper looks for what breaks scenarios that all pass.
func (t *testRun) deeper(ctx context.Context, w io.Writer) error {
	if t.runs == 0 {
		return nil
	}
	switch broken, err := t.explore(ctx, w); {
	case err != nil:
		return exit{exitFailed, err}
	case broken:
		return exit{code: exitFailed}
	}
	return nil
}

func (t *testRun) narrowed() string {
	if t.pattern == "" {
		return ""
	}
	return fmt.Sprintf(" matches %q", t.pattern)
}

// settle checks the flags.
func (t *testRun) settle() error {
	if err := oneOf("output", t.s.output(), []string{"text", "json"}); err != nil {
		return err
	}
	if t.runs < -1 {
		return fmt.Errorf("--explore %d: a number of schedules, or -1 for each scenario's own", t.runs)
	}
	if t.update && (t.seed != 0 || t.shuffle != 0) {
		return errors.New("--update with --seed or --shuffle: a golden trace is of the scenario's own seed and order; leave them out")
	}
	if t.parallel < 1 {
		return fmt.Errorf("--parallel %d: must be 1 or more", t.parallel)
	}
	var err error
	t.run, err = regexp.Compile(t.pattern)
	return err
}

// writable finds reports that could not be written before the scenarios have run for them.
func (t *testRun) writable() error {
	files := []string{t.junit}
	if strings.EqualFold(filepath.Ext(t.timeline), ".svg") {
		files = append(files, t.timeline)
	} else if at, err := os.Stat(t.timeline); err == nil && !at.IsDir() {
		return fmt.Errorf("--timeline %s: it is neither a directory nor a file whose name ends in .svg", t.timeline)
	}
	for _, file := range files {
		if at, err := os.Stat(filepath.Dir(file)); file != "" && (err != nil || !at.IsDir()) {
			return fmt.Errorf("%s cannot be written: there is no directory %s; make it first", file, filepath.Dir(file))
		}
	}
	return nil
}

// gather loads the scenarios of all files.
func (t *testRun) gather(cmd *cobra.Command, args []string) error {
	g, err := gather(args, cmd.InOrStdin())
	if err != nil {
		return err
	}
	opts, err := host.Source{Paths: args}.Options()
	if err != nil {
		return exit{exitBug, err}
	}
	t.names = map[string][]string{}
	for _, f := range g.files {
		if !f.has(spec.KindScenario) && len(f.kinds) > 0 && !slices.Contains(args, f.path) {
			continue // of a directory
		}
		l := scenario.Load(spec.OS(), f.path, opts, compiler.Options{Explored: t.runs != 0})
		t.diags = append(t.diags, l.Diagnostics...)
		t.files = append(t.files, l.Files...)
		for i, s := range l.Scenarios {
			t.names[f.path] = append(t.names[f.path], s.Name)
			if t.run.MatchString(s.Name) {
				t.cases = append(t.cases, &testCase{file: f.path, spec: s, settings: func() []compiler.Setting { return l.Settings(i) }})
			}
		}
	}
	t.diags = sorted(t.diags)
	if g.missing {
		return exit{exitNoInput, fmt.Errorf("no such file: %s", missing(args))}
	}
	return nil
}

// missing is the first argument that names nothing.
func missing(args []string) string {
	for _, a := range args {
		if _, err := os.Stat(a); err != nil && a != "-" {
			return a
		}
	}
	return ""
}

// options are what all runs of a scenario have in common.
func (t *testRun) options(o scenario.Options) scenario.Options {
	o.Seed, o.Shuffle, o.Behaviours = t.seed, t.shuffle, t.behaviours
	return o
}

// play runs the cases, several at a time.
func (t *testRun) play(p *progress) {
	var mu sync.Mutex
	next, done := 0, 0
	take := func() *testCase {
		mu.Lock()
		defer mu.Unlock()
		if next == len(t.cases) {
			return nil
		}
		next++
		if t.digests {
			return t.cases[len(t.cases)-next] // the other process begins at the other end
		}
		return t.cases[next-1]
	}
	var workers sync.WaitGroup
	for range min(t.parallel, len(t.cases)) {
		workers.Go(func() {
			for c := take(); c != nil; c = take() {
				start := time.Now()
				c.report, c.err = scenario.Run(c.spec, t.options(scenario.Options{MarkEvery: time.Second, Record: t.traced(c), Cover: t.coverage}))
				c.took = time.Since(start)
				mu.Lock()
				done++
				p.step(done, len(t.cases))
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	p.end()
}

// passed tells whether all is well with a case.
func (c *testCase) passed() bool {
	return c.err == nil && c.parted == nil && c.strayed == "" && c.report.Passed()
}

// summary is the last line.
func (t *testRun) summary(w io.Writer, took time.Duration) {
	failed, virtual, expectations := 0, time.Duration(0), 0
	var messages uint64
	for _, c := range t.cases {
		if !c.passed() {
			failed++
		}
		if c.report != nil {
			virtual += c.report.Virtual
			messages += c.report.Messages
			expectations += len(c.report.Results)
		}
	}
	word := "ok"
	if failed > 0 {
		word = fmt.Sprintf("FAIL: %d of", failed)
	}
	twice := ", each twice with the same result"
	if t.once || failed > 0 {
		twice = ""
	}
	fmt.Fprintf(w, "%s %s, %s, %s of virtual time (%d messages) in %s%s\n", word, plural(len(t.cases), "scenario", "scenarios"),
		plural(expectations, "expectation", "expectations"), virtual, messages, took.Round(time.Millisecond), twice)
}
