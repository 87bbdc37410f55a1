package detect

import "time"

// record notices a value that leaves the ranges it has ever lived in. They shrink slowly, so that an old incident is
// forgotten.
type record struct {
	limit  float64
	gate   gate
	ranges ranges
}

// Observe implements Detector.
func (r *record) Observe(at time.Duration, x float64) Result {
	x, ok := usable(x)
	if !ok {
		return Result{}
	}
	return r.gate.pass(r.ranges.observe(at, x), r.limit)
}

// Follow implements Detector.
func (r *record) Follow(old Detector) {
	if o, ok := old.(*record); ok {
		r.ranges.follow(&o.ranges)
		r.gate.follow(o.gate)
	}
}
