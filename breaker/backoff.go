package breaker

import (
	"fmt"
	"time"
)

// Backoff computes waits that grow exponentially: Initial × Factor^n, at most Max, spread by Jitter. It is a value and
// has no state; the caller counts. The zero Backoff never waits.
type Backoff struct {
	// Initial is the first wait.
	Initial time.Duration
	// Factor is at least 1; 0 means 1.
	Factor float64
	// Max caps the wait with its jitter; 0 means no cap but that of time.Duration.
	Max time.Duration
	// Jitter is the share, 0 to 1, by which a wait is spread evenly to both sides. Near Max the middle moves down, so
	// that waits stay spread instead of gathering at the cap.
	Jitter float64
}

// Validate returns an error that wraps ErrPolicy and names the field, its value and the way out.
func (b Backoff) Validate() error {
	switch {
	case b.Initial < 0:
		return invalid("backoff.initial", b.Initial, "0 or more")
	case b.Factor != 0 && !(b.Factor >= 1 && b.Factor <= maxFactor):
		return invalid("backoff.factor", b.Factor, fmt.Sprintf("1 to %d", maxFactor))
	case b.Max < 0 || b.Max > 0 && b.Max < b.Initial:
		return invalid("backoff.max", b.Max, "0 (no cap) or at least backoff.initial")
	case !ratio(b.Jitter):
		return invalid("backoff.jitter", b.Jitter, "0 to 1")
	}
	return nil
}

const (
	maxFactor = 1000
	// longest is the cap of a Backoff without one: a century, far from where nanoseconds overflow.
	longest = 100 * 365 * 24 * time.Hour
	// maxSteps bounds the multiplications of one wait. A factor that has not reached the cap by then stays where it is.
	maxSteps = 4096
)

// Wait returns the n-th wait, counting from 0. The seed draws the jitter: the same seed and n give the same wait, so
// a caller that wants another draw passes another seed.
func (b Backoff) Wait(n int, seed uint64) time.Duration {
	limit := float64(longest)
	if b.Max > 0 {
		limit = min(limit, float64(b.Max))
	}
	middle := min(b.grown(n, limit), limit/(1+b.Jitter))
	// The draw is in [-1, 1): 53 bits are what a float64 holds exactly.
	draw := float64(mix(seed+uint64(n)*golden)>>11)*(1.0/(1<<52)) - 1
	return time.Duration(min(middle+float64(middle*float64(b.Jitter*draw)), limit))
}

// grown multiplies step by step instead of using math.Pow, whose last bits may differ between platforms.
func (b Backoff) grown(n int, limit float64) float64 {
	wait := float64(b.Initial)
	if b.Factor <= 1 {
		return wait
	}
	for range min(max(n, 0), maxSteps) {
		if wait *= b.Factor; wait >= limit {
			return limit
		}
	}
	return wait
}

// golden is 2^64 divided by the golden ratio, the increment of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014) after one increment.
func mix(x uint64) uint64 {
	x += golden
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
