package sim

import (
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

// cpu is the processor time of this process: on a machine that others use too it says more than the clock.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rate reports messages by the second of processor time.
func rate(b *testing.B, n float64, spent time.Duration) {
	b.ReportMetric(n/spent.Seconds()/1e6, "Mmsg/cpu-s")
}

// drive sends messages by virtual timers, per of them each virtual millisecond, until n answers have come.
func (r *rig) drive(b *testing.B, per int, to, message string, payload any) {
	ref, err := r.Ref(to)
	if err != nil {
		b.Fatal(err)
	}
	left, failed := b.N, 0
	heard := func(a Answer) { // one for all, as the loads of a scenario use theirs again
		if a.Err != nil {
			failed++
		}
		left--
	}
	var tick func()
	tick = func() {
		for range per {
			r.AskRef(ref, engine.Msg{Type: message, Payload: payload}, engine.CallOptions{}, heard)
		}
		if left > 0 {
			r.At(r.Now()+time.Millisecond, tick)
		}
	}
	r.Engine.watcher = nil
	r.At(r.Now(), tick)
	before, start := r.Messages(), cpu()
	b.ReportAllocs()
	b.ResetTimer()
	for left > 0 {
		if err := r.Run(r.Now() + time.Second); err != nil { // a scenario runs to its end at once
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if failed > b.N/100+20 { // the tail of the latency passes the timeout
		b.Fatalf("%d of %d failed", failed, b.N)
	}
	n := float64(r.Messages() - before)
	rate(b, 2*n, cpu()-start) // each has an answer
}

// BenchmarkTell is a ring of Go behaviours that tell each other: the floor.
func BenchmarkTell(b *testing.B) {
	left := b.N
	pass := func(to string) func() engine.Behavior {
		var ref engine.Ref
		return simple(func(ctx engine.Context, m engine.Msg) error {
			if ref.ID == 0 {
				ref, _ = ctx.Ref(to)
			}
			if left--; left > 0 {
				return ctx.Tell(ref, m)
			}
			return nil
		})
	}
	r := begin(b, two, making{"a": pass("b"), "b": pass("a")}, func(o *Options) { o.MaxTurns = 1 << 40; o.Observer = nil })
	b.ReportAllocs()
	b.ResetTimer()
	start := cpu()
	_ = r.Tell("a", engine.Msg{Type: "x"}, engine.CallOptions{})
	r.run(time.Millisecond)
	if left > 0 {
		b.Fatal("not all were passed on")
	}
	rate(b, float64(b.N), cpu()-start)
}

// BenchmarkAskBlocking is a Go behaviour that asks another and waits: what the switch to and fro costs.
func BenchmarkAskBlocking(b *testing.B) {
	m := making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		ref, _ := ctx.Ref("b")
		for range b.N {
			if _, err := ctx.Ask(ref, m, time.Second); err != nil {
				return err
			}
		}
		return nil
	}), "b": simple(func(ctx engine.Context, m engine.Msg) error { ctx.Reply(nil); return nil })}
	r := begin(b, two, m, func(o *Options) { o.MaxTurns = 1 << 40; o.Observer = nil })
	b.ReportAllocs()
	b.ResetTimer()
	start := cpu()
	_ = r.Tell("a", engine.Msg{Type: "x"}, engine.CallOptions{})
	r.run(time.Millisecond)
	b.StopTimer()
	if v, _ := r.Actor("b"); v.Calls != uint64(b.N) {
		b.Fatalf("%d of %d asks", v.Calls, b.N)
	}
	rate(b, 2*float64(b.N), cpu()-start)
}

// BenchmarkModel asks a model with nothing in between.
func BenchmarkModel(b *testing.B) {
	r := begin(b, shop, nil)
	r.run(time.Second)
	r.drive(b, 10, "cache", "get", map[string]any{"key": "k"})
}

// BenchmarkGuarded asks a model through breaker and timeout: each call waits about 20 ms, 200 are out at any time.
func BenchmarkGuarded(b *testing.B) {
	r := begin(b, shop, nil, func(o *Options) {
		o.World = map[string]Model{"root/database": {Latency: Latency{P50: 20 * time.Millisecond, P99: 80 * time.Millisecond}, Concurrency: 1000}}
	})
	r.run(time.Second)
	r.drive(b, 10, "database", "query", map[string]any{"id": "a"})
}

// BenchmarkCheckout is the shop of the examples: a script that asks a guarded model and another script.
func BenchmarkCheckout(b *testing.B) {
	r := begin(b, shop, nil, func(o *Options) {
		o.World = map[string]Model{"root/database": {Latency: Latency{P50: 5 * time.Millisecond, P99: 40 * time.Millisecond}}}
	})
	r.run(time.Second)
	r.drive(b, 5, "api", "checkout", map[string]any{"id": "a"})
}

// BenchmarkVirtualHour is twenty actors that pass a thousand messages a second: it tells the virtual hours that fit into a
// second of processor time.
func BenchmarkVirtualHour(b *testing.B) {
	const actors, perSecond = 20, 1000
	text := "root:\n  children:\n    - {name: db, upstream: \"http://127.0.0.1:1\", guard: {timeout: 200ms, breaker: {trip: {consecutive_failures: 5}}}}\n"
	for i := range actors - 1 {
		text += "    - {name: a" + strconv.Itoa(i) + ", go: a}\n"
	}
	hop := simple(func(ctx engine.Context, m engine.Msg) error { ctx.Reply(nil); return nil })
	r := begin(b, text, making{"a": hop}, func(o *Options) { o.Observer = nil })
	r.run(time.Second)
	refs := []engine.Ref{}
	for i := range actors - 1 {
		ref, _ := r.Ref("a" + strconv.Itoa(i))
		refs = append(refs, ref)
	}
	db, _ := r.Ref("db")
	n := 0
	var tick func()
	tick = func() {
		to := refs[n%len(refs)]
		if n++; n%4 == 0 {
			to = db
		}
		r.AskRef(to, engine.Msg{Type: "x"}, engine.CallOptions{}, func(Answer) {})
		r.At(r.Now()+2*time.Second/perSecond, tick) // each message has an answer
	}
	r.At(r.Now(), tick)
	b.ResetTimer()
	start, from := cpu(), r.Now()
	for range b.N {
		r.run(time.Second)
	}
	b.ReportMetric((r.Now()-from).Hours()/(cpu()-start).Seconds(), "virtual-h/cpu-s")
}
