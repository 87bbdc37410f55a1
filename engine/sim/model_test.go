package sim

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
)

func TestLatencyHasTheQuantilesItWasGiven(t *testing.T) {
	q := newQuantiles(Latency{P50: 5 * time.Millisecond, P99: 40 * time.Millisecond})
	const n = 200_000
	var below50, below99, below999 int
	for i := range uint64(n) {
		d := q.draw(guard.Mix(i * guard.Golden))
		if d <= 5*time.Millisecond {
			below50++
		}
		if d <= 40*time.Millisecond {
			below99++
		}
		if d <= 80*time.Millisecond {
			below999++
		}
	}
	if s := float64(below50) / n; s < 0.49 || s > 0.51 {
		t.Errorf("%.3f are below the median", s)
	}
	if s := float64(below99) / n; s < 0.988 || s > 0.992 {
		t.Errorf("%.4f are below the 99th percentile", s)
	}
	if s := float64(below999) / n; s < 0.998 || s > 0.9995 { // log-normal: 0.9990
		t.Errorf("%.5f are below 80ms", s)
	}
	constant := newQuantiles(Latency{P50: time.Second})
	for i := range uint64(100) {
		if d := constant.draw(guard.Mix(i)); d != time.Second {
			t.Fatal(d)
		}
	}
}

func TestACurveGoesThroughTheQuantileItWasGiven(t *testing.T) {
	const n, tail = 200_000, 40 * time.Millisecond
	for _, p := range []float64{0.9, 0.95, 0.99, 0.999} {
		q := newQuantiles(Through(5*time.Millisecond, p, tail))
		below := 0
		for i := range uint64(n) {
			if q.draw(guard.Mix(i*guard.Golden)) <= tail {
				below++
			}
		}
		if s := float64(below) / n; math.Abs(s-p) > 0.2*(1-p) {
			t.Errorf("%.4f are below the quantile at %v", s, p)
		}
	}
	if constant := Through(time.Second, 0.9, time.Millisecond); constant != (Latency{P50: time.Second}) {
		t.Errorf("a tail below the median: %+v", constant)
	}
}

func TestOwnFunctionsAgreeWithPackageMath(t *testing.T) {
	for x := 0.001; x < 1e6; x *= 1.37 {
		if got, want := ln(x), math.Log(x); math.Abs(got-want) > 1e-12*math.Max(1, math.Abs(want)) {
			t.Errorf("ln(%v) = %v, want %v", x, got, want)
		}
	}
	for x := -9.0; x < 9; x += 0.173 {
		if got, want := exp(x), math.Exp(x); math.Abs(got-want) > 1e-11*want {
			t.Errorf("exp(%v) = %v, want %v", x, got, want)
		}
	}
	for p := 0.00001; p < 1; p += 0.00317 {
		if got := 0.5 * (1 + math.Erf(normal(p)/math.Sqrt2)); math.Abs(got-p) > 1e-6 {
			t.Errorf("normal(%v): the distribution there is %v", p, got)
		}
	}
}

// A model with c places and a constant time serves as a queue with c servers does.
func TestAModelIsAQueue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		places := rapid.IntRange(1, 4).Draw(rt, "places")
		takes := time.Duration(rapid.IntRange(1, 20).Draw(rt, "takes")) * time.Millisecond
		gaps := rapid.SliceOfN(rapid.IntRange(0, 15), 1, 40).Draw(rt, "gaps")
		r := begin(t, pair, nil, func(o *Options) {
			o.Plan.Actor("root/server").Mailbox.Capacity = 1024
			o.World = map[string]Model{"root/server": {Latency: Latency{P50: takes}, Concurrency: places}}
		})
		defer r.Close()
		r.run(time.Second)
		free := make([]time.Duration, places) // when each place is free
		var want, got []time.Duration
		at := r.Now()
		for i, gap := range gaps {
			at += time.Duration(gap) * time.Millisecond
			best := 0
			for j := range free {
				if free[j] < free[best] {
					best = j
				}
			}
			free[best] = max(free[best], at) + takes
			want, got = append(want, free[best]), append(got, 0)
			r.At(at, func() {
				r.Ask("server", engine.Msg{Type: "get"}, engine.CallOptions{Timeout: time.Hour}, func(Answer) { got[i] = r.Now() })
			})
		}
		r.run(time.Minute)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			rt.Fatalf("answers at\n%v, want\n%v", got, want)
		}
	})
}

// storm is a shop whose database can serve 500 calls a second and gets 350, each tried up to five times.
const storm = `
messages: {query: {idempotent: true}}
root:
  children:
    - name: database
      upstream: "http://127.0.0.1:1"
      mailbox: {capacity: 100000}
      guard: {timeout: 100ms, retry: {attempts: 5, backoff: {initial: 10ms, factor: 1, jitter: 100%%} %s}%s}
`

// served runs the storm and gives the share of answers in each second.
func served(t *testing.T, budget, more string, m Model) []float64 {
	r := begin(t, fmt.Sprintf(storm, budget, more), nil, func(o *Options) { o.World = map[string]Model{"root/database": m}; o.Observer = nil })
	defer r.Close()
	r.run(time.Second)
	var sent, ok [30]float64
	start := r.Now()
	var shop func()
	shop = func() {
		second := int((r.Now() - start) / time.Second)
		if second >= len(sent) {
			return
		}
		sent[second]++
		r.Ask("database", engine.Msg{Type: "query"}, engine.CallOptions{}, func(a Answer) {
			if a.Err == nil {
				ok[second]++
			}
		})
		r.At(r.Now()+time.Second/350, shop)
	}
	r.At(start, shop)
	r.At(start+5*time.Second, func() {
		heal := r.inject(Fault{Verb: Slow, Target: "database", Factor: 10})
		r.At(r.Now()+5*time.Second, heal)
	})
	r.run(40 * time.Second)
	var shares []float64
	for i := range sent {
		shares = append(shares, ok[i]/sent[i])
	}
	return shares
}

// The load fits before the trigger and would fit after it. Retries keep the database busy with calls that nobody waits for
// any more; a retry budget, or a server that drops abandoned work, lets it recover.
func TestARetryStormOutlastsItsTriggerUntilSomethingBoundsIt(t *testing.T) {
	database := Model{Latency: Latency{P50: 20 * time.Millisecond}, Concurrency: 10}
	forgiving := database
	forgiving.Cancelled = true
	for _, c := range []struct {
		name, budget, more string
		model              Model
		recovers           bool
	}{
		{"nothing bounds it", ", budget: 100%", "", database, false},
		{"a retry budget and a breaker", ", budget: 10%", ", breaker: {window: 2s, min_calls: 20, trip: {error_rate: 50%}, open: {for: 1s}}", database, true},
		{"abandoned work is cancelled", ", budget: 100%", "", forgiving, true},
	} {
		shares := served(t, c.budget, c.more, c.model)
		if shares[3] < 0.99 {
			t.Errorf("%s: before the trigger %.2f are served", c.name, shares[3])
		}
		if shares[8] > 0.5 {
			t.Errorf("%s: during the trigger %.2f are served", c.name, shares[8])
		}
		if last := shares[29]; last > 0.9 != c.recovers {
			t.Errorf("%s: 20s after the trigger %.2f are served; all: %.2f", c.name, last, shares)
		}
	}
}

func TestAbandonedWorkCostsUnlessCancelled(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		r := pairRig(t, Model{Latency: Latency{P50: 100 * time.Millisecond}, Concurrency: 1, Cancelled: cancelled})
		r.Ask("server", engine.Msg{Type: "get"}, engine.CallOptions{Timeout: 10 * time.Millisecond}, func(Answer) {})
		r.run(20 * time.Millisecond)
		v, _ := r.Actor("server")
		if (v.InFlight == 0) != cancelled {
			t.Errorf("cancelled %v: %d in flight after the asker has gone", cancelled, v.InFlight)
		}
		a := r.ask("server", "get", nil)
		if want := map[bool]time.Duration{false: 180 * time.Millisecond, true: 100 * time.Millisecond}[cancelled]; a.Took != want {
			t.Errorf("cancelled %v: the next took %s, want %s", cancelled, a.Took, want)
		}
	}
}

func TestAStopDrainsAndThenCancels(t *testing.T) {
	r := pairRig(t, Model{Latency: Latency{P50: 2 * time.Second}, Shutdown: 100 * time.Millisecond})
	var got Answer
	r.Ask("server", engine.Msg{Type: "get"}, engine.CallOptions{}, func(a Answer) { got = a })
	r.run(time.Millisecond)
	r.Command(engine.Steer{Verb: "stop", Target: "root/server"}, "test", func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	r.run(time.Minute)
	v, _ := r.Actor("server")
	if v.State != "stopped" || got.Took == 0 {
		t.Errorf("%s, answered after %s: %v", v.State, got.Took, got.Err)
	}
}

func TestSetModelFreesPlaces(t *testing.T) {
	r := pairRig(t, Model{Latency: Latency{P50: 100 * time.Millisecond}, Concurrency: 1})
	var took []time.Duration
	for range 3 {
		r.Ask("server", engine.Msg{Type: "get"}, engine.CallOptions{}, func(a Answer) { took = append(took, a.Took) })
	}
	r.run(10 * time.Millisecond)
	r.SetModel("root/server", Model{Latency: Latency{P50: 30 * time.Millisecond}})
	r.run(time.Second)
	if fmt.Sprint(took) != "[40ms 40ms 100ms]" {
		t.Errorf("took %v", took)
	}
}
