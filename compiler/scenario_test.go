package compiler_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

const stage = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: t}
params: {slow: 1s}
root:
  children:
    - name: database
      upstream: {url: "http://127.0.0.1:9001"}
      guard: {breaker: {trip: {consecutive_failures: 5}}, timeout: 1s}
    - name: worker
      replicas: 2
      process: {command: [x], protocol: jsonl}
    - name: api
      script: {handlers: {get: {reply: {ok: true}}}}
gateway:
  - name: public
    listen: 127.0.0.1:0
    routes: [{name: rows, path: /rows/, methods: [GET], to: database}]
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: s}
duration: 1m
`

// stageScenario compiles a scenario that says more over the stage.
func stageScenario(t testing.TB, text string) (*plan.Scenario, spec.Diagnostics) {
	t.Helper()
	set, diags := spec.Parse("t.yaml", []byte(stage+text), options())
	if diags.HasErrors() {
		return nil, diags
	}
	return compiler.CompileScenario(set, set.Scenarios[0], compiler.ScenarioOptions{Recorded: recordings})
}

// Each reload that may be drawn sets one threshold, and compiles to another plan than the scenario starts with.
func TestReloadsToExploreNudgeOneThreshold(t *testing.T) {
	set, diags := spec.Parse("t.yaml", []byte(stage), options())
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for explored, want := range map[bool][]string{false: nil, true: {
		"{actors.root/database.guard.timeout: 500ms}", "{actors.root/database.guard.breaker.trip.consecutive_failures: 2}",
		"{actors.root/database.guard.timeout: 2s}", "{actors.root/database.guard.breaker.trip.consecutive_failures: 10}",
	}} {
		s, diags := compiler.CompileScenario(set, set.Scenarios[0], compiler.ScenarioOptions{Options: compiler.Options{Explored: explored}})
		if s == nil {
			t.Fatal(diags)
		}
		var got []string
		for _, r := range s.Explore.Reloads {
			changes := plan.Diff(s.Plan, r.Plan)
			if strings.Contains(r.Set, "open.for") { // a probe's lease follows it
				changes = changes[:1]
			} else {
				got = append(got, r.Set)
			}
			if len(changes) != 1 || !strings.Contains(r.Set, changes[0].Path) {
				t.Errorf("%s changes %v", r.Set, changes)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("explored %v: %q, expected %q", explored, got, want)
		}
	}
}

// recordings are what the loads of these tests can repeat.
func recordings(_, name string) ([]plan.Arrival, error) {
	all := map[string][]plan.Arrival{"empty.jsonl": {}, "a.jsonl": {
		{At: time.Second, From: "web", To: "root/api", Message: "get"}, {At: 3 * time.Second, From: "cron", To: "gone", Message: "put"},
		{At: 5 * time.Second, From: "web", To: "api", Message: "get"},
	}}
	if a, ok := all[name]; ok {
		return a, nil
	}
	return nil, errors.New("no such file")
}

func TestALoadRepeatsWhatWasRecorded(t *testing.T) {
	for text, want := range map[string][]plan.Arrival{
		`{file: a.jsonl, caller: web, skip: 1s, speed: 2}}`: {
			{From: "web", To: "root/api", Message: "get"}, {At: 2 * time.Second, From: "web", To: "root/api", Message: "get"}},
		`a.jsonl, to: database, message: put}`: {
			{At: time.Second, From: "web", To: "root/database", Message: "put"},
			{At: 3 * time.Second, From: "cron", To: "root/database", Message: "put"},
			{At: 5 * time.Second, From: "web", To: "root/database", Message: "put"}},
	} {
		s, diags := stageScenario(t, "load: [{name: l, recorded: "+text+"]\n")
		if s == nil {
			t.Fatal(diags)
		}
		if !slices.EqualFunc(s.Loads[0].Recorded, want, func(a, b plan.Arrival) bool {
			return a.At == b.At && a.From == b.From && a.To == b.To && a.Message == b.Message
		}) {
			t.Errorf("%s: %+v, expected %+v", text, s.Loads[0].Recorded, want)
		}
	}
}

func TestScenarioIsComplete(t *testing.T) {
	s, diags := stageScenario(t, `override: {actors.database.guard.timeout: 400ms}
seed: 7
clock: 2024-05-06T07:08:09Z
load:
  - {name: users, to: api, message: get, rate: {from: 1/s, to: 5/s, over: 10s}, for: 30s, timeout: 2s}
  - {name: web, via: public/rows, request: {path: '"/rows/" + string(n)'}, rate: [{at: 5s, rate: 2/s}]}
world:
  worker-1: {latency: 9ms}
  '**': {latency: {p50: 2ms, p99: 8ms}, abandoned: served}
timeline:
  - {id: outage, at: 10s, for: 5s, fail: {target: worker, status: 503}}
  - {id: later, at: outage.end + 2s, partition: [api, [database, worker]], for: 1s}
  - {id: seen, when: breaker("database").state == "open"}
  - {at: 30s, reload: {set: {params.slow: 2s}}}
  - {at: 31s, reload: {set: {actors.database.guard.timeout: 300ms}}}
  - {at: 32s, quarantine: {target: worker-0, for: 3s}}
expect:
  - {name: e, after: outage.start, eventually: load("users").sent > 3, within: 5s}
`)
	if s == nil {
		t.Fatal(diags)
	}
	if s.Seed != 7 || s.Duration != time.Minute || s.Clock.Year() != 2024 {
		t.Errorf("head: %+v", s)
	}
	if got := s.Plan.Actor("root/database").Guard.Timeout; got != 400*time.Millisecond {
		t.Errorf("the override is not in force: timeout %s", got)
	}
	if l := s.Loads[0]; l.Rate[0] != (plan.Ramp{From: 1, To: 5, Over: 10 * time.Second}) || l.To != "root/api" || l.For != 30*time.Second {
		t.Errorf("load: %+v", l)
	}
	if l := s.Loads[1]; l.Route == nil || l.Route.Route.To != "root/database" || len(l.Rate) != 2 || l.Rate[0] != (plan.Ramp{}) {
		t.Errorf("load through a route: %+v", l)
	}
	if s.World[0].Target != "**" || s.World[1].Target != "root/worker-1" || !s.World[0].Model.Served {
		t.Errorf("patterns come before names: %+v", s.World)
	}
	if at, ok := s.Fixed(plan.Moment{Step: 1, End: true}); !ok || at != 18*time.Second {
		t.Errorf("later.end is at %s %v, expected 10s + 5s + 2s + 1s", at, ok)
	}
	if _, ok := s.Fixed(plan.Moment{Step: 2}); ok {
		t.Error("a moment with a condition has no time beforehand")
	}
	if b := s.Steps[1].Fault.Between; len(b) != 2 || len(b[1]) != 2 || b[1][1] != "root/worker" {
		t.Errorf("partition: %q", b)
	}
	last := s.Steps[4].Reload.Plan
	if last.ParamValues()["slow"] != 2.0 || last.Actor("root/database").Guard.Timeout != 300*time.Millisecond {
		t.Error("a reload does not lie over the one before it")
	}
	if a := s.Steps[5]; a.For != 3*time.Second || a.Action.For != 3*time.Second || a.Action.Target != "root/worker-0" {
		t.Errorf("action: %+v", a)
	}
}

func TestAReloadThatDoesNotCompileIsAStory(t *testing.T) {
	s, diags := stageScenario(t, `timeline: [{at: 1s, reload: {set: {actors.database.guard.breaker.min_calls: 900, actors.database.guard.breaker.window: {calls: 10}, actors.database.guard.breaker.trip.error_rate: 50%}}}]`)
	if s == nil {
		t.Fatal(diags)
	}
	if r := s.Steps[0].Reload; r.Plan != nil || r.Code != "LR211" || len(r.Problems) == 0 {
		t.Errorf("%+v", r)
	}
}

func TestScenarioMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`timeline: [{at: outag, crash: api}]`, `24:17 LR501 unknown moment "outag"`},
		{`timeline: [{id: a, at: 1s}, {id: a, at: 2s}]`, `24:34 LR502 step "a" already defined at 24:17`},
		{`timeline: [{id: start, at: 1s}]`, `LR502 "start" is the scenario's own moment`},
		{`timeline: [{at: 2m, crash: api}]`, `24:17 LR503 at 2m0s the scenario is over, which lasts 1m0s`},
		{`timeline: [{id: a, at: b}, {id: b, at: a}]`, `LR503 the moment waits for itself`},
		{`timeline: [{id: a, at: 1s, hang: api}, {at: a.end, crash: api}]`, `LR503 "a" never ends`},
		{`timeline: [{at: end + 1s, crash: api}]`, `LR503 nothing comes after the end`},
		{`expect: [{name: e, eventually: system.emergency}]`, `LR504 eventually needs within`},
		{`expect: [{name: e, holds: system.emergency}]`, `LR504 holds needs at`},
		{`expect: [{name: e, always: system.emergency, within: 1s}]`, `LR504 within belongs to eventually`},
		{`expect: [{name: e, finally: system.emergency, after: 1s}]`, `LR504 finally is judged at one moment`},
		{`expect: [{name: e, finally: call.attempt > 1}]`, `LR504 finally is judged at one moment, where there is no call`},
		{`expect: [{name: e, always: load("user").ok > 1}]`, `LR203 unknown load "user"`},
		{`expect: [{name: e, always: actor("apo").ready}]`, `LR203 unknown actor "apo"`},
		{`expect: [{name: e, always: call.tok > 1}]`, `LR303`},
		{`expect: [{name: e, always: actor("api").calls}]`, `LR304`},
		{`load: [{name: l, to: api, message: get}]`, `LR505 load "l" has no rate`},
		{`load: [{name: l, to: api, rate: 1/s}]`, `LR505 load "l" names no message`},
		{`load: [{name: l, to: api, message: gte, rate: 1/s}]`, `LR224 script "api" has no handler for "gte"`},
		{`load: [{name: l, via: public/row, rate: 1/s}]`, `LR203 unknown route "public/row"; did you mean "public/rows"?`},
		{`load: [{name: l, via: public/rows, request: {method: POST}, rate: 1/s}]`, `LR505 route "public/rows" takes GET`},
		{`load: [{name: l, to: api, message: get, rate: [{at: 5s, rate: 1/s}, {at: 5s, rate: 2/s}]}]`, `LR505 the steps of a rate stand in order`},
		{`load: [{name: l, to: api, message: get, rate: 1000001/s}]`, `24:47 LR118 "1000001/s" is too much, at most 1000000/s; write a lower rate`},
		{`load: [{name: l, to: api, message: get, rate: {from: 1/s, to: 2000/ms, over: 1s}}]`, `LR118 "2000/ms" is too much`},
		{`world: {api: {latency: 1ms}}`, `LR506 "api" is a script`},
		{`world: {database: {latency: {p50: 5ms, p99: 1ms}}}`, `LR210 p99 1ms is less than a lower quantile, 5ms`},
		{`timeline: [{at: 1s, for: 2s, crash: api}]`, `LR507 crash is over at once`},
		{`timeline: [{every: 1s}]`, `LR507 a moment without a verb comes once`},
		{`load: [{name: l, recorded: ../data/journal}]`, `LR510 "../data/journal" leaves the directory of t.yaml`},
		{`load: [{name: l, recorded: none.jsonl}]`, `LR510 no such file`},
		{`load: [{name: l, recorded: empty.jsonl}]`, `LR510 the recording has no calls`},
		{`load: [{name: l, recorded: {file: a.jsonl, caller: nobody}}]`, `LR510 the recording has no calls of nobody; it has those of web, cron`},
		{`load: [{name: l, recorded: {file: a.jsonl, skip: 1h}}]`, `LR510 the recording is over before what is skipped`},
		{`load: [{name: l, recorded: {file: a.jsonl, caller: cron}}]`, `LR203 unknown actor in the recording "gone"`},
		{`load: [{name: l, recorded: a.jsonl, to: api}]`, `LR224 script "api" has no handler for "put"`},
		{`load: [{name: l, recorded: a.jsonl, rate: 1/s}]`, `recorded`},
		{`load: [{name: l, recorded: {file: a.jsonl, speed: 0}}]`, `LR11`},
		{`timeline: [{at: 1s, reload: {file: none.yaml}}]`, `LR508`},
		{`timeline: [{at: 1s, crash: worker-5}]`, `LR203 "worker-5" never exists: "worker" never has more than 2 replicas here`},
		{`timeline: [{at: 1s, scale: {target: worker, replicas: 4}}, {at: 2s, crash: worker-4}]`,
			`LR203 "worker-4" never exists: "worker" never has more than 4 replicas here`},
		{`timeline: [{at: 1s, scale: {target: worker, by: 2, max: 3}}, {at: 2s, pause: worker-2}, {at: 3s, pause: worker-3}]`,
			`LR203 "worker-3" never exists: "worker" never has more than 3 replicas here`},
		{`timeline: [{at: 1s, fail: {target: datbase}}]`, `LR203 unknown actor "datbase"; did you mean "database"?`},
		{`timeline: [{at: 1s, emergency: enter, for: 1s}, {at: 2s, pause: {for: 1s}}]`, `LR228`},
	} {
		s, diags := stageScenario(t, c.text+"\n")
		var lines []string
		for _, d := range diags {
			lines = append(lines, strings.TrimPrefix(d.Error(), "t.yaml:"))
		}
		all := strings.Join(lines, "\n")
		if s != nil || !strings.Contains(strings.ReplaceAll(all, ": LR", " LR"), c.want) {
			t.Errorf("%s\n\texpected %s\n\tgot      %s", c.text, c.want, all)
		}
	}
}

func TestScenariosNameReplicasThatComeLater(t *testing.T) {
	for _, text := range []string{
		`timeline: [{at: 1s, scale: {target: worker, replicas: 4}}, {at: 2s, crash: worker-3}, {at: 3s, scale: {target: worker, replicas: 1}}]`,
		"timeline: [{at: 1s, scale: {target: worker, by: 1}}]\nexpect: [{name: e, holds: actor(\"worker-77\").ready, at: 3s}]",
		`timeline: [{at: 1s, scale: {target: "*", replicas: 4}}, {at: 2s, pause: root/worker-3}]`,
		`timeline: [{at: 1s, reload: {set: {actors.worker.replicas: 6}}}, {at: 2s, slow: {target: worker-5, by: 1s}}]`,
	} {
		if s, diags := stageScenario(t, text); s == nil {
			t.Errorf("%s: %v", text, diags)
		}
	}
}
