package otp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// run is a Machine with a runtime around it that answers in virtual time and keeps the log that supervised.erl keeps.
type run struct {
	seq    sequence
	m      *engine.Machine
	index  map[string]int // by path
	now    time.Duration
	epochs []engine.Epoch
	alive  []bool
	fails  []int
	begun  []bool // supervisors that have started once
	inbox  []engine.Input
	log    []string
	over   bool
	code   int
}

func newRun(q sequence) (*run, error) {
	p, err := q.plan()
	if err != nil {
		return nil, err
	}
	n := len(q.Tree)
	r := &run{
		seq: q, m: engine.NewMachine(), index: map[string]int{},
		epochs: make([]engine.Epoch, n), alive: make([]bool, n), fails: make([]int, n), begun: make([]bool, n),
	}
	for i := range p.Actors {
		r.index[p.Actors[i].Path] = i
	}
	r.m.CountWholeSeconds()
	r.inbox = []engine.Input{engine.Boot{Plan: p, Seed: 1}}
	return r, nil
}

// boot starts the tree and returns what happened, in the form of supervised.erl's line.
func (r *run) boot() string {
	r.set(r.seq.Fails)
	r.work()
	return r.line()
}

// play lets a step happen. The Machine hears of all ends before anything else.
func (r *run) play(s step) string {
	r.now = max(r.now, time.Duration(s.At)*time.Second)
	r.set(s.Fails)
	for _, e := range s.Ends {
		in := engine.Exited{ID: id(e.Child), Epoch: r.epochs[e.Child]}
		if !e.normal() {
			in.Failure = &engine.Failure{Kind: engine.KindExit}
		}
		r.alive[e.Child] = false
		r.inbox = append(r.inbox, in)
	}
	r.work()
	clear(r.fails)
	return r.line()
}

func id(index int) engine.ID { return engine.ID(index + 1) }

func (r *run) set(fails []fail) {
	for _, f := range fails {
		r.fails[f.Child] = f.Times
	}
}

func (r *run) work() {
	for len(r.inbox) > 0 {
		in := r.inbox[0]
		r.inbox = r.inbox[1:]
		for _, e := range r.m.Step(r.now, in, nil) {
			r.carryOut(e)
		}
	}
}

func (r *run) carryOut(e engine.Effect) {
	switch e := e.(type) {
	case *engine.Start:
		r.started(e)
	case *engine.Stop:
		r.stopped(e)
	case *engine.Emit:
		r.told(e)
	case *engine.Ended:
		r.over, r.code = true, e.Code
	}
}

func (r *run) started(e *engine.Start) {
	i := int(e.ID) - 1
	r.epochs[i] = e.Epoch
	if r.fails[i] > 0 {
		r.fails[i]--
		r.note("f", i)
		r.inbox = append(r.inbox, engine.Exited{ID: e.ID, Epoch: e.Epoch, Failure: &engine.Failure{Kind: engine.KindStart, Starting: true}})
		return
	}
	r.note("s", i)
	r.alive[i] = true
	r.inbox = append(r.inbox, engine.Started{ID: e.ID, Epoch: e.Epoch})
}

// stopped answers a Stop. One who has ended already is not told any more: its end is on its way. Killing leaves no trace in
// the log, as in Erlang.
func (r *run) stopped(e *engine.Stop) {
	i := int(e.ID) - 1
	if !r.alive[i] {
		return
	}
	n := r.seq.Tree[i]
	r.alive[i] = false
	if n.Shutdown != "brutal_kill" {
		r.note("x", i)
	}
	if n.Deaf {
		r.now += 20 * time.Millisecond
	}
	r.inbox = append(r.inbox, engine.Stopped{ID: e.ID, Epoch: e.Epoch, Leaked: n.Deaf})
}

// told follows supervisors, of which nothing but the Machine's own words is heard. A new incarnation's children start well.
func (r *run) told(e *engine.Emit) {
	i, known := r.index[e.Actor]
	if !known || r.seq.Tree[i].Strategy == "" {
		return
	}
	switch e.Body.(type) {
	case *journal.ActorStarting:
		r.note("S", i)
		if r.begun[i] {
			for c, n := range r.seq.Tree {
				if n.Parent == i {
					r.fails[c] = 0
				}
			}
		}
		r.alive[i], r.begun[i] = true, true
	case *journal.ActorStopped:
		r.alive[i] = false
	case *journal.SupervisorGaveUp:
		r.note("g", i)
	}
}

func (r *run) note(what string, i int) { r.log = append(r.log, what+strconv.Itoa(i)) }

// line is what happened since the last one, and who is alive.
func (r *run) line() string {
	living := "over"
	if !r.over {
		var names []string
		for i, up := range r.alive {
			if up {
				names = append(names, strconv.Itoa(i))
			}
		}
		living = strings.Join(names, " ")
	}
	text := strings.Join(r.log, " ") + " | " + living
	r.log = nil
	return text
}

// livingWorkers lists the workers that can end.
func (r *run) livingWorkers() []int {
	var living []int
	for i, up := range r.alive {
		if up && !r.over && r.seq.Tree[i].Strategy == "" {
			living = append(living, i)
		}
	}
	return living
}

// replay is all lines of a sequence, the first start's first, as far as Erlang's go.
func replay(q sequence) ([]string, error) {
	r, err := newRun(q)
	if err != nil {
		return nil, err
	}
	lines := []string{r.boot()}
	for _, s := range q.Steps {
		for _, e := range s.Ends {
			if !r.alive[e.Child] {
				return append(lines, fmt.Sprintf("worker %d is to end and is not alive", e.Child)), nil
			}
		}
		line := r.play(s)
		if gave := slices.Contains(strings.Fields(line), "g0"); r.over && gave != (r.code == 70) {
			line += fmt.Sprintf(" with code %d", r.code)
		}
		lines = append(lines, line)
	}
	return lines, nil
}
