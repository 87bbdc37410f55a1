package scenario

import (
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/sim"
)

// A model's curve goes through the highest quantile that is given: another one of the same name is another curve.
func TestALatencyGoesThroughItsHighestQuantile(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		given plan.Quantiles
		want  sim.Latency
	}{
		{plan.Quantiles{P50: 5 * ms}, sim.Latency{P50: 5 * ms}},
		{plan.Quantiles{P50: 5 * ms, P99: 40 * ms}, sim.Latency{P50: 5 * ms, P99: 40 * ms}},
		{plan.Quantiles{P50: 5 * ms, P90: 40 * ms}, sim.Through(5*ms, 0.9, 40*ms)},
		{plan.Quantiles{P50: 5 * ms, P90: 30 * ms, P95: 40 * ms}, sim.Through(5*ms, 0.95, 40*ms)},
		{plan.Quantiles{P50: 5 * ms, P90: 30 * ms, P99: 40 * ms}, sim.Latency{P50: 5 * ms, P99: 40 * ms}},
		{plan.Quantiles{P50: 5 * ms, P99: 40 * ms, P999: 400 * ms}, sim.Through(5*ms, 0.999, 400*ms)},
	} {
		if got := latencyOf(c.given); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.given, got, c.want)
		}
	}
}
