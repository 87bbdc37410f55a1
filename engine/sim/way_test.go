package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

// A route's key is the expression's also where no guard stands before the group, for asks and for tells.
func TestRouteKeyWithoutGuard(t *testing.T) {
	at := map[string]map[string]bool{} // replicas by id
	sink := simple(func(ctx engine.Context, m engine.Msg) error {
		id := m.Payload.(map[string]any)["id"].(string)
		if at[id] == nil {
			at[id] = map[string]bool{}
		}
		at[id][ctx.Path()] = true
		ctx.Reply(nil)
		return nil
	})
	r := begin(t, "root:\n  children:\n    - {name: pool, replicas: 4, route: {pick: hash, key: msg.id}, go: sink}\n", making{"sink": sink})
	used := map[string]bool{}
	for i := range 20 {
		id := fmt.Sprint(i)
		if a := r.ask("pool", "m", map[string]any{"id": id}); a.Err != nil {
			t.Fatal(a.Err)
		}
		if err := r.Tell("pool", engine.Msg{Type: "m", Payload: map[string]any{"id": id}}, engine.CallOptions{}); err != nil {
			t.Fatal(err)
		}
		r.run(time.Millisecond)
		if len(at[id]) != 1 {
			t.Errorf("messages with id %s went to %v", id, at[id])
		}
		for path := range at[id] {
			used[path] = true
		}
	}
	if len(used) < 3 {
		t.Errorf("20 ids used %v only", used)
	}
}

// The observer hears once of a request that is refused before its guard, and once of one before no guard.
func TestRefusedIsToldOnce(t *testing.T) {
	r := begin(t, `root:
  children:
    - {name: guarded, go: sink, guard: {timeout: 1s}}
    - {name: bare, go: sink}
`, making{"sink": simple(func(engine.Context, engine.Msg) error { return nil })})
	for _, name := range []string{"guarded", "bare"} {
		r.Command(engine.Steer{Verb: "quarantine", Target: name, Reason: "test"}, "test", func(err error) {
			if err != nil {
				t.Error(err)
			}
		})
		r.calls = nil
		if a := r.ask(name, "m", nil); kindOf(a.Err) != engine.KindRefused {
			t.Errorf("%s: %v", name, a.Err)
		}
		if len(r.calls) != 1 || r.calls[0].Attempt != 0 || r.calls[0].Err == nil {
			t.Errorf("%s: told %+v", name, r.calls)
		}
	}
}
