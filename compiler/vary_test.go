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

// pools is a topology in which everything that depends on replicas occurs.
func pools(process, upstream int, slow string) string {
	return fmt.Sprintf(`apiVersion: lukhas/v1
kind: Topology
metadata: {name: pools}
params: {slow: %s, name: shop, live: true}
root:
  children:
    - name: first
      script: {handlers: {go: {reply: '1', tell: [{to: crew-1, message: x}]}}}
    - name: workers
      children:
        - name: crew
          replicas: %d
          process: {command: [sleep, 1m], env: {INDEX: '${replica}', TOKEN: '${secret:TOKEN}-${replica}'}, protocol: jsonl}
        - name: between
          script: {handlers: {go: {reply: '1'}}}
        - name: shards
          replicas: %d
          upstream: 'http://10.0.0.1:80${replica}'
          guard: {timeout: 1s}
    - name: vote
      consensus: {members: [crew, first], weights: {crew: 2}, agreement: 10%%}
rules:
  - {name: r, when: now > params.slow, then: [{pause: crew}]}
`, slow, process, upstream)
}

func compilePools(t interface{ Fatal(...any) }, text string) *plan.Plan {
	set, diags := spec.Parse("t.yaml", []byte(text), spec.Options{Env: func(string) (string, bool) { return "hush-hush-hush", true }})
	p, more := compiler.Compile(set, compiler.Options{})
	if diags.HasErrors() || p == nil {
		t.Fatal(diags, more)
	}
	return p
}

// A plan varied to other numbers and params is the plan of a file that says them, to the last leaf and secret.
func TestAVariantIsWhatTheFileWouldBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.IntRange(1, 5)
		n := [4]int{max(2, sizes.Draw(t, "crew")), sizes.Draw(t, "shards"), max(2, sizes.Draw(t, "crew then")), sizes.Draw(t, "shards then")}
		p := compilePools(t, pools(n[0], n[1], "800ms"))
		var v plan.Variation
		v.Scale("root/workers/shards", n[3])
		v.Scale("root/workers/crew", n[2])
		v.Set("slow", 1.5)
		got, err := p.Vary(v)
		if err != nil {
			t.Fatal(err)
		}
		want := compilePools(t, pools(n[2], n[3], "1500ms"))
		if got.Digest() != want.Digest() {
			t.Fatalf("%v", plan.Diff(want, got))
		}
		if fmt.Sprint(got.Secrets) != fmt.Sprint(want.Secrets) && n[2] >= n[0] {
			t.Fatalf("secrets %q, want %q", got.Secrets, want.Secrets)
		}
		for i, a := range got.Actors {
			if b := want.Actors[i]; a.Path != b.Path || a.Parent != b.Parent || a.Place != b.Place {
				t.Fatalf("actor %d is %s below %d, want %s below %d", i, a.Path, a.Parent, b.Path, b.Parent)
			}
		}
		back, err := got.Vary(plan.Variation{})
		if err != nil || back != p {
			t.Fatalf("taking it all back gives another plan: %v", err)
		}
		if len(got.Overrides()) != len(got.Variation().Replicas)+1 {
			t.Fatalf("%v", got.Overrides())
		}
	})
}

// What cannot be says why, and nothing is half done.
func TestVariationsThatCannotBe(t *testing.T) {
	p := compilePools(t, strings.Replace(pools(4, 2, "800ms"), "agreement: 10%", "quorum: 4, agreement: 10%", 1))
	scale := func(group string, n int) (v plan.Variation) { v.Scale(group, n); return v }
	set := func(name string, value any) (v plan.Variation) { v.Set(name, value); return v }
	for _, c := range []struct {
		v    plan.Variation
		want string
	}{
		{scale("root/workers/crew", 0), `"root/workers/crew" cannot have 0 replicas, at least 1; stop or pause it instead`},
		{scale("root/workers/crew", plan.MaxReplicas+1), `"root/workers/crew" cannot have 100001 replicas, at most 100000`},
		{scale("root/workers/crew", 1), `"root/workers/crew" cannot have 1 replicas: the topology names crew-1, so at least 2`},
		{scale("root/workers/crew", 2), `consensus "root/vote" could not be reached: a quorum of 4 among 3 members, 0 of them lying`},
		{scale("root/first", 2), `unknown group "root/first"`},
		{set("slwo", 1.0), `unknown param "slwo"; did you mean "slow"?`},
		{set("slow", "1s"), `params.slow is a number, got the text 1s`},
		{set("live", 1.0), `params.live is a truth value, got the number 1`},
		{set("name", nil), `params.name is a text, got the nothing <nil>`},
	} {
		if got, err := p.Vary(c.v); err == nil || err.Error() != c.want {
			t.Errorf("%+v gives %v, %v; want %s", c.v, got, err, c.want)
		}
	}
}
