package rules

import "time"

// LatencyOf gives mean and quantiles of durations counted in buckets, each by the end of the bucket it falls into.
func LatencyOf(buckets []uint32, limit func(bucket int) time.Duration) Latency {
	var total, sum float64
	for i, n := range buckets {
		total += float64(n)
		sum += float64(float64(n) * limit(i).Seconds())
	}
	if total == 0 {
		return Latency{}
	}
	quantile := func(q float64) float64 {
		var below float64
		for i, n := range buckets {
			below += float64(n)
			if n > 0 && below >= q*total {
				return limit(i).Seconds()
			}
		}
		return 0
	}
	return Latency{Mean: sum / total, P50: quantile(0.5), P90: quantile(0.9), P95: quantile(0.95), P99: quantile(0.99), P999: quantile(0.999)}
}
