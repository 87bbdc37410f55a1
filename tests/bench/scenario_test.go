package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

// BenchmarkScenarioStart times whole processes that play one virtual second of 20 actors: once, twice as `test` does by
// itself, and as their floor the same binary reading the file.
func BenchmarkScenarioStart(b *testing.B) {
	dir := b.TempDir()
	binary := filepath.Join(dir, "lukhas-run")
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", binary, "./cmd/lukhas-run").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(dir, "start.yaml")
	text := manyActors(20) + `---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: start}
duration: 1s
load: [{name: users, to: actor-3, message: get, rate: 10/s, payload: {key: n}}]
expect: [{name: served, finally: load("users").success_rate == 1}]
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
	}{{"validate", []string{"validate", file}}, {"once", []string{"test", "--once", file}}, {"twice", []string{"test", file}}} {
		b.Run(c.name, func(b *testing.B) { process(b, binary, c.args) })
	}
}

// BenchmarkExplore plays random fault schedules, each with another seed, as `test --explore` does on each core and with as much room
// between garbage collections as that has. A step is a message taken, a timer that ran out or an answer heard; a schedule of
// scheduleSteps of them is what the budget is about.
func BenchmarkExplore(b *testing.B) {
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(400))
	}
	for _, file := range []string{"explored.yaml", "explored_plain.yaml"} {
		l := scenario.Load(spec.OS(), "../../engine/scenario/testdata/"+file, spec.Options{}, compiler.Options{})
		if len(l.Scenarios) != 1 {
			b.Fatal(l.Diagnostics)
		}
		s := l.Scenarios[0]
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
			took := spent(b) - began
			b.ReportMetric(float64(b.N)/took, "as-written/cpu-s")
			b.ReportMetric(float64(steps)/scheduleSteps/took, "schedules/cpu-s")
		})
	}
}

// scheduleSteps is how long a schedule is that the budget counts.
const scheduleSteps = 8000

// spent is the processor time of this process in seconds: on a machine shared with others the clock says little.
func spent(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
