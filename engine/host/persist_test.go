package host_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/journal"
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

// Retention drops what is old although an idle actor's only changes are in it: its state is saved for that, and still
// there after a failure.
func TestRetentionWaitsForIdleActors(t *testing.T) {
	o, _ := options(t, `apiVersion: lukhas/v1
kind: Topology
metadata: {name: retention}
journal: {durability: async, retention: {size: 1MiB}}
root:
  children:
    - name: idle
      persist: events
      restart: {backoff: {initial: 1ms}}
      script: {state: {n: 0}, handlers: {hit: {set: {n: state.n + 1}}, peek: {reply: {n: state.n}}, boom: {fail: {kind: asked}}}}
    - {name: busy, persist: events, script: {state: {text: ""}, handlers: {write: {set: {text: msg.text}}}}}
`)
	h := start(t, o)
	r, err := journal.OpenReader(filepath.Join(o.Data, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	stats := func() journal.Stats {
		s, err := r.Stats()
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the segment has just been dropped
			t.Fatal(err)
		}
		return s
	}
	noise := rand.NewChaCha8([32]byte{}) // nothing that could be packed
	text := make([]byte, 100_000)
	patience := time.Now().Add(calm.Long)
	for range 2 {
		ask(t, h, "idle", "hit")
		for last := stats().Last; stats().First <= last; {
			if time.Now().After(patience) {
				t.Fatalf("event %d is not dropped of %+v", last, stats())
			}
			_, _ = noise.Read(text) // it never fails
			if _, err := h.Ask(t.Context(), admin.AskRequest{Actor: "busy", Message: "write", Payload: map[string]any{"text": hex.EncodeToString(text)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ask(t, h, "idle", "boom")
	if got := ask(t, h, "idle", "peek"); got != 2.0 {
		t.Errorf("the idle actor is at %v, want 2", got)
	}
}

// With `record: state` the changes of scripts that are not persisted are events too, from which nothing is rebuilt.
func TestChangesAreRecordedWhenWanted(t *testing.T) {
	for record, want := range map[string]int{"state": 2, "lifecycle": 0} {
		o, _ := options(t, `apiVersion: lukhas/v1
kind: Topology
metadata: {name: recorded}
journal: {record: [`+record+`]}
root:
  children:
    - {name: a, restart: {backoff: {initial: 1ms}}, script: {state: {n: 0}, handlers: {hit: {set: {n: state.n + 1}}, peek: {reply: {n: state.n}}, boom: {fail: {kind: asked}}}}}
`)
		h := start(t, o)
		ask(t, h, "a", "hit")
		ask(t, h, "a", "hit")
		ask(t, h, "a", "boom")
		if got := ask(t, h, "a", "peek"); got != 0.0 {
			t.Errorf("%s: it is rebuilt: %v", record, got)
		}
		end(h)
		r, err := journal.OpenReader(filepath.Join(o.Data, "journal"))
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		for e, err := range r.Scan(journal.Query{Types: []journal.Type{journal.TypeStateChanged}}) {
			if got++; err != nil || e.Actor != "root/a" || string(e.Payload) != fmt.Sprintf(`{"change":{"n":%d}}`, got) {
				t.Errorf("%s: %+v %s, %v", record, e, e.Payload, err)
			}
		}
		if got != want {
			t.Errorf("%s: %d changes are in the journal, want %d", record, got, want)
		}
	}
}

// A change that no event can hold is refused and not made; one with a secret in it is kept as it is and shown without.
func TestChangesThatAreSpecial(t *testing.T) {
	o, _ := options(t, `apiVersion: lukhas/v1
kind: Topology
metadata: {name: special}
root:
  children:
    - name: a
      persist: events
      restart: {backoff: {initial: 1ms}}
      script:
        state: {text: "", token: "${secret:TOKEN}", copy: ""}
        handlers:
          write: {set: {text: msg.text}}
          learn: {set: {copy: state.token}}
          peek: {reply: {n: 'len(state.text) + (state.copy == state.token ? 1000 : 0)'}}
          boom: {fail: {kind: asked}}
`)
	o.Source.Env = func(name string) (string, bool) { return "hunter2hunter2", name == "TOKEN" }
	o.Events = observe.NewStream(64)
	defer o.Events.Close()
	h := start(t, o)
	_, err := h.Ask(t.Context(), admin.AskRequest{Actor: "a", Message: "write", Payload: map[string]any{"text": strings.Repeat("x", journal.MaxEventBytes)}})
	var refused *engine.Error
	if !errors.As(err, &refused) || refused.Kind != engine.KindInvalid || !strings.Contains(refused.Message, "too large") {
		t.Errorf("a change that no event can hold: %v", err)
	}
	ask(t, h, "a", "learn")
	ask(t, h, "a", "boom")
	if got := ask(t, h, "a", "peek"); got != 1000.0 {
		t.Errorf("rebuilt with %v, want an empty text and the secret", got)
	}
	changes := 0
	for _, e := range o.Events.Recent(0) {
		if e.Type != journal.TypeStateChanged {
			continue
		}
		if changes++; strings.Contains(string(e.Payload), "hunter2") || e.Correlation == "" || e.Actor != "root/a" {
			t.Errorf("shown is %+v %s", e, e.Payload)
		}
	}
	if changes != 1 {
		t.Errorf("%d changes are shown, want 1", changes)
	}
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
