package sim

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
)

const ring = `
policies: {breakers: {b: {window: 2s, min_calls: 3, trip: {consecutive_failures: 3}, open: {for: 300ms}}}}
root:
  intensity: {max: 1000, within: 1s}
  restart: {policy: always, backoff: {initial: 10ms, max: 100ms, jitter: 20%}}
  children:
    - {name: sink, go: sink, mailbox: {capacity: 16, overflow: block, attempts: 3}}
    - {name: source, go: source, mailbox: {capacity: 8, overflow: reject}, guard: {breaker: b, timeout: 200ms, bulkhead: {concurrent: 3, queue: 2, wait: 50ms}}}
    - {name: model, process: {command: [/bin/true]}, mailbox: {capacity: 8, overflow: drop_oldest}, guard: {timeout: 80ms, retry: {attempts: 2, backoff: {initial: 5ms}}}}
    - {name: pool, replicas: 2, route: {pick: round_robin}, go: sink}
`

// Whatever befalls the actors: each ask is answered once and in time, mailboxes keep to their bounds, messages of one sender
// come in order and at most once unless they kill, and nothing is left at the end.
func TestInvariantsUnderRandomFaults(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var seen []float64 // numbers that sink took, in order
		kills := 0
		sink := func() engine.Behavior {
			return handler(func(ctx engine.Context, m engine.Msg) error {
				if n, ok := m.Payload.(float64); ok && ctx.Path() == "root/sink" {
					if ctx.Rand()%11 == 0 {
						kills++
						panic("unlucky")
					}
					seen = append(seen, n)
				}
				return ctx.Sleep(time.Duration(ctx.Rand() % uint64(4*time.Millisecond)))
			})
		}
		n := 0.0
		source := func() engine.Behavior {
			return handler(func(ctx engine.Context, m engine.Msg) error {
				to, err := ctx.Ref("sink")
				if err != nil {
					return err
				}
				for range 3 {
					n++
					if err := ctx.Tell(to, engine.Msg{Type: "n", Payload: n}); errors.Is(err, engine.ErrStopped) {
						return err
					}
				}
				model, _ := ctx.Ref("model")
				pool, _ := ctx.Ref("pool")
				_, errs := ctx.AskAll([]engine.Ref{model, pool}, []engine.Msg{{Type: "x"}, {Type: "y"}}, 150*time.Millisecond)
				for _, err := range errs {
					if errors.Is(err, engine.ErrStopped) {
						return err
					}
				}
				return nil
			})
		}
		r := begin(t, ring, making{"sink": sink, "source": source}, func(o *Options) {
			o.Seed, o.Shuffle = rapid.Uint64().Draw(rt, "seed"), rapid.Uint64Range(0, 3).Draw(rt, "shuffle")
			o.World = map[string]Model{"root/model": {Latency: Latency{P50: 20 * time.Millisecond, P99: 90 * time.Millisecond}, Concurrency: 2}}
			o.Observer = nil
		})
		defer r.Close()
		answers := make([]int, rapid.IntRange(1, 60).Draw(rt, "asks"))
		for i := range answers {
			to := rapid.SampledFrom([]string{"source", "model", "pool", "sink"}).Draw(rt, "to")
			at := time.Duration(rapid.IntRange(0, 1000).Draw(rt, "at")) * time.Millisecond
			r.At(at, func() {
				r.Ask(to, engine.Msg{Type: "go"}, engine.CallOptions{Timeout: time.Second}, func(a Answer) {
					answers[i]++
					if a.Took > time.Second {
						rt.Errorf("answer %d took %s", i, a.Took)
					}
				})
			})
		}
		verbs := []Verb{Crash, Hang, Slow, Fail}
		for range rapid.IntRange(0, 6).Draw(rt, "faults") {
			f := Fault{Verb: rapid.SampledFrom(verbs).Draw(rt, "verb"), Target: rapid.SampledFrom([]string{"source", "model", "pool", "sink"}).Draw(rt, "target"), Factor: 3}
			at := time.Duration(rapid.IntRange(0, 1000).Draw(rt, "begins")) * time.Millisecond
			r.At(at, func() { heal := r.inject(f); r.At(r.Now()+100*time.Millisecond, heal) })
		}
		var look func()
		look = func() {
			r.Actors(func(v engine.Vitals) bool {
				if v.Path == "root/source" && v.InFlight > 1 || v.Path == "root/model" && v.InFlight > 2 {
					rt.Errorf("%s has %d at work", v.Path, v.InFlight)
				}
				return true
			})
			if r.Now() < 3*time.Second {
				r.At(r.Now()+7*time.Millisecond, look)
			}
		}
		r.At(0, look)
		r.run(5 * time.Second)
		for i, times := range answers {
			if times != 1 {
				rt.Errorf("ask %d was answered %d times", i, times)
			}
		}
		if !slices.IsSorted(seen) {
			rt.Errorf("out of order: %v", seen)
		}
		if len(slices.Compact(slices.Clone(seen))) != len(seen) {
			rt.Errorf("handled twice: %v", seen)
		}
		r.Shutdown("over")
		if err := r.RunUntilIdle(time.Hour); err != nil {
			rt.Fatal(err)
		}
		if done, code, why := r.Done(); !done || code != 0 {
			rt.Errorf("done %v, code %d, %s", done, code, why)
		}
		if idle := len(r.loop.spare); idle != alive(r.loop.carriers) {
			rt.Errorf("%d of %d carriers are idle at the end", idle, alive(r.loop.carriers))
		}
	})
}

func alive(all []*carrier) int {
	n := 0
	for _, c := range all {
		if !c.dead {
			n++
		}
	}
	return n
}
