package rules

import "time"

// LatencyOf gives mean and quantiles of durations counted in buckets, each by the end of the bucket it falls into.
func LatencyOf(buckets []uint32, limit func(bucket int) time.Duration) Latency {
	total, sum := totals(buckets, limit)
	if total == 0 {
		return Latency{}
	}
	l := Latency{Mean: sum / total}
	shares := [...]float64{0.5, 0.9, 0.95, 0.99, 0.999}
	values := [...]*float64{&l.P50, &l.P90, &l.P95, &l.P99, &l.P999}
	at, below := 0, 0.0
	for i, n := range buckets {
		if n == 0 {
			continue
		}
		for below += float64(n); at < len(shares) && below >= shares[at]*total; at++ {
			*values[at] = limit(i).Seconds()
		}
		if at == len(shares) {
			break
		}
	}
	return l
}

// MeanOf is the mean of LatencyOf, 0 without any durations.
func MeanOf(buckets []uint32, limit func(bucket int) time.Duration) float64 {
	total, sum := totals(buckets, limit)
	if total == 0 {
		return 0
	}
	return sum / total
}

// totals are how many durations there are and how long they are together. Most buckets are empty.
func totals(buckets []uint32, limit func(bucket int) time.Duration) (total, sum float64) {
	for i, n := range buckets {
		if n > 0 {
			total += float64(n)
			sum += float64(float64(n) * limit(i).Seconds())
		}
	}
	return total, sum
}
