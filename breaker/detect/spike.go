package detect

import "time"

// spike notices a value far from a slowly moving mean, once for each incident.
type spike struct {
	limit  float64
	gate   gate
	both   bool
	alpha  float64
	floor  float64
	warmUp int
	usual  moving
}

// Observe implements Detector.
func (s *spike) Observe(_ time.Duration, x float64) Result {
	x, ok := usable(x)
	if !ok {
		return Result{}
	}
	distance, learned := 0.0, x
	if s.usual.n >= s.warmUp {
		deviation := max(s.usual.deviation(), s.floor)
		distance = sided((x-s.usual.mean)/deviation, s.both)
		reach := float64(s.limit * deviation) // what is strange teaches no more than what is just usual
		learned = min(max(x, s.usual.mean-reach), s.usual.mean+reach)
	}
	s.usual.add(learned, s.alpha, 1)
	return s.gate.pass(distance, s.limit)
}

// Follow implements Detector.
func (s *spike) Follow(old Detector) {
	if o, ok := old.(*spike); ok {
		s.usual = o.usual
		s.gate.follow(o.gate)
	}
}
