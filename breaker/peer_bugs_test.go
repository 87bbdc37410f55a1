package breaker

import (
	"context"
	"testing"
	"time"
)

// Each test here is a bug that was reproduced in a well-known breaker, and shows that this one does not have it.

// gobreaker, failsafe-go and sentinel: one probe that never reports back blocks the circuit for ever.
func TestALostProbeDoesNotBlockTheBreaker(t *testing.T) {
	b := mustNew(t, rate())
	told := story(b)
	b.Force(0, ForcedOpen)
	b.Force(0, Normal)
	lost, v := b.Allow(0)
	if !v.Probe {
		t.Fatalf("want a probe, got %+v", v)
	}
	if _, v := b.Allow(49 * ms); v.Admitted || v.RetryAfter != time.Millisecond {
		t.Errorf("while the lease lasts: %+v", v)
	}
	// The lease ends at 50ms and fails the probe; the open time ends at 150ms.
	if _, v := b.Allow(150 * ms); !v.Probe {
		t.Errorf("after the lease and the open time: %+v", v)
	}
	b.Done(151*ms, lost, Success)
	if s := b.Snapshot(151 * ms); s.State != HalfOpen || s.Totals.Late != 1 {
		t.Errorf("the lost probe came back and decided: %+v", s)
	}
	wantStory(t, told,
		"0s closed>open #2 forced",
		"0s open>half_open #3 forced",
		"50ms half_open>open #4 probe_lost: probe 1",
		"150ms open>half_open #5 open_elapsed")
}

// Nor does it if the policy says nothing of leases: one lasts as long as the breaker stays open.
func TestALeaseIsTheDefault(t *testing.T) {
	p := rate()
	p.HalfOpen.Lease = 0
	b := mustNew(t, p)
	b.Force(0, ForcedOpen)
	b.Force(0, Normal)
	b.Allow(0)
	if d := b.Deadline(); d != 100*ms {
		t.Errorf("a probe without a lease of its own counts as lost at %v, want 100ms", time.Duration(d))
	}
}

// The same with JudgeRates, where a lost probe is one of the outcomes that the rates judge.
func TestALostProbeCountsAsFailedAmongRates(t *testing.T) {
	p := rate()
	p.HalfOpen = HalfOpenPolicy{Probes: 3, Lease: 50 * time.Millisecond, Judge: JudgeRates}
	b := mustNew(t, p)
	b.Force(0, ForcedOpen)
	b.Force(0, Normal)
	b.Allow(0) // lost
	call(t, b, 0, Success)
	call(t, b, 0, Success)
	wantState(t, b, 49*ms, HalfOpen)
	wantState(t, b, 50*ms, Closed)
}

// failsafe-go and sentinel: a call that began while closed ends in half-open and decides the probe.
func TestACallFromBeforeTheOpeningDoesNotDecideTheProbe(t *testing.T) {
	for _, late := range []Outcome{Success, Failed} {
		p := rate()
		p.HalfOpen.Successes = 1
		b := mustNew(t, p)
		early, _ := b.Allow(0)
		for range 4 {
			call(t, b, 0, Failed)
		}
		probe, v := b.Allow(100 * ms)
		if !v.Probe {
			t.Fatalf("want a probe, got %+v", v)
		}
		b.Done(101*ms, early, late)
		wantState(t, b, 101*ms, HalfOpen)
		b.Done(102*ms, probe, Success)
		wantState(t, b, 102*ms, Closed)
	}
}

// gobreaker looks at its thresholds only when a call fails: 9 failures and a success that completes the minimum of 10
// leave it closed at an error rate of 90%.
func TestASuccessThatCompletesTheMinimumTrips(t *testing.T) {
	p := rate()
	p.MinCalls = 10
	b := mustNew(t, p)
	for range 9 {
		call(t, b, 0, Failed)
	}
	wantState(t, b, 0, Closed)
	call(t, b, 0, Success)
	wantState(t, b, 0, Open)
}

// gobreaker counts requests when they begin, so calls still in flight dilute its rates; MinCalls counts finished ones.
func TestCallsInFlightAreNotCounted(t *testing.T) {
	b := mustNew(t, rate())
	for range 100 {
		b.Allow(0)
	}
	if s := b.Snapshot(0); s.Calls != 0 {
		t.Errorf("%d calls are counted before any has ended", s.Calls)
	}
	for range 4 {
		call(t, b, 0, Failed)
	}
	wantState(t, b, 0, Open)
}

// Envoy #25487: what the proxy refused itself counts as a failure of the callee.
func TestRefusalsAreNobodysFailures(t *testing.T) {
	b := mustNew(t, rate())
	for range 4 {
		call(t, b, 0, Failed)
	}
	before := b.Snapshot(0)
	for range 1000 {
		if _, v := b.Allow(1); v.Admitted {
			t.Fatal("an open breaker admitted a call")
		}
	}
	after := b.Snapshot(1)
	if after.Calls != before.Calls || after.Totals.Failures != before.Totals.Failures || after.Consecutive != before.Consecutive {
		t.Errorf("refusals were counted: before %+v, after %+v", before, after)
	}
	if after.Totals.Rejected != 1000 {
		t.Errorf("%d refusals counted, want 1000", after.Totals.Rejected)
	}
}

// resilience4j leaves the open state only when somebody asks for a permit, so a breaker without traffic reads as open
// for ever.
func TestAnOpenBreakerHalfOpensWithoutTraffic(t *testing.T) {
	b := mustNew(t, rate())
	told := story(b)
	for range 4 {
		call(t, b, 0, Failed)
	}
	if d := b.Deadline(); d != 100*ms {
		t.Fatalf("the deadline is %v, want the end of the open time", time.Duration(d))
	}
	b.Tick(100 * ms)
	if n := len(*told); n != 2 {
		t.Errorf("told %v, want the half-opening without a call", *told)
	}
}

// resilience4j #2325, #2181, #1960: a changed configuration loses the window.
func TestAReloadKeepsTheWindow(t *testing.T) {
	p := rate()
	b := mustNew(t, p)
	for range 3 {
		call(t, b, 0, Failed)
	}
	p.Window = Window{Span: 2 * time.Second, Buckets: 20}
	if err := b.SetPolicy(0, p); err != nil {
		t.Fatal(err)
	}
	if s := b.Snapshot(0); s.Failures != 3 || s.Consecutive != 3 {
		t.Errorf("after the reload: %+v", s)
	}
}

// failsafe-go without its executor, and hand-written breakers: a panic between asking and reporting leaks the permit.
func TestAPanicInAProbeFreesItsSlot(t *testing.T) {
	clock, now := fakeClock()
	p := rate()
	b := mustNew(t, p, WithClock(clock))
	b.Force(0, ForcedOpen)
	b.Force(0, Normal)
	func() {
		defer func() { _ = recover() }()
		_ = b.Do(context.Background(), func(context.Context) error { panic("probe") })
	}()
	wantState(t, b, 0, Open)
	now.Store(100 * ms)
	if _, v := b.Allow(100 * ms); !v.Probe {
		t.Errorf("after the panic and the open time: %+v", v)
	}
}

// A probe ended twice must not count twice, nor free somebody else's slot.
func TestAProbeEndsOnce(t *testing.T) {
	p := rate()
	p.HalfOpen = HalfOpenPolicy{Probes: 2, Successes: 3}
	b := mustNew(t, p)
	b.Force(0, ForcedOpen)
	b.Force(0, Normal)
	first, _ := b.Allow(0)
	b.Allow(0)
	for range 5 {
		b.Done(0, first, Success)
	}
	if s := b.Snapshot(0); s.State != HalfOpen || s.InFlight != 1 || s.Totals.Successes != 1 {
		t.Errorf("after one probe ended five times: %+v", s)
	}
}
