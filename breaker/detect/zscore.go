package detect

import "math"

// zscore compares a sample with the mean and standard deviation of a window of those before it. Only values above the mean
// are strange: it watches what is bad when it grows.
type zscore struct {
	limit float64
	row   row
	ring  []float64
	n     int // samples seen
	sum   float64
	sumSq float64
}

// fewest samples before it judges; with fewer the standard deviation says nothing.
const fewest = 10

func newZScore(c Config) *zscore {
	window, need := c.Window, c.Consecutive
	if window == 0 {
		window = 100
	}
	if need == 0 {
		need = 3
	}
	return &zscore{limit: either(c.Threshold, 3), row: row{need: need}, ring: make([]float64, window)}
}

// Observe implements Detector.
func (z *zscore) Observe(x float64) Result {
	if !finite(x) {
		return Result{}
	}
	distance := z.distance(x)
	z.learn(x)
	return Result{Score: graded(distance, z.limit), Alert: z.row.beyond(distance > z.limit)}
}

// distance is in standard deviations. Values that never varied have none, so the least counts as a thousandth of the mean.
func (z *zscore) distance(x float64) float64 {
	have := min(z.n, len(z.ring))
	if have < fewest {
		return 0
	}
	mean := z.sum / float64(have)
	variance := max(0, z.sumSq/float64(have)-float64(mean*mean))
	deviation := max(math.Sqrt(variance), float64(0.001*math.Abs(mean)), 1e-12)
	return (x - mean) / deviation
}

// learn keeps running sums, and sums up anew once around the ring so that rounding errors do not add up.
func (z *zscore) learn(x float64) {
	at := z.n % len(z.ring)
	old := z.ring[at]
	z.ring[at] = x
	z.n++
	if at == len(z.ring)-1 {
		z.sum, z.sumSq = 0, 0
		for _, v := range z.ring {
			z.sum += v
			z.sumSq += float64(v * v)
		}
		return
	}
	z.sum += x - old
	z.sumSq += float64(x*x) - float64(old*old)
}

// Follow implements Detector.
func (z *zscore) Follow(old Detector) {
	if o, ok := old.(*zscore); ok && len(o.ring) == len(z.ring) {
		copy(z.ring, o.ring)
		z.n, z.sum, z.sumSq, z.row.have = o.n, o.sum, o.sumSq, min(o.row.have, z.row.need)
	}
}
