package breaker

import (
	"fmt"
	"math"
	"time"
)

// Limits on what a policy may ask for. They bound the memory and the work of one breaker.
const (
	MaxWindowCalls = 1 << 20
	MaxBuckets     = 1024
	MaxProbes      = 1024
	MaxTriggers    = 64
	// DefaultBuckets is used for a time window that names no number of buckets.
	DefaultBuckets = 10
)

// Policy says when a breaker opens, for how long, and how it finds its way back. It is a value; a Breaker keeps its
// own copy. The zero Policy never trips.
type Policy struct {
	// Window is what the rates and counts look at. Without one no outcome is counted, which makes a breaker that
	// trips on consecutive failures only nearly free.
	Window Window
	// MinCalls is how many calls must have finished within the window before a rate or a wired trigger may trip;
	// 0 means 1. Consecutive failures and the failure count are absolute and do not wait. In a window of calls it
	// is capped by the window's size.
	MinCalls int
	// Trip is what opens the breaker.
	Trip Trip
	// Open is how long it stays open.
	Open OpenPolicy
	// HalfOpen is how it probes.
	HalfOpen HalfOpenPolicy
	// Ramp is how long a recovered breaker takes to admit every call again; 0 closes at once.
	Ramp time.Duration
	// Mode overrides the state machine; see the Mode constants.
	Mode Mode
	// Latency keeps a histogram of latencies over the window even if no trigger needs one. It costs memory and the
	// lock on each success.
	Latency bool
	// Compat behaves as resilience4j does: half-open judged by the rates over HalfOpen.Probes calls (fewer if MinCalls is less),
	// evaluation only when an outcome is recorded, open left only when a permit is asked for, no leases, ramp, growth
	// of the open time or jitter.
	Compat bool
}

// Window is the stretch of recent calls that counts. Set Calls or Span, not both.
type Window struct {
	// Calls keeps the last so many finished calls; at most MaxWindowCalls.
	Calls int
	// Span keeps the calls that finished within this time, in Buckets steps; the oldest bucket is dropped whole.
	Span time.Duration
	// Buckets divides Span, and must divide it into at least a microsecond each; 0 means DefaultBuckets, at most MaxBuckets.
	Buckets int
}

// Trip says what opens a breaker: any of these. A zero field is off.
type Trip struct {
	// ConsecutiveFailures trips on so many failures with no success between.
	ConsecutiveFailures int
	// Failures trips on so many failures within the window.
	Failures int
	// ErrorRate trips when this share of the finished calls or more failed; above 0 up to 1.
	ErrorRate float64
	// Slow trips when too many calls are slow.
	Slow Slow
	// Triggers are conditions wired in from outside, asked in order after those above.
	Triggers []Trigger
}

// Slow trips when a share Rate or more of the finished calls took longer than Over. A failed call can be slow too.
type Slow struct {
	Over time.Duration
	Rate float64
}

// OpenPolicy says how long a breaker stays open: For × Factor^n for the n-th opening in a row (from 0), at most Max,
// spread by Jitter on both sides but never above Max.
type OpenPolicy struct {
	// For is the first open time; 0 means 5 seconds.
	For time.Duration
	// Factor is at least 1; 0 means 1.
	Factor float64
	// Max caps the open time with its jitter; 0 means no cap.
	Max time.Duration
	// Jitter is the share by which the open time is spread, from 0 to 1, drawn from the breaker's seed.
	Jitter float64
}

// HalfOpenPolicy says how a breaker probes after its open time.
type HalfOpenPolicy struct {
	// Probes is how many probes may be in flight at once, and with JudgeRates how many are made; 0 means 1.
	Probes int
	// Successes is how many probes must succeed; 0 means Probes. JudgeRates ignores it.
	Successes int
	// Lease is how long a probe may take before it counts as failed; 0 means Open.For. Without a lease one lost
	// probe would block the breaker for ever.
	Lease time.Duration
	// Judge says how outcomes decide.
	Judge Judge
}

// Judge says how the outcomes of probes decide.
type Judge uint8

const (
	// JudgeSuccesses closes after HalfOpen.Successes successes; the first failure reopens, and so does a slow
	// probe if the policy trips on slow calls.
	JudgeSuccesses Judge = iota
	// JudgeRates waits for exactly HalfOpen.Probes outcomes, then the policy's rates decide.
	JudgeRates
)

// Validate returns an error that wraps ErrPolicy and names the field, its value and the way out.
func (p Policy) Validate() error {
	for _, check := range []func() error{p.checkWindow, p.checkTrip, p.checkOpen, p.checkHalfOpen} {
		if err := check(); err != nil {
			return err
		}
	}
	if p.Ramp < 0 {
		return invalid("ramp", p.Ramp, "0 or more")
	}
	if p.Mode > Shadow {
		return invalid("mode", p.Mode, "one of the Mode constants")
	}
	return nil
}

func (p Policy) checkWindow() error {
	w := p.Window
	switch {
	case w.Calls < 0 || w.Calls > MaxWindowCalls:
		return invalid("window.calls", w.Calls, fmt.Sprintf("0 to %d", MaxWindowCalls))
	case w.Span < 0:
		return invalid("window.span", w.Span, "0 or more")
	case w.Calls > 0 && w.Span > 0:
		return invalid("window.calls", w.Calls, "a window of calls or of time, not both")
	case w.Buckets < 0 || w.Buckets > MaxBuckets:
		return invalid("window.buckets", w.Buckets, fmt.Sprintf("0 to %d", MaxBuckets))
	case w.Span > 0 && w.Span/time.Duration(max(w.Buckets, 1)) < time.Microsecond:
		return invalid("window.span", w.Span, "at least a microsecond a bucket")
	case p.MinCalls < 0 || p.MinCalls > math.MaxInt32:
		return invalid("min_calls", p.MinCalls, "0 or more")
	}
	return nil
}

func (p Policy) checkTrip() error {
	t := p.Trip
	none := p.Window.Calls == 0 && p.Window.Span == 0
	switch {
	case t.ConsecutiveFailures < 0 || t.ConsecutiveFailures > math.MaxInt32:
		return invalid("trip.consecutive_failures", t.ConsecutiveFailures, "0 or more")
	case t.Failures < 0 || t.Failures > math.MaxInt32:
		return invalid("trip.failures", t.Failures, "0 or more")
	case p.Window.Calls > 0 && t.Failures > p.Window.Calls:
		return invalid("trip.failures", t.Failures, "no more than the window's calls, or it can never trip")
	case !ratio(t.ErrorRate):
		return invalid("trip.error_rate", t.ErrorRate, "0 (off) to 1")
	case !ratio(t.Slow.Rate):
		return invalid("trip.slow_calls.rate", t.Slow.Rate, "0 (off) to 1")
	case t.Slow.Over < 0 || t.Slow.Rate > 0 && t.Slow.Over == 0:
		return invalid("trip.slow_calls.over", t.Slow.Over, "more than 0")
	case none && (t.Failures > 0 || t.ErrorRate > 0 || t.Slow.Rate > 0 || len(t.Triggers) > 0):
		return invalid("window", "none", "a window, which everything but consecutive failures needs")
	case len(t.Triggers) > MaxTriggers:
		return invalid("trip.triggers", len(t.Triggers), fmt.Sprintf("at most %d", MaxTriggers))
	}
	for i, trigger := range t.Triggers {
		if trigger == nil {
			return invalid("trip.triggers", i, "no nil entry")
		}
	}
	return nil
}

func (p Policy) checkOpen() error {
	o := p.Open
	switch {
	case o.For < 0:
		return invalid("open.for", o.For, "more than 0")
	case o.Factor != 0 && !(o.Factor >= 1 && o.Factor <= maxFactor):
		return invalid("open.factor", o.Factor, fmt.Sprintf("1 to %d", maxFactor))
	case o.Max < 0 || o.Max > 0 && o.Max < o.For:
		return invalid("open.max", o.Max, "0 (no cap) or at least open.for")
	case !ratio(o.Jitter):
		return invalid("open.jitter", o.Jitter, "0 to 1")
	}
	return nil
}

func (p Policy) checkHalfOpen() error {
	h := p.HalfOpen
	switch {
	case h.Probes < 0 || h.Probes > MaxProbes:
		return invalid("half_open.probes", h.Probes, fmt.Sprintf("0 to %d", MaxProbes))
	case h.Successes < 0 || h.Successes > math.MaxInt32:
		return invalid("half_open.successes", h.Successes, "0 or more")
	case h.Lease < 0:
		return invalid("half_open.lease", h.Lease, "0 or more")
	case h.Judge > JudgeRates:
		return invalid("half_open.judge", h.Judge, "one of the Judge constants")
	case (h.Judge == JudgeRates || p.Compat) && p.Trip.ErrorRate == 0 && p.Trip.Slow.Rate == 0:
		return invalid("half_open.judge", "rates", "trip.error_rate or trip.slow_calls to judge by")
	}
	return nil
}

// ratio also refuses NaN.
func ratio(x float64) bool { return x >= 0 && x <= 1 }

func invalid(field string, value any, want string) error {
	return fmt.Errorf("%w: %s is %q, want %s", ErrPolicy, field, fmt.Sprint(value), want)
}
