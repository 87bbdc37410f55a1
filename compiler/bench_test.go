package compiler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/spec"
)

// large is a topology of n actors below supervisors of 50, each with a guard, as a generator would write it.
func large(n int) string {
	var b strings.Builder
	b.WriteString(header + `policies:
  breakers:
    used: {trip: {consecutive_failures: 5, when: latency.p99 > 1s && calls > 50}, outcome: 'status >= 500 ? "failure" : "success"'}
  guards: {used: {breaker: used, timeout: 500ms, retry: {attempts: 2}}}
root:
  children:
`)
	for i := range n {
		if i%50 == 0 {
			fmt.Fprintf(&b, "    - name: group%d\n      children:\n", i/50)
		}
		switch i % 3 {
		case 0:
			fmt.Fprintf(&b, "        - {name: db%d, upstream: \"http://127.0.0.1:%d\", guard: {use: used}}\n", i, 1+i%60000)
		case 1:
			fmt.Fprintf(&b, "        - {name: worker%d, process: {command: [sleep, \"%d\"]}, labels: {n: \"%d\"}}\n", i, i, i)
		default:
			fmt.Fprintf(&b, "        - name: api%d\n          script: {handlers: {go: {calls: [{to: db%d, message: q, with: {id: msg.id}, as: row}], reply: {row: row, n: %d}}}}\n", i, i-2, i)
		}
	}
	return b.String()
}

// BenchmarkCompile is the pipeline of validate: parse, walk, resolve, compile, seal.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{20, 1000, 10_000} {
		text := []byte(large(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				set, diags := spec.Parse("t.yaml", text, options())
				p, more := compiler.Compile(set, compiler.Options{})
				if p == nil {
					b.Fatal(diags, more)
				}
			}
		})
		b.Run(fmt.Sprint(n)+"/compile", func(b *testing.B) {
			set, _ := spec.Parse("t.yaml", text, options())
			b.ReportAllocs()
			for b.Loop() {
				if p, diags := compiler.Compile(set, compiler.Options{}); p == nil {
					b.Fatal(diags)
				}
			}
		})
	}
}
