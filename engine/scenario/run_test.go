package scenario_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/spec"
)

const stage = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: stage}
policies:
  breakers: {b: {window: 10s, min_calls: 5, trip: {consecutive_failures: 3}, open: {for: 2s, factor: 1}, half_open: {probes: 1, successes: 1, lease: 1s}}}
messages: {query: {idempotent: true}}
root:
  intensity: {max: 50, within: 60s}
  children:
    - name: database
      restart: {backoff: {initial: 500ms, factor: 1, max: 500ms}}
      upstream: {url: "http://127.0.0.1:9001"}
    - name: guarded
      upstream: {url: "http://127.0.0.1:9002"}
      guard: {breaker: b, timeout: 200ms, fallback: [{reply: {stale: true}}]}
    - name: worker
      replicas: 2
      process: {command: [x], protocol: jsonl}
    - name: api
      concurrency: 8
      mailbox: {capacity: 20}
      script:
        handlers:
          get: {reply: {n: msg.n}}
          row: {calls: [{to: database, message: query, with: {id: msg.n}, as: row}], reply: row}
gateway:
  - name: public
    listen: 127.0.0.1:0
    routes:
      - {name: rows, path: /rows/, methods: [GET], to: database, guard: {timeout: 100ms}}
      - {name: get, path: /get, methods: [POST], to: api, message: get, with: request.json, priority: 9}
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: s}
duration: 20s
`

// staged plays a scenario that says more over the stage.
func staged(t *testing.T, text string) *scenario.Report {
	t.Helper()
	return told(t, stage+text)
}

// told plays the first scenario of a text.
func told(t *testing.T, text string) *scenario.Report {
	t.Helper()
	set, diags := spec.Parse("t.yaml", []byte(text), spec.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s, diags := compiler.CompileScenario(set, set.Scenarios[0], compiler.ScenarioOptions{})
	if s == nil {
		t.Fatal(diags)
	}
	return play(t, s, scenario.Options{})
}

// Each fault is seen to do what it says, and to end.
func TestFaultsBeginAndEnd(t *testing.T) {
	const calm = "load: [{name: l, to: api, message: row, rate: 20/s, payload: {n: n}, timeout: 1s}]\n"
	for name, text := range map[string]string{
		"crash": calm + `timeline: [{at: 5s, crash: database}]
expect: [{name: a, after: 5s, eventually: 'event.type == "failed" && event.actor == "database"', within: 1ms}, {name: b, finally: actor("database").restarts == 1}]`,
		"hang": calm + `timeline: [{id: f, at: 5s, for: 5s, hang: database}]
expect: [{name: a, after: f.start + 100ms, until: f.end, never: 'call.to == "api" && call.error.kind == ""'}, {name: b, after: f.end + 2s, never: 'call.error.kind != ""'}]`,
		"slow by": calm + `timeline: [{id: f, at: 5s, for: 5s, slow: {target: database, by: 300ms}}]
expect: [{name: a, after: f.start + 1s, until: f.end, never: call.to == "database" && call.took < 300ms}, {name: b, after: f.end + 1s, never: call.took > 100ms}]`,
		"slow factor": calm + `timeline: [{id: f, at: 5s, for: 5s, slow: {target: database, factor: 50}}]
expect: [{name: a, after: f.start + 1s, until: f.end, never: call.to == "database" && call.took < 50ms}]`,
		"fail": calm + `timeline: [{id: f, at: 5s, for: 5s, fail: {target: database, kind: unreachable}}]
expect: [{name: a, after: f.start + 1s, until: f.end, never: 'call.to == "database" && call.error.kind != "unreachable"'}, {name: b, after: f.end + 1s, never: 'call.error.kind != ""'}]`,
		"fail a share": calm + `timeline: [{id: f, at: 5s, for: 10s, fail: {target: database, rate: 50%, status: 502}}]
expect: [{name: a, after: f.start, sometimes: call.status == 502}, {name: b, after: f.start + 1s, until: f.end, sometimes: 'call.to == "database" && call.error.kind == ""'}]`,
		"drop": calm + `timeline: [{id: f, at: 5s, for: 5s, drop: {to: database}}]
expect: [{name: a, after: f.start + 1s, until: f.end, never: 'call.to == "database" && call.error.kind != "timeout"'}]`,
		"delay": calm + `timeline: [{id: f, at: 5s, for: 5s, delay: {to: database, by: 200ms}}]
expect: [{name: a, after: f.start + 1s, until: f.end, never: call.to == "database" && call.took < 200ms}]`,
		"partition": calm + `timeline: [{id: f, at: 5s, for: 5s, partition: [api, database]}]
expect: [{name: a, after: f.start + 1s, until: f.end, never: 'call.to == "database" && call.error.kind == ""'}, {name: b, after: f.end + 2s, never: 'call.error.kind != ""'}]`,
		"corrupt": `load: [{name: l, to: database, message: query, rate: 5/s}]
timeline: [{at: 0s, corrupt: {target: api, what: state, value: {seen: 100}}}]
expect: [{name: a, finally: load("l").ok > 50}]`,
		"poison": calm + `timeline: [{at: 0s, poison: {target: database, where: msg.id == 40}}]
expect: [{name: a, sometimes: 'event.type == "failed" && event.actor == "database"'}]`,
		"fill_mailbox": `load: [{name: l, to: api, message: get, rate: 5/s, payload: {n: n}}]
timeline: [{at: 5s, fill_mailbox: api}]
expect: [{name: a, sometimes: actor("api").mailbox >= 19}]`,
		"clock_skew": calm + `timeline: [{at: 5s, for: 2s, clock_skew: {by: -1h}}]
expect: [{name: a, finally: load("l").success_rate == 1}]`,
		"exhaust descriptors": calm + `timeline: [{id: f, at: 5s, for: 5s, exhaust: {resource: descriptors}}, {at: 6s, crash: worker-0}]
expect: [{name: a, after: f.start + 100ms, until: f.end, never: 'call.to == "database" && call.error.kind != "unreachable"'}, {name: b, after: f.end + 2s, never: 'call.to == "database" && call.error.kind != ""'},
  {name: c, after: f.start, sometimes: 'event.type == "failed" && event.actor == "worker-0" && event.kind == "start"'}, {name: d, finally: 'actor("worker-0").state == "running" && actor("worker-0").restarts > 2'}]`,
		"exhaust some descriptors": calm + `timeline: [{id: f, at: 5s, for: 10s, exhaust: {resource: descriptors, to: 50%}}]
expect: [{name: a, after: f.start, until: f.end, sometimes: 'call.to == "database" && call.error.kind == "unreachable"'}, {name: b, after: f.start + 1s, until: f.end, sometimes: 'call.to == "database" && call.error.kind == ""'}]`,
		"exhaust": `timeline: [{at: 5s, for: 5s, exhaust: {resource: cpu}}]
expect: [{name: a, always: actor("api").restarts == 0}]`,
		"world": calm + `timeline: [{id: f, at: 5s, for: 5s, world: {database: {latency: 400ms}}}]
expect: [{name: a, after: f.start + 1s, until: f.end, never: call.to == "database" && call.took < 400ms}, {name: b, after: f.end + 1s, never: call.took > 100ms}]`,
		"duplicate": `load: [{name: l, to: api, message: get, rate: 5/s, payload: {n: n}}]
timeline: [{at: 0s, duplicate: {to: api}}]
expect: [{name: a, finally: load("l").success_rate == 1}]`,
		"pause": `load: [{name: l, to: api, message: get, rate: 5/s, payload: {n: n}}]
timeline: [{id: f, at: 5s, for: 2s, pause: api}]
expect: [{name: a, after: f.start, until: f.end, always: 'actor("api").state == "paused"'}, {name: b, after: f.end + 1s, always: 'actor("api").state == "running"'}, {name: c, finally: load("l").failed == 0}]`,
		"every": `timeline: [{every: 5s, crash: worker-1}]
expect: [{name: a, finally: actor("worker-1").restarts == 3}, {name: b, finally: actor("worker-0").restarts == 0}]`,
		"looking back": calm + `override: {observe.window: 1s}
timeline: [{id: f, at: 5s, for: 5s, fail: {target: database, kind: unreachable}}]
expect: [{name: a, at: 9s, holds: 'over(actor("database"), 3s).error_rate > 0.9'}, {name: b, at: 4s, holds: 'over(actor("database"), 3s).calls > 20 && over(actor("database"), 3s).error_rate == 0'}]`,
		"when": `timeline: [{at: 5s, crash: worker-1}, {id: seen, when: actor("worker-1").restarts > 0}, {at: seen + 2s, crash: worker-0}]
expect: [{name: a, after: seen + 2s, eventually: 'event.type == "failed" && event.actor == "worker-0"', within: 1s}]`,
	} {
		t.Run(name, func(t *testing.T) {
			if r := staged(t, text); !r.Passed() {
				t.Errorf("%q", broken(r))
			}
		})
	}
}

func TestLoads(t *testing.T) {
	r := staged(t, `load:
  - {name: plain, to: api, message: get, rate: 10/s, payload: {n: n}, for: 5s}
  - {name: patient, to: database, message: query, rate: 10/s, retry: {attempts: 3, backoff: {initial: 10ms, factor: 1, max: 10ms}, budget: 100%}}
  - {name: degraded, to: guarded, message: query, rate: 10/s, from: 1s, for: 4s}
  - {name: hasty, to: worker, message: work, rate: 10/s, timeout: 5ms, for: 2s}
  - {name: web, via: public/get, request: {method: POST, body: {n: n}}, rate: 10/s, for: 1s}
  - {name: rows, via: public/rows, request: {path: '"/rows/" + string(n)'}, rate: 10/s, for: 1s}
world: {worker: {latency: 20ms}}
timeline:
  - {at: 0s, fail: {target: database, rate: 50%, kind: unreachable}}
  - {at: 0s, fail: {target: guarded}}
expect:
  - {name: routes have priorities, sometimes: 'call.from == "web" && call.priority == 9'}
  - {name: a proxied exchange is a message named like the method, sometimes: 'call.from == "rows" && call.message == "get" && call.to == "database"'}
`)
	if !r.Passed() {
		t.Errorf("%q", broken(r))
	}
	loads := map[string]scenario.LoadReport{}
	for _, l := range r.Loads {
		loads[l.Name] = l
	}
	if l := loads["plain"]; l.Sent != 50 || l.OK != 50 {
		t.Errorf("plain: %+v", l)
	}
	if l := loads["patient"]; l.Sent != 200 || l.Failed > 60 || l.Failed == 0 || l.Retries < 100 {
		t.Errorf("half of the attempts fail, so an eighth of the calls with three: %+v", l)
	}
	if l := loads["degraded"]; l.Sent != 40 || l.OK != 40 || l.Degraded != 40 {
		t.Errorf("fallback answers are successes, and degraded: %+v", l)
	}
	if l := loads["hasty"]; l.Failed != 20 {
		t.Errorf("hasty: %+v", l)
	}
	if l := loads["web"]; l.OK != 10 {
		t.Errorf("web: %+v", l)
	}
}

func TestAReloadCanBeTakenBack(t *testing.T) {
	r := staged(t, `load: [{name: l, to: guarded, message: query, rate: 20/s}]
world: {guarded: {latency: 50ms}}
timeline: [{id: hasty, at: 5s, for: 5s, reload: {set: {actors.guarded.guard.timeout: 20ms}}}]
expect:
  - {name: in force, after: hasty.start + 1s, until: hasty.end, always: system.generation == 2}
  - {name: and felt, after: hasty.start, sometimes: 'call.to == "guarded" && call.error.kind == "timeout"'}
  - {name: taken back, after: hasty.end + 1s, always: system.generation == 3}
  - {name: and well again, finally: 'breaker("guarded").state == "closed"'}
`)
	if !r.Passed() {
		t.Errorf("%q", broken(r))
	}
}

// In a group with a breaker for each replica, a replica's name is that of its breaker, also before anybody has called it.
func TestABreakerOfAReplicaGoesByItsName(t *testing.T) {
	r := told(t, `apiVersion: lukhas/v1
kind: Topology
metadata: {name: pool}
root:
  children:
    - name: db
      replicas: 2
      route: {pick: round_robin}
      upstream: {url: "http://127.0.0.1:1"}
      guard: {breaker: {per: replica, trip: {consecutive_failures: 3}, open: {for: 1m}}}
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: s}
duration: 10s
load: [{name: l, to: db, message: query, rate: 20/s, from: 1s}]
timeline: [{id: outage, at: 2s, fail: {target: db-1, status: 503}}]
expect:
  - {name: closed before it is called, until: start + 500ms, always: breaker("db-1").state == "closed" && breaker("db-1").calls == 0}
  - {name: its own opens, after: outage, eventually: breaker("db-1").state == "open", within: 1s}
  - {name: another one does not, always: breaker("db-0").state == "closed"}
`)
	if !r.Passed() {
		t.Errorf("%q", broken(r))
	}
}

func TestAFailureTellsWhatLedToIt(t *testing.T) {
	r := staged(t, `load: [{name: l, to: guarded, message: query, rate: 20/s}]
timeline: [{id: outage, at: 5s, for: 5s, fail: {target: guarded, status: 503}}]
expect: [{name: stays closed, always: 'breaker("guarded").state == "closed"'}]
`)
	got := r.Results[0]
	if got.Verdict != scenario.Fail || got.At < 5*time.Second || got.At > 5200*time.Millisecond {
		t.Fatalf("%+v", got)
	}
	if len(got.Seen) != 1 || got.Seen[0].Value != "open" || got.Seen[0].Name != `breaker("guarded").state` {
		t.Errorf("seen: %+v", got.Seen)
	}
	var text []string
	for _, l := range got.Chain {
		text = append(text, l.Text)
	}
	all := strings.Join(text, "\n")
	if !strings.Contains(all, "fail outage on root/guarded") || !strings.Contains(all, "breaker guarded closed -> open") {
		t.Errorf("chain:\n%s", all)
	}
	if got.Place != (plan.Place{File: "t.yaml", Line: got.Place.Line, Col: got.Place.Col}) || got.Place.Line == 0 {
		t.Errorf("place: %+v", got.Place)
	}
}

// Whether an expectation had a chance to matter depends on what happened, not on how it ends.
func TestVacuousExpectations(t *testing.T) {
	const text = `load: [{name: l, to: api, message: get, rate: 20/s, payload: {n: n}}, {name: g, to: guarded, message: query, rate: 20/s}, {name: late, to: api, message: get, rate: 20/s, from: 30s}]
duration: 20s
timeline: [{id: outage, at: 5s, for: 5s, fail: {target: guarded, status: 503}}, {id: never, when: actor("worker-0").restarts > 0}]
expect:
`
	for expect, want := range map[string]scenario.Verdict{
		`never: call.to == "api" && call.error.kind == "timeout"`:                    scenario.Pass,
		`never: call.to == "database" && call.error.kind == "timeout"`:               scenario.Vacuous, // nobody calls it
		`never: call.to == "database"`:                                               scenario.Pass,
		`never: call.to == "guarded" && breaker("guarded").state == "open"`:          scenario.Pass,
		`never: call.to == "guarded" && breaker("guarded").state == "forced_open"`:   scenario.Vacuous,
		`always: breaker("guarded").state != "open" || actor("api").restarts == 0`:   scenario.Pass,
		`always: breaker("guarded").state != "disabled" || actor("api").calls > 0`:   scenario.Vacuous,
		`always: actor("api").restarts == 0`:                                         scenario.Pass,
		`always: actor("worker").error_rate == 0`:                                    scenario.Vacuous,
		`always: actor("api").error_rate == 0`:                                       scenario.Pass,
		`finally: load("late").failed == 0`:                                          scenario.Vacuous,
		`finally: load("l").failed == 0`:                                             scenario.Pass,
		`{at: 1s, holds: 'breaker("guarded").state != "open" || 1 > 2'}`:             scenario.Vacuous,
		`{after: never, always: actor("api").restarts == 0}`:                         scenario.Vacuous,
		`{after: 6s, until: 6s, never: actor("api").restarts > 0}`:                   scenario.Vacuous, // it lasts no time
		`{after: 5s, until: outage.end, never: 'event.type == "stopped"'}`:           scenario.Pass,
		`{after: 19s, eventually: 'breaker("guarded").state == "open"', within: 5s}`: scenario.Undecided,
	} {
		if !strings.HasPrefix(expect, "{") {
			kind, cond, _ := strings.Cut(expect, ": ")
			expect = "{" + kind + ": '" + cond + "'}"
		}
		r := staged(t, strings.Replace(text, "duration: 20s\n", "", 1)+"  - "+strings.Replace(expect, "{", "{name: x, ", 1))
		if got := r.Results[0]; got.Verdict != want {
			t.Errorf("%s: %s (%s), expected %s", expect, got.Verdict, got.Why, want)
		}
		if r.Passed() != (want == scenario.Pass) {
			t.Errorf("%s: only pass passes", expect)
		}
	}
}

// Probes that ask script actors by a message run in virtual time, at the start and while the actor is up.
func TestMessageProbesOfScripts(t *testing.T) {
	const text = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: probed}
root:
  children:
    - name: warm
      ready: {message: ping, within: 10s, interval: 500ms}
      script: {handlers: {ping: {fail: {when: now < 3, kind: cold}, reply: {ok: true}}}}
    - name: well
      health: {message: ping, interval: 1s, timeout: 200ms, fail: 2, pass: 1, then: restart}
      script: {state: {ill: false}, handlers: {ping: {fail: {when: state.ill, kind: ill}, reply: {ok: true}}, get: {reply: {n: 1}}}}
    - name: front
      script: {handlers: {get: {reply: {n: 1}}}}
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: s}
duration: 30s
load: [{name: l, to: well, message: get, rate: 10/s}]
timeline: [{id: ill, at: 10s, set_state: {target: well, set: {ill: "1 < 2"}}}, {id: stuck, at: 20s, for: 5s, hang: well}]
expect:
  - {name: started late, after: start, never: 'event.type == "started" && event.actor == "front" && now < 3'}
  - {name: started at all, finally: 'actor("front").state == "running"'}
  - {name: well until then, after: 5s, until: ill, always: actor("well").restarts == 0}
  - {name: taken ill, after: ill, eventually: actor("well").restarts == 1, within: 3s}
  - {name: well again, after: ill + 4s, until: stuck.start, always: actor("well").restarts == 1}
  - {name: stuck, after: stuck.start, eventually: actor("well").restarts == 2, within: 4s}
`
	set, diags := spec.Parse("t.yaml", []byte(text), spec.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s, diags := compiler.CompileScenario(set, set.Scenarios[0], compiler.ScenarioOptions{})
	if s == nil {
		t.Fatal(diags)
	}
	r := play(t, s, scenario.Options{Record: true})
	if !r.Passed() {
		t.Errorf("%q\n%s", broken(r), r.Tape.Trace())
	}
	if again := play(t, s, scenario.Options{}); again.Digest != r.Digest {
		t.Error("probes make two runs differ")
	}
}
