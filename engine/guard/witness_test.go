package guard

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// told is a Witness that keeps what it is told.
type told []Ended

func (t *told) Ended(e Ended) { *t = append(*t, e) }

// Each attempt, refusal and fallback is told once, with what it was.
func TestTheWitnessIsToldHowEachAttemptEnded(t *testing.T) {
	slow := func(n int, a *Attempt) (any, error) {
		if n < 2 {
			return nil, &engine.Error{Kind: engine.KindUnreachable, Message: "no", By: "db"}
		}
		return "x", nil
	}
	two := &plan.Retry{Attempts: 3, Backoff: plan.Backoff{Initial: time.Second, Max: time.Second, Factor: 1}}
	for name, c := range map[string]struct {
		spec   plan.Guard
		answer func(int, *Attempt) (any, error)
		route  func(func(string) bool) (string, error)
		calls  int
		want   []Ended
	}{
		"a success without a breaker": {calls: 1, want: []Ended{{Outcome: "success", Attempt: 1}}},
		"a retry": {spec: plan.Guard{Retry: two}, answer: slow, calls: 1, want: []Ended{
			{Outcome: "failure", Class: "unreachable", Attempt: 1}, {Outcome: "success", Attempt: 2}}},
		"an open breaker, and a fallback": {
			spec:   plan.Guard{Breaker: consecutive(1), Fallback: []plan.Fallback{{}}},
			answer: fails("boom", true), calls: 2, want: []Ended{
				{Outcome: "failure", Class: "boom", Attempt: 1}, {Outcome: "fallback"},
				{Outcome: "rejected", Class: "breaker", Attempt: 1}, {Outcome: "fallback"}},
		},
		"a breaker that opens between attempts": {spec: plan.Guard{Breaker: consecutive(1), Retry: two}, answer: slow, calls: 1, want: []Ended{
			{Outcome: "failure", Class: "unreachable", Attempt: 1}, {Outcome: "rejected", Class: "breaker", Attempt: 2, Took: time.Second}}},
		"a rate limit": {spec: plan.Guard{Rate: &plan.RateLimit{PerSecond: 1, Burst: 1}}, calls: 2, want: []Ended{
			{Outcome: "success", Attempt: 1}, {Outcome: "rejected", Class: "rate_limit", Attempt: 1}}},
		"no replica": {route: func(func(string) bool) (string, error) { return "", errors.New("none") }, calls: 1, want: []Ended{
			{Outcome: "rejected", Class: "replica", Attempt: 1}}},
		"what is refused further down": {answer: fails(engine.KindRefused, false), calls: 1, want: []Ended{{Outcome: "ignored", Attempt: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{answer: c.answer, route: c.route}
			c.spec.Name = "db"
			g := mustGuard(t, &c.spec, Options{})
			var seen told
			for range c.calls {
				one := call()
				one.Witness = &seen
				_, _ = g.Call(b, one, b)
			}
			for i := range c.want {
				c.want[i].Guard = "db"
			}
			if diff := cmp.Diff(c.want, []Ended(seen)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A panic in the callee is told before it goes on.
func TestTheWitnessIsToldOfAPanic(t *testing.T) {
	var seen told
	b := &bench{answer: func(int, *Attempt) (any, error) { panic("boom") }}
	g := mustGuard(t, &plan.Guard{Name: "db"}, Options{})
	one := call()
	one.Witness = &seen
	func() {
		defer func() { _ = recover() }()
		_, _ = g.Call(b, one, b)
	}()
	if len(seen) != 1 || seen[0].Outcome != "failure" || seen[0].Class != engine.KindCrash {
		t.Errorf("told %+v", seen)
	}
}
