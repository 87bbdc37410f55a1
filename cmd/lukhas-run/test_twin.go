package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/lukhasai/lukhas-run/engine/sim"
)

// digestLine is what one process tells the other about a run.
type digestLine struct {
	File   string     `json:"file"`
	Name   string     `json:"name"`
	Digest string     `json:"digest"`
	Marks  []sim.Mark `json:"marks"`
}

func (t *testRun) digestLines() []digestLine {
	out := []digestLine{}
	for _, c := range t.cases {
		l := digestLine{File: c.file, Name: c.spec.Name}
		if c.err == nil {
			l.Digest, l.Marks = c.report.Digest, c.report.Marks
		} else {
			l.Digest = "could not be played: " + c.err.Error()
		}
		out = append(out, l)
	}
	return out
}

// twin is the second process, which runs the same scenarios meanwhile.
type twin struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
	started  bool
	failed   error         // to start, or, once done, to run
	done     chan struct{} // closed when it has ended
}

// wait collects the process when it ends.
func (w *twin) wait() {
	w.failed = w.cmd.Wait()
	close(w.done)
}

// twin starts the second process: another GOMAXPROCS, another order, another start of the heap and of all map hashes. nil:
// there is none.
func (t *testRun) twin(ctx context.Context, args []string) *twin {
	if t.once || t.digests {
		return nil
	}
	w := &twin{}
	if w.cmd, w.failed = t.again(ctx, args); w.failed == nil {
		w.cmd.Stdout, w.cmd.Stderr = &w.out, &w.err
		w.done = make(chan struct{})
		w.failed = w.cmd.Start()
		if w.started = w.failed == nil; w.started {
			t.others.Go(w.wait)
		}
	}
	return w
}

// again is the command that runs the same scenarios in another process, for their digests or with more flags.
func (t *testRun) again(ctx context.Context, args []string, more ...string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	procs := runtime.GOMAXPROCS(0)%2 + 1
	flags := []string{"test", "--digests", "--run", t.pattern, "--seed", strconv.FormatUint(t.seed, 10), "--shuffle", strconv.FormatUint(t.shuffle, 10), "--parallel", strconv.Itoa(procs)}
	flags = append(append(flags, more...), "--")
	cmd := exec.CommandContext(ctx, exe, append(flags, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs), "GOGC=40")
	return cmd, nil
}

// compare waits for the second process and notes which runs differ.
func (t *testRun) compare(ctx context.Context, args []string, w *twin) error {
	if w == nil {
		return nil
	}
	if w.started {
		<-w.done
	}
	if w.failed != nil {
		return fmt.Errorf("the second process, which repeats every run: %w: %s", w.failed, w.err.String())
	}
	var lines []digestLine
	if err := json.Unmarshal(w.out.Bytes(), &lines); err != nil || len(lines) != len(t.cases) {
		return fmt.Errorf("the second process told of %d runs instead of %d: %v", len(lines), len(t.cases), err)
	}
	for i, c := range t.cases {
		if c.err == nil && c.report.Digest != lines[i].Digest {
			c.parted = &parting{Roughly: parted(c.report.Marks, lines[i])}
			if err := t.locate(ctx, args, i, c.parted); err != nil {
				return err
			}
		}
	}
	return nil
}

// parted says roughly when two runs parted.
func parted(own []sim.Mark, other digestLine) string {
	from := time.Duration(0)
	for i := range min(len(own), len(other.Marks)) {
		if own[i] != other.Marks[i] {
			return fmt.Sprintf("between %s and %s", from, own[i].At)
		}
		from = own[i].At
	}
	return fmt.Sprintf("after %s", from)
}
