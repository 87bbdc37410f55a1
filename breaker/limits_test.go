package breaker

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBackoffGrowsToItsCap(t *testing.T) {
	b := Backoff{Initial: 100 * time.Millisecond, Factor: 2, Max: time.Second}
	var got []time.Duration
	for n := range 6 {
		got = append(got, b.Wait(n, 1)/time.Millisecond)
	}
	if want := []time.Duration{100, 200, 400, 800, 1000, 1000}; !slices.Equal(got, want) {
		t.Errorf("waits %v ms, want %v", got, want)
	}
	if got := b.Wait(math.MaxInt, 1); got != time.Second {
		t.Errorf("after very many failures the wait is %v", got)
	}
	if got := (Backoff{Initial: time.Hour, Factor: 1000}).Wait(1000, 1); got != longest {
		t.Errorf("without a cap the wait grows to %v, want %v", got, longest)
	}
	if got := b.Wait(-1, 1); got != 100*time.Millisecond {
		t.Errorf("a negative count waits %v", got)
	}
}

// The same seed must wait the same on every platform.
func TestBackoffGoldenWaits(t *testing.T) {
	b := Backoff{Initial: 100 * time.Millisecond, Factor: 1.7, Max: 30 * time.Second, Jitter: 0.3}
	var got []time.Duration
	for n := range 6 {
		got = append(got, b.Wait(n*3, 42))
	}
	if want := []time.Duration{114493892, 445370539, 2005936055, 12701819848, 23262407764, 18970639974}; !slices.Equal(got, want) {
		t.Errorf("waits %d, want %d", got, want)
	}
}

func TestBackoffJitterStaysInItsBoundsAndSpreads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Backoff{
			Initial: time.Duration(rapid.Int64Range(1, 1e12).Draw(t, "initial")),
			Factor:  rapid.Float64Range(1, 10).Draw(t, "factor"),
			Jitter:  rapid.Float64Range(0, 1).Draw(t, "jitter"),
		}
		b.Max = b.Initial * time.Duration(rapid.IntRange(1, 100).Draw(t, "max"))
		n, seed := rapid.IntRange(0, 50).Draw(t, "n"), rapid.Uint64().Draw(t, "seed")
		got := b.Wait(n, seed)
		middle := min(float64(b.Initial)*math.Pow(b.Factor, float64(n)), float64(b.Max)/(1+b.Jitter))
		if f := float64(got); f < middle*(1-b.Jitter)*0.999-1 || f > middle*(1+b.Jitter)*1.001+1 || got > b.Max {
			t.Fatalf("%+v waits %v for n=%d", b, got, n)
		}
		if again := b.Wait(n, seed); again != got {
			t.Fatalf("the same seed waits %v, then %v", got, again)
		}
	})
	b, low, high := Backoff{Initial: 1000, Max: 1000, Jitter: 0.5}, 0, 0
	for seed := range uint64(1000) {
		if b.Wait(0, seed) < 667 {
			low++
		} else {
			high++
		}
	}
	if low < 400 || high < 400 {
		t.Errorf("at the cap %d waits lie below the middle and %d above", low, high)
	}
}

func TestBulkheadAgainstItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := BulkheadPolicy{Concurrent: rapid.IntRange(1, 4).Draw(t, "concurrent"), Queue: rapid.IntRange(0, 60).Draw(t, "queue"), Wait: time.Second}
		b, err := NewBulkhead(p)
		if err != nil {
			t.Fatal(err)
		}
		running, queue := 0, []Ticket{}
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				entry, ticket, until := b.Enter(7)
				switch {
				case running < p.Concurrent && len(queue) == 0:
					if running++; entry != Entered {
						t.Fatalf("answered %v with a free place", entry)
					}
				case len(queue) < p.Queue:
					if entry != Queued || until != 7+int64(time.Second) {
						t.Fatalf("answered %v until %d with room in the queue", entry, until)
					}
					queue = append(queue, ticket)
				case entry != Refused:
					t.Fatalf("answered %v although full", entry)
				}
			},
			"leave": func(t *rapid.T) {
				if running == 0 {
					return
				}
				want := Ticket(0)
				if running--; len(queue) > 0 && running < p.Concurrent {
					want, queue = queue[0], queue[1:]
					running++
				}
				if got := b.Leave(); got != want {
					t.Fatalf("called ticket %d, want %d", got, want)
				}
			},
			"abandon": func(t *rapid.T) {
				if len(queue) == 0 {
					return
				}
				at := rapid.IntRange(0, len(queue)-1).Draw(t, "at")
				if !b.Abandon(queue[at]) || b.Abandon(queue[at]) {
					t.Fatal("a waiting ticket can be abandoned once")
				}
				queue = slices.Delete(queue, at, at+1)
			},
			"reload": func(t *rapid.T) {
				p.Concurrent = rapid.IntRange(1, 4).Draw(t, "concurrent")
				called, err := b.SetPolicy(p)
				if err != nil {
					t.Fatal(err)
				}
				for _, ticket := range called {
					if ticket != queue[0] {
						t.Fatalf("called %d before %d", ticket, queue[0])
					}
					queue = queue[1:]
					running++
				}
				if running < p.Concurrent && len(queue) > 0 {
					t.Fatal("a free place was left while somebody waits")
				}
			},
			"": func(t *rapid.T) {
				if s := b.Snapshot(); s.Running != running || s.Waiting != len(queue) {
					t.Fatalf("%+v, want %d running and %d waiting", s, running, len(queue))
				}
			},
		})
	})
}

func TestACalledTicketCannotBeAbandoned(t *testing.T) {
	b, err := NewBulkhead(BulkheadPolicy{Concurrent: 1, Queue: 1})
	if err != nil {
		t.Fatal(err)
	}
	b.Enter(0)
	_, ticket, until := b.Enter(0)
	if until != Never {
		t.Errorf("without a wait the ticket is valid until %d", until)
	}
	if called := b.Leave(); called != ticket {
		t.Fatalf("called %d, want %d", called, ticket)
	}
	if b.Abandon(ticket) {
		t.Error("a ticket that was called has a place and cannot be abandoned")
	}
	if called := b.Leave(); called != 0 || b.Snapshot().Running != 0 {
		t.Errorf("at the end %d is called, %+v", called, b.Snapshot())
	}
}

// TestRateNeverPassesMoreThanItMay checks the definition of a token bucket over every stretch of a random history.
func TestRateNeverPassesMoreThanItMay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := RatePolicy{Calls: rapid.IntRange(1, 1000).Draw(t, "calls"), Burst: rapid.IntRange(1, 20).Draw(t, "burst")}
		r, err := NewRate(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		var passed []int64
		now := int64(0)
		for range 60 {
			now += rapid.Int64Range(0, int64(time.Second)/int64(p.Calls)*2).Draw(t, "pause")
			ok, wait := r.Allow(now)
			if !ok {
				if early, _ := r.Allow(now + int64(wait) - 1); early {
					t.Fatalf("a call passed %v before it was due", wait)
				}
				now += int64(wait)
				if ok, wait = r.Allow(now); !ok {
					t.Fatalf("a call that waited as told was refused again, for %v", wait)
				}
			}
			passed = append(passed, now)
			for i := range passed {
				n, most := int64(len(passed)-i), int64(p.Burst)
				if (n-most)*int64(time.Second) > (now-passed[i])*int64(p.Calls) {
					t.Fatalf("%d calls passed within %v, burst %d at %d a second", n, time.Duration(now-passed[i]), p.Burst, p.Calls)
				}
			}
		}
	})
}

func TestRateKeepsItsTokensOverAReload(t *testing.T) {
	r, err := NewRate(RatePolicy{Calls: 10, Burst: 10}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := r.AllowN(0, 6); !ok {
		t.Fatal("six of ten tokens were not there")
	}
	if err := r.SetPolicy(0, RatePolicy{Calls: 100000, Per: 24 * time.Hour, Burst: 50000}); err != nil {
		t.Fatal(err)
	}
	if ok, wait := r.AllowN(0, 5); ok || wait <= 0 {
		t.Errorf("five of four tokens: %v, wait %v", ok, wait)
	}
	if ok, _ := r.AllowN(0, 4); !ok {
		t.Error("the four tokens that were left are gone")
	}
	if ok, wait := r.AllowN(0, 50001); ok || wait != 0 {
		t.Errorf("more than the burst: %v, wait %v", ok, wait)
	}
	if n := r.Refused(); n != 2 {
		t.Errorf("%d refusals counted, want 2", n)
	}
}

func TestRetryBudgetIsAShareOfTheCalls(t *testing.T) {
	b, err := NewRetryBudget(RetryBudgetPolicy{Ratio: 0.1, Floor: 2}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		b.Call(0)
	}
	n := 0
	for b.Retry(0) {
		n++
	}
	if n != 12 {
		t.Errorf("%d retries for 100 calls, want 10 and the floor of 2", n)
	}
	later := int64(11 * time.Second)
	if got := []bool{b.Retry(later), b.Retry(later), b.Retry(later)}; !slices.Equal(got, []bool{true, true, false}) {
		t.Errorf("when the calls have left the span, only the floor of 2 is left: %v", got)
	}
	if err := b.SetPolicy(later, RetryBudgetPolicy{Ratio: 0.1, Floor: 2, Span: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if b.Retry(later) {
		t.Error("a reload gave the spent retries back")
	}
}

// server is a callee with room for some calls at once; beyond that they queue, so latency grows with concurrency.
type server struct {
	room int
	took int64
}

func (s server) latency(running int) int64 {
	return s.took * int64(max(running, s.room)) / int64(s.room)
}

// drive keeps as many calls in flight as the limit allows, up to offered, for that many rounds.
func drive(a *Adaptive, s server, offered, rounds int, from int64) int64 {
	now := from
	for range rounds {
		running := 0
		for running < offered && a.Enter() {
			running++
		}
		took := s.latency(running)
		now += took
		for range running {
			a.Leave(now, now-took, Success)
		}
	}
	return now
}

func mustAdaptive(t *testing.T, p AdaptivePolicy) *Adaptive {
	t.Helper()
	a, err := NewAdaptive(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAdaptiveFindsTheRoomOfTheCallee(t *testing.T) {
	a := mustAdaptive(t, AdaptivePolicy{Initial: 5})
	drive(a, server{room: 50, took: 10 * ms}, 1000, 5000, 0)
	if got := a.Snapshot().Limit; got < 50 || got > 120 {
		t.Errorf("the limit rests at %d for a callee with room for 50", got)
	}
}

func TestAdaptiveDoesNotGrowUnused(t *testing.T) {
	a := mustAdaptive(t, AdaptivePolicy{Initial: 20})
	drive(a, server{room: 1000, took: 10 * ms}, 5, 5000, 0)
	if got := a.Snapshot().Limit; got != 20 {
		t.Errorf("with 5 calls at once the limit went from 20 to %d", got)
	}
}

// Calls that all take as long as their timeout look like a stable latency; the limit must fall, not grow.
func TestAdaptiveFallsOnStableTimeouts(t *testing.T) {
	a := mustAdaptive(t, AdaptivePolicy{Initial: 100})
	now := drive(a, server{room: 100, took: 10 * ms}, 100, 200, 0)
	learnt := a.Snapshot().Baseline
	for range 300 {
		n := 0
		for a.Enter() {
			n++
		}
		now += 1000 * ms
		for range n {
			a.Leave(now, now-1000*ms, "timeout")
		}
	}
	if s := a.Snapshot(); s.Limit > 10 || s.Baseline != learnt {
		t.Errorf("after 300 rounds of timeouts: %+v, baseline was %v", s, learnt)
	}
}

// An overload that lasts must not become the new normal, as it does with a moving average for a baseline.
func TestAdaptiveDoesNotLearnAnOverload(t *testing.T) {
	a := mustAdaptive(t, AdaptivePolicy{Min: 1, Initial: 10})
	now := drive(a, server{room: 50, took: 10 * ms}, 1000, 2000, 0)
	drive(a, server{room: 5, took: 10 * ms}, 1000, 20000, now)
	if s := a.Snapshot(); s.Limit > 20 {
		t.Errorf("a callee whose room fell from 50 to 5 is allowed %d", s.Limit)
	}
}

// A callee that is slower for good is accepted once the limit is at its lowest.
func TestAdaptiveAcceptsASlowerCallee(t *testing.T) {
	a := mustAdaptive(t, AdaptivePolicy{Initial: 10})
	now := drive(a, server{room: 50, took: 10 * ms}, 1000, 1000, 0)
	drive(a, server{room: 50, took: 40 * ms}, 1000, 5000, now)
	if got := a.Snapshot().Limit; got < 40 {
		t.Errorf("the limit stays at %d for a callee with room for 50", got)
	}
}

func TestLimitErrorsNameFieldValueAndWayOut(t *testing.T) {
	for name, err := range map[string]error{
		"bulkhead.concurrent": BulkheadPolicy{}.Validate(),
		"bulkhead.queue":      BulkheadPolicy{Concurrent: 1, Queue: -1}.Validate(),
		"bulkhead.wait":       BulkheadPolicy{Concurrent: 1, Wait: -1}.Validate(),
		"rate_limit.rate":     RatePolicy{}.Validate(),
		"rate_limit.per":      RatePolicy{Calls: 1, Per: -1}.Validate(),
		"rate_limit.burst":    RatePolicy{Calls: 1, Per: 24 * time.Hour, Burst: 1e9}.Validate(),
		"retry.budget":        RetryBudgetPolicy{}.Validate(),
		"retry.budget.span":   RetryBudgetPolicy{Ratio: 1, Span: 1}.Validate(),
		"retry.budget.floor":  RetryBudgetPolicy{Ratio: 1, Floor: -1}.Validate(),
		"adaptive.min":        AdaptivePolicy{Min: -1}.Validate(),
		"adaptive.max":        AdaptivePolicy{Min: 5, Max: 4}.Validate(),
		"adaptive.initial":    AdaptivePolicy{Initial: -1}.Validate(),
		"adaptive.interval":   AdaptivePolicy{Interval: 1}.Validate(),
		"adaptive.tolerance":  AdaptivePolicy{Tolerance: math.NaN()}.Validate(),
		"backoff.initial":     Backoff{Initial: -1}.Validate(),
		"backoff.factor":      Backoff{Factor: math.NaN()}.Validate(),
		"backoff.max":         Backoff{Initial: 2, Max: 1}.Validate(),
		"backoff.jitter":      Backoff{Jitter: math.NaN()}.Validate(),
		"max_keys":            KeyedLimits{}.Validate(),
		"idle":                KeyedLimits{MaxKeys: 1, Idle: 1}.Validate(),
	} {
		if !errors.Is(err, ErrPolicy) || !containsField(err, name) {
			t.Errorf("%s answers %v", name, err)
		}
	}
}

func containsField(err error, field string) bool {
	want := ErrPolicy.Error() + ": " + field + " is "
	return len(err.Error()) > len(want) && err.Error()[:len(want)] == want
}
