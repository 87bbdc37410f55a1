package scenario_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

const covered = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: covered}
messages: {query: {idempotent: true}}
health: {degraded: 0.9, critical: 0.2}
root:
  strategy: rest_for_one
  intensity: {max: 2, within: 10s}
  children:
    - name: database
      restart: {backoff: {initial: 100ms, factor: 1, max: 100ms, jitter: 0%}}
      upstream: {url: "http://127.0.0.1:9001"}
      guard:
        rate_limit: {rate: 500/s, burst: 50}
        bulkhead: {concurrent: 20}
        breaker: {min_calls: 10, trip: {consecutive_failures: 5, error_rate: 90%}, open: {for: 1s, jitter: 0%}, half_open: {probes: 1, successes: 1, lease: 900ms}}
        retry: {attempts: 2, backoff: {initial: 10ms, factor: 1, max: 10ms}}
        timeout: 200ms
        fallback: [{reply: {stale: true}}]
    - {name: front, script: {handlers: {get: {reply: {n: 1}}}}}
rules:
  - {name: hot, for_each: actor, where: actor.name == "database", when: actor.error_rate > 0.5 && actor.calls >= 3, then: [{checkpoint: {name: hot}}]}
observe: {window: 3s}
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: s}
duration: 30s
load:
  - {name: l, to: database, message: query, rate: 20/s, for: 17s}
LOADS
world: {database: {latency: 5ms}}
timeline:
STEPS
expect: [{name: runs, finally: load("l").sent > 0}]
`

// show plays a scenario over the covered topology and lists what it shows.
func show(t *testing.T, loads, steps string) []string {
	t.Helper()
	set, diags := spec.Parse("t.yaml", []byte(strings.NewReplacer("LOADS", loads, "STEPS", steps).Replace(covered)), spec.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s, diags := compiler.CompileScenario(set, set.Scenarios[0], compiler.ScenarioOptions{})
	if s == nil {
		t.Fatal(diags)
	}
	plain := play(t, s, scenario.Options{})
	r := play(t, s, scenario.Options{Cover: true})
	if plain.Digest != r.Digest || plain.Shown != nil {
		t.Error("looking at what a run shows changes it")
	}
	var out []string
	for _, p := range r.Shown {
		if !slices.Contains(scenario.Points(s.Plan), p) {
			t.Errorf("%v is no point of the plan", p)
		}
		out = append(out, p.What+": "+p.Way)
	}
	return out
}

func TestWhatScenariosShow(t *testing.T) {
	calm := show(t, "", "  - {at: 29s, world: {database: {latency: 5ms}}}")
	if diff := cmp.Diff([]string{
		"breaker database: trip.consecutive_failures is not reached",
		"breaker database: trip.error_rate is not reached",
		"guard database: timeout is not reached",
		"rule hot: actor.error_rate > 0.5 is false",
		"rule hot: actor.calls >= 3 is true",
		"rule hot: actor.calls >= 3 is false",
	}, calm); diff != "" {
		t.Errorf("a calm run: -want +got\n%s", diff)
	}
	for name, c := range map[string]struct {
		loads, steps string
		adds         []string
	}{
		"an outage": {"", "  - {at: 5s, for: 6s, fail: {target: database, status: 503}}", []string{
			"breaker database: opens", "breaker database: half-opens", "breaker database: closes again", "breaker database: opens again from half-open",
			"breaker database: trip.consecutive_failures is reached", "guard database: tries again", "guard database: has tried as often as it may", "guard database: falls back",
			"rule hot: fires", "rule hot: clears", "rule hot: actor.error_rate > 0.5 is true", "health: falls to degraded"}},
		"slowness": {"", "  - {at: 5s, for: 3s, slow: {target: database, by: 1s}}", []string{"guard database: timeout is reached"}},
		"a crowd": {"  - {name: crowd, to: database, message: query, rate: 2000/s, for: 2s}", "  - {at: 29s, world: {database: {latency: 5ms}}}", []string{
			"guard database: refuses a call over its rate"}},
		"slow, in a crowd": {"  - {name: crowd, to: database, message: query, rate: 400/s, from: 5s, for: 2s}", "  - {at: 4s, for: 4s, world: {database: {latency: 150ms}}}", []string{
			"guard database: refuses a call for want of room"}},
		"a crash": {"", "  - {at: 5s, crash: database}", []string{
			"supervisor root (rest_for_one): restarts a child", "supervisor root (rest_for_one): restarts siblings with it"}},
		"crash after crash": {"", "  - {every: 1s, crash: database}", []string{"supervisor root (rest_for_one): gives up"}},
	} {
		got := show(t, c.loads, c.steps)
		for _, want := range c.adds {
			if !slices.Contains(got, want) {
				t.Errorf("%s does not show %q, but\n%s", name, want, strings.Join(got, "\n"))
			}
			if slices.Contains(calm, want) {
				t.Errorf("%q is seen without %s", want, name)
			}
		}
	}
}

// What was never seen is told with the place where the author wrote it.
func TestPointsHavePlaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(strings.NewReplacer("LOADS", "", "STEPS", "  - {at: 5s, crash: front}").Replace(covered)), 0o644); err != nil {
		t.Fatal(err)
	}
	l := scenario.Load(spec.OS(), path, spec.Options{}, compiler.Options{})
	if l.Diagnostics.HasErrors() {
		t.Fatal(l.Diagnostics)
	}
	lines := map[string]int{
		"breaker database: trip.error_rate is reached": 16, "guard database: tries again": 17, "guard database: timeout is reached": 18, "health: falls to critical": 5,
		"supervisor root (rest_for_one): gives up": 8, "supervisor root (rest_for_one): restarts siblings with it": 7, "rule hot: fires": 22,
	}
	for _, p := range scenario.Points(l.Scenarios[0].Plan) {
		place, ok := p.Written(l.Settings(0))
		if want := lines[p.What+": "+p.Way]; want != 0 && (!ok || place.Line != want || place.File != path) {
			t.Errorf("%s %s stands at %v, not in line %d", p.What, p.Way, place, want)
		}
		delete(lines, p.What+": "+p.Way)
	}
	if len(lines) > 0 {
		t.Errorf("no points: %v", lines)
	}
}
