package scenario_test

import (
	"testing"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

// BenchmarkOutage plays three minutes of a shop whose database dies.
func BenchmarkOutage(b *testing.B) {
	l := scenario.Load(spec.OS(), "../../examples/scenarios/dependency-outage.yaml", spec.Options{}, compiler.Options{})
	if len(l.Scenarios) != 1 {
		b.Fatal(l.Diagnostics)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := scenario.Run(l.Scenarios[0], scenario.Options{})
		if err != nil || !r.Passed() {
			b.Fatal(err, r)
		}
		b.ReportMetric(float64(r.Messages), "messages/op")
	}
}
