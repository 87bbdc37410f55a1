package detect

import "math"

// moving is an exponentially weighted mean and variance. Its first samples weigh alike, until one weighs alpha.
type moving struct {
	n        int
	mean     float64
	variance float64
}

// add learns x with a share, 0 to 1, of the weight that it would have.
func (m *moving) add(x, alpha, share float64) {
	m.n++
	weight := float64(max(alpha, 1/float64(m.n)) * share)
	delta := x - m.mean
	m.mean += float64(weight * delta)
	m.variance = float64((1 - weight) * (m.variance + float64(weight*float64(delta*delta))))
}

// deviation is the standard deviation. Values that never varied have none, so the least is a thousandth of the mean.
func (m *moving) deviation() float64 {
	return max(math.Sqrt(m.variance), float64(0.001*math.Abs(m.mean)), 1e-12)
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
