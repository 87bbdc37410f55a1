package scenario_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

const rich = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: rich}
messages: {query: {idempotent: true}}
root:
  strategy: rest_for_one
  intensity: {max: 2, within: 10s}
  children:
    - name: database
      upstream: {url: "http://127.0.0.1:9001"}
      guard:
        rate_limit: {rate: 500/s, burst: 50}
        bulkhead: {concurrent: 20}
        breaker: {min_calls: 10, open: {factor: 2}, half_open: {successes: 2}, recover: {ramp: 5s}, trip: {consecutive_failures: 5, failures: 9, error_rate: 40%, slow_calls: {over: 100ms, rate: 30%}, when: calls > 50 && latency.p99 > 1s}}
        retry: {attempts: 2, budget: 10%, backoff: {initial: 10ms, factor: 1, max: 10ms}}
        timeout: 200ms
        deadline: 2s
        fallback: [{reply: {stale: true}}]
    - name: search
      replicas: 3
      upstream: {url: "http://127.0.0.1:9002"}
      guard: {breaker: {per: replica, mode: disabled}, adaptive: {min: 1, max: 10}, hedge: {after: 50ms, max: 1}, timeout: 1s}
    - name: lone
      restart_breaker: {trip: {consecutive_failures: 3}}
      children: [{name: front, mailbox: {capacity: 10}, persist: state, script: {state: {n: 0}, handlers: {get: {reply: {n: 1}}}}}]
    - name: vote
      consensus: {members: [search], quorum: 2, compare: value}
gateway: [{name: public, listen: "127.0.0.1:0", routes: [{name: rows, path: /rows/, methods: [GET], to: database, guard: {timeout: 3s}}]}]
rules:
  - {name: hot, for_each: actor, when: actor.error_rate > 0.25 && actor.calls >= 5, hold: 2s, cooldown: 5s, limit: {max: 3, within: 1m}, then: [{quarantine: {for: 30s, max_share: 50%}}]}
reload: {abort_if: new.error_rate > 0.2}
emergency: {enter: system.health < 0.3, leave: system.health > 0.6, hold: 5s, admit: call.priority >= 5}
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: s}
duration: 5s
expect: [{name: runs, finally: now > 0}]
`

// Every mutation is an override that the compiler takes, and gives another plan: what changes nothing is not listed.
func TestEveryMutationIsAnotherPlan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rich.yaml")
	if err := os.WriteFile(path, []byte(rich), 0o644); err != nil {
		t.Fatal(err)
	}
	s := load(t, path, "")[0]
	digests := []plan.Digest{s.Plan.Digest()}
	var all []string
	for _, m := range scenario.Mutations(s.Plan) {
		all = append(all, m.Of+" "+m.What)
		over, diags := spec.ParseOverride("m", []byte(m.Override), spec.Options{})
		if diags.HasErrors() {
			t.Errorf("%s %s: %s: %v", m.Of, m.What, m.Override, diags)
			continue
		}
		l := scenario.Load(spec.OS(), path, spec.Options{}, compiler.Options{Override: over})
		if l.Diagnostics.HasErrors() {
			t.Errorf("%s %s: %s: %v", m.Of, m.What, m.Override, l.Diagnostics)
			continue
		}
		if d := l.Scenarios[0].Plan.Digest(); slices.Contains(digests, d) {
			t.Errorf("%s %s: %s gives the plan of another", m.Of, m.What, m.Override)
		} else {
			digests = append(digests, d)
		}
	}
	for _, want := range []string{
		"root restarts allowed 4 instead of 2", "root restarts its children all_for_one", "root/database without its breaker", "root/database consecutive failures 10 instead of 5",
		"root/database failures 18 instead of 9", "root/database error rate 80% instead of 40%", "root/database share of slow calls 60% instead of 30%",
		"root/database slow means over 200ms instead of 100ms", "root/database trips at calls > 100 instead of calls > 50", "root/database trips at latency.p99 > 2 instead of latency.p99 > 1",
		"root/database calls before rates count 20 instead of 10", "root/database without its bulkhead", "root/database calls at once 40 instead of 20", "root/database without its rate limit",
		"root/database without retries", "root/database retries without a budget", "root/database timeout 400ms instead of 200ms", "root/database without its deadline",
		"root/database without its fallback", "root/database never restarted", "root/search without its adaptive limit", "root/search without hedging", "root/lone without its breaker",
		"root/vote believes the first answer", "route public/rows without its timeout", "rule hot dropped", "rule hot fires at actor.error_rate > 0.5 instead of actor.error_rate > 0.25",
		"rule hot holds for 4s instead of 2s", "rule hot may quarantine all", "rule hot acts again at once", "rule hot acts without limit", "root never gives up", "root/database stays open no longer each time",
		"root/database closes after one success", "root/database lets everybody in at once", "root/search one breaker for the whole group", "root/lone/front remembers nothing",
		"root/lone/front with a mailbox that is never full", "root/lone/front mailbox of 20 instead of 10", "root/lone/front restarted at once", "root/vote believes a minority",
		"reload taken back by nothing but crashes", "reload taken back at new.error_rate > 0.4 instead of new.error_rate > 0.2", "reload not on probation", "emergency holds for 10s instead of 5s", "emergency without the emergency mode", "emergency admits everybody",
	} {
		if !slices.Contains(all, want) {
			t.Errorf("%q is missing among\n%s", want, strings.Join(all, "\n"))
		}
	}
	settings := loaded(t, path, "").Settings(0)
	for _, m := range scenario.Mutations(s.Plan) {
		_, written := m.Written(settings)
		switch m.Of + " " + m.What {
		case "root/database without its breaker", "root/database error rate 80% instead of 40%", "root/lone restarts allowed 6 instead of 3", "rule hot dropped":
			if taken := m.What == "dropped" || m.What == "without its breaker"; written == (m.Of == "root/lone") || m.Removes != taken {
				t.Errorf("%s %s: written %v, removes %v", m.Of, m.What, written, m.Removes)
			}
		}
	}
	if slices.ContainsFunc(all, func(m string) bool { return strings.HasPrefix(m, "root/lone restarts its children") }) {
		t.Error("with one child all strategies are the same")
	}
}
