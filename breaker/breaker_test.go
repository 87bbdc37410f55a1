package breaker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const ms = int64(time.Millisecond)

// rate is a policy most tests start from: half of the calls of a second, from four on.
func rate() Policy {
	return Policy{
		Window:   Window{Span: time.Second},
		MinCalls: 4,
		Trip:     Trip{ErrorRate: 0.5},
		Open:     OpenPolicy{For: 100 * time.Millisecond},
		HalfOpen: HalfOpenPolicy{Probes: 1, Successes: 2, Lease: 50 * time.Millisecond},
	}
}

func mustNew(t testing.TB, p Policy, options ...Option) *Breaker {
	t.Helper()
	b, err := New(p, 1, 0, options...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// call makes one call that takes no time.
func call(t testing.TB, b *Breaker, now int64, o Outcome) {
	t.Helper()
	p, v := b.Allow(now)
	if !v.Admitted {
		t.Fatalf("at %v the call was refused: %+v", time.Duration(now), v)
	}
	b.Done(now, p, o)
}

func wantState(t testing.TB, b *Breaker, now int64, want State) {
	t.Helper()
	if s := b.Snapshot(now); s.State != want {
		t.Fatalf("at %v the state is %v, want %v: %+v", time.Duration(now), s.State, want, s)
	}
}

// story records what a breaker tells.
func story(b *Breaker) *[]string {
	var told []string
	b.Listen(func(t Transition) {
		line := fmt.Sprintf("%v %v>%v #%d %s", time.Duration(t.At), t.From, t.To, t.Generation, t.Trigger)
		if t.Values != "" {
			line += ": " + t.Values
		}
		if t.WouldOpen {
			line += " (would open)"
		}
		told = append(told, line)
	})
	return &told
}

func wantStory(t *testing.T, told *[]string, want ...string) {
	t.Helper()
	if !slices.Equal(*told, want) {
		t.Errorf("told:\n%s\nwant:\n%s", strings.Join(*told, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheWholeRoundIsTold(t *testing.T) {
	p := rate()
	p.Ramp = 100 * time.Millisecond
	b := mustNew(t, p)
	told := story(b)
	for _, o := range []Outcome{Success, Failed, Success, "timeout"} {
		call(t, b, 0, o)
	}
	call(t, b, 100*ms, Success)
	call(t, b, 110*ms, Success)
	b.Tick(500 * ms)
	wantStory(t, told,
		"0s closed>open #2 error_rate: error_rate 0.5 >= 0.5 (2 of 4 calls)",
		"100ms open>half_open #3 open_elapsed",
		"110ms half_open>recovering #4 probes_passed: successes 2",
		"210ms recovering>closed #5 ramp_done")
}

func TestFirstMatchingTriggerIsNamed(t *testing.T) {
	p := rate()
	p.Trip = Trip{ConsecutiveFailures: 4, Failures: 4, ErrorRate: 0.1, Slow: Slow{Over: time.Millisecond, Rate: 0.1}}
	b := mustNew(t, p)
	told := story(b)
	for range 4 {
		permit, _ := b.Allow(0)
		b.Done(2*ms, permit, Failed)
	}
	wantStory(t, told, "2ms closed>open #2 consecutive_failures: consecutive_failures 4 >= 4")
}

func TestSlowIsOverTheLimitAndRatesTripAtTheirs(t *testing.T) {
	p := rate()
	p.Trip = Trip{Slow: Slow{Over: 10 * time.Millisecond, Rate: 0.5}}
	b := mustNew(t, p)
	for _, took := range []int64{10, 10, 11} {
		permit, _ := b.Allow(0)
		b.Done(took*ms, permit, Success)
	}
	if s := b.Snapshot(11 * ms); s.Slow != 1 || s.State != Closed {
		t.Fatalf("calls of exactly the limit must not be slow: %+v", s)
	}
	permit, _ := b.Allow(11 * ms)
	b.Done(22*ms, permit, Success)
	wantState(t, b, 22*ms, Open)
}

func TestIgnoredOutcomesCountForNothing(t *testing.T) {
	b := mustNew(t, rate())
	for range 3 {
		call(t, b, 0, Failed)
	}
	for range 10 {
		call(t, b, 0, Ignored)
	}
	if s := b.Snapshot(0); s.State != Closed || s.Calls != 3 || s.Ignored != 10 || s.Consecutive != 3 {
		t.Errorf("after 3 failures and 10 ignored: %+v", s)
	}
}

func TestIgnoredProbesAreBounded(t *testing.T) {
	b := mustNew(t, rate())
	b.Force(0, ForcedOpen)
	b.Force(0, Normal)
	n := 0
	for b.Snapshot(0).State == HalfOpen {
		call(t, b, 0, Ignored)
		n++
	}
	if n != ignoredPerProbe*2+1 {
		t.Errorf("half-open forgave %d ignored probes, want %d", n-1, ignoredPerProbe*2)
	}
}

func TestOpenTimeGrowsAndStaysUnderItsCap(t *testing.T) {
	p := rate()
	p.Trip = Trip{ConsecutiveFailures: 1}
	p.Open = OpenPolicy{For: 100 * time.Millisecond, Factor: 2, Max: 500 * time.Millisecond}
	b := mustNew(t, p)
	now, waits := int64(0), []time.Duration{}
	for range 5 {
		call(t, b, now, Failed)
		_, v := b.Allow(now)
		waits = append(waits, v.RetryAfter/time.Millisecond)
		now += int64(v.RetryAfter)
	}
	if want := []time.Duration{100, 200, 400, 500, 500}; !slices.Equal(waits, want) {
		t.Errorf("open for %v ms, want %v", waits, want)
	}
}

func TestRecoveryAdmitsAGrowingShare(t *testing.T) {
	p := rate()
	p.Ramp = time.Second
	p.HalfOpen.Successes = 1
	b := mustNew(t, p)
	b.Force(0, ForcedOpen)
	b.Force(0, Normal)
	call(t, b, 0, Success)
	var shares []int
	for tenth := range 10 {
		admitted := 0
		for i := range 100 {
			permit, v := b.Allow(int64(tenth)*100*ms + int64(i))
			if v.Admitted {
				admitted++
				b.Done(int64(tenth)*100*ms+int64(i), permit, Success)
			}
		}
		shares = append(shares, admitted)
	}
	for i, got := range shares {
		if want := max(10, i*10); got < want-1 || got > want+1 {
			t.Errorf("after %d tenths of the ramp %d%% pass, want %d%%", i, got, want)
		}
	}
	wantState(t, b, 1000*ms, Closed)
}

func TestATripWhileRecoveringOpensForLonger(t *testing.T) {
	p := rate()
	p.Ramp, p.Open.Factor, p.MinCalls, p.HalfOpen.Successes = time.Second, 3, 1, 1
	b := mustNew(t, p)
	call(t, b, 0, Failed)
	call(t, b, 100*ms, Success) // the probe
	wantState(t, b, 100*ms, Recovering)
	call(t, b, 100*ms, Failed)
	if s := b.Snapshot(100 * ms); s.State != Open || s.OpenFor(100*ms) != 300*time.Millisecond || s.InARow != 2 {
		t.Errorf("after a trip on the ramp: %+v", s)
	}
}

func TestOverrides(t *testing.T) {
	b := mustNew(t, rate())
	told := story(b)
	b.Force(0, ForcedOpen)
	if _, v := b.Allow(0); v.Admitted || v.RetryAfter != 0 {
		t.Errorf("forced open answers %+v", v)
	}
	b.Force(0, ForcedClosed)
	for range 10 {
		call(t, b, 0, Failed)
	}
	if s := b.Snapshot(0); s.Failures != 10 || s.State != Closed {
		t.Errorf("forced closed must count and never trip: %+v", s)
	}
	b.Force(0, Disabled)
	for range 10 {
		call(t, b, 0, Failed)
	}
	if s := b.Snapshot(0); s.Failures != 0 || s.Totals.Failures != 10 {
		t.Errorf("disabled must count nothing: %+v", s)
	}
	b.Force(0, Shadow)
	for range 10 {
		call(t, b, 0, Failed)
	}
	if s := b.Snapshot(0); s.State != Closed || s.Calls != 10 {
		t.Errorf("shadow must count and let pass: %+v", s)
	}
	wantStory(t, told,
		"0s closed>open #2 forced",
		"0s open>closed #3 forced",
		"0s closed>closed #4 forced",
		"0s closed>closed #5 forced",
		"0s closed>open #5 error_rate: error_rate 1 >= 0.5 (4 of 4 calls) (would open)")
}

func TestForcedOpenIsLeftThroughProbes(t *testing.T) {
	b := mustNew(t, rate())
	b.Force(0, ForcedOpen)
	b.Force(1, Normal)
	if _, v := b.Allow(1); !v.Probe {
		t.Errorf("after forced open the first call is %+v, want a probe", v)
	}
}

func TestALateOutcomeOnlyFeedsTheTotals(t *testing.T) {
	b := mustNew(t, rate())
	early, _ := b.Allow(0)
	for range 4 {
		call(t, b, 0, Failed)
	}
	b.Done(0, early, Failed)
	if s := b.Snapshot(0); s.Totals.Late != 1 || s.Totals.Failures != 4 {
		t.Errorf("totals after a late outcome: %+v", s.Totals)
	}
}

func TestDeadlineNamesWhatCanHappen(t *testing.T) {
	p := rate()
	b := mustNew(t, p)
	if d := b.Deadline(); d != Never {
		t.Errorf("an idle closed breaker waits for %v", d)
	}
	for range 3 {
		call(t, b, 0, Failed)
	}
	if d := b.Deadline(); d != 100*ms {
		t.Errorf("a window with failures waits for %v, want its next bucket", time.Duration(d))
	}
	call(t, b, 0, Failed)
	if d := b.Deadline(); d != 100*ms {
		t.Errorf("an open breaker waits for %v, want the end of its open time", time.Duration(d))
	}
	b.Tick(100 * ms)
	b.Allow(120 * ms)
	if d := b.Deadline(); d != 170*ms {
		t.Errorf("a probing breaker waits for %v, want the end of the lease", time.Duration(d))
	}
}

func TestABucketBoundaryTrips(t *testing.T) {
	p := rate()
	b := mustNew(t, p)
	for range 10 {
		call(t, b, 0, Success)
	}
	for range 5 {
		call(t, b, 150*ms, Failed)
	}
	wantState(t, b, 999*ms, Closed)
	// The ten successes leave the window with their bucket, five failures of five remain.
	b.Tick(1500 * ms)
	told := b.Snapshot(1500 * ms)
	if told.State != HalfOpen || told.Since != 1100*ms {
		t.Errorf("the boundary at 1s must have opened it until 1.1s: %+v", told)
	}
}

func TestResetCloses(t *testing.T) {
	b := mustNew(t, rate())
	for range 4 {
		call(t, b, 0, Failed)
	}
	b.Reset(0)
	if s := b.Snapshot(0); s.State != Closed || s.Calls != 0 || s.InARow != 0 {
		t.Errorf("after a reset: %+v", s)
	}
	call(t, b, 0, Failed)
}

func TestReloadAppliesToKeptCounts(t *testing.T) {
	b := mustNew(t, rate())
	told := story(b)
	for _, o := range []Outcome{Failed, Success, Success, Success, Success} {
		call(t, b, 0, o)
	}
	held, _ := b.Allow(0)
	p := rate()
	p.Trip.ErrorRate = 0.2
	if err := b.SetPolicy(0, p); err != nil {
		t.Fatal(err)
	}
	wantStory(t, told, "0s closed>open #2 error_rate: error_rate 0.2 >= 0.2 (1 of 5 calls)")
	b.Done(0, held, Success)
	p.Open.For = 300 * time.Millisecond
	if err := b.SetPolicy(50*ms, p); err != nil {
		t.Fatal(err)
	}
	if s := b.Snapshot(50 * ms); s.Until != 300*ms {
		t.Errorf("the open deadline is %v, want it counted from the opening", time.Duration(s.Until))
	}
	p.Open.For = 10 * time.Millisecond
	if err := b.SetPolicy(60*ms, p); err != nil {
		t.Fatal(err)
	}
	if s := b.Snapshot(60 * ms); s.State != HalfOpen || s.Since != 60*ms {
		t.Errorf("a deadline that would be in the past must be now: %+v", s)
	}
	if err := b.SetPolicy(60*ms, Policy{MinCalls: -1}); !errors.Is(err, ErrPolicy) {
		t.Errorf("an invalid policy answers %v", err)
	}
}

func TestReloadKeepsPermitsValid(t *testing.T) {
	b := mustNew(t, rate())
	permit, _ := b.Allow(0)
	p := rate()
	p.Window = Window{Calls: 10}
	if err := b.SetPolicy(0, p); err != nil {
		t.Fatal(err)
	}
	b.Done(1, permit, Failed)
	if s := b.Snapshot(1); s.Failures != 1 || s.Totals.Late != 0 {
		t.Errorf("a permit from before the reload must count: %+v", s)
	}
}

func TestZeroPermitIsIgnored(t *testing.T) {
	b := mustNew(t, Policy{Trip: Trip{ConsecutiveFailures: 1}})
	b.Done(0, Permit{}, Failed)
	if s := b.Snapshot(0); s.State != Closed || s.Totals != (Totals{}) {
		t.Errorf("after the end of a call that never was: %+v", s)
	}
}

func TestListenerMayCallTheBreakerAndIsBounded(t *testing.T) {
	b := mustNew(t, rate())
	var seen []uint64
	b.Listen(func(tr Transition) {
		seen = append(seen, tr.Generation)
		if len(seen) == 1 {
			for range maxWaiting + 5 {
				b.Reset(0) // queued behind this one, told after it
			}
		}
	})
	b.Reset(0)
	if !slices.IsSorted(seen) || len(seen) != 1+maxWaiting {
		t.Errorf("told %d transitions, in order %v, want %d", len(seen), slices.IsSorted(seen), 1+maxWaiting)
	}
	if n := b.Snapshot(0).Totals.Dropped; n != 5 {
		t.Errorf("%d transitions were dropped, want 5", n)
	}
	b.Listen(nil)
	b.Reset(0)
	if len(seen) != 1+maxWaiting {
		t.Error("a listener was told after it was taken away")
	}
}

func TestAPanickingListenerDoesNotSilenceTheNext(t *testing.T) {
	b := mustNew(t, rate())
	told := 0
	b.Listen(func(Transition) {
		if told++; told == 1 {
			panic("listener")
		}
	})
	func() {
		defer func() { _ = recover() }()
		b.Reset(0)
	}()
	b.Reset(0)
	if told != 2 {
		t.Errorf("told %d times, want 2", told)
	}
}

func fakeClock() (Clock, *atomic.Int64) {
	var now atomic.Int64
	return now.Load, &now
}

func TestDo(t *testing.T) {
	clock, _ := fakeClock()
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		ctx  context.Context
		fn   func(context.Context) error
		want Totals
	}{
		{"success", context.Background(), func(context.Context) error { return nil }, Totals{Successes: 1}},
		{"failure", context.Background(), func(context.Context) error { return broken }, Totals{Failures: 1}},
		{"timeout", context.Background(), func(context.Context) error { return context.DeadlineExceeded }, Totals{Failures: 1}},
		{"given up", cancelled, func(ctx context.Context) error { return ctx.Err() }, Totals{Ignored: 1}},
		{"success although given up", cancelled, func(context.Context) error { return nil }, Totals{Successes: 1}},
		{"panic", context.Background(), func(context.Context) error { panic("boom") }, Totals{Failures: 1}},
		{"goexit", context.Background(), func(context.Context) error { runtime.Goexit(); return nil }, Totals{Failures: 1}},
	} {
		b := mustNew(t, rate(), WithClock(clock))
		done := make(chan any)
		go func() {
			// A panic and a Goexit end this goroutine's call, each in its own way.
			defer func() { done <- recover() }()
			_ = b.Do(c.ctx, c.fn)
		}()
		if p := <-done; (p != nil) != (c.name == "panic") {
			t.Errorf("%s: recovered %v", c.name, p)
		}
		if got := b.Snapshot(0).Totals; got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestDoAsksWhatResultsMean(t *testing.T) {
	clock, _ := fakeClock()
	notFound := errors.New("not found")
	b := mustNew(t, rate(), WithClock(clock), WithOutcomes(func(_ context.Context, err error) Outcome {
		if errors.Is(err, notFound) {
			return Success
		}
		return Failed
	}))
	for _, err := range []error{notFound, errors.New("broken")} {
		if got := b.Do(context.Background(), func(context.Context) error { return err }); !errors.Is(got, err) {
			t.Errorf("Do answers %v, want %v", got, err)
		}
	}
	if got := b.Snapshot(0).Totals; got != (Totals{Successes: 1, Failures: 1}) {
		t.Errorf("totals %+v, want a success and a failure", got)
	}
}

func TestDoRefuses(t *testing.T) {
	clock, _ := fakeClock()
	b := mustNew(t, Policy{Mode: ForcedOpen}, WithClock(clock))
	called := false
	if err := b.Do(context.Background(), func(context.Context) error { called = true; return nil }); !errors.Is(err, ErrRefused) || called {
		t.Errorf("an open breaker answers %v, called %v", err, called)
	}
	if err := mustNew(t, rate()).Do(context.Background(), nil); !errors.Is(err, ErrNoClock) {
		t.Errorf("a breaker without a clock answers %v", err)
	}
}

// TestNoCountIsLostOrDoubled runs many goroutines against one breaker whose state keeps changing, and adds up.
func TestNoCountIsLostOrDoubled(t *testing.T) {
	for _, policy := range []Policy{
		{Window: Window{Span: time.Millisecond}, MinCalls: 50, Trip: Trip{ErrorRate: 0.3}, Open: OpenPolicy{For: time.Microsecond}, Ramp: time.Microsecond},
		{Window: Window{Calls: 100}, MinCalls: 20, Trip: Trip{ErrorRate: 0.3}, Open: OpenPolicy{For: time.Microsecond}},
		{Window: Window{Span: time.Hour}, MinCalls: 1},
	} {
		b := mustNew(t, policy)
		var now, ended, failed, refused atomic.Int64
		var wait sync.WaitGroup
		for g := range 8 {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for i := range 3000 {
					permit, v := b.Allow(now.Add(100))
					if !v.Admitted {
						refused.Add(1)
						continue
					}
					o := Success
					if (i*7+g)%23 < 4 {
						o = Failed
						failed.Add(1)
					}
					ended.Add(1)
					b.Done(now.Load(), permit, o)
					if i%500 == 0 {
						b.Reset(now.Load())
					}
				}
			}()
		}
		wait.Wait()
		s := b.Snapshot(now.Load())
		if got := s.Totals.Successes + s.Totals.Failures + s.Totals.Late; got != uint64(ended.Load()) {
			t.Errorf("%+v: %d calls ended, %d counted", policy.Window, ended.Load(), got)
		}
		if s.Totals.Rejected != uint64(refused.Load()) {
			t.Errorf("%+v: %d refused, %d counted", policy.Window, refused.Load(), s.Totals.Rejected)
		}
	}
}

// TestConcurrentCountsOfOneGenerationAreExact needs every outcome to land in the window, however many cells it went through.
func TestConcurrentCountsOfOneGenerationAreExact(t *testing.T) {
	b := mustNew(t, Policy{Window: Window{Span: time.Hour}, MinCalls: 1})
	const goroutines, each = 8, 20000
	var wait sync.WaitGroup
	for range goroutines {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := range each {
				permit, _ := b.Allow(1)
				b.Done(1, permit, map[bool]Outcome{true: Failed, false: Success}[i%100 == 0])
			}
		}()
	}
	wait.Wait()
	if s := b.Snapshot(1); s.Calls != goroutines*each || s.Failures != goroutines*each/100 {
		t.Errorf("%d calls and %d failures in the window, want %d and %d", s.Calls, s.Failures, goroutines*each, goroutines*each/100)
	}
}

// TestOutcomesNeverCountForAnotherGeneration keeps old permits of a closed breaker and ends them after a reset, while
// others use the new generation: whatever the old ones say must not reach the window.
func TestOutcomesNeverCountForAnotherGeneration(t *testing.T) {
	for range 50 {
		b := mustNew(t, Policy{Window: Window{Span: time.Hour}, MinCalls: 1})
		const n = 200
		old := make([]Permit, n)
		for i := range old {
			old[i], _ = b.Allow(0)
		}
		var wait sync.WaitGroup
		wait.Add(2)
		go func() {
			defer wait.Done()
			b.Reset(0)
			for range n {
				call(t, b, 0, Success)
			}
		}()
		go func() {
			defer wait.Done()
			for _, p := range old {
				b.Done(0, p, Success)
			}
		}()
		wait.Wait()
		if s := b.Snapshot(0); s.Calls != n || s.Totals.Successes+s.Totals.Late != 2*n {
			t.Fatalf("%d calls in the window, want the %d of its generation: %+v", s.Calls, n, s.Totals)
		}
	}
}

// TestProbesAreNeverMoreThanAllowed asks from many goroutines at once.
func TestProbesAreNeverMoreThanAllowed(t *testing.T) {
	p := rate()
	p.HalfOpen = HalfOpenPolicy{Probes: 3, Successes: 1000}
	b := mustNew(t, p)
	b.Force(0, ForcedOpen)
	b.Force(0, Normal)
	var flying, worst atomic.Int64
	var wait sync.WaitGroup
	for range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range 200 {
				permit, v := b.Allow(0)
				if !v.Admitted {
					continue
				}
				if n := flying.Add(1); n > worst.Load() {
					worst.Store(n)
				}
				runtime.Gosched()
				flying.Add(-1)
				b.Done(0, permit, Ignored)
			}
		}()
	}
	wait.Wait()
	if worst.Load() > 3 {
		t.Errorf("%d probes were in flight at once, want at most 3", worst.Load())
	}
}

// TestASuccessBetweenTheFoldAndTheTransitionStaysInItsGeneration plays the race that a lucky schedule needs: a success
// reaches a cell while another goroutine, already holding the lock, ends the generation.
func TestASuccessBetweenTheFoldAndTheTransitionStaysInItsGeneration(t *testing.T) {
	b := mustNew(t, Policy{Window: Window{Span: time.Hour}, MinCalls: 1})
	permit, _ := b.Allow(0)
	b.lock()
	b.Done(0, permit, Success) // lock-free
	b.machine.reset(0)
	b.unlock()
	if s := b.Snapshot(0); s.Calls != 0 || s.Totals.Successes != 1 {
		t.Errorf("the success of the old generation: %d calls in the new window, totals %+v", s.Calls, s.Totals)
	}
	late, _ := b.Allow(0)
	b.Reset(0)
	b.Done(0, late, Success)
	if s := b.Snapshot(0); s.Calls != 0 || s.Totals.Late != 1 {
		t.Errorf("a success after its generation: %d calls in the new window, totals %+v", s.Calls, s.Totals)
	}
}

func TestAShadowJudgesAgainWhenItWouldHalfOpen(t *testing.T) {
	p := rate()
	p.Mode, p.Window, p.MinCalls = Shadow, Window{Calls: 10}, 1
	b := mustNew(t, p)
	told := story(b)
	call(t, b, 0, Failed)
	call(t, b, 100*ms, Success) // warm and without the lock, were it not for the deadline
	wantStory(t, told,
		"0s closed>open #2 error_rate: error_rate 1 >= 0.5 (1 of 1 calls) (would open)",
		"100ms closed>open #2 error_rate: error_rate 1 >= 0.5 (1 of 1 calls) (would open)")
}

func TestCrowdedBreakerGetsShards(t *testing.T) {
	b := mustNew(t, Policy{Window: Window{Span: time.Hour}, MinCalls: 1})
	call(t, b, 0, Success)
	b.crowded()
	for range 100 {
		call(t, b, 0, Success)
	}
	if s := b.Snapshot(0); s.Calls != 101 {
		t.Errorf("%d calls counted over shards, want 101", s.Calls)
	}
	b.Reset(0)
	if s := b.Snapshot(0); s.Calls != 0 || s.Totals.Successes != 101 {
		t.Errorf("after a reset: %+v", s)
	}
}
