package scenario

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// drawn lists when calls come within a time.
func drawn(ramps []plan.Ramp, kind string, within time.Duration) []time.Duration {
	a := newArrivals(ramps, kind, 7)
	var out []time.Duration
	for {
		t, ok := a.next()
		if !ok || t >= within {
			return out
		}
		out = append(out, t)
	}
}

func constant(rate float64) []plan.Ramp { return []plan.Ramp{{From: rate, To: rate}} }

func TestAConstantRateComesEvenly(t *testing.T) {
	got := drawn(constant(4), "constant", time.Second)
	want := []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond}
	if len(got) != len(want) {
		t.Fatal(got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("call %d comes at %s, expected %s", i, got[i], want[i])
		}
	}
}

func TestABurstComesAtTheBeginningOfEachSecond(t *testing.T) {
	for i, at := range drawn(constant(10), "burst", 3*time.Second) {
		if want := time.Duration(i/10) * time.Second; at != want {
			t.Errorf("call %d comes at %s, expected %s", i, at, want)
		}
	}
}

func TestPoissonHasItsMeanAndItsSpread(t *testing.T) {
	calls := drawn(constant(100), "poisson", 200*time.Second)
	if n := float64(len(calls)); math.Abs(n-20000) > 4*math.Sqrt(20000) {
		t.Errorf("%v calls in 200s at 100/s", n)
	}
	var sum, squares float64
	for i := 1; i < len(calls); i++ {
		gap := (calls[i] - calls[i-1]).Seconds()
		sum += gap
		squares += gap * gap
	}
	n := float64(len(calls) - 1)
	mean := sum / n
	if spread := math.Sqrt(squares/n - mean*mean); math.Abs(spread/mean-1) > 0.05 {
		t.Errorf("the gaps' standard deviation is %v of their mean; an exponential draw has 1", spread/mean)
	}
}

func TestARampAddsUp(t *testing.T) {
	if n := len(drawn([]plan.Ramp{{From: 0, To: 100, Over: 10 * time.Second}}, "constant", 10*time.Second)); n != 500 {
		t.Errorf("%d calls on the way from 0/s to 100/s in 10s, expected 500", n)
	}
	steps := []plan.Ramp{{From: 10, To: 10}, {At: 10 * time.Second, From: 0, To: 0}, {At: 20 * time.Second, From: 50, To: 50}}
	calls := drawn(steps, "constant", 30*time.Second)
	if len(calls) != 600 {
		t.Errorf("%d calls, expected 100 + 0 + 500", len(calls))
	}
	for _, at := range calls {
		if at >= 10*time.Second && at < 20*time.Second {
			t.Fatalf("a call at %s, where the rate is 0", at)
		}
	}
	if calls := drawn([]plan.Ramp{{From: 0, To: 0}}, "constant", time.Hour); len(calls) != 0 {
		t.Errorf("%d calls at a rate of 0", len(calls))
	}
}

// The count of calls up to any moment is the integral of the rate, whatever the ramps are.
func TestCallsFollowTheIntegralOfTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ramps []plan.Ramp
		at := time.Duration(0)
		for range rapid.IntRange(1, 4).Draw(t, "ramps") {
			r := plan.Ramp{At: at, From: rapid.Float64Range(0, 50).Draw(t, "from"), To: rapid.Float64Range(0, 50).Draw(t, "to"),
				Over: time.Duration(rapid.IntRange(0, 20).Draw(t, "over")) * time.Second}
			ramps = append(ramps, r)
			at += time.Duration(rapid.IntRange(1, 30).Draw(t, "lasts")) * time.Second
		}
		calls := drawn(ramps, "constant", at)
		want := 0.0
		const dt = 0.001
		for s := 0.0; s < at.Seconds(); s += dt {
			want += rateAt(ramps, s+dt/2) * dt
		}
		if math.Abs(float64(len(calls))-want) > 2 {
			t.Fatalf("%d calls in %s, the integral is %.1f: %+v", len(calls), at, want, ramps)
		}
		for i := 1; i < len(calls); i++ {
			if calls[i] < calls[i-1] {
				t.Fatalf("call %d comes before call %d", i, i-1)
			}
		}
	})
}

// rateAt is the definition of a Ramp, read off its documentation.
func rateAt(ramps []plan.Ramp, s float64) float64 {
	now := ramps[0]
	for _, r := range ramps {
		if r.At.Seconds() <= s {
			now = r
		}
	}
	into := s - now.At.Seconds()
	if into >= now.Over.Seconds() {
		return now.To
	}
	return now.From + (now.To-now.From)*into/now.Over.Seconds()
}

func TestLogarithm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(1e-300, 1e300).Draw(t, "x")
		if got, want := ln(x), math.Log(x); math.Abs(got-want) > 1e-12*math.Max(1, math.Abs(want)) {
			t.Fatalf("ln(%g) = %v, expected %v", x, got, want)
		}
	})
}
