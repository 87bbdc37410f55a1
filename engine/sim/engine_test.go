package sim

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/journal"
)

const shop = `
policies:
  breakers:
    careful: {window: 10s, min_calls: 5, trip: {consecutive_failures: 3}, open: {for: 2s}, half_open: {probes: 1, successes: 1}}
root:
  children:
    - name: database
      upstream: {url: "http://127.0.0.1:1", operations: {query: {method: GET, path: '"/x"'}}}
      guard: {breaker: careful, timeout: 200ms}
    - name: cache
      script:
        state: {hits: 0}
        handlers:
          get: {set: {hits: state.hits + 1}, reply: {key: msg.key, hits: state.hits}}
          boom: {fail: {kind: asked, message: '"asked to fail"'}}
    - name: api
      concurrency: 64
      script:
        handlers:
          checkout:
            calls:
              - {to: database, message: query, with: {id: msg.id}, as: row}
              - {to: cache, message: get, with: {key: msg.id}, as: hit, optional: true}
            reply: {row: row, hit: hit}
`

func TestScriptsAnswerThroughGuards(t *testing.T) {
	r := begin(t, shop, nil)
	r.run(10 * time.Millisecond)
	if !r.Up() {
		t.Fatalf("not up:\n%s", r.story(0))
	}
	a := r.ask("api", "checkout", map[string]any{"id": "a"})
	if a.Err != nil {
		t.Fatal(a.Err)
	}
	got := a.Payload.(map[string]any)
	if hit := got["hit"].(map[string]any); hit["hits"] != 1.0 && hit["hits"] != 1 || hit["key"] != "a" {
		t.Errorf("answered %v", got)
	}
	if a.Took != time.Millisecond {
		t.Errorf("took %s, the model takes 1ms", a.Took)
	}
}

func TestTheBreakerOpensProbesAndCloses(t *testing.T) {
	r := begin(t, shop, nil)
	r.run(time.Second)
	heal, err := r.Inject(Fault{Verb: Fail, Target: "database", Status: 503})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if a := r.ask("api", "checkout", map[string]any{"id": "a"}); kindOf(a.Err) != engine.KindStatus {
			t.Fatal(a.Err)
		}
	}
	if a := r.ask("database", "query", nil); kindOf(a.Err) != engine.KindRefused || !strings.Contains(a.Err.Error(), "breaker open") {
		t.Fatal(a.Err)
	}
	heal()
	r.run(2 * time.Second)
	if a := r.ask("database", "query", nil); a.Err != nil {
		t.Fatal(a.Err)
	}
	if n := r.of(journal.TypeBreakerChanged, ""); n != 3 {
		t.Errorf("%d transitions:\n%s", n, r.story(journal.TypeBreakerChanged))
	}
}

func TestTimeoutsComeInVirtualTime(t *testing.T) {
	r := begin(t, shop, nil)
	r.run(time.Second)
	heal, _ := r.Inject(Fault{Verb: Hang, Target: "database"})
	a := r.ask("database", "query", nil)
	if kindOf(a.Err) != engine.KindTimeout || a.Took != 200*time.Millisecond {
		t.Fatalf("%v after %s", a.Err, a.Took)
	}
	heal()
	if a := r.ask("database", "query", nil); a.Err != nil {
		t.Fatal(a.Err)
	}
}

func TestAFailureRestartsAndIsOneIncident(t *testing.T) {
	r := begin(t, shop, nil)
	r.run(time.Second)
	if a := r.ask("cache", "boom", nil); kindOf(a.Err) != "asked" {
		t.Fatal(a.Err)
	}
	r.run(time.Minute)
	if v, _ := r.Actor("cache"); v.Incarnation != 2 || !v.Ready || v.Restarts != 1 {
		t.Fatalf("%+v", v)
	}
	var failed, ready journal.Event
	for _, e := range r.events {
		switch {
		case e.Type == journal.TypeActorFailed:
			failed = e
		case e.Type == journal.TypeActorReady && e.Actor == "root/cache":
			ready = e
		}
	}
	if failed.Correlation == "" || failed.Correlation != ready.Correlation {
		t.Errorf("failure %q and new readiness %q are two incidents", failed.Correlation, ready.Correlation)
	}
	at := ready
	for at.Causation != 0 {
		at = r.events[at.Causation-1]
	}
	if at.Seq != failed.Seq {
		t.Errorf("the chain of causes ends at %s", journal.Describe(at))
	}
}

const two = `
root:
  children:
    - {name: a, go: a}
    - {name: b, go: b}
`

func TestBlockingBehaviours(t *testing.T) {
	var seen []time.Duration
	m := making{
		"a": simple(func(ctx engine.Context, m engine.Msg) error {
			seen = append(seen, ctx.Now())
			if err := ctx.Sleep(time.Second); err != nil {
				return err
			}
			seen = append(seen, ctx.Now())
			to, _ := ctx.Ref("b")
			v, err := ctx.Ask(to, engine.Msg{Type: "x", Payload: 1.0}, 0)
			if err != nil {
				return err
			}
			ctx.Reply(v)
			return nil
		}),
		"b": simple(func(ctx engine.Context, m engine.Msg) error {
			v, err := ctx.Call(0, nil)
			if err != nil {
				return err
			}
			ctx.Reply(v)
			return nil
		}),
	}
	r := begin(t, two, m, func(o *Options) {
		o.World = map[string]Model{"root/b": {Latency: Latency{P50: 3 * time.Second}}}
		o.Present = nil
	})
	_ = r
	if seen != nil {
		t.Fatal("ran before it was asked")
	}
	start := r.Now()
	a := r.ask("a", "go", nil)
	if a.Err != nil || a.Took != 4*time.Second {
		t.Fatalf("%v after %s", a.Err, a.Took)
	}
	if len(seen) != 2 || seen[0] != start || seen[1] != start+time.Second {
		t.Errorf("clock read %v", seen)
	}
}

func TestAHandlerThatEndsItsGoroutineFails(t *testing.T) {
	m := making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		if m.Type == "exit" {
			runtime.Goexit()
		}
		return nil
	}), "b": simple(func(engine.Context, engine.Msg) error { panic("at the disco") })}
	r := begin(t, two, m)
	if a := r.ask("a", "exit", nil); kindOf(a.Err) != engine.KindCrash {
		t.Fatal(a.Err)
	}
	if a := r.ask("b", "x", nil); kindOf(a.Err) != engine.KindCrash || !strings.Contains(a.Err.Error(), "at the disco") {
		t.Fatal(a.Err)
	}
	r.run(time.Minute)
	if v, _ := r.Actor("a"); v.Incarnation != 2 || !v.Ready {
		t.Fatalf("%+v", v)
	}
	if a := r.ask("a", "fine", nil); a.Err != nil {
		t.Fatal(a.Err)
	}
}

func TestShutdownStopsAllAndLeavesNoGoroutine(t *testing.T) {
	m := making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		for { // deaf to the first ErrStopped; the second wait unwinds it
			_ = ctx.Sleep(time.Hour)
		}
	}), "b": simple(func(ctx engine.Context, m engine.Msg) error { return ctx.Sleep(time.Hour) })}
	r := begin(t, two, m)
	var errs []error
	for _, name := range []string{"a", "b"} {
		r.Ask(name, engine.Msg{Type: "x"}, engine.CallOptions{Timeout: time.Hour}, func(a Answer) { errs = append(errs, a.Err) })
	}
	r.run(time.Second)
	r.Shutdown("test")
	r.run(time.Minute)
	if done, code, _ := r.Done(); !done || code != 0 {
		t.Fatalf("done %v, code %d:\n%s", done, code, r.story(0))
	}
	if len(errs) != 2 || kindOf(errs[0]) != engine.KindUnreachable {
		t.Errorf("askers got %v", errs)
	}
}

func TestAMomentThatDoesNotEndIsAnError(t *testing.T) {
	m := making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		to, _ := ctx.Ref("b")
		return ctx.Tell(to, m)
	}), "b": simple(func(ctx engine.Context, m engine.Msg) error {
		to, _ := ctx.Ref("a")
		return ctx.Tell(to, m)
	})}
	r := begin(t, two, m, func(o *Options) { o.MaxTurns = 1000 })
	if err := r.Tell("a", engine.Msg{Type: "x"}, engine.CallOptions{}); err != nil {
		t.Fatal(err)
	}
	err := r.Run(time.Second)
	if !errors.Is(err, ErrSpin) || !strings.Contains(err.Error(), "root/a") {
		t.Fatal(err)
	}
}

func TestAskCyclesAreRefused(t *testing.T) {
	ask := func(name string) func() engine.Behavior {
		return simple(func(ctx engine.Context, m engine.Msg) error {
			to, _ := ctx.Ref(name)
			v, err := ctx.Ask(to, m, 0)
			if err != nil {
				ctx.Fail(engine.ErrorOf(err, ""))
				return nil
			}
			ctx.Reply(v)
			return nil
		})
	}
	r := begin(t, two, making{"a": ask("b"), "b": ask("a")})
	a := r.ask("a", "x", nil)
	if kindOf(a.Err) != engine.KindRefused || !strings.Contains(a.Err.Error(), "wait for itself") || a.Took != 0 {
		t.Fatalf("%v after %s", a.Err, a.Took)
	}
}

// A wait without an end is not ended by the deadline of the wait before it.
func TestADeadlineDiesWithItsWait(t *testing.T) {
	m := making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		to, _ := ctx.Ref("b")
		if _, err := ctx.Ask(to, engine.Msg{Type: "quick"}, time.Second); err != nil {
			return err
		}
		v, errs := ctx.AskAll([]engine.Ref{to}, []engine.Msg{{Type: "slow"}}, time.Minute)
		if errs[0] != nil {
			return errs[0]
		}
		ctx.Reply(v[0])
		return nil
	}), "b": simple(func(ctx engine.Context, m engine.Msg) error {
		if m.Type == "slow" {
			if err := ctx.Sleep(5 * time.Second); err != nil {
				return err
			}
		}
		ctx.Reply(m.Type)
		return nil
	})}
	r := begin(t, two, m)
	if a := r.ask("a", "x", nil); a.Payload != "slow" || a.Took != 5*time.Second {
		t.Fatalf("%+v", a)
	}
}

func TestARestartDropsTheMailboxWhereThePlanSaysSo(t *testing.T) {
	for _, drop := range []bool{false, true} {
		handled := 0
		m := making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
			if m.Type == "boom" {
				return errors.New("boom")
			}
			handled++
			return nil
		}), "b": simple(func(engine.Context, engine.Msg) error { return nil })}
		r := begin(t, two, m, func(o *Options) {
			if drop {
				o.Plan.Actor("root/a").Mailbox.OnRestart = "drop"
			}
		})
		for _, msg := range []string{"boom", "x", "x"} {
			if err := r.Tell("a", engine.Msg{Type: msg}, engine.CallOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		r.run(time.Minute)
		if want := map[bool]int{false: 2, true: 0}[drop]; handled != want {
			t.Errorf("drop %v: %d of 2 were handled", drop, handled)
		}
	}
}

// What an actor answers is part of the digest, also where the Machine hears nothing of it.
func TestTheDigestSeesHowMessagesEnd(t *testing.T) {
	digests := map[string]bool{}
	for _, fails := range []bool{false, true, true} {
		m := making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
			if fails {
				ctx.Fail(&engine.Error{Kind: "odd"})
			}
			return nil
		}), "b": simple(func(engine.Context, engine.Msg) error { return nil })}
		r := begin(t, two, m)
		r.ask("a", "x", nil)
		digests[r.Digest()] = true
	}
	if len(digests) != 2 {
		t.Errorf("%d digests of two different runs", len(digests))
	}
}

func TestOverflowPolicies(t *testing.T) {
	for _, c := range []struct {
		policy  string
		handled string
		refused int
	}{
		{"reject", "0 1 2", 2}, {"drop_newest", "0 1 2", 0}, {"drop_oldest", "0 3 4", 0}, {"block", "0 1 2", 2}, // nobody outside can wait
	} {
		var handled []string
		m := making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
			handled = append(handled, m.Payload.(string))
			return ctx.Sleep(time.Second)
		}), "b": simple(func(engine.Context, engine.Msg) error { return nil })}
		r := begin(t, two, m, func(o *Options) {
			box := &o.Plan.Actor("root/a").Mailbox
			box.Capacity, box.Overflow = 2, c.policy
		})
		refused := 0
		for _, n := range []string{"0", "1", "2", "3", "4"} {
			if err := r.Tell("a", engine.Msg{Type: "x", Payload: n}, engine.CallOptions{}); err != nil {
				refused++
			}
			r.run(time.Millisecond)
		}
		r.run(time.Minute)
		if got := strings.Join(handled, " "); got != c.handled || refused != c.refused {
			t.Errorf("%s: handled %s, refused %d", c.policy, got, refused)
		}
	}
}
