package guard

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// drawSpec is a guard that never makes a call wait before its first attempt.
func drawSpec(t *rapid.T) *plan.Guard {
	s := &plan.Guard{Name: "db"}
	if rapid.Bool().Draw(t, "rate") {
		s.Rate = &plan.RateLimit{PerSecond: float64(rapid.IntRange(1, 5).Draw(t, "per second")), Burst: 3}
	}
	if rapid.Bool().Draw(t, "breaker") {
		s.Breaker = consecutive(rapid.IntRange(1, 3).Draw(t, "failures"))
	}
	if rapid.Bool().Draw(t, "retry") {
		s.Retry = &plan.Retry{Attempts: rapid.IntRange(1, 4).Draw(t, "attempts"), Budget: 0.5,
			Backoff: plan.Backoff{Initial: time.Second, Max: 5 * time.Second, Factor: 2}}
	}
	if rapid.Bool().Draw(t, "timeout") {
		s.Timeout = time.Second
	}
	if rapid.Bool().Draw(t, "deadline") {
		s.Deadline = 3 * time.Second
	}
	switch rapid.IntRange(0, 2).Draw(t, "fallback") {
	case 1:
		s.Fallback = []plan.Fallback{{Status: 503}}
	case 2:
		s.Fallback = []plan.Fallback{{To: "bad"}, {To: "other"}}
	}
	return s
}

// inSteps is Call for who cannot wait before the first attempt.
func inSteps(g *Guard, env Env, c *Call, w Work) (any, error) {
	a, err := g.Open(env, c, w)
	var v any
	if err == nil {
		v, err = w.Try(a)
	}
	if c.Close(v, err) {
		return v, err
	}
	return c.Rest(v, err)
}

// A call taken in steps ends as a call taken at once: the same answers, attempts, waits, records and counts.
func TestStepsAreACall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		whole, parts := possible(t, spec), possible(t, spec)
		if !parts.Prompt() {
			t.Fatal("the guard says that it may wait")
		}
		a, b := &bench{}, &bench{}
		for i := range rapid.IntRange(1, 30).Draw(t, "calls") {
			pause := time.Duration(rapid.IntRange(0, 3000).Draw(t, "pause")) * time.Millisecond
			outcomes := rapid.SliceOfN(rapid.IntRange(0, 3), 4, 4).Draw(t, "outcomes")
			takes := time.Duration(rapid.IntRange(0, 1500).Draw(t, "takes")) * time.Millisecond
			idempotent := rapid.Bool().Draw(t, "idempotent")
			play := func(e *bench, take func(*Guard, Env, *Call, Work) (any, error), g *Guard) string {
				e.now += pause
				e.tries = nil
				e.answer = func(n int, _ *Attempt) (any, error) {
					e.now += takes
					switch outcomes[min(n, 4)-1] {
					case 0:
						return n, nil
					case 1:
						return nil, &engine.Error{Kind: engine.KindUnreachable, Message: "no", By: "db"}
					case 2:
						return nil, &engine.Error{Kind: engine.KindTimeout, Message: "late", By: "db", Delivered: true}
					}
					return nil, engine.ErrStopped
				}
				c := call()
				c.Idempotent = idempotent
				var seen told
				c.Witness = &seen
				v, err := take(g, e, c, e)
				tries := ""
				for _, a := range e.tries {
					tries += fmt.Sprint(a.N, a.Began, a.Timeout, " ")
				}
				return fmt.Sprint(i, ": ", v, err, c.Degraded, c.FallbackStatus, e.now, e.sleeps, e.asked, tries, seen)
			}
			at := func(g *Guard, env Env, c *Call, w Work) (any, error) { return g.Call(env, c, w) }
			if diff := cmp.Diff(play(a, at, whole), play(b, inSteps, parts)); diff != "" {
				t.Fatal(diff)
			}
		}
		if diff := cmp.Diff(fmt.Sprint(whole.Snapshot(a.now)), fmt.Sprint(parts.Snapshot(b.now))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// possible is New for a spec that is possible.
func possible(t *rapid.T, spec *plan.Guard) *Guard {
	g, err := New(spec, Options{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Guards that may make a call wait before its first attempt say so.
func TestPrompt(t *testing.T) {
	for name, c := range map[string]struct {
		spec plan.Guard
		want bool
	}{
		"nothing":  {plan.Guard{}, true},
		"bulkhead": {plan.Guard{Bulkhead: &plan.Bulkhead{Concurrent: 1, Queue: 1, Wait: time.Second}}, false},
		"adaptive": {plan.Guard{Adaptive: &plan.Adaptive{Min: 1, Max: 2}}, false},
		"hedge":    {plan.Guard{Hedge: &plan.Hedge{After: time.Second}}, false},
	} {
		c.spec.Name = name
		if got := mustGuard(t, &c.spec, Options{}).Prompt(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
