package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// manyActors is a topology of n guarded script actors as people write them, a supervisor for each hundred.
func manyActors(n int) string {
	var b strings.Builder
	b.WriteString(`apiVersion: lukhas/v1
kind: Topology
metadata: {name: big}
policies:
  breakers: {upstream: {window: 10s, trip: {error_rate: 50%, consecutive_failures: 5}}}
  restarts: {gentle: {policy: always, backoff: {initial: 100ms, max: 30s}}}
  guards: {standard: {breaker: upstream, timeout: 500ms}}
defaults: {restart: gentle, mailbox: {capacity: 1024, overflow: reject}}
root:
  children:
`)
	for i := range n {
		if i%100 == 0 {
			fmt.Fprintf(&b, "    - name: group-%d\n      strategy: one_for_one\n      intensity: {max: 3, within: 60s}\n      children:\n", i/100)
		}
		fmt.Fprintf(&b, `        - name: actor-%d
          labels: {tier: workers}
          script:
            state: {hits: 0}
            handlers:
              get: {set: {hits: state.hits + 1}, reply: {value: msg.key, hits: state.hits}}
          guard: {use: standard, bulkhead: {concurrent: 64, queue: 128}}
`, i)
	}
	return b.String()
}

// BenchmarkValidate times whole processes. Beside each stand its floors: the same binary saying its version, and reading
// the file without checking what it means.
func BenchmarkValidate(b *testing.B) {
	dir := b.TempDir()
	binary := filepath.Join(dir, "lukhas-run")
	if out, err := exec.Command("go", "build", "-C", "../..", "-o", binary, "./cmd/lukhas-run").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, actors := range []int{20, 10_000} {
		file := filepath.Join(dir, fmt.Sprintf("%d.yaml", actors))
		if err := os.WriteFile(file, []byte(manyActors(actors)), 0o644); err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			name string
			args []string
		}{
			{"version", []string{"version"}}, {"shape", []string{"validate", "--schema-only", file}}, {"all", []string{"validate", file}},
		} {
			b.Run(fmt.Sprintf("%d-actors/%s", actors, c.name), func(b *testing.B) { process(b, binary, c.args) })
		}
	}
}

// process reports a process's processor time and most memory beside the time on the clock.
func process(b *testing.B, binary string, args []string) {
	var cpu, most int64
	for b.Loop() {
		cmd := exec.Command(binary, args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		cpu += cmd.ProcessState.UserTime().Milliseconds() + cmd.ProcessState.SystemTime().Milliseconds()
		most = max(most, usage.Maxrss)
	}
	b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(most)/1024, "MB")
}
