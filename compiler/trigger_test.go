package compiler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
)

// guarded compiles a breaker and returns its policy.
func guarded(t *testing.T, breakerText string) breaker.Policy {
	t.Helper()
	p, diags := compile(t, header+"params: {slow: 200ms}\nroot:\n  children:\n    - {name: a, upstream: http://127.0.0.1:1, guard: {breaker: "+breakerText+"}}\n")
	if p == nil {
		t.Fatalf("findings:\n%s", brief(diags))
	}
	return p.Actor("root/a").Guard.Breaker.Policy
}

// calls lets n calls, 10 ms apart, end after took each, and returns the state and what opened the breaker.
func calls(b *breaker.Breaker, now *int64, n int, took time.Duration, o breaker.Outcome) (state breaker.State, trigger, values string) {
	b.Listen(func(t breaker.Transition) {
		if t.To == breaker.Open {
			trigger, values = t.Trigger, t.Values
		}
	})
	for range n {
		*now += int64(10 * time.Millisecond)
		permit, verdict := b.Allow(*now)
		if !verdict.Admitted {
			break
		}
		b.Done(*now+int64(took), permit, o)
		*now += int64(took)
	}
	return b.Snapshot(*now).State, trigger, values
}

func TestAConditionOpensTheBreaker(t *testing.T) {
	p := guarded(t, "{window: 10s, min_calls: 10, trip: {when: latency.p99 > params.slow && calls > 20}}")
	var now int64
	b, err := breaker.New(p, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	if state, _, _ := calls(b, &now, 200, 10*time.Millisecond, breaker.Success); state != breaker.Closed {
		t.Fatalf("quick calls leave it %v", state)
	}
	state, trigger, values := calls(b, &now, 60, 300*time.Millisecond, breaker.Success)
	if state != breaker.Open || trigger != "when" || !strings.Contains(values, "latency.p99 > params.slow") {
		t.Errorf("slow calls leave it %v, opened by %q %q", state, trigger, values)
	}
}

func TestAConditionOnClassesCountsThem(t *testing.T) {
	p := guarded(t, `{window: 10s, min_calls: 1, trip: {when: class("timeout") >= 3}}`)
	var now int64
	b, err := breaker.New(p, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	if state, _, _ := calls(b, &now, 10, time.Millisecond, breaker.Failure("crash")); state != breaker.Closed {
		t.Fatalf("another class leaves it %v", state)
	}
	if state, trigger, _ := calls(b, &now, 3, time.Millisecond, breaker.Failure("timeout")); state != breaker.Open || trigger != "when" {
		t.Errorf("three of the class leave it %v, opened by %q", state, trigger)
	}
}

func TestAnAnomalyOpensTheBreaker(t *testing.T) {
	for _, text := range []string{"{of: latency}", "{detector: zscore, threshold: 4, consecutive: 3, params: {window: 50}}"} {
		p := guarded(t, "{window: 10s, min_calls: 1, trip: {anomaly: "+text+"}}")
		var now int64
		b, err := breaker.New(p, 1, now)
		if err != nil {
			t.Fatal(err)
		}
		if state, _, _ := calls(b, &now, 500, 20*time.Millisecond, breaker.Success); state != breaker.Closed {
			t.Fatalf("%s: steady calls leave it %v", text, state)
		}
		if err := b.SetPolicy(now, p); err != nil { // what was learned survives a reload
			t.Fatal(err)
		}
		state, trigger, values := calls(b, &now, 60, 400*time.Millisecond, breaker.Success)
		if state != breaker.Open || trigger != "anomaly" || !strings.Contains(values, "of latency") {
			t.Errorf("%s: slow calls leave it %v, opened by %q %q", text, state, trigger, values)
		}
	}
}

func TestAnAnomalyOfARateOpensTheBreaker(t *testing.T) {
	p := guarded(t, "{window: 1s, min_calls: 1, trip: {anomaly: {of: error_rate}}}")
	var now int64
	b, err := breaker.New(p, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	if state, _, _ := calls(b, &now, 2000, time.Millisecond, breaker.Success); state != breaker.Closed {
		t.Fatalf("steady calls leave it %v", state)
	}
	if state, trigger, _ := calls(b, &now, 100, time.Millisecond, breaker.Failed); state != breaker.Open || trigger != "anomaly" {
		t.Errorf("failures leave it %v, opened by %q", state, trigger)
	}
}

func TestSettingsOfATriggerAreInTheDigest(t *testing.T) {
	seen := map[string]string{}
	for _, trip := range []string{"anomaly: {of: latency}", "anomaly: {of: calls}", "anomaly: {threshold: 5}", "anomaly: {consecutive: 5}", "anomaly: {detector: zscore}", "anomaly: {detector: zscore, params: {window: 20}}", "when: calls > 5", "when: calls > 6"} {
		p, diags := compile(t, header+"root:\n  children:\n    - {name: a, upstream: http://127.0.0.1:1, guard: {breaker: {trip: {"+trip+"}}}}\n")
		if p == nil {
			t.Fatalf("%s:\n%s", trip, brief(diags))
		}
		if other, twice := seen[p.Digest().String()]; twice {
			t.Errorf("%s and %s have one digest", trip, other)
		}
		seen[p.Digest().String()] = trip
	}
}

func TestLatencyIsKeptForTheRulesThatReadIt(t *testing.T) {
	for rule, want := range map[string]bool{
		`breaker("a").latency.p99 > 1s`:           true,
		`over(breaker("a"), 1m).latency.p90 > 1s`: true,
		`breaker("a").error_rate > 0.5`:           false,
		`actor("a").latency.p99 > 1s`:             false,
	} {
		p, diags := compile(t, header+"root:\n  children:\n    - {name: a, upstream: http://127.0.0.1:1, guard: {breaker: {trip: {failures: 5}}}}\nrules:\n  - name: r\n    when: '"+rule+"'\n    then: [{pause: a}]\n")
		if p == nil {
			t.Fatalf("%s:\n%s", rule, brief(diags))
		}
		if got := p.Actor("root/a").Guard.Breaker.Policy.Latency; got != want {
			t.Errorf("%s: latency is kept: %v", rule, got)
		}
	}
}

func TestAConditionSeesCallsInFlightAndTheTime(t *testing.T) {
	p := guarded(t, "{window: 10s, min_calls: 1, trip: {when: in_flight >= 3 && now > 4}}")
	for _, begin := range []time.Duration{0, 10 * time.Second} {
		now := int64(begin)
		b, err := breaker.New(p, 1, now)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			b.Allow(now)
		}
		state, _, _ := calls(b, &now, 1, time.Millisecond, breaker.Failed)
		if want := begin > 0; (state == breaker.Open) != want {
			t.Errorf("begun at %v, four calls in flight leave it %v", begin, state)
		}
	}
}

func TestAnAlertOpensTheBreakerOnce(t *testing.T) {
	p := guarded(t, "{window: 1s, min_calls: 1, trip: {anomaly: {of: latency}}, open: {for: 1s, jitter: 0%}}")
	var now int64
	b, err := breaker.New(p, 1, now)
	if err != nil {
		t.Fatal(err)
	}
	calls(b, &now, 500, 20*time.Millisecond, breaker.Success)
	if state, _, _ := calls(b, &now, 60, 400*time.Millisecond, breaker.Success); state != breaker.Open {
		t.Fatalf("slow calls leave it %v", state)
	}
	now += int64(2 * time.Second)
	if state, _, _ := calls(b, &now, 200, 20*time.Millisecond, breaker.Success); state != breaker.Closed {
		t.Errorf("usual calls afterwards leave it %v", state)
	}
}

func TestLimitsThatAreLeftOutFollowTheOthers(t *testing.T) {
	p := guarded(t, "{trip: {failures: 5}, open: {for: 2m}, half_open: {probes: 7}}")
	if p.Open.Max != 2*time.Minute || p.HalfOpen.Successes != 7 || p.HalfOpen.Lease != 10*time.Second {
		t.Errorf("max %v, successes %d, lease %v", p.Open.Max, p.HalfOpen.Successes, p.HalfOpen.Lease)
	}
	p = guarded(t, "{trip: {failures: 5}, open: {for: 3s}}")
	if p.Open.Max != time.Minute || p.HalfOpen.Lease != 3*time.Second {
		t.Errorf("max %v, lease %v", p.Open.Max, p.HalfOpen.Lease)
	}
}
