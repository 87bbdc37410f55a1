package detect

import "math"

// spike notices a value far above a slowly moving mean, once for each incident.
type spike struct {
	limit float64
	row   row
	usual moving
	rest  int // samples until it may alert again
}

const (
	spikeAlpha  = 0.01
	spikeWarmUp = 30
	spikeRest   = 30
)

// Observe implements Detector.
func (s *spike) Observe(x float64) Result {
	if !finite(x) {
		return Result{}
	}
	deviation := max(math.Sqrt(s.usual.variance), float64(0.001*math.Abs(s.usual.mean)), 1e-12)
	distance := 0.0
	learned := x
	if s.usual.n >= spikeWarmUp {
		distance = (x - s.usual.mean) / deviation
		learned = min(x, s.usual.mean+float64(s.limit*deviation)) // what is strange teaches little
	}
	s.usual.add(learned, spikeAlpha, 1)
	s.rest = max(0, s.rest-1)
	alert := s.row.beyond(distance > s.limit) && s.rest == 0
	if alert {
		s.rest = spikeRest
	}
	return Result{Score: graded(distance, s.limit), Alert: alert}
}

// Follow implements Detector.
func (s *spike) Follow(old Detector) {
	if o, ok := old.(*spike); ok {
		s.usual, s.rest, s.row.have = o.usual, o.rest, min(o.row.have, s.row.need)
	}
}

// record notices a value, or a mean of 48 values, above the range it has ever lived in. The range shrinks slowly, so that
// an old incident is forgotten.
type record struct {
	limit float64 // shares of the range beyond its top
	row   row
	value span
	mean  span
	ring  [recordMean]float64
	n     int
	sum   float64
}

const (
	recordMean   = 48
	recordWarmUp = 100
	recordForget = 0.0005 // of the range, for each sample
)

// span is a range that grows at once and shrinks slowly.
type span struct{ low, high float64 }

// above is how far x is beyond the top, in shares of the range.
func (s *span) above(x float64) float64 {
	return (x - s.high) / max(s.high-s.low, float64(0.001*math.Abs(s.high)), 1e-12)
}

func (s *span) learn(x float64) {
	shrink := float64(recordForget * (s.high - s.low))
	s.low, s.high = min(x, s.low+shrink), max(x, s.high-shrink)
}

// Observe implements Detector.
func (r *record) Observe(x float64) Result {
	if !finite(x) {
		return Result{}
	}
	r.sum += x - r.ring[r.n%recordMean]
	r.ring[r.n%recordMean] = x
	if r.n++; r.n == 1 {
		r.value = span{x, x}
	}
	distance := 0.0
	if r.n > recordWarmUp {
		distance = max(r.value.above(x), r.mean.above(r.sum/recordMean))
	}
	r.value.learn(x)
	switch {
	case r.n == recordMean:
		r.mean = span{r.sum / recordMean, r.sum / recordMean}
	case r.n > recordMean:
		r.mean.learn(r.sum / recordMean)
	}
	return Result{Score: graded(distance, r.limit), Alert: r.row.beyond(distance > r.limit)}
}

// Follow implements Detector.
func (r *record) Follow(old Detector) {
	if o, ok := old.(*record); ok {
		limit, need := r.limit, r.row.need
		*r = *o
		r.limit, r.row = limit, row{need, min(o.row.have, need)}
	}
}
