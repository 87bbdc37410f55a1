package scenario

import (
	"math"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// stretch is a part of a rate that changes evenly: from per second at at, to per second at the end.
type stretch struct {
	at, long float64 // seconds; the last one lasts for ever
	from, to float64
}

// arrivals tells when the calls of a load come. It uses no function whose last bit differs between machines.
type arrivals struct {
	stretches []stretch
	kind      string // constant, poisson, burst
	rng       uint64

	n     int64
	level float64 // calls due before the next one
	at    int     // the stretch that level has reached
	below float64 // calls of the stretches before
}

func newArrivals(ramps []plan.Ramp, kind string, seed uint64) *arrivals {
	a := &arrivals{kind: kind, rng: seed}
	for i, r := range ramps {
		at, long := r.At.Seconds(), math.Inf(1)
		if i+1 < len(ramps) {
			long = (ramps[i+1].At - r.At).Seconds()
		}
		if over := min(r.Over.Seconds(), long); over > 0 {
			// A ramp that the next one cuts short ends where it had come to.
			end := r.From + float64((r.To-r.From)*over)/r.Over.Seconds()
			a.stretches = append(a.stretches, stretch{at, over, r.From, end})
			at, long = at+over, long-over
		}
		if long > 0 {
			a.stretches = append(a.stretches, stretch{at, long, r.To, r.To})
		}
	}
	if kind == "poisson" {
		a.level = a.gap()
	}
	return a
}

// next implements comings.
func (a *arrivals) next() (time.Duration, bool) {
	at, ok := a.reach(a.level)
	if !ok || at > never {
		return 0, false
	}
	a.n++
	if a.kind == "poisson" {
		a.level += a.gap()
	} else {
		a.level = float64(a.n)
	}
	if a.kind == "burst" {
		at = math.Floor(at)
	}
	return time.Duration(at * float64(time.Second)), true
}

// never is so many seconds that no scenario lasts as long: a tiny rate's next call may lie beyond what a Duration holds.
const never = 1e9

// reach is the time at which so many calls are due. Levels only grow.
func (a *arrivals) reach(level float64) (float64, bool) {
	for ; a.at < len(a.stretches); a.at++ {
		s := &a.stretches[a.at]
		need := level - a.below
		if math.IsInf(s.long, 1) {
			if s.to <= 0 {
				return 0, false
			}
			return s.at + need/s.to, true
		}
		area := float64((s.from+s.to)*s.long) / 2
		if need < area {
			return s.at + s.within(need), true
		}
		a.below += area
	}
	return 0, false
}

// within is how far into the stretch so many calls are due.
func (s *stretch) within(need float64) float64 {
	if need <= 0 && s.from > 0 {
		return 0
	}
	slope := (s.to - s.from) / s.long
	root := math.Sqrt(max(0, float64(s.from*s.from)+float64(2*slope*need)))
	if s.from+root == 0 {
		return 0
	}
	return 2 * need / (s.from + root)
}

// gap is an exponential draw with the mean 1.
func (a *arrivals) gap() float64 {
	a.rng += golden
	u := (float64(mix(a.rng)>>11) + 0.5) / (1 << 53)
	return -ln(u)
}

// golden is 2^64 divided by the golden ratio, the increment of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ln is the natural logarithm of a positive number: 2 atanh((m-1)/(m+1)) of the mantissa, and the exponent's share.
func ln(x float64) float64 {
	m, exp := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, exp = m*2, exp-1
	}
	s := (m - 1) / (m + 1)
	square, sum, power := float64(s*s), 0.0, s
	for k := 1.0; k < 32; k += 2 {
		sum += power / k
		power = float64(power * square)
	}
	return float64(2*sum) + float64(float64(exp)*math.Ln2)
}
