package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// manyActors is a topology of n guarded script actors as people write them, a supervisor for each hundred.
func manyActors(n int) string {
	var b strings.Builder
	b.WriteString(header + `policies:
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

func benchmarkValidate(b *testing.B, actors int) {
	path := filepath.Join(b.TempDir(), "big.yaml")
	if err := os.WriteFile(path, []byte(manyActors(actors)), 0o644); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var errs bytes.Buffer
		if code := execute([]string{"validate", path}, strings.NewReader(""), &errs, &errs); code != 0 {
			b.Fatal(errs.String())
		}
	}
}

func BenchmarkValidate20(b *testing.B)    { benchmarkValidate(b, 20) }
func BenchmarkValidate10000(b *testing.B) { benchmarkValidate(b, 10_000) }
