package detect

import (
	"math"
	"math/rand/v2"
	"time"
)

// sample is one value of a made-up series.
type sample struct {
	at time.Duration
	x  float64
}

// series is a made-up stream, one value each five minutes: a level, a daily rhythm, and noise around it.
type series struct {
	name   string
	level  float64
	rhythm float64 // amplitude of the day
	noise  func(*rand.Rand) float64
}

func gaussian(deviation float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return deviation * r.NormFloat64() }
}

// usualSeries are streams in which nothing happens.
func usualSeries() []series {
	return []series{
		{"steady", 100, 0, gaussian(5)},
		{"skewed", 0, 0, func(r *rand.Rand) float64 { return 0.1 * math.Exp(0.4*r.NormFloat64()) }},
		{"daily", 100, 40, gaussian(5)},
		{"rate", 0, 0, func(r *rand.Rand) float64 { return float64(binomial(r, 200, 0.02)) / 200 }},
	}
}

func binomial(r *rand.Rand, n int, p float64) int {
	k := 0
	for range n {
		if r.Float64() < p {
			k++
		}
	}
	return k
}

func (s series) make(seed uint64, n int) []sample {
	r := rand.New(rand.NewPCG(seed, 77))
	out := make([]sample, n)
	for i := range out {
		at := time.Duration(i) * 5 * time.Minute
		out[i] = sample{at, s.level + s.rhythm*wave(at, 1) + s.noise(r)}
	}
	return out
}

// wave is a sine with so many periods a day.
func wave(at time.Duration, periods float64) float64 {
	return math.Sin(periods * 2 * math.Pi * at.Hours() / 24)
}

// alerts counts those of a detector over a series.
func alerts(d Detector, in []sample) (count int, first int) {
	first = -1
	for i, s := range in {
		if d.Observe(s.at, s.x).Alert {
			count++
			if first < 0 {
				first = i
			}
		}
	}
	return count, first
}
