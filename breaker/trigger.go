package breaker

import "time"

// Trigger is a condition wired in from outside: an expression, an anomaly detector. Trip is called under the
// breaker's lock at its evaluation points (each bad outcome, each outcome while cold, each bucket boundary) once
// MinCalls calls have finished; it must be quick, must not call the breaker, and answers whether to open and what it
// read, ready to print. The Stats are valid only during the call.
type Trigger interface {
	Trip(s Stats) (bool, string)
}

// Named is a Trigger that gives its transitions a name of its own; others are called "trigger".
type Named interface {
	Name() string
}

// Needs is what a trigger reads beyond the cheap counts. Everything named here takes successes off the lock-free path.
type Needs struct {
	// Latency asks for Stats.Latency.
	Latency bool
	// InFlight asks for Stats.InFlight.
	InFlight bool
	// Classes asks for Stats.Class of these failure classes; at most 16 a breaker.
	Classes []string
}

// Needing is a Trigger that declares what it needs.
type Needing interface {
	Needs() Needs
}

// Sampler is a Trigger that sees each finished call, under the breaker's lock, before it is asked to Trip.
type Sampler interface {
	Sample(now int64, took time.Duration, o Outcome)
}

// Stateful is a Trigger with memory. Fresh returns the instance for one breaker; old is the trigger at the same place
// in the policy that this one replaces (nil for a new breaker), whose memory it may take over.
type Stateful interface {
	Fresh(old Trigger) Trigger
}

// Stats is what a Trigger may read: the counts of the window as of now. Valid only during Trip.
type Stats struct {
	// Now is the moment of the evaluation.
	Now int64
	// Calls are the finished calls in the window, Failures and Slow the bad ones among them, Ignored those left out.
	Calls, Failures, Slow, Ignored int
	// Consecutive is the number of failures since the last success.
	Consecutive int
	// InFlight is the number of admitted calls not done yet, if a trigger Needs it.
	InFlight int
	// Rejected is the number of calls refused since the breaker was made.
	Rejected int
	// SinceClose is the time since the breaker last closed, or was made.
	SinceClose time.Duration
	// Boundary tells that a bucket boundary asks, not an outcome.
	Boundary bool

	detail *detail
}

// ErrorRate is the share of finished calls that failed; 0 without calls.
func (s Stats) ErrorRate() float64 { return share(s.Failures, s.Calls) }

// SlowRate is the share of finished calls that were slow; 0 without calls.
func (s Stats) SlowRate() float64 { return share(s.Slow, s.Calls) }

// Latency is the distribution of the finished calls' durations, if a trigger Needs it; zero otherwise.
func (s Stats) Latency() Latency { return s.detail.latency() }

// Class is the number of failures of that class in the window, if a trigger Needs it; 0 otherwise.
func (s Stats) Class(name string) int { return s.detail.class(name) }

func share(part, all int) float64 {
	if all == 0 {
		return 0
	}
	return float64(part) / float64(all)
}
