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

// A simulated handler that has heard enough goes on, as a live one does, and those whose answer nobody wants any more stop.
func TestAskUntilEndsEarly(t *testing.T) {
	var came []int
	var at time.Duration
	stopped := false
	asker := simple(func(ctx engine.Context, m engine.Msg) error {
		var to []engine.Ref
		var msgs []engine.Msg
		for _, name := range []string{"slow", "fast", "medium"} {
			ref, err := ctx.Ref(name)
			if err != nil {
				return err
			}
			to, msgs = append(to, ref), append(msgs, m)
		}
		ctx.(engine.EarlyAsker).AskUntil(to, msgs, 0, func(i int, _ any, err error) bool {
			if err != nil {
				t.Error(err)
			}
			came = append(came, i)
			return len(came) < 2
		})
		at = ctx.Now()
		return nil
	})
	after := func(d time.Duration) func() engine.Behavior {
		return simple(func(ctx engine.Context, _ engine.Msg) error { return ctx.Sleep(d) })
	}
	r := begin(t, `root:
  children:
    - {name: slow, go: slow}
    - {name: medium, go: medium}
    - {name: fast, go: fast}
    - {name: asker, go: asker}
`, making{"asker": asker, "slow": simple(func(ctx engine.Context, _ engine.Msg) error {
		if err := ctx.Sleep(10 * time.Second); err != nil {
			return err
		}
		stopped = !ctx.Reply(nil)
		return nil
	}), "fast": after(time.Second), "medium": after(2 * time.Second)})
	began := r.Now()
	if a := r.ask("asker", "m", nil); a.Err != nil {
		t.Fatal(a.Err)
	}
	if fmt.Sprint(came) != "[1 2]" || at-began != 2*time.Second {
		t.Errorf("heard %v until %s", came, at-began)
	}
	r.run(time.Minute)
	if !stopped {
		t.Error("the slow one's answer was still waited for")
	}
}
