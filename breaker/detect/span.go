package detect

import (
	"math"
	"time"
)

// span is a range that shrinks slowly. A value outside moves its end a part of the way, and at most by the width of the range,
// so that neither one absurd value blinds it nor a slow departure is followed step by step.
type span struct {
	low, high float64
	n         int
}

// beyond is how far x is outside, in shares of the range: positive above its top, negative below its bottom, 0 inside.
func (s *span) beyond(x, floor float64) float64 {
	width := max(floor, s.high-s.low, float64(0.001*math.Abs(s.high)), 1e-12)
	switch {
	case x > s.high:
		return (x - s.high) / width
	case x < s.low:
		return (x - s.low) / width
	}
	return 0
}

func (s *span) learn(x, forget float64) {
	if s.n++; s.n == 1 {
		s.low, s.high = x, x
		return
	}
	width := s.high - s.low
	if width == 0 {
		s.low, s.high = min(s.low, x), max(s.high, x)
		return
	}
	shrink := float64(forget * width)
	s.low += shrink
	s.high -= shrink
	if x > s.high {
		s.high += min(float64(spanFollow*(x-s.high)), width)
	}
	if x < s.low {
		s.low -= min(float64(spanFollow*(s.low-x)), width)
	}
}

// ranges are those a value has lived in: its own, that of its difference from what is usual at this time of the season, and
// that of the mean of its last values.
type ranges struct {
	both   bool
	warmUp int
	forget float64
	floor  float64
	season time.Duration // 0: none

	n        int
	value    span
	residual span
	mean     span
	ring     [meanOf]float64
	usual    []moving // by part of the season; nil without one
}

const (
	spanFollow  = 0.5  // share of the way that an end moves to a value outside
	meanOf      = 48   // values
	meanWarmUp  = 5    // times the others: neighbouring means tell nearly the same
	seasonParts = 96   // of the season, a quarter of an hour of a day each
	seasonAlpha = 0.02 // weight of a new value in what is usual at its time
	seasonLeast = 3    // values before a time's usual is known
)

func newRanges(s map[string]float64) ranges {
	r := ranges{
		both: s["both"] == 1, warmUp: int(s["warm_up"]), forget: s["forget"], floor: s["floor"],
		season: time.Duration(float64(s["season"] * float64(time.Second))),
	}
	if r.season > 0 {
		r.usual = make([]moving, seasonParts)
	}
	return r
}

// observe gives the farthest of the three distances, in shares of the range.
func (r *ranges) observe(at time.Duration, x float64) float64 {
	r.n++
	slot := r.n % meanOf
	r.ring[slot] = x
	far := sided(r.judge(&r.value, x, r.warmUp), r.both)
	if r.n >= meanOf {
		far = max(far, sided(r.judge(&r.mean, r.average(), meanWarmUp*r.warmUp), r.both))
	}
	if r.season > 0 {
		far = max(far, sided(r.judgeSeason(at, x), r.both))
	}
	return far
}

// average sums up anew each time, so that a rounding error never stays.
func (r *ranges) average() float64 {
	sum := 0.0
	for _, v := range r.ring {
		sum += v
	}
	return sum / meanOf
}

// judge gives the distance from a range that has seen enough, which then learns the value.
func (r *ranges) judge(s *span, x float64, warmUp int) float64 {
	far := 0.0
	if s.n >= warmUp {
		far = s.beyond(x, r.floor)
	}
	s.learn(x, r.forget)
	return far
}

// judgeSeason compares with what is usual at this time of the season.
func (r *ranges) judgeSeason(at time.Duration, x float64) float64 {
	phase := at % r.season
	if phase < 0 {
		phase += r.season
	}
	u := &r.usual[int(float64(float64(phase)/float64(r.season)*seasonParts))%seasonParts]
	far := 0.0
	if u.n >= seasonLeast {
		far = r.judge(&r.residual, x-u.mean, r.warmUp)
	}
	u.add(x, seasonAlpha, 1)
	return far
}

// follow takes over what was learned; settings stay.
func (r *ranges) follow(old *ranges) {
	own := *r
	*r = *old
	r.both, r.warmUp, r.forget, r.floor = own.both, own.warmUp, own.forget, own.floor
	r.season, r.usual = own.season, own.usual
	if own.season == old.season {
		copy(r.usual, old.usual)
	} else {
		r.residual = span{}
	}
}
