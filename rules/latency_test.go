package rules_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/rules"
)

// Each quantile is the end of the first bucket up to which at least that share of the durations lies.
func TestLatencyIsThatOfTheDefinition(t *testing.T) {
	limit := func(i int) time.Duration { return time.Duration(1) << i }
	rapid.Check(t, func(t *rapid.T) {
		buckets := rapid.SliceOfN(rapid.SampledFrom([]uint32{0, 0, 0, 1, 2, 100, 4_000_000_000}), 0, 30).Draw(t, "buckets")
		total, sum := 0.0, 0.0
		for i, n := range buckets {
			total, sum = total+float64(n), sum+float64(float64(n)*limit(i).Seconds())
		}
		quantile := func(share float64) float64 {
			below := 0.0
			for i, n := range buckets {
				if below += float64(n); n > 0 && below >= share*total {
					return limit(i).Seconds()
				}
			}
			return 0
		}
		want := rules.Latency{P50: quantile(0.5), P90: quantile(0.9), P95: quantile(0.95), P99: quantile(0.99), P999: quantile(0.999)}
		if total > 0 {
			want.Mean = sum / total
		}
		if got := rules.LatencyOf(buckets, limit); got != want || rules.MeanOf(buckets, limit) != want.Mean {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}
