package sim

import (
	"math"
	"time"
)

// Latency is a distribution of durations: log-normal, by its median and its 99th percentile. P99 at most P50 makes it
// constant; the zero value is a constant millisecond.
type Latency struct{ P50, P99 time.Duration }

// Through is the distribution with this median whose quantile at p, between 0.5 and 1, is tail. A tail at most the median makes
// it constant.
func Through(median time.Duration, p float64, tail time.Duration) Latency {
	if median <= 0 {
		median = defaultLatency
	}
	if tail <= median {
		return Latency{P50: median}
	}
	spread := ln(float64(tail)/float64(median)) / normal(p)
	return Latency{P50: median, P99: time.Duration(float64(median) * exp(float64(spread*z99)))}
}

// quantiles is a distribution made ready to draw from: its value at n/steps, and at finer steps within the last.
type quantiles struct {
	body [latencySteps + 1]time.Duration
	tail [tailSteps + 1]time.Duration
}

const (
	latencySteps = 512
	tailSteps    = 128 // the last value stands for one draw in 131,072
)

// defaultLatency is what a model without a latency takes.
const defaultLatency = time.Millisecond

// newQuantiles tabulates a distribution. It uses no function whose last bit differs between machines.
func newQuantiles(l Latency) *quantiles {
	if l.P50 <= 0 {
		l.P50 = defaultLatency
	}
	spread := 0.0
	if l.P99 > l.P50 {
		spread = ln(float64(l.P99)/float64(l.P50)) / z99
	}
	at := func(p float64) time.Duration {
		return time.Duration(float64(l.P50) * exp(float64(spread*normal(p))))
	}
	q := &quantiles{}
	for i := range q.body {
		q.body[i] = at(min(max(float64(i)/latencySteps, 0.25/latencySteps), 1-0.25/latencySteps/tailSteps))
	}
	for i := range q.tail {
		part := min(float64(i)/tailSteps, 1-0.5/tailSteps)
		q.tail[i] = at((latencySteps - 1 + part) / latencySteps)
	}
	return q
}

// draw takes one duration by a random number.
func (q *quantiles) draw(random uint64) time.Duration {
	i := random >> 55 // 9 bits
	if i == latencySteps-1 {
		j := random >> 48 & (tailSteps - 1)
		return between(q.tail[j], q.tail[j+1], random<<16>>32)
	}
	return between(q.body[i], q.body[i+1], random<<9>>32)
}

// between interpolates by a 32-bit fraction.
func between(a, b time.Duration, fraction uint64) time.Duration {
	return a + time.Duration(float64(b-a)*(float64(fraction)/(1<<32)))
}

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

// normal is the inverse of the standard normal distribution function, to seven digits: algorithm AS 241, PPND7 (Wichura,
// 1988). p is between 0 and 1.
func normal(p float64) float64 {
	q := p - 0.5
	if q >= -0.425 && q <= 0.425 {
		r := 0.180625 - float64(q*q)
		n := horner(r, 59.109374720, 159.29113202, 50.434271938, 3.3871327179)
		d := horner(r, 67.187563600, 78.757757664, 17.895169469, 1)
		return q * n / d
	}
	r := math.Sqrt(-ln(min(p, 1-p))) - 1.6
	n := horner(r, 0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777)
	d := horner(r, 0.12021132975, 0.73700164250, 1)
	if q < 0 {
		return -n / d
	}
	return n / d
}

// horner evaluates a polynomial, highest coefficient first. Products are rounded on their own, so that no machine fuses
// them with the sum.
func horner(x float64, coefficients ...float64) float64 {
	sum := 0.0
	for _, c := range coefficients {
		sum = float64(sum*x) + c
	}
	return sum
}

// ln is the natural logarithm of a positive number: the exponent apart, the rest by the series of the inverse hyperbolic
// tangent. Package math has versions in assembly whose last bit differs.
func ln(x float64) float64 {
	m, e := math.Frexp(x) // x = m * 2^e, m in [0.5, 1)
	s := (m - 1) / (m + 1)
	s2 := float64(s * s)
	sum, term := 0.0, s
	for k := 1.0; k < 60; k += 2 {
		sum += float64(term / k)
		term = float64(term * s2)
	}
	return float64(2*sum) + float64(float64(e)*math.Ln2)
}

// exp is e to the power of x, by halving x until the series converges at once.
func exp(x float64) float64 {
	n := 0
	for x > 0.5 || x < -0.5 {
		x /= 2
		n++
	}
	sum, term := 1.0, 1.0
	for k := 1.0; k < 18; k++ {
		term = float64(float64(term*x) / k)
		sum += term
	}
	for range n {
		sum = float64(sum * sum)
	}
	return sum
}
