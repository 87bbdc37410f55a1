package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/persist"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

const keepers = `
root:
  intensity: {max: 100, within: 1s}
  children:
    - {name: exact, use: counter, persist: {mode: events, snapshot: {every: 2}}}
    - {name: saved, use: counter, persist: {mode: state, snapshot: {every: 2}}}
    - {name: forgetful, use: counter}
templates:
  counter:
    restart: {backoff: {initial: 1ms}}
    script:
      state: {n: 0}
      handlers:
        hit: {set: {n: state.n + 1}, reply: {n: state.n}}
`

// A crash takes an actor's memory and leaves its disk, as in a real engine; what faults do to the memory is not on the disk.
func TestPersistedStatesOutliveCrashes(t *testing.T) {
	states := journal.NewStates(&journal.MemoryFS{}, "states", 3)
	var told []string
	k := persist.New(&persist.Memory{}, states, func(_ string, b journal.Body) { told = append(told, b.(journal.Logged).Text) })
	r := begin(t, keepers, nil, func(o *Options) {
		inner := o.Factories
		o.Factories = func(kind plan.Kind) engine.Factory { return k.Wrap(inner(kind)) }
		o.Spoil = states.Spoil
	})
	hits := func(name string, times int) (n any) {
		for range times {
			a := r.ask(name, "hit", nil)
			if a.Err != nil {
				t.Fatal(a.Err)
			}
			n = a.Payload.(map[string]any)["n"]
		}
		return n
	}
	want := map[string][3]float64{"exact": {6, 7, 8}, "saved": {5, 5, 3}, "forgetful": {1, 1, 1}} // the third of saved is by the state before the newest
	for name, w := range want {
		hits(name, 5)
		for i, fault := range []Fault{
			{Verb: Crash},
			{Verb: Corrupt, What: "state", Value: map[string]any{"n": 1000.0}},
			{Verb: Corrupt, What: "snapshot"},
		} {
			if name == "forgetful" && fault.What == "snapshot" {
				continue
			}
			fault.Target = name
			r.inject(fault)
			r.run(time.Second)
			r.inject(Fault{Verb: Crash, Target: name})
			r.run(time.Second)
			if n := hits(name, 1); n != w[i] {
				t.Errorf("%s after %s %s: hit %v, want %v", name, fault.Verb, fault.What, n, w[i])
			}
		}
	}
	if !strings.Contains(strings.Join(told, "\n"), "checksum does not match") {
		t.Errorf("told %q", told)
	}
	if _, err := r.Inject(Fault{Verb: Corrupt, What: "snapshot", Target: "forgetful"}); err == nil || !strings.Contains(err.Error(), `no state of "root/forgetful"`) {
		t.Error(err)
	}
	r.inject(Fault{Verb: Corrupt, What: "snapshot", Target: "**"}) // of those that have one
	if n := r.of(journal.TypeStateChanged, "root/exact"); n != 8 {
		t.Errorf("%d changes of exact are shown, want 8", n)
	}
}

func TestNothingIsSavedWithoutADisk(t *testing.T) {
	r := pairRig(t, Model{})
	if _, err := r.Inject(Fault{Verb: Corrupt, What: "snapshot", Target: "echo"}); err == nil {
		t.Error("a saved state is spoilt where none is saved")
	}
}
