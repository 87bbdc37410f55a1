package detect

import "time"

// shift notices that durations, in seconds, have become longer and stay so: a one-sided cumulative sum (Page's CUSUM) of
// the standardised logarithm. A single slow call adds little; many slightly slow ones add up.
type shift struct {
	limit         float64
	gate          gate
	alpha         float64
	slack, excess float64
	warmUp        int
	log           moving  // of the logarithm
	plain         moving  // of the duration itself
	sum           float64 // what has added up
}

const (
	shiftSuspect = 0.1  // of its weight is what a sample has while something is suspected
	shiftFloor   = 0.05 // least standard deviation of the logarithm
	shiftLow     = -3.0 // standard deviations that one sample can take away at most
	shiftHigh    = 4.0  // and that it can add at most
)

// Observe implements Detector.
func (s *shift) Observe(_ time.Duration, x float64) Result {
	x, ok := usable(x)
	if !ok {
		return Result{}
	}
	y := ln(max(x, 1e-9))
	if s.log.n >= s.warmUp {
		z := min(max((y-s.log.mean)/max(s.log.deviation(), shiftFloor), shiftLow), shiftHigh)
		if x-s.plain.mean < s.excess {
			z = min(z, 0)
		}
		s.sum = max(0, s.sum+z-s.slack)
	}
	share := 1.0
	if s.sum > 0 {
		share = shiftSuspect
	}
	s.log.add(y, s.alpha, share)
	s.plain.add(x, s.alpha, share)
	r := s.gate.pass(s.sum, s.limit)
	if r.Alert {
		s.sum = 0 // the next alert needs new evidence
	}
	return r
}

// Follow implements Detector.
func (s *shift) Follow(old Detector) {
	if o, ok := old.(*shift); ok {
		s.log, s.plain, s.sum = o.log, o.plain, o.sum
		s.gate.follow(o.gate)
	}
}
