package breaker

import "time"

// Latency is a distribution of durations. Quantiles are exact to one part in 16.
type Latency struct {
	Mean, P50, P90, P95, P99, P999 time.Duration
}

// detail is what a window keeps beyond its counts, for triggers that ask for it.
type detail struct{}

func (d *detail) latency() Latency { return Latency{} }

func (d *detail) class(string) int { return 0 }
