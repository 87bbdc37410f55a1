package detect

import (
	"math"
	"time"
)

// novelty is a record detector that also remembers shapes: it notices a course of values unlike any before, even when each
// value is one it has seen. Two matchers look at short and at long courses. (The idea of few prototypes that are added
// when nothing resembles is adaptive resonance theory's, Carpenter and Grossberg 1987.)
type novelty struct {
	limit  float64
	gate   gate
	ranges ranges
	shapes [2]matcher
}

// Observe implements Detector.
func (v *novelty) Observe(at time.Duration, x float64) Result {
	x, ok := usable(x)
	if !ok {
		return Result{}
	}
	far := v.ranges.observe(at, x)
	for i := range v.shapes {
		far = max(far, v.shapes[i].observe(x, &v.ranges))
	}
	return v.gate.pass(far, v.limit)
}

// Follow implements Detector.
func (v *novelty) Follow(old Detector) {
	if o, ok := old.(*novelty); ok {
		v.ranges.follow(&o.ranges)
		v.shapes = o.shapes
		v.gate.follow(o.gate)
	}
}

const (
	shapeLength = 8    // block means that make a shape
	shapeCount  = 32   // prototypes
	shapeWarmUp = 48   // blocks before distances count: at first everything is new
	shapeNear   = 0.15 // of the range of block means: closer is the same shape
	shapeLearn  = 0.2  // share by which a prototype moves to what resembles it
)

// matcher compares the course of the last block means with prototypes of earlier ones. How far the nearest is, is a value
// whose own record is what counts.
type matcher struct {
	block  int // samples
	n      int // samples in the block so far
	sum    float64
	blocks int
	course [shapeLength]float64
	scale  span // of block means
	far    span // of the distances
	stock  [shapeCount]prototype
	used   int
}

type prototype struct {
	shape [shapeLength]float64
	last  int // block that it resembled last
}

// observe gives the distance beyond the record at the end of a block, 0 in between.
func (m *matcher) observe(x float64, r *ranges) float64 {
	m.sum += x
	if m.n++; m.n < m.block {
		return 0
	}
	mean := m.sum / float64(m.block)
	m.n, m.sum = 0, 0
	m.blocks++
	copy(m.course[:], m.course[1:])
	m.course[shapeLength-1] = mean
	m.scale.learn(mean, float64(r.forget*float64(m.block)))
	if m.blocks < shapeLength {
		return 0
	}
	distance := m.match()
	if m.blocks < shapeWarmUp {
		return 0
	}
	beyond := 0.0
	if r.n >= r.warmUp && m.far.n >= shapeCount/2 {
		beyond = max(0, m.far.beyond(distance, 0))
	}
	m.far.learn(distance, float64(r.forget*float64(m.block)))
	return beyond
}

// match finds the nearest prototype, which then learns, and gives its distance as a share of the range. What nothing
// resembles becomes a prototype itself, in place of the one that was useless for longest.
func (m *matcher) match() float64 {
	width := max(m.scale.high-m.scale.low, float64(0.001*math.Abs(m.scale.high)), 1e-12)
	best, nearest := -1, math.MaxFloat64
	for i := range m.used {
		if d := gap(&m.stock[i].shape, &m.course) / width; d < nearest {
			best, nearest = i, d
		}
	}
	if best >= 0 && nearest <= shapeNear {
		p := &m.stock[best]
		p.last = m.blocks
		for i, v := range m.course {
			p.shape[i] += float64(shapeLearn * (v - p.shape[i]))
		}
		return nearest
	}
	at := m.used
	if m.used < shapeCount {
		m.used++
	} else {
		at = m.oldest()
	}
	m.stock[at] = prototype{m.course, m.blocks}
	return min(nearest, 1)
}

func (m *matcher) oldest() int {
	at := 0
	for i := range m.used {
		if m.stock[i].last < m.stock[at].last {
			at = i
		}
	}
	return at
}

// gap is the mean absolute difference of two courses.
func gap(a, b *[shapeLength]float64) float64 {
	sum := 0.0
	for i := range a {
		sum += math.Abs(a[i] - b[i])
	}
	return sum / shapeLength
}
