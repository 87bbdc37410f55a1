package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

// Whoever wants each attempt hears of those under a plan that an action has varied, too.
func TestCallsAreToldUnderAVariedPlan(t *testing.T) {
	var outcomes []string
	r := begin(t, `
root:
  children:
    - {name: db, go: db, guard: {breaker: {trip: {consecutive_failures: 5}}}}
    - {name: pool, go: db, replicas: 1}
`, making{"db": simple(func(ctx engine.Context, _ engine.Msg) error { ctx.Reply(nil); return nil })}, func(o *Options) {
		o.Calls = func(c journal.Call) { outcomes = append(outcomes, c.Outcome) }
	})
	r.ask("db", "get", nil)
	r.Command(engine.Steer{Verb: "scale", Target: "pool", Count: 2}, "test", func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	})
	r.run(time.Second)
	r.ask("db", "get", nil)
	if want := []string{"success", "success"}; !slices.Equal(outcomes, want) {
		t.Errorf("told of %q, want %q", outcomes, want)
	}
}
