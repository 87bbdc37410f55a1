package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// asVerb makes this program the verb test with cheating behaviours, so that it can be its own second process.
const asVerb = "LUKHAS_RUN_TEST_VERB"

func TestMain(m *testing.M) {
	if os.Getenv(asVerb) == "" {
		os.Exit(m.Run())
	}
	code, out, errs := testVerb(os.Args[2:]...)
	_, _ = os.Stdout.WriteString(out)
	_, _ = os.Stderr.WriteString(errs)
	os.Exit(code)
}

// behaviour is a handler as a behaviour.
type behaviour func(engine.Context, engine.Msg) error

// Handle runs the handler.
func (b behaviour) Handle(ctx engine.Context, m engine.Msg) error { return b(ctx, m) }

// cheating behaviours are not the same twice.
func cheating() map[string]engine.Factory {
	of := func(b behaviour) engine.Factory {
		return func(*plan.Actor, *plan.Plan) (engine.Behavior, error) { return b, nil }
	}
	return map[string]engine.Factory{
		"honest": of(func(ctx engine.Context, m engine.Msg) error { ctx.Reply(map[string]any{"ok": true}); return nil }),
		"clock": of(func(ctx engine.Context, m engine.Msg) error {
			if ctx.Now() > 3*time.Second {
				ctx.Reply(map[string]any{"at": float64(time.Now().UnixNano())})
			}
			return nil
		}),
		"shuffled": of(func(ctx engine.Context, m engine.Msg) error {
			for name := range map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true, "f": true, "g": true, "h": true} {
				ctx.Reply(map[string]any{"first": name})
				break
			}
			return nil
		}),
		"dice": of(func(ctx engine.Context, m engine.Msg) error {
			ctx.Reply(map[string]any{"dice": float64(rand.Uint64())})
			return nil
		}),
		"raced": of(func(ctx engine.Context, m engine.Msg) error {
			a, b := make(chan struct{}), make(chan struct{})
			go close(a)
			go close(b)
			<-a
			<-b
			select {
			case <-a:
				ctx.Reply(map[string]any{"winner": "a"})
			case <-b:
				ctx.Reply(map[string]any{"winner": "b"})
			}
			return nil
		}),
		"leaving": of(func(ctx engine.Context, m engine.Msg) error {
			go func() { select {} }()
			ctx.Reply(map[string]any{"ok": true})
			return nil
		}),
		"process": of(func(ctx engine.Context, m engine.Msg) error {
			if ctx.Now() > 4*time.Second {
				return ctx.Sleep(time.Duration(os.Getpid()) * time.Microsecond)
			}
			return nil
		}),
	}
}

// testVerb runs the verb test with cheating behaviours.
func testVerb(args ...string) (code int, out, errs string) {
	root := &cobra.Command{Use: "lukhas-run", SilenceErrors: true, SilenceUsage: true}
	t := &testRun{s: addSettings(root), behaviours: cheating()}
	root.AddCommand(t.command())
	var o, e bytes.Buffer
	code = perform(root, append([]string{"test"}, args...), strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

// Behaviours that read the wall clock, range over a map, draw from the randomness of all, let goroutines race or depend on the
// process are found where they first do.
func TestARunThatIsNotTheSameTwiceIsLocated(t *testing.T) {
	t.Setenv(asVerb, "1")
	for _, c := range []struct {
		behaviour, here string
		from            time.Duration
	}{{"clock", `root/odd answers {"at":`, 3 * time.Second}, {"shuffled", `root/odd answers {"first":`, 0}, {"dice", `root/odd answers {"dice":`, 0},
		{"raced", `root/odd answers {"winner":`, 0}, {"process", "root/", 4 * time.Second}} {
		path := filepath.Join(t.TempDir(), "odd.yaml")
		text := strings.Replace(oddScenario, "BEHAVIOUR", c.behaviour, 1)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		code, _, errs := testVerb(path)
		if code != exitFailed || !strings.Contains(errs, "the same run in another process was another one: they part at") {
			t.Fatalf("%s: exit %d\n%s", c.behaviour, code, errs)
		}
		p := partingOf(t, path)
		if !p.Found || p.Step == 0 || p.At < c.from || p.At > c.from+3*time.Second || p.Here == p.There || !strings.HasPrefix(p.Here, c.here) || len(p.Before) == 0 {
			t.Errorf("%s: %+v", c.behaviour, p)
		}
	}
}

// A goroutine that outlives its message may do anything at any time, although both runs were equal.
func TestABehaviourThatLeavesAGoroutineFails(t *testing.T) {
	t.Setenv(asVerb, "1")
	path := filepath.Join(t.TempDir(), "odd.yaml")
	text := strings.Replace(oddScenario, "BEHAVIOUR", "leaving", 1)
	if err := os.WriteFile(path, []byte(strings.Replace(text, "rate: 20/s", "rate: 1/s", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := testVerb(path); code != exitFailed || !strings.Contains(errs, "root/odd: it left a goroutine") {
		t.Fatalf("exit %d\n%s", code, errs)
	}
}

// partingOf runs a file and gives where its scenario parts, nil when it does not.
func partingOf(t *testing.T, path string) *parting {
	t.Helper()
	_, out, errs := testVerb(path, "-o", "json")
	var all testJSON
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err, errs)
	}
	return all.Scenarios[0].Parted
}

func TestAnHonestRunIsTheSameTwice(t *testing.T) {
	t.Setenv(asVerb, "1")
	path := filepath.Join(t.TempDir(), "odd.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(oddScenario, "BEHAVIOUR", "honest", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := testVerb(path); code != 0 || !strings.Contains(errs, "each twice with the same result") {
		t.Fatalf("exit %d\n%s", code, errs)
	}
}

const oddScenario = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: odd}
root: {children: [{name: odd, go: {behaviour: BEHAVIOUR}}, {name: api, script: {handlers: {get: {calls: [{to: odd, message: ask, with: {n: msg.n}, as: it}], reply: {it: it}}}}}]}
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: it is not the same twice}
duration: 8s
load: [{name: l, to: api, message: get, rate: 20/s, payload: {n: n}}]
expect: [{name: is served, finally: load("l").ok > 0}]
`
