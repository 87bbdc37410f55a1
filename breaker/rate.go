package breaker

import (
	"fmt"
	"sync"
	"time"
)

// RatePolicy bounds how many calls pass in a stretch of time, as a token bucket does: Calls a Per on average, and at
// most Burst at once.
type RatePolicy struct {
	// Calls a Per may pass on average; from 1 to 1e9.
	Calls int
	// Per is the stretch; 0 means a second, at most a day. A call must be due at most once a nanosecond.
	Per time.Duration
	// Burst is how many may pass at once after a pause; 0 means Calls.
	Burst int
}

// Validate returns an error that wraps ErrPolicy and names the field, its value and the way out.
func (p RatePolicy) Validate() error {
	switch {
	case p.Calls < 1 || p.Calls > 1e9:
		return invalid("rate_limit.rate", p.Calls, "1 to 1000000000 calls")
	case p.Per < 0 || p.Per > 24*time.Hour:
		return invalid("rate_limit.per", p.Per, "at most a day")
	case p.Per > 0 && int64(p.Per) < int64(p.Calls):
		return invalid("rate_limit.rate", p.Calls, fmt.Sprintf("at most one call a nanosecond of %v", p.Per))
	case p.Burst < 0 || p.Burst > 1e9:
		return invalid("rate_limit.burst", p.Burst, "0 to 1000000000 calls")
	}
	if _, per := p.withDefaults().terms(); int64(p.withDefaults().Burst) > mostUnits/per {
		return invalid("rate_limit.burst", p.withDefaults().Burst, fmt.Sprintf("at most %d for this rate", mostUnits/per))
	}
	return nil
}

func (p RatePolicy) withDefaults() RatePolicy {
	if p.Per == 0 {
		p.Per = time.Second
	}
	if p.Burst == 0 {
		p.Burst = p.Calls
	}
	return p
}

// terms is the rate in lowest terms: so many calls in so many nanoseconds.
func (p RatePolicy) terms() (calls, per int64) {
	a, b := int64(p.Calls), int64(p.Per)
	for b != 0 {
		a, b = b, a%b
	}
	return int64(p.Calls) / a, int64(p.Per) / a
}

// mostUnits is what a bucket can hold, half of what an int64 can.
const mostUnits = Never / 2

// Rate is a token bucket. It keeps exact account in whole numbers: with the rate in lowest terms, a
// call weighs as many units as the rate has nanoseconds, and each nanosecond brings as many units as it has calls. All methods are safe for concurrent use.
type Rate struct {
	mu      sync.Mutex
	policy  RatePolicy
	calls   int64 // units a nanosecond brings
	per     int64 // units a call weighs
	level   int64 // units in the bucket
	last    int64
	refused uint64
}

// NewRate returns a full bucket, or an error that wraps ErrPolicy.
func NewRate(p RatePolicy, now int64) (*Rate, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	r := &Rate{last: now}
	r.set(p)
	r.level = r.full()
	return r, nil
}

func (r *Rate) set(p RatePolicy) {
	r.policy = p.withDefaults()
	r.calls, r.per = r.policy.terms()
}

// full is what the bucket holds: Burst calls.
func (r *Rate) full() int64 { return int64(r.policy.Burst) * r.per }

// satScale multiplies two positive numbers and stops at mostUnits.
func satScale(a, b int64) int64 {
	if a > mostUnits/b {
		return mostUnits
	}
	return a * b
}

// Allow takes one token and reports true, or reports false and how long until there is one.
func (r *Rate) Allow(now int64) (bool, time.Duration) { return r.AllowN(now, 1) }

// AllowN takes n tokens at once or none. More than the burst never pass: the wait is then 0.
func (r *Rate) AllowN(now int64, n int) (bool, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fill(now)
	need := satScale(int64(max(n, 0)), r.per)
	switch {
	case need <= r.level:
		r.level -= need
		return true, 0
	case need > r.full():
		r.refused++
		return false, 0
	}
	r.refused++
	return false, nanos((need - r.level + r.calls - 1) / r.calls)
}

func (r *Rate) fill(now int64) {
	if now <= r.last {
		return
	}
	r.level = min(r.full(), r.level+satScale(now-r.last, r.calls))
	r.last = now
}

// SetPolicy changes the limits. What was in the bucket stays, in calls, up to the new burst.
func (r *Rate) SetPolicy(now int64, p RatePolicy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fill(now)
	held, weight := r.level/r.per, r.per
	rest := float64(r.level%weight) / float64(weight)
	r.set(p)
	r.level = min(r.full(), satScale(held, r.per)+int64(float64(rest*float64(r.per))))
	return nil
}

// Refused is how many calls found no token.
func (r *Rate) Refused() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}
