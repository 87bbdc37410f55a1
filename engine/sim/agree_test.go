package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/live"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// both is a topology of Go behaviours and scripts: nothing of it needs a model, so both runtimes run the very same code. It has no
// replicas: those start at once, and the live runtime tells them in any order.
const both = `
policies:
  breakers:
    careful: {window: 10s, min_calls: 5, trip: {consecutive_failures: 3}, open: {for: 1s, factor: 2, max: 8s, jitter: 30%}, half_open: {probes: 2, successes: 2}}
journal: {record: [decisions]}
root:
  intensity: {max: 50, within: 60s}
  children:
    - name: back
      strategy: rest_for_one
      intensity: {max: 4, within: 5s}
      restart: {policy: always, backoff: {initial: 100ms, factor: 2, max: 1s, jitter: 50%}}
      children:
        - {name: store, go: store, mailbox: {attempts: 2}, guard: {breaker: careful, timeout: 100ms}}
        - {name: index, go: store}
        - {name: view, go: store}
    - name: pool
      strategy: all_for_one
      on_failure: 'error.kind == "mild" ? "resume" : "restart"'
      restart: {policy: on_failure, backoff: {initial: 50ms, factor: 2, max: 1s, jitter: 50%}}
      children:
        - {name: w0, go: store}
        - {name: w1, go: store}
        - {name: w2, go: store}
    - name: front
      script:
        handlers:
          get: {calls: [{to: store, message: get, as: v}], reply: {v: v}}
rules:
  - {name: pauses, for_each: breaker, when: breaker.state == "open", then: [{pause: view}]}
`

// store does what its message says.
func store() engine.Behavior {
	sick := false
	return handler(func(ctx engine.Context, m engine.Msg) error {
		switch m.Type {
		case "crash":
			panic("as asked")
		case "mild":
			return &engine.Error{Kind: "mild", Message: "never mind"}
		case "sicken":
			sick = true
		case "heal":
			sick = false
		case "slow":
			return ctx.Sleep(150 * time.Millisecond)
		case "stop":
			ctx.Stop()
		case "get":
			if sick {
				ctx.Fail(&engine.Error{Kind: "sick", Message: "unwell", Delivered: true})
				return nil
			}
			ctx.Reply(float64(ctx.Incarnation()))
		}
		return nil
	})
}

// act is one thing that is done to the engine at a time. No two fall on one moment.
type act struct {
	at  time.Duration
	to  string
	msg string
	cmd engine.Steer
}

func acts() []act {
	var all []act
	at := 10 * time.Millisecond
	tell := func(to, msg string) { all = append(all, act{at: at, to: to, msg: msg}); at += 37 * time.Millisecond }
	steer := func(verb, target string) {
		all = append(all, act{at: at, cmd: engine.Steer{Verb: verb, Target: target}})
		at += 41 * time.Millisecond
	}
	tell("index", "crash")
	tell("front", "get")
	at += 500 * time.Millisecond
	tell("store", "sicken")
	for range 5 {
		tell("front", "get")
	}
	at += 300 * time.Millisecond
	tell("store", "heal") // refused: the breaker is open
	at += 2 * time.Second
	steer("pause", "root/pool/w1")
	tell("w1", "crash")
	tell("w0", "mild")
	steer("restart", "root/back/store")
	at += 500 * time.Millisecond
	for range 4 {
		tell("front", "get")
		at += 100 * time.Millisecond
	}
	steer("resume", "root/pool/w1")
	at += 2 * time.Second
	for range 6 {
		tell("view", "crash")
		at += 300 * time.Millisecond
	}
	at += 2 * time.Second
	tell("store", "slow")
	tell("w2", "stop")
	steer("quarantine", "root/pool/w0")
	at += time.Second
	tell("w2", "crash")
	return all
}

const runsFor = 20 * time.Second

// line is an event as it is compared: all that does not hang on the runtime.
func line(e journal.Event) string {
	text := journal.Describe(e)
	if e.Type == journal.TypeActorFailed { // stacks differ below the behaviour
		b, _ := e.Body()
		f := b.(journal.ActorFailed)
		f.Stack = ""
		text = fmt.Sprintf("%+v", f)
	}
	return fmt.Sprintf("%s %s %s [%s <- %d] %s", time.Duration(e.Time-epoch.UnixNano()), e.Actor, e.Type, e.Correlation, e.Causation, text)
}

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // where the bubble's clock begins

// notebook is a Recorder for both.
type notebook struct {
	mu    sync.Mutex
	lines []string
}

func (n *notebook) Record(e journal.Event) uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.Type == journal.TypeInput {
		n.lines = append(n.lines, fmt.Sprintf("input %s", e.Payload))
	} else {
		n.lines = append(n.lines, line(e))
	}
	return uint64(len(n.lines))
}

// answered notes how an ask ended, in the order of the asks.
type answered map[int]string

func (a answered) note(i int, v any, err error) {
	var e *engine.Error
	if errors.As(err, &e) {
		a[i] = e.Error()
		return
	}
	a[i] = fmt.Sprint(v, err)
}

func liveRun(t *testing.T, p *plan.Plan, m making) ([]string, answered) {
	n, replies := &notebook{}, answered{}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		e, err := live.New(live.Options{Plan: p, Machine: engine.NewMachine(), Clock: clock.System(), Seed: 7, Recorder: n, Factories: m.factories})
		if err != nil {
			t.Fatal(err)
		}
		e.Start()
		var mu sync.Mutex
		for i, a := range acts() {
			time.Sleep(a.at - time.Since(start))
			synctest.Wait()
			if a.msg == "" {
				_ = e.Command(t.Context(), a.cmd, "test")
				continue
			}
			go func() {
				v, err := e.Ask(context.Background(), a.to, engine.Msg{Type: a.msg}, engine.CallOptions{Timeout: 10 * time.Second})
				mu.Lock()
				defer mu.Unlock()
				replies.note(i, v, err)
			}()
			synctest.Wait()
		}
		time.Sleep(runsFor - time.Since(start))
		e.Shutdown("over")
		<-e.Done()
		synctest.Wait()
	})
	return n.lines, replies
}

func simulated(t *testing.T, p *plan.Plan, m making) ([]string, answered) {
	n, replies := &notebook{}, answered{}
	e, err := New(Options{Plan: p, Seed: 7, Start: epoch, Recorder: n, Factories: m.factories})
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	for i, a := range acts() {
		e.At(a.at, func() {
			if a.msg == "" {
				e.Command(a.cmd, "test", nil)
				return
			}
			e.Ask(a.to, engine.Msg{Type: a.msg}, engine.CallOptions{Timeout: 10 * time.Second}, func(r Answer) { replies.note(i, r.Payload, r.Err) })
		})
	}
	e.At(runsFor, func() { e.Shutdown("over") })
	if err := e.Run(runsFor + time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return n.lines, replies
}

// One topology, one story of failures and commands: the live runtime and the simulated one record the same facts, inputs
// and decisions, at the same times, with the same causes, and give the same answers.
func TestLiveAndSimulatedAgree(t *testing.T) {
	m := making{"store": store}
	p := compiled(t, both)
	wantLines, wantReplies := liveRun(t, p, m)
	gotLines, gotReplies := simulated(t, p, m)
	if len(wantLines) < 200 {
		t.Errorf("only %d events: the story tells nothing", len(wantLines))
	}
	for i := range max(len(wantLines), len(gotLines)) {
		if i >= len(wantLines) || i >= len(gotLines) || wantLines[i] != gotLines[i] {
			t.Errorf("event %d of %d and %d:\nlive      %s\nsimulated %s", i+1, len(wantLines), len(gotLines), at(wantLines, i), at(gotLines, i))
			break
		}
	}
	for i := range acts() {
		if wantReplies[i] != gotReplies[i] {
			t.Errorf("%+v: live answers %q, simulated %q", acts()[i], wantReplies[i], gotReplies[i])
		}
	}
}

// at shows the lines around a place.
func at(lines []string, i int) string {
	text := ""
	for j := max(i-3, 0); j < min(i+3, len(lines)); j++ {
		text += "\n   " + lines[j]
	}
	return text
}
