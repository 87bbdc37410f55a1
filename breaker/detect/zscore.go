package detect

import "time"

// zscore compares a sample with the mean and standard deviation of a window of those before it.
type zscore struct {
	limit float64
	gate  gate
	both  bool
	ring  []float64
	n     int // samples seen
	sum   float64
	sumSq float64
	base  float64 // a usual value: sums are of the differences from it, which keeps them exact around a high level
}

// fewest samples before it judges; with fewer the standard deviation says nothing.
const fewest = 10

// Observe implements Detector.
func (z *zscore) Observe(_ time.Duration, x float64) Result {
	x, ok := usable(x)
	if !ok {
		return Result{}
	}
	if z.n == 0 {
		z.base = x
	}
	distance := z.distance(x)
	z.learn(x)
	return z.gate.pass(sided(distance, z.both), z.limit)
}

// distance is in standard deviations.
func (z *zscore) distance(x float64) float64 {
	have := min(z.n, len(z.ring))
	if have < fewest {
		return 0
	}
	mean := z.sum / float64(have)
	variance := max(0, z.sumSq/float64(have)-float64(mean*mean))
	m := moving{mean: mean + z.base, variance: variance}
	return (x - m.mean) / m.deviation()
}

// learn keeps running sums. It sums up anew once around the ring, and when a value leaves or comes that makes up much of a sum, so that
// rounding errors do not stay.
func (z *zscore) learn(x float64) {
	at := z.n % len(z.ring)
	old := z.ring[at]
	z.ring[at] = x
	z.n++
	old -= z.base
	if z.n <= len(z.ring) {
		old = 0
	}
	if at < len(z.ring)-1 && float64(8*float64(old*old)) <= z.sumSq {
		x -= z.base
		z.sum += x - old
		z.sumSq += float64(x*x) - float64(old*old)
		return
	}
	have := z.ring[:min(z.n, len(z.ring))]
	z.sum, z.sumSq = 0, 0
	for _, v := range have {
		z.sum += v
	}
	z.base, z.sum = z.sum/float64(len(have)), 0
	for _, v := range have {
		v -= z.base
		z.sum += v
		z.sumSq += float64(v * v)
	}
}

// Follow implements Detector.
func (z *zscore) Follow(old Detector) {
	if o, ok := old.(*zscore); ok && len(o.ring) == len(z.ring) {
		copy(z.ring, o.ring)
		z.n, z.sum, z.sumSq, z.base = o.n, o.sum, o.sumSq, o.base
		z.gate.follow(o.gate)
	}
}
