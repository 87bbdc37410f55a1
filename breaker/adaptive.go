package breaker

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// AdaptivePolicy bounds concurrency by what the callee shows it can take.
type AdaptivePolicy struct {
	// Min and Max bound the limit: Min from 1 (0 means 1), Max up to 1<<20 (0 means 1000).
	Min, Max int
	// Initial is the first limit; 0 means 20, kept within Min and Max.
	Initial int
	// Interval is how often the limit is reconsidered; 0 means 100ms, at least a millisecond.
	Interval time.Duration
	// Tolerance is how much slower than its best the callee may answer before the limit falls; 0 means 1.5, from 1 to 10.
	Tolerance float64
}

// Validate returns an error that wraps ErrPolicy and names the field, its value and the way out.
func (p AdaptivePolicy) Validate() error {
	switch {
	case p.Min < 0 || p.Min > maxPlaces:
		return invalid("adaptive.min", p.Min, fmt.Sprintf("0 to %d", maxPlaces))
	case p.Max < 0 || p.Max > maxPlaces || p.Max > 0 && p.Max < p.Min:
		return invalid("adaptive.max", p.Max, fmt.Sprintf("adaptive.min to %d", maxPlaces))
	case p.Max == 0 && p.Min > defaultMax:
		return invalid("adaptive.max", p.Max, "at least adaptive.min")
	case p.Initial < 0 || p.Initial > maxPlaces:
		return invalid("adaptive.initial", p.Initial, fmt.Sprintf("0 to %d", maxPlaces))
	case p.Interval < 0 || p.Interval > 0 && p.Interval < time.Millisecond:
		return invalid("adaptive.interval", p.Interval, "0 (100ms) or at least a millisecond")
	case p.Tolerance != 0 && !(p.Tolerance >= 1 && p.Tolerance <= 10):
		return invalid("adaptive.tolerance", p.Tolerance, "1 to 10")
	}
	return nil
}

const defaultMax = 1000

func (p AdaptivePolicy) withDefaults() AdaptivePolicy {
	p.Min = max(p.Min, 1)
	if p.Max == 0 {
		p.Max = defaultMax
	}
	if p.Initial == 0 {
		p.Initial = 20
	}
	p.Initial = min(max(p.Initial, p.Min), p.Max)
	if p.Interval == 0 {
		p.Interval = 100 * time.Millisecond
	}
	if p.Tolerance == 0 {
		p.Tolerance = 1.5
	}
	return p
}

const (
	// leastSamples is how many answers an interval needs to say something about the callee; a thinner one goes on.
	leastSamples = 10
	// backOff is what overload multiplies the limit by.
	backOff = 0.9
	// overloadShare is the share of calls that must end in overload before the limit backs off.
	overloadShare = 0.05
	// smoothing is the weight of an interval's answer in the new limit.
	smoothing = 0.2
	// restingLimit is where the limit comes to rest under the steepest gradient: there x*0.5 + sqrt(x) is x.
	restingLimit = 4
	// relearn is how far the baseline rises towards a slower callee in an interval at the lowest limit.
	relearn = 0.5
)

// Adaptive is a concurrency limit that follows the gradient between the callee's best latency and its present one, in
// the manner of Netflix's concurrency-limits (Gradient2), with three changes where that one is known to err. Calls
// that time out lower the limit and teach the baseline nothing: timeouts that all take equally long look like a
// stable latency otherwise, and the limit grows through an outage. The baseline rises only while the limit is at its
// lowest, where the callee's slowness cannot be our own queue; a moving average would learn the overload as normal.
// The limit grows only while it is used. All methods are safe for concurrent use.
type Adaptive struct {
	mu       sync.Mutex
	policy   AdaptivePolicy
	limit    float64
	running  int
	peak     int     // most calls at once in this interval
	baseline float64 // nanoseconds: the best latency known; 0 before the first interval
	began    int64   // when the interval began
	last     int64
	answers  int
	overload int
	took     float64 // nanoseconds, summed over the answers
	refused  uint64
}

// NewAdaptive returns a limit at its initial value, or an error that wraps ErrPolicy.
func NewAdaptive(p AdaptivePolicy, now int64) (*Adaptive, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p = p.withDefaults()
	return &Adaptive{policy: p, limit: float64(p.Initial), began: now, last: now}, nil
}

// Enter takes a place and reports true, or reports false if as many calls run as the limit allows. An admitted call
// must Leave.
func (a *Adaptive) Enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running >= int(a.limit) {
		a.refused++
		return false
	}
	a.running++
	a.peak = max(a.peak, a.running)
	return true
}

// Leave ends a call that began at start. A success teaches the latency; a failure of class "timeout" or "overload"
// says that the callee is beyond its limit; other failures and ignored calls say nothing.
func (a *Adaptive) Leave(now, start int64, o Outcome) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = max(a.last, now)
	if a.running > 0 {
		a.running--
	}
	switch o {
	case Success:
		a.answers++
		a.took += float64(max(a.last-start, 1))
	case "timeout", "overload":
		a.overload++
	}
	if a.last-a.began >= int64(a.policy.Interval) && a.answers+a.overload >= leastSamples {
		a.reconsider()
		a.began, a.answers, a.overload, a.took, a.peak = a.last, 0, 0, 0, a.running
	}
}

// reconsider sets the limit from what the interval has seen.
func (a *Adaptive) reconsider() {
	used := float64(a.peak) >= float64(a.limit*0.5)
	if float64(a.overload) > float64(overloadShare*float64(a.answers+a.overload)) {
		a.set(float64(a.limit * backOff))
		return
	}
	if a.answers == 0 {
		return
	}
	latency := a.took / float64(a.answers)
	a.learn(latency)
	gradient := min(max(float64(a.policy.Tolerance*a.baseline)/latency, 0.5), 1)
	wanted := float64(a.limit*gradient) + math.Sqrt(a.limit)
	if wanted > a.limit && !used {
		return
	}
	a.set(float64(a.limit*(1-smoothing)) + float64(wanted*smoothing))
}

func (a *Adaptive) learn(latency float64) {
	switch {
	case a.baseline == 0 || latency < a.baseline:
		a.baseline = latency
	case int(a.limit) <= max(a.policy.Min, restingLimit):
		a.baseline += float64((latency - a.baseline) * relearn)
	}
}

func (a *Adaptive) set(limit float64) {
	a.limit = min(max(limit, float64(a.policy.Min)), float64(a.policy.Max))
}

// SetPolicy changes the bounds; the limit stays as far as they allow, and so does what was learnt.
func (a *Adaptive) SetPolicy(p AdaptivePolicy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.policy = p.withDefaults()
	a.set(a.limit)
	return nil
}

// AdaptiveSnapshot is what an adaptive limit looks like at one moment.
type AdaptiveSnapshot struct {
	Limit, Running int
	// Baseline is the best latency known, 0 before the first interval.
	Baseline time.Duration
	// Refused counts the calls refused since the limit was made.
	Refused uint64
}

// Snapshot returns the limit and who runs.
func (a *Adaptive) Snapshot() AdaptiveSnapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	return AdaptiveSnapshot{Limit: int(a.limit), Running: a.running, Baseline: time.Duration(a.baseline), Refused: a.refused}
}
