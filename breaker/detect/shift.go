package detect

import "math"

// shift notices that durations, in seconds, have become longer and stay so: a one-sided cumulative sum (Page's CUSUM) of
// the standardised logarithm. A single slow call adds little; many slightly slow ones add up.
type shift struct {
	limit float64
	row   row
	log   moving  // of the logarithm
	plain moving  // of the duration itself
	sum   float64 // what has added up
}

const (
	shiftAlpha  = 0.005 // weight of a new sample
	shiftDoubt  = 0.1   // of that weight while something is suspected, lest it be learned as usual
	shiftSlack  = 1.0   // standard deviations that add nothing
	shiftWarmUp = 30
	shiftLeast  = 0.005 // seconds; less than this above the mean is nobody's trouble
	shiftFloor  = 0.05  // least standard deviation of the logarithm
)

// Observe implements Detector.
func (s *shift) Observe(x float64) Result {
	if !finite(x) {
		return Result{}
	}
	y := ln(max(x, 1e-9))
	if s.log.n >= shiftWarmUp {
		deviation := max(math.Sqrt(s.log.variance), shiftFloor)
		z := min(max((y-s.log.mean)/deviation, -3), 4)
		if x-s.plain.mean < shiftLeast {
			z = min(z, 0)
		}
		s.sum = max(0, s.sum+z-shiftSlack)
	}
	trust := 1.0
	if s.sum > 0 {
		trust = shiftDoubt
	}
	s.log.add(y, shiftAlpha, trust)
	s.plain.add(x, shiftAlpha, trust)
	score := min(1, s.sum/s.limit)
	alert := s.row.beyond(s.sum >= s.limit)
	if alert {
		s.sum = 0 // the next alert needs new evidence
	}
	return Result{Score: score, Alert: alert}
}

// Follow implements Detector.
func (s *shift) Follow(old Detector) {
	if o, ok := old.(*shift); ok {
		s.log, s.plain, s.sum, s.row.have = o.log, o.plain, o.sum, min(o.row.have, s.row.need)
	}
}

// ln is the natural logarithm of x > 0, correct to a few units in the last place. math.Log is written in assembly on some
// platforms and rounds differently there.
func ln(x float64) float64 {
	fraction, exponent := math.Frexp(x)
	if fraction < math.Sqrt2/2 {
		fraction *= 2
		exponent--
	}
	s := (fraction - 1) / (fraction + 1)
	square := float64(s * s)
	sum := 0.0
	for k := 23; k >= 1; k -= 2 { // 2*atanh(s) = 2*(s + s^3/3 + s^5/5 + ...)
		sum = float64(sum*square) + 1/float64(k)
	}
	return float64(2*s*sum) + float64(float64(exponent)*math.Ln2)
}
