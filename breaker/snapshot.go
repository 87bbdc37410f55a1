package breaker

import "time"

// Snapshot is what a breaker looks like at one moment.
type Snapshot struct {
	State State
	Mode  Mode
	// Generation grows with every transition.
	Generation uint64
	// Since is when the state began; Until when it ends by itself, or Never.
	Since, Until int64
	// Calls, Failures, Slow and Ignored are those in the window; while probes
	// are judged by rates, and after they reopened the breaker, those of the probes.
	Calls, Failures, Slow, Ignored int
	ErrorRate, SlowRate            float64
	// Consecutive is the number of failures since the last success.
	Consecutive int
	// InFlight is the number of admitted calls not done yet: of probes in half-open; of all calls if a trigger needs it.
	InFlight int
	// InARow is the number of openings since the breaker last closed.
	InARow int
	// Latency is zero unless the policy keeps it.
	Latency Latency
	Totals  Totals
}

// Totals count since the breaker was made. Without a window successes are not counted,
// nor are they when they come late.
type Totals struct {
	Successes, Failures, Slow, Ignored uint64
	// Rejected are the calls refused.
	Rejected uint64
	// Opens are the openings.
	Opens uint64
	// Late are the calls that ended in a later generation than they began; they decide nothing.
	Late uint64
	// Dropped are the transitions no listener was told, because it was too slow.
	Dropped uint64
}

// OpenFor returns how long until the breaker may admit a probe, 0 if it is not open.
func (s Snapshot) OpenFor(now int64) time.Duration {
	if s.State != Open || s.Until == Never || s.Until <= now {
		return 0
	}
	return time.Duration(s.Until - now)
}
