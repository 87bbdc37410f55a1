package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

// A signal ends the verb although a run never comes to an end, and after the other processes have gone.
func TestASignalEndsTestWhateverRuns(t *testing.T) {
	run := &testRun{}
	gone := make(chan struct{})
	ctx, cancel := context.WithCancelCause(context.Background())
	run.others.Go(func() { <-ctx.Done(); close(gone) })
	endless := make(chan struct{})
	defer close(endless)
	err := run.unlessStopped(ctx, func() error { cancel(stopped{syscall.SIGTERM}); <-endless; return nil })
	var e exit
	if !errors.As(err, &e) || e.code != exitTerminated {
		t.Fatalf("%v", err)
	}
	select {
	case <-gone:
	default:
		t.Fatal("another process still runs")
	}
}

// What exploring has found took long to find: a signal while it is made smaller leaves it as small as it has become.
func TestASignalKeepsTheScheduleThatWasFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hole.yaml")
	text := "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: hole}\nroot: {children: [{name: a, script: {handlers: {get: {reply: {}}}}}]}\n" +
		"---\napiVersion: lukhas/v1\nkind: Scenario\nmetadata: {name: hole}\nduration: 20s\nexplore: {faults: {max: 12, verbs: [crash]}}\n" +
		"expect:\n  - {name: whole, never: 'event.type == \"failed\"'}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded := scenario.Load(spec.OS(), file, spec.Options{}, compiler.Options{Explored: true})
	if len(loaded.Scenarios) != 1 {
		t.Fatal(loaded.Diagnostics)
	}
	run := &testRun{}
	var out bytes.Buffer
	h := &hunt{c: &testCase{file: file, spec: loaded.Scenarios[0]}, w: &out, runs: 3}
	seed := uint64(1)
	for h.best == nil || h.whole < 8 {
		seed++
		f := scenario.Found{Steps: scenario.Schedule(h.c.spec, seed), Seed: seed}
		h.best, h.whole = &found{f, 2, "whole"}, len(f.Steps)
	}
	h.announce()
	run.hunting.Store(h)
	ctx, cancel := context.WithCancelCause(context.Background())
	endless := make(chan struct{})
	left := make(chan struct{})
	err := run.unlessStopped(ctx, func() error {
		defer close(left)
		h.shrink(func(one scenario.Found) bool {
			if h.tries == 1 { // one smaller schedule has failed by now
				cancel(stopped{syscall.SIGINT})
				<-endless
			}
			return h.tries == 0
		})
		return h.present()
	})
	close(endless)
	<-left
	var e exit
	if !errors.As(err, &e) || e.code != exitInterrupted {
		t.Errorf("%v", err)
	}
	wrote, err := os.ReadFile(strings.TrimSuffix(file, ".yaml") + fmt.Sprintf(".found-%d.yaml", seed))
	smaller := h.whole - h.whole/2
	if err != nil || strings.Count(string(wrote), "crash:") != smaller {
		t.Errorf("%v\n%s", err, wrote)
	}
	want := fmt.Sprintf("%d faults of %d in 1 runs, written to", smaller, h.whole)
	if strings.Count(out.String(), "FAIL") != 1 || strings.Count(out.String(), want) != 1 || strings.Count(out.String(), "again") != 1 {
		t.Errorf("want %q once:\n%s", want, out.String())
	}
}

// A file of the directory that says no kind there is may be a scenario with a slip of the pen: passing over it would be a
// scenario that nobody runs any more, and that passes.
func TestADirectorysFileOfNoKnownKindIsBad(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("apiVersion: lukhas/v1\nkind: Scenarioo\nmetadata: {name: a}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := execute([]string{"test", dir}, strings.NewReader(""), &out, &errs); code != exitBadScenario || !strings.Contains(errs.String(), "LR102") {
		t.Fatalf("code %d\n%s", code, errs.String())
	}
}

// Scripts tell a missing file from a bad one in every verb alike.
func TestAMissingFileOfTestIsMissing(t *testing.T) {
	if got := lukhas(t, "", "test", filepath.Join(t.TempDir(), "none.yaml")); got.code != exitNoInput || !strings.Contains(got.err, "no such file") {
		t.Errorf("%+v", got)
	}
}

// What cannot end well is refused before anything runs: the scenario's file is not even looked for.
func TestTestRefusesBeforeItRuns(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		flags, want string
		code        int
	}{
		{"--update --seed 9", "--update with --seed", exitUsage},
		{"--update --shuffle 9", "--update with --seed or --shuffle", exitUsage},
		{"--junit " + dir + "/none/report.xml", "there is no directory " + dir + "/none", exitNoInput},
		{"--timeline " + dir + "/none/a.svg", "there is no directory " + dir + "/none", exitNoInput},
		{"--timeline test_stop_test.go", "neither a directory", exitNoInput},
	} {
		got := lukhas(t, "", append([]string{"test", "absent.yaml"}, strings.Fields(c.flags)...)...)
		if got.code != c.code || !strings.Contains(got.err, c.want) {
			t.Errorf("%s: %+v", c.flags, got)
		}
	}
}

// A golden trace is of what passes: where nothing has, --update writes no file that would say so.
func TestUpdateWritesNothingOfWhatFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.yaml")
	text := "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: a}\nroot: {children: [{name: a, script: {handlers: {get: {reply: {}}}}}]}\n" +
		"---\napiVersion: lukhas/v1\nkind: Scenario\nmetadata: {name: a}\nduration: 1s\nexpect:\n  - {name: fails, never: '%s'}\n"
	for condition, written := range map[string]bool{"true": false, "false": true} {
		if err := os.WriteFile(file, fmt.Appendf(nil, text, condition), 0o600); err != nil {
			t.Fatal(err)
		}
		got := lukhas(t, "", "test", file, "--update", "--once")
		_, err := os.Stat(goldenFile(file))
		if (got.code == 0) != written || (err == nil) != written {
			t.Errorf("%s: %+v, %v", condition, got, err)
		}
		_ = os.Remove(goldenFile(file))
	}
}
