package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/engine/sim"
)

// parting is where two runs that should be equal go different ways.
type parting struct {
	Roughly string        `json:"roughly"` // from the first two runs
	Found   bool          `json:"found"`   // two more runs parted too, step by step
	Step    uint64        `json:"step,omitempty"`
	At      time.Duration `json:"at_ns,omitempty"`
	Actor   string        `json:"actor,omitempty"` // path; "" for a decision of the engine
	Here    string        `json:"here,omitempty"`  // what this process did
	There   string        `json:"there,omitempty"` // what the other one did instead
	Before  []string      `json:"before,omitempty"`
}

// Bounds of looking for a parting.
const (
	partTries  = 3 // pairs of runs; a race need not show each time
	partBefore = 3 // equal steps that are shown
	partText   = 600
)

// locate plays a case again in both processes, step by step. What differs there first is what went wrong: both texts come
// from the two runs that are compared, so that it is found although it strikes elsewhere each time.
func (t *testRun) locate(ctx context.Context, args []string, index int, p *parting) error {
	for range partTries {
		if found, err := t.tellApart(ctx, args, index, p); found || err != nil {
			return err
		}
	}
	return nil
}

// tellApart compares one more pair of runs. The other process writes its steps, a line each, and is waited for at each.
func (t *testRun) tellApart(ctx context.Context, args []string, index int, p *parting) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd, err := t.again(ctx, args, "--steps", strconv.Itoa(index))
	if err != nil {
		return false, err
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return false, fmt.Errorf("the process that repeats a run step by step: %w", err)
	}
	in := bufio.NewReaderSize(pipe, 1<<16)
	if _, err := in.Peek(1); err != nil {
		return false, fmt.Errorf("the process that repeats a run step by step: %w: %s", errors.Join(err, cmd.Wait()), errs.String())
	}
	a := &apart{in: in, parting: p}
	_, err = scenario.Run(t.cases[index].spec, t.options(scenario.Options{Witness: a.compare}))
	a.end()
	cancel()
	_ = cmd.Wait() // it has been stopped on purpose, or is done
	return p.Found, err
}

// apart compares the steps of a run with those that another process writes.
type apart struct {
	in      *bufio.Reader
	parting *parting
	n       uint64
}

func (a *apart) compare(own sim.Step) {
	if a.parting.Found {
		return
	}
	a.n++
	text := stepLine(own)
	other, err := a.in.ReadString('\n')
	other = strings.TrimSuffix(other, "\n")
	switch {
	case err != nil:
		a.found(own, saidOf(own), "nothing: its run has ended")
	case other != text:
		var there sim.Step
		if err := json.Unmarshal([]byte(other), &there); err != nil {
			there.Text = other
		}
		a.found(own, saidOf(own), differing(own, there))
	default:
		if len(a.parting.Before) == partBefore {
			a.parting.Before = a.parting.Before[1:]
		}
		a.parting.Before = append(a.parting.Before, fmt.Sprintf("%s %s", own.At, clipped(saidOf(own))))
	}
}

// end is told that the run is over here.
func (a *apart) end() {
	if a.parting.Found {
		return
	}
	other, err := a.in.ReadString('\n')
	if err != nil {
		a.parting.Before = nil // these two were equal
		return
	}
	var there sim.Step
	if err := json.Unmarshal([]byte(other), &there); err != nil {
		there.Text = other
	}
	a.n++
	a.found(there, "nothing: its run has ended", saidOf(there))
}

func (a *apart) found(at sim.Step, here, there string) {
	p := a.parting
	p.Found, p.Step, p.At, p.Actor, p.Here, p.There = true, a.n, at.At, at.Actor, clipped(here), clipped(there)
}

// saidOf is a step without its time.
func saidOf(s sim.Step) string {
	if s.Actor == "" {
		return "the engine: " + s.Text
	}
	return s.Actor + " " + s.Text
}

// differing is the other side of a step, with what the words do not show.
func differing(own, there sim.Step) string {
	text := saidOf(there)
	if there.At != own.At {
		text += fmt.Sprintf(", at %s", there.At)
	}
	if text == saidOf(own) {
		text += ", with other data"
	}
	return text
}

func clipped(text string) string {
	if runes := []rune(text); len(runes) > partText {
		return string(runes[:partText]) + "…"
	}
	return text
}

// text is a parting for people.
func (p *parting) text() string {
	var b strings.Builder
	b.WriteString("the same run in another process was another one: they part ")
	if !p.Found {
		fmt.Fprintf(&b, "%s; %d more pairs of runs were equal, so it does not show each time\n", p.Roughly, partTries)
		return b.String()
	}
	who := "in a decision of the engine"
	if p.Actor != "" {
		who = "at " + p.Actor
	}
	fmt.Fprintf(&b, "at %s, %s (step %d)\n", p.At, who, p.Step)
	fmt.Fprintf(&b, "  here      %s\n  there     %s\n", p.Here, p.There)
	for i, line := range p.Before {
		head := "          "
		if i == 0 {
			head = "before    "
		}
		fmt.Fprintf(&b, "  %s%s\n", head, line)
	}
	return b.String()
}

func stepLine(s sim.Step) string {
	line, err := json.Marshal(s)
	if err != nil {
		return err.Error()
	}
	return string(line)
}

// writeSteps plays one case and writes its steps, a line each: the other side of tellApart.
func (t *testRun) writeSteps(w io.Writer) error {
	if t.steps >= len(t.cases) {
		return exit{exitUsage, fmt.Errorf("--steps %d: there are %d scenarios", t.steps, len(t.cases))}
	}
	out := bufio.NewWriterSize(w, 1<<16)
	_, err := scenario.Run(t.cases[t.steps].spec, t.options(scenario.Options{Witness: func(s sim.Step) {
		_, _ = out.WriteString(stepLine(s)) // an error stays until Flush
		_ = out.WriteByte('\n')
	}}))
	if err = errors.Join(err, out.Flush()); err != nil {
		return exit{exitFailed, err}
	}
	return nil
}
