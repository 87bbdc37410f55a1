package engine

import (
	"testing"
	"time"
)

// walking is a Machine whose root walks through its children anew, after a reload that restarts the first of them: the walk
// waits for child 2 (stopping), has not come to child 3 yet, and child 3 is as before the reload.
type walking struct {
	t   *testing.T
	m   *Machine
	now time.Duration
}

func newWalking(t *testing.T, before ...Input) *walking {
	w := &walking{t: t, m: NewMachine()}
	w.step(Boot{Plan: widePlan(t, 2, time.Second), Seed: 1})
	w.step(Started{ID: 2, Epoch: 1})
	for _, in := range before {
		w.step(in)
	}
	next := widePlan(t, 2, time.Second)
	next.Actors[1].Concurrency = 7
	if err := next.Seal(); err != nil {
		t.Fatal(err)
	}
	w.step(Reloaded{Plan: next, Generation: 2})
	return w
}

// step gives the actors that were started.
func (w *walking) step(in Input) (started []ID) {
	for _, e := range w.m.Step(w.now, in, nil) {
		if s, ok := e.(*Start); ok {
			started = append(started, s.ID)
		}
	}
	return started
}

func (w *walking) want(id ID, in Input) {
	w.t.Helper()
	if got := w.step(in); len(got) != 1 || got[0] != id {
		w.t.Errorf("%T %+v starts %v, want %d", in, in, got, id)
	}
}

func command(verb, path string) Commanded { return Commanded{Action: Steer{Verb: verb, Target: path}} }

// A restart by hand is never forgotten, whatever the walk through the siblings waits for.
func TestRestartsDuringAWalk(t *testing.T) {
	failed := func(id ID, epoch Epoch) Input { return Exited{ID: id, Epoch: epoch, Failure: &Failure{}} }
	t.Run("of the one that is waited for", func(t *testing.T) {
		w := newWalking(t)
		w.want(2, Stopped{ID: 2, Epoch: 1})
		w.step(failed(2, 2)) // waits for its backoff
		w.want(2, command("restart", "root/a0"))
	})
	t.Run("of one that waits for its backoff", func(t *testing.T) {
		w := newWalking(t, failed(3, 1))
		if got := w.step(command("restart", "root/a1")); len(got) != 0 {
			t.Errorf("it starts before its turn: %v", got)
		}
		w.want(2, Stopped{ID: 2, Epoch: 1})
		w.want(3, Started{ID: 2, Epoch: 2})
	})
	t.Run("of one that stops", func(t *testing.T) {
		w := newWalking(t, Started{ID: 3, Epoch: 1}, command("stop", "root/a1"))
		w.step(command("restart", "root/a1"))
		w.want(2, Stopped{ID: 2, Epoch: 1})
		w.step(Started{ID: 2, Epoch: 2})
		w.want(3, Stopped{ID: 3, Epoch: 1})
	})
}
