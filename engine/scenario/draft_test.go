package scenario_test

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/spec"
)

// log is a journal in memory.
type log []journal.Event

// tell adds what happened so many milliseconds after the start.
func (l *log) tell(ms int, actor string, b journal.Body) {
	e := journal.New(actor, b)
	e.Seq, e.Time = uint64(len(*l)+1), time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC).UnixNano()+int64(ms)*1e6
	*l = append(*l, e)
}

// because is told of what the newest event made happen.
func (l *log) because(ms int, actor string, b journal.Body) {
	cause := uint64(len(*l))
	l.tell(ms, actor, b)
	(*l)[cause].Causation = cause
}

// Scan implements scenario.Events.
func (l log) Scan(q journal.Query) iter.Seq2[journal.Event, error] {
	return func(yield func(journal.Event, error) bool) {
		for _, e := range l {
			at := time.Unix(0, e.Time)
			if e.Seq < q.From || q.To > 0 && e.Seq > q.To || !q.Since.IsZero() && at.Before(q.Since) || !q.Until.IsZero() && at.After(q.Until) ||
				len(q.Types) > 0 && !slices.Contains(q.Types, e.Type) || q.Correlation != "" && e.Correlation != q.Correlation {
				continue
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// shop is the topology of these journals.
const shop = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: shop}
params: {slow: 800ms, mood: calm, busy: false}
root:
  intensity: {max: 50, within: 60s}
  children:
    - name: workers
      intensity: {max: 3, within: 30s}
      children:
        - name: worker
          replicas: 2
          restart: {backoff: {initial: 100ms, factor: 2, max: 2s, jitter: 0%}}
          process: {command: [x], protocol: jsonl}
    - name: rates
      upstream: {url: "http://127.0.0.1:9001"}
      guard: {breaker: {trip: {consecutive_failures: 3}, open: {for: 1s}}, timeout: 500ms}
    - name: api
      script: {handlers: {get: {reply: {ok: true}}}}
gateway:
  - name: public
    listen: 127.0.0.1:0
    routes: [{name: rates, path: /rates/, methods: [GET], to: rates}]
`

// exported makes a scenario of a journal in a directory of its own. It checks that the scenario compiles and is laid out.
func exported(t interface {
	Fatalf(string, ...any)
	Helper()
}, dir string, l scenario.Events, s scenario.Slice) (*scenario.Incident, scenario.Draft, *plan.Scenario, string) {
	t.Helper()
	return exportedOf(t, dir, shop, l, s)
}

// exportedOf makes a scenario of the journal of another topology.
func exportedOf(t interface {
	Fatalf(string, ...any)
	Helper()
}, dir, topology string, l scenario.Events, s scenario.Slice) (*scenario.Incident, scenario.Draft, *plan.Scenario, string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), []byte(topology), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	set, diags := spec.Parse("shop.yaml", []byte(topology), spec.Options{})
	p, more := compiler.Compile(set, compiler.Options{})
	if p == nil {
		t.Fatalf("%v %v", diags, more)
	}
	in, err := scenario.ReadIncident(l, s)
	if err != nil {
		t.Fatalf("%v", err)
	}
	d := in.Draft(scenario.Source{Plan: p, Topology: "shop.yaml", Recording: "calls.jsonl"})
	var b bytes.Buffer
	if err := scenario.WriteArrivals(&b, d.Recording); err != nil {
		t.Fatalf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "calls.jsonl"), b.Bytes(), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	path := filepath.Join(dir, "incident.yaml")
	text, compiled, diags := scenario.Settle(path, d.Text, spec.Options{})
	if compiled == nil {
		t.Fatalf("%v\n%s", diags, text)
	}
	if again, _ := spec.Format(path, text); !bytes.Equal(again, text) {
		t.Fatalf("not laid out:\n%s", text)
	}
	return in, d, compiled, string(text)
}

// Whatever a journal tells, the scenario made of it compiles, is laid out, and can be played.
func TestEveryExportedScenarioCompiles(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var l log
		l.tell(0, "", journal.EngineStarted{Name: rapid.SampledFrom([]string{"shop", "a: b", "it's"}).Draw(t, "name")})
		now := 0
		for range rapid.IntRange(0, 40).Draw(t, "events") {
			now += rapid.IntRange(0, 400).Draw(t, "wait")
			l.tell(now, whom.Draw(t, "actor"), body(t))
		}
		_, _, s, text := exported(t, dir, l, scenario.Slice{From: uint64(rapid.IntRange(0, 3).Draw(t, "from"))})
		if r, err := scenario.Run(s, scenario.Options{}); err != nil || r.Problem != "" {
			t.Fatalf("%v %s\n%s", err, r.Problem, text)
		}
	})
}

var whom = rapid.SampledFrom([]string{"root", "root/workers", "root/workers/worker-0", "root/workers/worker-1", "root/rates", "root/api", "root/gone", ""})

// body draws an event, also of what the topology does not have.
func body(t *rapid.T) journal.Body {
	n := uint64(rapid.IntRange(1, 3).Draw(t, "n"))
	text := rapid.SampledFrom([]string{"rates", "api", "root/gone", "a'b: {c}", "", "x\ny # z", "root/workers/worker"}).Draw(t, "text")
	took := time.Duration(rapid.IntRange(0, 900).Draw(t, "took")) * time.Millisecond
	switch rapid.IntRange(0, 15).Draw(t, "kind") {
	case 0:
		return journal.ActorStarting{Incarnation: n}
	case 1:
		return journal.ActorReady{Incarnation: n, Took: took}
	case 2, 3:
		return journal.ActorFailed{Incarnation: n, Kind: text, Message: text}
	case 4:
		return journal.SupervisorGaveUp{Reason: text}
	case 5:
		return journal.BreakerChanged{Breaker: text, From: "closed", To: rapid.SampledFrom([]string{"open", "closed", "half_open"}).Draw(t, "to")}
	case 6:
		return journal.Commanded{Verb: rapid.SampledFrom([]string{"pause", "restart", "scale", "emergency", "run", "set_state", "inject", "stop"}).Draw(t, "verb"),
			Target: text, Why: text, Args: journal.Values{"for": "1s", "text": text, "replicas": 2.0}}
	case 7:
		return journal.ReloadCommitted{Changes: []journal.Change{{Class: "hot", Path: "actors.root/rates.guard.timeout", From: "500ms", To: text}, {Path: text}}}
	case 8:
		return journal.Probe{Healthy: n == 1}
	case 9:
		return journal.RuleFired{Rule: text}
	case 10:
		return journal.HealthChanged{To: "healthy"}
	case 11:
		return journal.EmergencyChanged{On: n == 1}
	case 12:
		return journal.Message{From: text, Message: "get", Outcome: rapid.SampledFrom([]string{"ok", "crash"}).Draw(t, "outcome"), Took: took}
	}
	return journal.Call{From: rapid.SampledFrom([]string{"public/rates", "operator", "", "root/api"}).Draw(t, "from"), Message: "GET", Breaker: "rates", Attempt: 1,
		Outcome: rapid.SampledFrom([]string{"success", "failure", "rejected"}).Draw(t, "outcome"), Class: rapid.SampledFrom([]string{"", "timeout", "status", "Odd"}).Draw(t, "class"),
		Status: rapid.SampledFrom([]int{0, 200, 503}).Draw(t, "status"), Duration: took, Replica: rapid.SampledFrom([]string{"", "worker-0"}).Draw(t, "replica")}
}

// outage is a journal of an upstream that is calm, fails, is slow and is calm again.
func outage() log {
	var l log
	l.tell(0, "", journal.EngineStarted{Name: "shop"})
	for i := range 100 {
		c := journal.Call{From: "public/rates", Message: "GET", Breaker: "rates", Attempt: 1, Outcome: "success", Status: 200, Duration: 4 * time.Millisecond}
		at := 1000 + i*100
		switch {
		case i >= 20 && i < 40:
			c.Outcome, c.Class, c.Status = "failure", "status", 503
		case i >= 60 && i < 80:
			c.Duration = 304 * time.Millisecond
		}
		l.tell(at+int(c.Duration.Milliseconds()), "root/rates", c)
		if i == 22 {
			l.tell(at+5, "", journal.BreakerChanged{Breaker: "rates", From: "closed", To: "open"})
		}
		if i == 42 {
			l.tell(at+5, "", journal.BreakerChanged{Breaker: "rates", From: "half_open", To: "closed"})
		}
	}
	return l
}

func TestAnOutageIsToldByItsCalls(t *testing.T) {
	in, d, s, text := exported(t, t.TempDir(), outage(), scenario.Slice{})
	if len(d.Recording) != 100 || in.First != 1 {
		t.Fatalf("%d calls from event %d", len(d.Recording), in.First)
	}
	steps := s.Steps
	if len(steps) != 2 || steps[0].Verb != "fail" || steps[0].Fault.Status != 503 || steps[1].Verb != "slow" {
		t.Fatalf("%s", text)
	}
	near := func(what string, got, want time.Duration) {
		if d := got - want; d < -60*time.Millisecond || d > 60*time.Millisecond {
			t.Errorf("%s: %s, expected about %s", what, got, want)
		}
	}
	near("it fails", steps[0].At.Offset, 3*time.Second)
	near("for", steps[0].For, 1950*time.Millisecond)
	near("it is slow", steps[1].At.Offset, 7*time.Second)
	near("by", steps[1].Fault.By, 300*time.Millisecond)
	near("for", steps[1].For, 1950*time.Millisecond)
	if len(s.World) != 1 || s.World[0].Model.Latency.P50 != 4*time.Millisecond || s.World[0].Model.ErrorRate != 0 {
		t.Errorf("world: %+v", s.World)
	}
	if r := play(t, s, scenario.Options{}); !r.Passed() {
		t.Errorf("%q\n%s", broken(r), text)
	}
}

// A process that dies while it starts, again and again, is told so that waits of another length change nothing.
func TestACrashLoopIsToldByIncarnations(t *testing.T) {
	var l log
	l.tell(0, "", journal.EngineStarted{Name: "shop"})
	at, wait := 50, 100
	for n := range uint64(4) {
		l.tell(at, "root/workers/worker-1", journal.ActorStarting{Incarnation: n + 1})
		if n == 0 {
			l.tell(at+20, "root/workers/worker-1", journal.ActorReady{Incarnation: 1, Took: 20 * time.Millisecond})
		}
		l.tell(at+30, "root/workers/worker-1", journal.ActorFailed{Incarnation: n + 1, Kind: "exit", Message: "exit status 1"})
		at, wait = at+30+wait*13/10, wait*2 // later than the topology says
	}
	l.tell(at, "root/workers", journal.SupervisorGaveUp{Max: 3})
	_, _, s, text := exported(t, t.TempDir(), l, scenario.Slice{})
	if !strings.Contains(text, `actor("worker-1").state == "starting"`) || !strings.Contains(text, "workers gave up") {
		t.Fatalf("%s", text)
	}
	r := play(t, s, scenario.Options{})
	if !r.Passed() {
		t.Errorf("%q\n%s", broken(r), text)
	}
}

// Calls that fail because their callee is dead are told by its crash, those before and after it by themselves.
func TestCallsToADeadActorAreToldByItsCrash(t *testing.T) {
	var l log
	l.tell(0, "", journal.EngineStarted{Name: "shop"})
	call := func(ms int, outcome string) {
		c := journal.Call{From: "operator", Message: "price", Breaker: "worker", Attempt: 1, Outcome: outcome, Replica: "worker-0", Duration: 2 * time.Millisecond}
		if outcome == "failure" {
			c.Class = "unreachable"
		}
		l.tell(ms, "root/workers/worker", c)
	}
	for ms := 1000; ms < 2000; ms += 100 {
		call(ms, "success")
	}
	call(2000, "failure")
	l.tell(2001, "root/workers/worker-0", journal.ActorFailed{Incarnation: 1, Kind: "exit", Message: "exit status 1"})
	call(2050, "failure")
	call(2090, "failure")
	l.tell(2100, "root/workers/worker-0", journal.ActorStarting{Incarnation: 2})
	l.tell(2110, "root/workers/worker-0", journal.ActorReady{Incarnation: 2, Took: 10 * time.Millisecond})
	for ms := 2200; ms < 3000; ms += 100 {
		call(ms, "success")
	}
	_, _, s, text := exported(t, t.TempDir(), l, scenario.Slice{})
	if len(s.Steps) != 1 || s.Steps[0].Verb != "crash" {
		t.Fatalf("%s", text)
	}
	call(3000, "failure")
	_, _, s, text = exported(t, t.TempDir(), l, scenario.Slice{})
	if len(s.Steps) != 2 || s.Steps[1].Verb != "fail" {
		t.Fatalf("%s", text)
	}
}

// A part of a journal belongs to one run; others, and what is not about the actor, are left out.
func TestAPartOfAJournalIsOneRunsAndOneActors(t *testing.T) {
	l := outage()
	n := len(l)
	l.tell(20_000, "", journal.EngineStarted{Name: "shop", Digest: "d1"})
	l.tell(21_000, "root/api", journal.ActorFailed{Incarnation: 1, Kind: "crash"})
	l.tell(22_000, "", journal.ReloadCommitted{Generation: 2, Digest: "d2"})
	l.tell(23_000, "root/workers/worker-0", journal.ActorFailed{Incarnation: 1, Kind: "exit"})
	read := func(s scenario.Slice) *scenario.Incident {
		in, err := scenario.ReadIncident(l, s)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	if in := read(scenario.Slice{}); in.First != uint64(n+1) || in.Left != n || in.Digest != "d1" || fmt.Sprint(in.Later) != "[d2]" {
		t.Errorf("the newest run: %+v", in)
	}
	if in := read(scenario.Slice{To: uint64(n)}); in.First != 1 || in.Last != uint64(n) || in.Left != 0 {
		t.Errorf("the run before: %+v", in)
	}
	if in := read(scenario.Slice{From: uint64(n + 4)}); in.Digest != "d2" || len(in.Later) != 0 {
		t.Errorf("after the reload: %+v", in)
	}
	if in := read(scenario.Slice{Actor: "root/workers"}); in.First != uint64(n+4) {
		t.Errorf("one actor: %+v", in)
	}
}

// A breaker that nothing in the draft can open is not expected to: that stands in a comment. A fault of the upstream's own,
// but not one of somebody else, is reason enough, and so are calls.
func TestABreakerIsExpectedToOpenOnlyWhenDriven(t *testing.T) {
	opened := journal.BreakerChanged{Breaker: "rates", From: "closed", To: "open"}
	closed := journal.BreakerChanged{Breaker: "rates", From: "half_open", To: "closed"}
	call := journal.Call{From: "public/rates", Message: "GET", Breaker: "rates", Attempt: 1, Outcome: "failure", Class: "status", Status: 503}
	for _, c := range []struct {
		name   string
		actor  string
		before journal.Body
		want   bool
	}{
		{"nothing", "", journal.HealthChanged{To: "degraded"}, false},
		{"another's crash", "root/workers/worker-0", journal.ActorFailed{Incarnation: 1, Kind: "exit"}, false},
		{"another's command", "", journal.Commanded{Verb: "pause", Target: "api"}, false},
		{"its crash", "root/rates", journal.ActorFailed{Incarnation: 1, Kind: "exit"}, true},
		{"a command", "", journal.Commanded{Verb: "force_open", Target: "rates"}, true},
		{"its health", "root/rates", journal.Probe{Healthy: false}, true},
		{"calls", "root/rates", call, true},
		{"calls to another", "root/workers/worker", journal.Call{From: "operator", Message: "price", Breaker: "worker", Attempt: 1, Outcome: "success", Replica: "worker-0"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l log
			l.tell(0, "", journal.EngineStarted{Name: "shop"})
			l.tell(1000, c.actor, c.before)
			l.tell(2000, "", opened)
			l.tell(3000, "", closed)
			_, _, s, text := exported(t, t.TempDir(), l, scenario.Slice{})
			expected := slices.ContainsFunc(s.Expect, func(e plan.Expectation) bool { return strings.HasPrefix(e.Name, "rates ") })
			if expected != c.want || c.want == strings.Contains(text, "# left out (no recorded call") {
				t.Fatalf("expected: %v, want %v\n%s", expected, c.want, text)
			}
		})
	}
}

// A change of the number of replicas is told with its number.
func TestScalingIsToldWithItsNumber(t *testing.T) {
	var l log
	l.tell(0, "", journal.EngineStarted{Name: "shop"})
	l.tell(1000, "", journal.Commanded{Verb: "scale", Target: "worker", Args: journal.Values{"replicas": 4.0}})
	l.tell(2000, "", journal.Commanded{Verb: "scale", Target: "worker", Args: journal.Values{"by": -1.0}})
	_, _, s, text := exported(t, t.TempDir(), l, scenario.Slice{})
	if len(s.Steps) != 2 || !strings.Contains(text, "replicas: 4") || !strings.Contains(text, "by: -1") {
		t.Fatalf("%s", text)
	}
}

// A command is told with all that was asked for, in the words of the language.
func TestCommandsAreToldWithAllTheySaid(t *testing.T) {
	for _, c := range []struct {
		name string
		in   engine.Steer
		want string
	}{
		{"a number", engine.Steer{Verb: "set_param", Text: "slow", Payload: 1.2, Reason: "load"}, "set_param: {name: slow, value: 1.2, reason: load}"},
		{"a number as text", engine.Steer{Verb: "set_param", Text: "slow", Payload: 2, For: time.Minute}, "for: 1m0s, set_param: {name: slow, value: 2}"},
		{"a text", engine.Steer{Verb: "set_param", Text: "mood", Payload: `it's "odd"`}, `set_param: {name: mood, value: '"it''s \"odd\""'}`},
		{"a truth", engine.Steer{Verb: "set_param", Text: "busy", Payload: true}, "set_param: {name: busy, value: true}"},
		{"a share", engine.Steer{Verb: "quarantine", Target: "root/workers/worker-0", MaxShare: 0.25}, "max_share: 0.25"},
		{"no share", engine.Steer{Verb: "quarantine", Target: "root/workers/worker-0"}, "max_share: 1}"},
		{"bounds", engine.Steer{Verb: "scale", Target: "worker", By: 3, Min: 2, Max: 4}, "scale: {target: worker, by: 3, min: 2, max: 4}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l log
			l.tell(0, "", journal.EngineStarted{Name: "shop"})
			l.tell(1000, "", c.in.Report("ann"))
			_, _, s, text := exported(t, t.TempDir(), l, scenario.Slice{})
			if len(s.Steps) != 1 || !strings.Contains(text, c.want) {
				t.Fatalf("want %s\n%s", c.want, text)
			}
			if r, err := scenario.Run(s, scenario.Options{}); err != nil || r.Problem != "" {
				t.Fatalf("%v %s\n%s", err, r.Problem, text)
			}
		})
	}
	var l log
	l.tell(0, "", journal.EngineStarted{Name: "shop"})
	l.tell(1000, "", engine.Steer{Verb: "adopt", Target: "root/api", Text: "root/workers"}.Report("ann"))
	l.tell(1100, "", engine.Steer{Verb: "set_param", Text: "gone", Payload: 1}.Report("ann"))
	if _, _, s, text := exported(t, t.TempDir(), l, scenario.Slice{}); len(s.Steps) != 0 || strings.Count(text, "# left out (") < 2 {
		t.Fatalf("%s", text)
	}
}

// What the engine refused is told in a comment, with its reason, and causes nothing; what it did in part is a step.
func TestARefusedCommandIsNoStep(t *testing.T) {
	for _, c := range []struct {
		result string
		want   int
	}{{"done", 1}, {"the engine is stopping", 0}, {"1 of 2 refused, the first: no", 1}} {
		var l log
		l.tell(0, "", journal.EngineStarted{Name: "shop"})
		l.tell(1000, "", journal.Commanded{Verb: "force_open", Target: "rates", Who: "ann"})
		l.because(1000, "", journal.ActionDone{Verb: "force_open", Target: "rates", By: "ann", Result: c.result})
		l.tell(2000, "", journal.BreakerChanged{Breaker: "rates", From: "closed", To: "open"})
		_, _, s, text := exported(t, t.TempDir(), l, scenario.Slice{})
		if len(s.Steps) != c.want || len(s.Expect) != c.want || (c.want == 0) != strings.Contains(text, "# left out (refused: "+c.result) {
			t.Errorf("%s: %d steps, want %d\n%s", c.result, len(s.Steps), c.want, text)
		}
	}
}

// A replica that is there for a part of the run only is named by no expectation and no step: it would be nobody's name then.
func TestAReplicaOfAPartOfTheRunIsNotNamed(t *testing.T) {
	crash := func(l *log, ms int, who string, n uint64) {
		l.tell(ms, who, journal.ActorFailed{Incarnation: n, Kind: "exit", Message: "exit status 1"})
		l.tell(ms+100, who, journal.ActorStarting{Incarnation: n + 1})
		l.tell(ms+120, who, journal.ActorReady{Incarnation: n + 1, Took: 20 * time.Millisecond})
	}
	for _, c := range []struct {
		name            string
		first           int
		change, passing string
		steps, left     int
	}{
		{"fewer first", 1, "stop", "root/workers/worker-1", 5, 5}, // its model, two crashes in three steps, its expectation
		{"more first", 3, "start", "root/workers/worker-2", 8, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l log
			l.tell(0, "", journal.EngineStarted{Name: "shop"})
			for n := range 2 {
				who := fmt.Sprintf("root/workers/worker-%d", n)
				l.tell(10, who, journal.ActorStarting{Incarnation: 1})
				l.tell(30, who, journal.ActorReady{Incarnation: 1, Took: 20 * time.Millisecond})
			}
			crash(&l, 1000, "root/workers/worker-0", 1)
			crash(&l, 2000, "root/workers/worker-1", 1)
			scale := func(ms, n int, class, who string) {
				l.tell(ms, "", journal.Commanded{Verb: "scale", Target: "worker", Args: journal.Values{"replicas": n}})
				l.because(ms, "", journal.ActionDone{Verb: "scale", Target: "worker", By: "operator", Result: "done"})
				l.tell(ms, "", journal.PlanVaried{Changes: []journal.Change{{Class: class, Path: "actors." + who}}})
			}
			scale(20_000, c.first, c.change, c.passing)
			if c.first > 2 {
				l.tell(20_010, "root/workers/worker-2", journal.ActorStarting{Incarnation: 1})
				l.tell(20_030, "root/workers/worker-2", journal.ActorReady{Incarnation: 1, Took: 20 * time.Millisecond})
				crash(&l, 40_000, "root/workers/worker-2", 1)
			}
			scale(60_000, 2, "start", c.passing)
			crash(&l, 80_000, "root/workers/worker-1", 2)
			crash(&l, 81_000, "root/workers/worker-0", 2)
			_, _, s, text := exported(t, t.TempDir(), l, scenario.Slice{})
			r := play(t, s, scenario.Options{})
			if !r.Passed() {
				t.Errorf("%q\n%s", broken(r), text)
			}
			if left := strings.Count(text, "# left out ("); left != c.left || len(s.Steps) != c.steps {
				t.Errorf("%d left out and %d steps, want %d and %d\n%s", left, len(s.Steps), c.left, c.steps, text)
			}
		})
	}
}

// A handler's failure comes by itself where its message comes again with all that it carried, and else with its kind.
func TestAHandlersFailureIsToldByItsMessageOrItsKind(t *testing.T) {
	for _, c := range []struct {
		carried []byte
		want    string
	}{
		{[]byte(`{"id":13}`), "# at 1.5s api fails by itself, on what checkout carries: impossible: no 13"},
		{nil, "- {at: 1.5s, crash: {target: api, kind: impossible}} # impossible: no 13"},
	} {
		var l log
		l.tell(0, "", journal.EngineStarted{Name: "shop"})
		l.tell(1500, "root/api", journal.Message{From: "operator", Message: "checkout", Outcome: "impossible", Payload: c.carried})
		l[len(l)-1].Correlation = "i-1" // of a message that came without one
		l.tell(1500, "root/api", journal.ActorFailed{Incarnation: 1, Kind: "impossible", Message: "no 13", MessageType: "checkout"})
		l[len(l)-1].Correlation = "i-2"
		_, draft, _, text := exported(t, t.TempDir(), l, scenario.Slice{})
		if !strings.Contains(text, c.want) {
			t.Errorf("%q is missing in\n%s", c.want, text)
		}
		if got := draft.Recording; len(got) != 1 || (got[0].Payload != nil) != (c.carried != nil) {
			t.Errorf("%+v", draft.Recording)
		}
	}
}

// A recorded call fails an actor again by itself when its handler would fail with anything, or what it carried is known, also
// where neither the call nor the failure had a correlation to find each other by.
func TestAHandlersFailureComesOnceWithItsRecordedCall(t *testing.T) {
	for _, c := range []struct {
		handler string
		carried []byte
		crashes int
	}{
		{"{fail: {kind: odd}}", nil, 0},
		{"{set: {n: state.n + 1}, fail: {kind: odd, when: state.n == 0}}", nil, 0},
		{"{fail: {kind: odd, when: msg.id == 13}}", []byte(`{"id":13}`), 0},
		{"{fail: {kind: odd, when: msg.id == 13}}", nil, 2},
		{"{set: {n: msg.id}, fail: {kind: odd, when: state.n == 0}}", nil, 2},
	} {
		text := strings.Replace(shop, "script: {handlers: {get: {reply: {ok: true}}}}", "script: {state: {n: 0}, handlers: {bad: "+c.handler+"}}\n"+
			"      guard: {breaker: {trip: {consecutive_failures: 2}, open: {for: 5s}}}", 1)
		var l log
		l.tell(0, "", journal.EngineStarted{Name: "shop"})
		for n, at := range []int{1500, 1800} {
			l.tell(at+n, "root/api", journal.ActorFailed{Incarnation: uint64(n + 1), Kind: "odd", Message: "handler bad failed", MessageType: "bad"})
			l[len(l)-1].Correlation = fmt.Sprintf("i-%d", len(l))
			l.tell(at, "root/api", journal.Call{From: "operator", Message: "bad", Breaker: "api", Attempt: 1, Outcome: "failure", Class: "odd",
				Duration: 20 * time.Millisecond >> (20 * n), Payload: c.carried}) // the second is told before its actor's failure
			l[len(l)-1].Correlation = fmt.Sprintf("i-%d", len(l))
			l.tell(at+100, "root/api", journal.ActorStarting{Incarnation: uint64(n + 2)})
			l.tell(at+101, "root/api", journal.ActorReady{Incarnation: uint64(n + 2), Took: time.Millisecond})
		}
		l.tell(1801, "api", journal.BreakerChanged{Breaker: "api", From: "closed", To: "open"})
		l.tell(1950, "root", journal.SupervisorGaveUp{Reason: "over"})
		l.tell(1951, "rates", journal.BreakerChanged{Breaker: "rates", From: "closed", To: "open"})
		if c.crashes == 0 { // the root is still there
			l = l[:len(l)-2]
		}
		_, _, s, drafted := exportedOf(t, t.TempDir(), text, l, scenario.Slice{})
		if got := strings.Count(drafted, "crash: {"); got != c.crashes {
			t.Errorf("%s: %d crashes, want %d\n%s", c.handler, got, c.crashes, drafted)
		}
		if left := strings.Contains(drafted, "# left out (the root had given up, so nothing is judged any more): rates opens"); left != (c.crashes > 0) {
			t.Errorf("%s: left out: %v\n%s", c.handler, left, drafted)
		}
		if r := play(t, s, scenario.Options{}); c.crashes == 0 && !r.Passed() {
			t.Errorf("%s: %q\n%s", c.handler, broken(r), drafted)
		}
	}
}

// The level of health in the end is expected only when nothing that lowers it happened shortly before: one sample decides then.
func TestTheLevelInTheEndIsExpectedOnceItHasSettled(t *testing.T) {
	for ms, want := range map[int]bool{3_000: false, 30_000: true} {
		l := outage()
		l.tell(11_000, "", journal.HealthChanged{Score: 1, From: "degraded", To: "healthy"})
		l.tell(11_000+ms, "root/api", journal.ActorStopped{Incarnation: 1})
		if _, _, _, text := exported(t, t.TempDir(), l, scenario.Slice{}); strings.Contains(text, "healthy in the end") != want {
			t.Errorf("%dms after it is healthy again, want %v:\n%s", ms, want, text)
		}
	}
}
