package scenario_test

import (
	"fmt"
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

// planted is a topology with a hole, and how many faults it takes to show it.
type planted struct {
	name  string
	text  string
	least int
}

// hole is the text of a topology, and a scenario of 20 seconds over it.
func hole(root, load, world, expect, verbs, targets string) string {
	return fmt.Sprintf(`apiVersion: lukhas/v1
kind: Topology
metadata: {name: hole}
messages: {get: {idempotent: true}}
root:
  intensity: {max: 1000, within: 60s}
  children:
%s
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: hole}
duration: 20s
load:
  - {name: users, to: %s, message: get, rate: 10/s, payload: {n: n}}
world: {%s}
expect:
  - {name: holds, %s}
explore: {faults: {max: 12, verbs: [%s], targets: [%s]}}
`, root, load, world, expect, verbs, targets)
}

// holes are the planted bugs, in families.
func holes() []planted {
	var out []planted
	add := func(least int, name, text string) { out = append(out, planted{name, text, least}) }
	for _, max := range []int{1, 2, 3, 4} { // a supervisor gives up after so many crashes within a while
		add(max+1, fmt.Sprintf("gives up after %d restarts", max), hole(fmt.Sprintf(`    - name: workers
      intensity: {max: %d, within: 8s}
      children:
        - {name: worker, restart: {backoff: {initial: 100ms, factor: 1, max: 100ms}}, process: {command: [x], protocol: jsonl}}
    - {name: front, script: {handlers: {get: {reply: {}}}}}`, max),
			"front", "worker: {startup: 50ms}", `never: 'event.type == "gave_up"'`, "crash, restart, pause", "worker, front"))
	}
	for _, full := range []int{8, 12, 16} { // without a breaker, what waits for a slow backend piles up
		add(1, fmt.Sprintf("piles up to %d", full), hole(`    - {name: back, upstream: {url: "http://127.0.0.1:9"}, guard: {timeout: 4s}}
    - {name: other, upstream: {url: "http://127.0.0.1:9"}}
    - name: front
      concurrency: 100
      script: {handlers: {get: {calls: [{to: back, message: get}, {to: other, message: get}]}}}`,
			"front", "back: {latency: 5ms}", fmt.Sprintf(`always: actor("front").in_flight < %d`, full), "slow, hang, fail, delay", "back, other"))
	}
	for _, share := range []string{"0.95", "0.9", "0.8", "0.7"} { // no retries and no fallback: each failure is the users'
		add(1, "serves less than "+share, hole(`    - {name: back, upstream: {url: "http://127.0.0.1:9"}, guard: {timeout: 1s}}
    - {name: spare, upstream: {url: "http://127.0.0.1:9"}}
    - {name: front, concurrency: 100, script: {handlers: {get: {calls: [{to: back, message: get}]}}}}`,
			"front", "back: {latency: 5ms}", "finally: load(\"users\").success_rate >= "+share, "fail, drop, slow", "back, spare"))
	}
	for _, share := range []string{"0.98", "0.95", "0.9", "0.85"} { // a fallback hides the backend's failures, unless it fails as well
		add(2, "its fallback fails as well, below "+share, hole(`    - {name: spare, upstream: {url: "http://127.0.0.1:9"}, guard: {timeout: 500ms}}
    - {name: back, upstream: {url: "http://127.0.0.1:9"}, guard: {timeout: 500ms, fallback: [{to: spare}]}}
    - {name: else, upstream: {url: "http://127.0.0.1:9"}}
    - {name: front, concurrency: 100, script: {handlers: {get: {calls: [{to: back, message: get}]}}}}`,
			"front", "back: {latency: 5ms}, spare: {latency: 5ms}", "finally: load(\"users\").success_rate >= "+share, "fail, hang, slow", "back, spare, else"))
	}
	for _, quorum := range []int{3, 2} { // of four voters, so many must answer
		add(5-quorum, fmt.Sprintf("a quorum of %d of 4", quorum), hole(fmt.Sprintf(`    - {name: voter, replicas: 4, process: {command: [x], protocol: jsonl}, guard: {timeout: 300ms}}
    - {name: votes, consensus: {members: [voter], quorum: %d, agreement: 51%%}}`, quorum),
			"votes", "voter: {latency: 5ms}", "finally: load(\"users\").success_rate >= 0.97", "hang, fail", "voter"))
	}
	for _, level := range []string{"0.3", "0.5", "0.6"} { // the emergency begins when so many of three breakers are open
		least := map[string]int{"0.3": 1, "0.5": 2, "0.6": 2}[level]
		var root strings.Builder
		for _, n := range []string{"a", "b", "c"} {
			fmt.Fprintf(&root, "    - {name: %s, upstream: {url: \"http://127.0.0.1:9\"}, guard: {timeout: 300ms, breaker: {trip: {consecutive_failures: 4}, open: {for: 2s}}}}\n", n)
		}
		root.WriteString(`    - name: front
      concurrency: 100
      script: {handlers: {get: {calls: [{to: a, message: get, optional: true}, {to: b, message: get, optional: true}, {to: c, message: get, optional: true}]}}}`)
		text := hole(root.String(), "front", "a: {latency: 5ms}, b: {latency: 5ms}, c: {latency: 5ms}", "never: 'event.type == \"emergency\"'", "fail, hang, drop", "a, b, c")
		add(least, "an emergency at "+level, strings.Replace(text, "root:\n", "emergency: {enter: share(\"open\") > "+level+", leave: share(\"open\") == 0, hold: 1s}\nroot:\n", 1))
	}
	for _, full := range []string{"55", "60"} { // a queue that only two faults at once fill: the one that takes over hides either
		add(2, "two backends at once, "+full, hole(`    - {name: left, upstream: {url: "http://127.0.0.1:9"}, guard: {timeout: 5s}}
    - {name: right, upstream: {url: "http://127.0.0.1:9"}, guard: {timeout: 5s}}
    - name: front
      concurrency: 200
      script: {handlers: {get: {parallel: true, calls: [{to: left, message: get, optional: true}, {to: right, message: get, optional: true}]}}}`,
			"front", "left: {latency: 5ms}, right: {latency: 5ms}", fmt.Sprintf(`always: actor("left").in_flight + actor("right").in_flight < %s`, full),
			"hang, slow", "left, right"))
	}
	return append(out, planted{"a poisonous message", hole(`    - {name: worker, mailbox: {attempts: 1}, restart: {backoff: {initial: 100ms}}, script: {handlers: {get: {reply: {}}}}}
    - {name: other, script: {handlers: {get: {reply: {}}}}}`,
		"worker", "", `always: actor("worker").restarts < 3`, "poison, pause, clock_skew", "worker, other"), 1})
}

// firstFailing is the first random schedule with several faults more than it takes.
func firstFailing(s *plan.Scenario, least int, fails func(scenario.Found) bool) (scenario.Found, bool) {
	for seed := range uint64(400) {
		f := scenario.Found{Steps: scenario.Schedule(s, seed+1), Seed: seed + 1}
		if len(f.Steps) >= least+3 && fails(f) {
			return f, true
		}
	}
	return scenario.Found{}, false
}

// Most planted bugs are shrunk to as few faults as it takes to show them, within the bound of runs; all to schedules that
// still show them, of which no fault can be left out.
func TestShrinkingReachesTheMinimum(t *testing.T) {
	all := holes()
	if len(all) < 20 {
		t.Fatalf("only %d planted bugs", len(all))
	}
	if testing.Short() {
		all = all[:5]
	}
	reached, total := 0, 0
	for i, bug := range all {
		path := filepath.Join(t.TempDir(), "hole.yaml")
		if err := os.WriteFile(path, []byte(bug.text), 0o600); err != nil {
			t.Fatal(err)
		}
		l := scenario.Load(spec.OS(), path, spec.Options{}, compiler.Options{})
		if l.Diagnostics.HasErrors() {
			t.Fatalf("%s: %v", bug.name, l.Diagnostics)
		}
		s := l.Scenarios[0]
		fails := func(f scenario.Found) bool {
			r := play(t, s, scenario.Options{Seed: f.Seed, Shuffle: f.Seed, Steps: f.Steps, Plain: true})
			return slices.ContainsFunc(r.Results, func(r scenario.Result) bool { return r.Verdict == scenario.Fail })
		}
		if fails(scenario.Found{Seed: 1}) {
			t.Fatalf("%s: it fails without any fault", bug.name)
		}
		f, found := firstFailing(s, bug.least, fails)
		if !found {
			t.Errorf("%s: no schedule shows it", bug.name)
			continue
		}
		small, runs := scenario.Shrink(f, fails)
		if !fails(small) || runs > scenario.MaxShrink {
			t.Errorf("%s: after %d runs what is left does not fail", bug.name, runs)
		}
		if len(small.Steps) < bug.least {
			t.Errorf("%s: %d faults show it, so %d is not the least: %s", bug.name, len(small.Steps), bug.least, scenario.Lines(small.Steps))
		}
		for at := range small.Steps {
			if rest := slices.Delete(slices.Clone(small.Steps), at, at+1); runs < scenario.MaxShrink && len(rest) > 0 && fails(scenario.Found{Steps: rest, Seed: small.Seed}) {
				t.Errorf("%s: fault %d can be left out of %s", bug.name, at, scenario.Lines(small.Steps))
			}
		}
		total += runs
		if len(small.Steps) == bug.least {
			reached++
		}
		t.Logf("%2d %-45s %2d faults -> %d of %d in %3d runs", i+1, bug.name, len(f.Steps), len(small.Steps), bug.least, runs)
	}
	t.Logf("%d of %d reach the minimum, %d runs each on average", reached, len(all), total/len(all))
	if 10*reached < 8*len(all) {
		t.Errorf("%d of %d reach the minimum, expected 80%%", reached, len(all))
	}
}
