package spec

import (
	"fmt"
	"strings"
	"testing"
)

// manyActors is a topology of n actors as people write them.
func manyActors(n int) []byte {
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
	return []byte(b.String())
}

func benchmarkLoad(b *testing.B, actors int) {
	data := manyActors(actors)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		set, diags := Parse("big.yaml", data, Options{})
		if len(diags) > 0 {
			b.Fatal(diags)
		}
		if _, diags = Resolve(set, nil); len(diags) > 0 {
			b.Fatal(diags)
		}
	}
}

func BenchmarkLoad20(b *testing.B)    { benchmarkLoad(b, 20) }
func BenchmarkLoad10000(b *testing.B) { benchmarkLoad(b, 10_000) }
