package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
