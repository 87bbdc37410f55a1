package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

const pair = `
root:
  intensity: {max: 100, within: 1s}
  children:
    - name: server
      process: {command: [/bin/true], protocol: jsonl}
      ready: {line: READY, within: 5s}
      restart: {policy: always, backoff: {initial: 100ms, jitter: 0}}
      mailbox: {capacity: 8}
    - name: echo
      script: {state: {n: 0}, handlers: {say: {set: {n: state.n + 1}, reply: {n: state.n, v: msg.v}}}}
    - {name: front, concurrency: 100, script: {handlers: {get: {calls: [{to: server, message: get, as: v}], reply: v}}}}
`

func pairRig(t *testing.T, m Model) *rig {
	r := begin(t, pair, nil, func(o *Options) { o.World = map[string]Model{"root/server": m} })
	r.run(time.Second)
	return r
}

func (r *rig) inject(f Fault) func() {
	r.t.Helper()
	heal, err := r.Inject(f)
	if err != nil {
		r.t.Fatal(err)
	}
	return heal
}

func TestACrashedProcessRestarts(t *testing.T) {
	r := pairRig(t, Model{Latency: Latency{P50: 50 * time.Millisecond}, Startup: 300 * time.Millisecond})
	var got Answer
	r.Ask("server", engine.Msg{Type: "get"}, engine.CallOptions{}, func(a Answer) { got = a })
	r.run(10 * time.Millisecond)
	at := r.Now()
	r.inject(Fault{Verb: Crash, Target: "server"})
	r.run(time.Millisecond)
	if kindOf(got.Err) != engine.KindUnreachable {
		t.Errorf("the asker got %v", got.Err)
	}
	r.run(time.Second)
	v, _ := r.Actor("server")
	if v.Incarnation != 2 || v.Up != r.Now()-at-100*time.Millisecond {
		t.Errorf("%+v", v)
	}
	if !strings.Contains(r.story(journal.TypeActorReady), "root/server ready after 300ms") {
		t.Error(r.story(journal.TypeActorReady))
	}
}

func TestAStartThatTakesTooLongIsAFailure(t *testing.T) {
	r := pairRig(t, Model{Startup: 6 * time.Second})
	r.run(8 * time.Second)
	if n := r.of(journal.TypeActorFailed, "root/server"); n != 1 {
		t.Errorf("%d failures:\n%s", n, r.story(journal.TypeActorFailed))
	}
}

func TestSlowAndFail(t *testing.T) {
	r := pairRig(t, Model{Latency: Latency{P50: 10 * time.Millisecond}})
	heal := r.inject(Fault{Verb: Slow, Target: "root/server", Factor: 3, By: 5 * time.Millisecond})
	if a := r.ask("server", "get", nil); a.Took != 35*time.Millisecond {
		t.Errorf("slow took %s", a.Took)
	}
	heal()
	heal = r.inject(Fault{Verb: Fail, Target: "root", Kind: "odd"}) // all below the root, scripts too
	for _, name := range []string{"server", "echo"} {
		if a := r.ask(name, "say", map[string]any{}); kindOf(a.Err) != "odd" {
			t.Errorf("%s: %v", name, a.Err)
		}
	}
	heal()
	heal = r.inject(Fault{Verb: Fail, Target: "server", Kind: engine.KindUnreachable})
	if a := r.ask("server", "get", nil); a.Took != 0 || engine.ErrorOf(a.Err, "").Delivered {
		t.Errorf("a refused connection took %s: %+v", a.Took, a.Err)
	}
	heal()
	heal = r.inject(Fault{Verb: Slow, Target: "echo", By: 70 * time.Millisecond})
	if a := r.ask("echo", "say", map[string]any{"v": 1.0}); a.Err != nil || a.Took != 70*time.Millisecond {
		t.Errorf("a slow script took %s: %v", a.Took, a.Err)
	}
	heal()
	if a := r.ask("server", "get", nil); a.Err != nil || a.Took != 10*time.Millisecond {
		t.Errorf("healed: %v after %s", a.Err, a.Took)
	}
	failed := 0
	heal = r.inject(Fault{Verb: Fail, Target: "server", Rate: 0.3, Status: 503})
	for range 500 {
		if a := r.ask("server", "get", nil); a.Err != nil {
			failed++
			if engine.ErrorOf(a.Err, "").Status != 503 {
				t.Fatal(a.Err)
			}
		}
	}
	heal()
	if failed < 120 || failed > 180 {
		t.Errorf("%d of 500 failed at a rate of 0.3", failed)
	}
}

func TestHangHoldsAndLetsGo(t *testing.T) {
	r := pairRig(t, Model{Latency: Latency{P50: 10 * time.Millisecond}})
	var server, echo Answer
	r.Ask("server", engine.Msg{Type: "get"}, engine.CallOptions{}, func(a Answer) { server = a })
	r.run(4 * time.Millisecond)
	heal := r.inject(Fault{Verb: Hang, Target: "**"})
	r.Ask("echo", engine.Msg{Type: "say", Payload: map[string]any{"v": 1.0}}, engine.CallOptions{}, func(a Answer) { echo = a })
	r.run(time.Second)
	if server.Took != 0 || echo.Took != 0 {
		t.Fatal("something answered while it hung")
	}
	heal()
	r.run(time.Second)
	if server.Err != nil || server.Took != 1010*time.Millisecond {
		t.Errorf("server: %v after %s", server.Err, server.Took)
	}
	if echo.Err != nil || echo.Took != time.Second {
		t.Errorf("echo: %v after %s", echo.Err, echo.Took)
	}
}

func TestFaultsOnTheWay(t *testing.T) {
	r := pairRig(t, Model{Latency: Latency{P50: 10 * time.Millisecond}})
	heal := r.inject(Fault{Verb: Drop, To: "server"})
	if a := r.ask("server", "get", nil, engine.CallOptions{Timeout: time.Second}); kindOf(a.Err) != engine.KindTimeout || a.Took != time.Second {
		t.Errorf("dropped: %v after %s", a.Err, a.Took)
	}
	if v, _ := r.Actor("server"); v.Calls != 0 {
		t.Error("a dropped message was handled")
	}
	heal()
	heal = r.inject(Fault{Verb: Drop, From: "server", To: "front"}) // the answer is lost, the work was done
	if a := r.ask("front", "get", nil, engine.CallOptions{Timeout: time.Second}); kindOf(a.Err) != engine.KindTimeout {
		t.Errorf("answer dropped: %v", a.Err)
	}
	if v, _ := r.Actor("server"); v.Calls != 1 {
		t.Errorf("%d calls handled, not 1", v.Calls)
	}
	heal()
	heal = r.inject(Fault{Verb: Delay, From: "front", To: "server", By: 100 * time.Millisecond})
	if a := r.ask("front", "get", nil); a.Took != 110*time.Millisecond {
		t.Errorf("delayed took %s", a.Took)
	}
	if a := r.ask("server", "get", nil); a.Took != 10*time.Millisecond {
		t.Errorf("another sender's took %s", a.Took)
	}
	heal()
	before, _ := r.Actor("echo")
	heal = r.inject(Fault{Verb: Duplicate, To: "echo"})
	if a := r.ask("echo", "say", map[string]any{"v": 1.0}); a.Err != nil {
		t.Error(a.Err)
	}
	r.run(time.Millisecond)
	if v, _ := r.Actor("echo"); v.Calls != before.Calls+2 {
		t.Errorf("a duplicated message was handled %d times", v.Calls-before.Calls)
	}
	heal()
	heal = r.inject(Fault{Verb: Partition, Sides: [2][]string{{"front"}, {"server"}}})
	if a := r.ask("front", "get", nil, engine.CallOptions{Timeout: time.Second}); kindOf(a.Err) != engine.KindTimeout {
		t.Errorf("parted: %v", a.Err)
	}
	if a := r.ask("server", "get", nil); a.Err != nil {
		t.Errorf("outside is not parted: %v", a.Err)
	}
	heal()
}

func TestReorderedMessagesOvertake(t *testing.T) {
	r := pairRig(t, Model{})
	r.inject(Fault{Verb: Reorder, To: "echo", By: 50 * time.Millisecond})
	var order []float64
	for i := range 20 {
		r.Ask("echo", engine.Msg{Type: "say", Payload: map[string]any{"v": float64(i)}}, engine.CallOptions{}, func(a Answer) {
			order = append(order, a.Payload.(map[string]any)["v"].(float64))
		})
	}
	r.run(time.Second)
	overtaken := false
	for i := 1; i < len(order); i++ {
		overtaken = overtaken || order[i] < order[i-1]
	}
	if len(order) != 20 || !overtaken {
		t.Errorf("%d answers, in the order %v", len(order), order)
	}
}

func TestPoisonKillsUntilItsAttemptsAreSpent(t *testing.T) {
	r := pairRig(t, Model{})
	where, problems := rules.Compile(`call.message == "bad"`, rules.Condition, rules.Scope{Place: rules.AtPoison})
	if where == nil {
		t.Fatal(problems)
	}
	r.inject(Fault{Verb: Poison, Target: "**", Where: where})
	for _, name := range []string{"server", "echo"} {
		a := r.ask(name, "bad", nil)
		if a.Err == nil {
			t.Errorf("%s survived", name)
		}
		r.run(time.Minute)
		v, _ := r.Actor(name)
		if v.Incarnation < 2 || !v.Ready || v.DeadLetters == 0 {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestCorruptSkewFillAndExhaust(t *testing.T) {
	r := pairRig(t, Model{Memory: Memory{Base: 1000, PerCall: 10}})
	heal := r.inject(Fault{Verb: Corrupt, What: "reply", Target: "server", Value: "garbage"})
	if a := r.ask("server", "get", nil); a.Payload != "garbage" {
		t.Errorf("answered %v", a.Payload)
	}
	heal()
	r.inject(Fault{Verb: Corrupt, What: "state", Target: "echo", Value: map[string]any{"n": 41.0}})
	if a := r.ask("echo", "say", map[string]any{"v": 1.0}); a.Payload.(map[string]any)["n"] != 42.0 {
		t.Errorf("state was not corrupted: %v", a.Payload)
	}
	hang := r.inject(Fault{Verb: Hang, Target: "echo"})
	r.inject(Fault{Verb: FillMailbox, Target: "echo"})
	if v, _ := r.Actor("echo"); v.Mailbox != v.Capacity {
		t.Errorf("%d of %d wait", v.Mailbox, v.Capacity)
	}
	if err := r.Tell("echo", engine.Msg{Type: "say"}, engine.CallOptions{}); kindOf(err) != engine.KindRefused {
		t.Errorf("a full mailbox said %v", err)
	}
	hang()
	if v, _ := r.Actor("server"); v.Usage.Memory != 1010 {
		t.Errorf("memory %d", v.Usage.Memory)
	}
	r.inject(Fault{Verb: Exhaust, What: "memory", Target: "server", Amount: 5000})
	r.inject(Fault{Verb: Exhaust, What: "cpu", Amount: 0.99})
	if v, _ := r.Actor("server"); v.Usage.Memory != 5000 || r.Node().CPU != 0.99 || r.Node().Memory != 5000 {
		t.Errorf("memory %d, node %+v", v.Usage.Memory, r.Node())
	}
}

func TestMemoryThatGrowsKillsAtItsLimit(t *testing.T) {
	r := pairRig(t, Model{Memory: Memory{PerCall: 100, Limit: 1000}})
	for range 15 {
		r.ask("server", "get", nil)
	}
	r.run(time.Second)
	if !strings.Contains(r.story(journal.TypeActorFailed), "out of memory") {
		t.Error(r.story(0))
	}
}

func TestImpossibleFaultsAreRefused(t *testing.T) {
	r := pairRig(t, Model{})
	for _, c := range []struct {
		f    Fault
		want string
	}{
		{Fault{Verb: "melt"}, `unknown fault "melt"`},
		{Fault{Verb: Crash, Target: "nobody"}, `unknown actor "nobody"`},
		{Fault{Verb: Crash}, `unknown actor ""`},
		{Fault{Verb: Fail, Target: "echo", Rate: 2}, "between 0 and 1"},
		{Fault{Verb: Slow, Target: "echo"}, "factor"},
		{Fault{Verb: Delay}, "by how much"},
		{Fault{Verb: Poison, Target: "echo"}, "where"},
		{Fault{Verb: Corrupt, Target: "echo", What: "snapshot"}, "snapshot"},
		{Fault{Verb: Exhaust, What: "patience"}, "patience"},
		{Fault{Verb: Partition, Sides: [2][]string{{"echo"}, nil}}, "both sides"},
	} {
		if _, err := r.Inject(c.f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.f, err, c.want)
		}
	}
}

func TestHealthChecksSeeWhatFaultsDo(t *testing.T) {
	r := begin(t, `
root:
  children:
    - name: db
      upstream: "http://127.0.0.1:1"
      health: {http: /healthz, interval: 1s, timeout: 500ms, fail: 2, pass: 1, then: open}
      guard: {breaker: {trip: {consecutive_failures: 3}}}
`, nil)
	r.run(time.Second)
	heal := r.inject(Fault{Verb: Hang, Target: "db"})
	r.run(3 * time.Second)
	if v, _ := r.Actor("db"); v.Healthy {
		t.Fatal("a hung upstream is healthy")
	}
	if a := r.ask("db", "x", nil); kindOf(a.Err) != engine.KindRefused {
		t.Errorf("its breaker lets pass: %v", a.Err)
	}
	heal()
	r.run(2 * time.Second)
	if v, _ := r.Actor("db"); !v.Healthy {
		t.Error("it is still sick")
	}
}

// The checks of a new incarnation begin anew: what was sick before it says nothing about it.
func TestARestartEndsSickness(t *testing.T) {
	r := begin(t, `
root:
  children:
    - name: pool
      replicas: 1
      upstream: "http://127.0.0.1:1"
      health: {http: /healthz, interval: 1s, timeout: 500ms, fail: 2, pass: 1, then: report}
`, nil)
	heal := r.inject(Fault{Verb: Hang, Target: "pool"})
	r.run(4 * time.Second)
	if a := r.ask("pool", "x", nil); kindOf(a.Err) != engine.KindRefused {
		t.Fatalf("a sick replica got a message: %v", a.Err)
	}
	heal()
	r.Command(engine.Steer{Verb: "restart", Target: "root/pool", Reason: "test"}, "test", func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	r.run(500 * time.Millisecond)
	if a := r.ask("pool", "x", nil); a.Err != nil {
		t.Errorf("the new incarnation gets nothing: %v", a.Err)
	}
}

// A crash of a kind is a failure that the supervisor decides about: one that it resumes loses nothing, another restarts, and
// since no message is to blame none is tried again.
func TestACrashOfAKindIsDecidedAbout(t *testing.T) {
	r := begin(t, `
root:
  on_failure: 'error.kind == "mild" ? "resume" : "restart"'
  children:
    - name: echo
      mailbox: {attempts: 5}
      restart: {policy: always, backoff: {initial: 100ms, jitter: 0}}
      script: {state: {n: 0}, handlers: {say: {set: {n: state.n + 1}, reply: {n: state.n}}}}
    - {name: server, process: {command: [/bin/true], protocol: jsonl}}
`, nil)
	r.run(time.Second)
	r.ask("echo", "say", nil)
	r.inject(Fault{Verb: Crash, Target: "echo", Kind: "mild"})
	r.run(time.Second)
	if a := r.ask("echo", "say", nil); a.Err != nil || a.Payload.(map[string]any)["n"] != 2.0 {
		t.Errorf("resumed: %+v", a)
	}
	r.inject(Fault{Verb: Crash, Target: "echo", Kind: "impossible"})
	r.inject(Fault{Verb: Crash, Target: "server", Kind: "odd"})
	r.run(time.Second)
	if a := r.ask("echo", "say", nil); a.Err != nil || a.Payload.(map[string]any)["n"] != 1.0 {
		t.Errorf("restarted: %+v", a)
	}
	var kinds []string
	for _, e := range r.events {
		if body, err := e.Body(); err == nil && e.Type == journal.TypeActorFailed {
			kinds = append(kinds, e.Actor+" "+body.(journal.ActorFailed).Kind)
		}
	}
	if want := "root/echo mild, root/echo impossible, root/server odd"; strings.Join(kinds, ", ") != want {
		t.Errorf("failed: %q, want %s", kinds, want)
	}
	if v, _ := r.Actor("echo"); v.DeadLetters != 0 || v.Incarnation != 2 {
		t.Errorf("%+v", v)
	}
}
