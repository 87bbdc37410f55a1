package host_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/host"
)

const counters = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: counters}
root:
  strategy: one_for_one
  intensity: {max: 100, within: 1s}
  children:
    - {name: forgetful, use: counter}
    - {name: saved, use: counter, persist: {mode: state, snapshot: {every: 2}}}
    - {name: exact, use: counter, persist: events}
templates:
  counter:
    restart: {backoff: {initial: 1ms}}
    script:
      state: {n: 0}
      handlers:
        hit: {set: {n: state.n + 1}}
        peek: {reply: {n: state.n}}
        boom: {fail: {kind: asked, message: '"asked to fail"'}}
`

func ask(t *testing.T, h *host.Host, to, message string) any {
	t.Helper()
	answer, err := h.Ask(t.Context(), admin.AskRequest{Actor: to, Message: message})
	if err != nil && message != "boom" {
		t.Fatalf("%s %s: %v", to, message, err)
	}
	if m, ok := answer.(map[string]any); ok {
		return m["n"]
	}
	return nil
}

// A state outlives a failure as its mode says, and the engine's end; a damaged one falls back to the one before.
func TestAStateOutlivesRestarts(t *testing.T) {
	o, _ := options(t, counters)
	h := start(t, o)
	want := func(what string, h *host.Host, forgetful, saved, exact float64) {
		t.Helper()
		for name, n := range map[string]float64{"forgetful": forgetful, "saved": saved, "exact": exact} {
			if got := ask(t, h, name, "peek"); got != n {
				t.Errorf("%s: %s is at %v, want %v", what, name, got, n)
			}
		}
	}
	for _, name := range []string{"forgetful", "saved", "exact"} {
		for range 5 {
			ask(t, h, name, "hit")
		}
		ask(t, h, name, "boom")
	}
	want("after a failure", h, 0, 4, 5)
	if err := h.Steer(t.Context(), engine.Steer{Verb: "set_state", Target: "exact", Payload: map[string]any{"n": 7.0}}, "ann"); err != nil {
		t.Fatal(err)
	}
	ask(t, h, "exact", "boom")
	want("after a state was set", h, 0, 4, 7)
	for _, name := range []string{"forgetful", "saved", "exact"} {
		ask(t, h, name, "hit")
	}
	end(h)
	want("in the next run", start(t, o), 0, 5, 8)
	files, err := filepath.Glob(filepath.Join(o.Data, "snapshots", "*exact", "*.state"))
	if err != nil || len(files) < 1 {
		t.Fatalf("no state of exact is on disk: %v", err)
	}
	if _, err := os.Stat(filepath.Join(o.Data, "snapshots", "root%2fforgetful")); err == nil {
		t.Error("a state that is not to be kept is on disk")
	}
}
