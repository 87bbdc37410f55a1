package scenario_test

import (
	"syscall"
	"testing"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

// BenchmarkExplore plays random fault schedules, each with another seed, of scenarios of some 8,000 steps.
func BenchmarkExplore(b *testing.B) {
	l := scenario.Load(spec.OS(), "testdata/explored.yaml", spec.Options{}, compiler.Options{})
	if l.Diagnostics.HasErrors() {
		b.Fatal(l.Diagnostics)
	}
	for _, s := range l.Scenarios {
		b.Run(s.Name, func(b *testing.B) {
			seed, steps := uint64(0), uint64(0)
			b.ReportAllocs()
			began := spent(b)
			for b.Loop() {
				seed++
				r, err := scenario.Run(s, scenario.Options{Seed: seed, Shuffle: seed, Steps: scenario.Schedule(s, seed), Plain: true})
				if err != nil || r.Problem != "" {
					b.Fatal(err, r.Problem)
				}
				steps += r.Moves
			}
			b.ReportMetric(float64(steps)/float64(b.N), "steps/op")
			b.ReportMetric(float64(b.N)/(spent(b)-began), "schedules/cpu-s")
		})
	}
}

// spent is the processor time of this process in seconds: on a machine shared with others the clock says little.
func spent(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
