package compiler_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

// Laying a valid document out canonically does not change what it means: the plan is the same to the last leaf.
func TestFormattingKeepsThePlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := document(t)
		before := planned(t, text)
		laid, diags := spec.Format("t.yaml", []byte(text))
		if diags.HasErrors() {
			t.Fatalf("fmt: %v\n%s", diags, text)
		}
		if after := planned(t, string(laid)); after.Digest() != before.Digest() {
			t.Fatalf("the plan changed from\n%s\nto\n%s\nby %v", text, laid, plan.Diff(before, after))
		}
	})
}

func planned(t *rapid.T, text string) *plan.Plan {
	set, diags := spec.Parse("t.yaml", []byte(text), spec.Options{Exe: "/bin/true"})
	if diags.HasErrors() {
		t.Fatalf("%v\n%s", diags, text)
	}
	p, diags := compiler.Compile(set, compiler.Options{})
	if p == nil {
		t.Fatalf("%v\n%s", diags, text)
	}
	return p
}

// document writes a random topology as people do: in block or flow style, with and without quotes, comments and blank lines.
func document(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("apiVersion: lukhas/v1\nkind: Topology\n" + note(t) + "metadata: {name: random}\n" + note(t))
	if rapid.Bool().Draw(t, "params") {
		b.WriteString("params: {slow: 800ms,   share: 50%, text: 'a # b'}\n" + note(t))
	}
	b.WriteString(policies(t) + note(t) + "root:\n  strategy:   " + strategy(t) + "\n  children:\n")
	for i := range rapid.IntRange(1, 4).Draw(t, "supervisors") {
		fmt.Fprintf(&b, "%s    - name: s%d\n      strategy: %s\n      intensity: {max: %d, within: %ds}\n      children:\n", note(t), i, strategy(t),
			rapid.IntRange(0, 9).Draw(t, "max"), rapid.IntRange(1, 90).Draw(t, "within"))
		for j := range rapid.IntRange(1, 3).Draw(t, "actors") {
			b.WriteString(note(t) + actor(t, fmt.Sprintf("a%d-%d", i, j)))
		}
	}
	if rapid.Bool().Draw(t, "rules") {
		fmt.Fprintf(&b, "rules:\n  - name: r\n    for_each: actor\n    when: %s\n    hold: %s\n    then: [{pause: a0-0}, {log: %s}]\n",
			rapid.SampledFrom([]string{"actor.error_rate > 0.5 && actor.calls >= 20", `"actor.calls > 1"`, `'actor.name startsWith "a"'`}).Draw(t, "when"),
			rapid.SampledFrom([]string{"5s", "3s of 5s", "'2s'"}).Draw(t, "hold"), rapid.SampledFrom([]string{`'"too many: " + actor.name'`, `"actor.path"`}).Draw(t, "log"))
	}
	return b.String()
}

func note(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "# a remark\n", "\n", "\n# one\n# two\n"}).Draw(t, "note")
}

func strategy(t *rapid.T) string {
	return rapid.SampledFrom([]string{"one_for_one", "all_for_one", `"rest_for_one"`, "rest_for_one  # why not"}).Draw(t, "strategy")
}

func policies(t *rapid.T) string {
	if !rapid.Bool().Draw(t, "policies") {
		return ""
	}
	rate := rapid.SampledFrom([]string{"50%", "0.5", "'12.5%'"}).Draw(t, "rate")
	if rapid.Bool().Draw(t, "flow") {
		return "policies: {breakers: {b: {window: 10s, min_calls: 5, trip: {error_rate: " + rate + "}}}}\n"
	}
	return "policies:\n    breakers:\n        b:\n            window:  {calls: 20}\n            trip:\n              error_rate: " + rate + "  # of all\n              consecutive_failures: 4\n"
}

func actor(t *rapid.T, name string) string {
	head := "        - name: " + name + "\n"
	body := rapid.SampledFrom([]string{
		"          process: {command: [sleep, \"100\"], env: {A: 'b c', N: \"${name}\"}}\n",
		"          process:\n            command:\n              - sleep\n              - '100'\n            stop: {signal: INT, grace: 2s}\n          replicas: 2\n",
		"          upstream: {url: \"http://127.0.0.1:9\"}\n          guard: {timeout: 300ms, breaker: {trip: {failures: 3}}}\n",
		"          script: {state: {n: 0}, handlers: {hi: {set: {n: state.n + 1}, reply: {n: state.n, text: '\"# no comment\"'}}}}\n",
		"          script:\n            handlers:\n              hi:\n                reply: |\n                  msg.a > 1 ? \"many\"\n                    : \"few\"\n",
	}).Draw(t, "kind")
	extra := rapid.SampledFrom([]string{"", "          labels: {tier: \"1.10\", team: payments}\n", "          mailbox: {capacity: 7, overflow: drop_oldest}\n",
		"          restart: {policy: on_failure, backoff: {initial: 10ms, max: 1m30s, jitter: 10%}}\n"}).Draw(t, "extra")
	return head + body + extra
}
