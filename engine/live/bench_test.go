package live

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// deep uses 4 KB of stack before it calls do, as a handler of a real program does. Without it a benchmark flatters
// whoever starts fresh goroutines.
//
//go:noinline
func deep(do func()) byte {
	var frame [4096]byte
	for i := 0; i < len(frame); i += 512 {
		frame[i] = byte(i)
	}
	do()
	return frame[len(frame)-1]
}

// sink is a Recorder that only counts: the journal's cost is measured where it lives.
type sink struct {
	mu sync.Mutex
	n  uint64
}

func (s *sink) Record(journal.Event) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return s.n
}

func benchRig(b *testing.B, p *plan.Plan, m making) *Engine {
	b.Helper()
	e, err := New(Options{Plan: p, Machine: engine.NewMachine(), Clock: clock.System(), Seed: 7, Recorder: &sink{}, Factories: m.factories})
	if err != nil {
		b.Fatal(err)
	}
	e.Start()
	<-e.Up()
	b.Cleanup(func() {
		e.Shutdown("over")
		<-e.Done()
	})
	return e
}

func level(p *plan.Plan, name string) *plan.Plan {
	p.Observe.Level = name
	return p
}

// BenchmarkTell measures sender to handler, senders actors telling receivers actors, in messages a second.
func BenchmarkTell(b *testing.B) {
	for _, senders := range []int{1, 8} {
		for _, lvl := range []string{"basic", "detailed"} {
			b.Run(fmt.Sprintf("%d to 1/%s", senders, lvl), func(b *testing.B) {
				var done sync.WaitGroup
				got := 0
				leaves := []plan.Actor{leaf("sink", func(a *plan.Actor) { a.Mailbox = plan.Mailbox{Capacity: 1 << 12, Overflow: "block", Attempts: 1} })}
				m := making{"sink": simple(func(ctx engine.Context, _ engine.Msg) error {
					deep(func() { got++ })
					done.Done()
					return nil
				})}
				for i := range senders {
					name := fmt.Sprintf("s%d", i)
					leaves = append(leaves, leaf(name))
					m[name] = simple(func(ctx engine.Context, msg engine.Msg) error {
						to, _ := ctx.Ref("sink")
						for range msg.Payload.(int) {
							if err := ctx.Tell(to, engine.Msg{Type: "n"}); err != nil {
								return err
							}
						}
						return nil
					})
				}
				e := benchRig(b, level(tree(b, leaves...), lvl), m)
				each := (b.N + senders - 1) / senders
				done.Add(each * senders)
				b.ReportAllocs()
				b.ResetTimer()
				for i := range senders {
					_ = e.Tell(context.Background(), fmt.Sprintf("s%d", i), engine.Msg{Type: "go", Payload: each}, CallOptions{})
				}
				done.Wait()
			})
		}
	}
}

// BenchmarkAsk measures a round trip between two actors.
func BenchmarkAsk(b *testing.B) {
	for _, guardedBy := range []string{"none", "timeout"} {
		b.Run("guard "+guardedBy, func(b *testing.B) {
			callee := leaf("callee")
			if guardedBy != "none" {
				callee.Guard = &plan.Guard{Name: "callee", Timeout: time.Second, Breaker: opensAfter(5)}
			}
			m := making{
				"callee": simple(func(ctx engine.Context, m engine.Msg) error {
					deep(func() { ctx.Reply(m.Payload) })
					return nil
				}),
				"caller": simple(func(ctx engine.Context, m engine.Msg) error {
					to, _ := ctx.Ref("callee")
					for range m.Payload.(int) {
						if _, err := ctx.Ask(to, engine.Msg{Type: "n"}, 0); err != nil {
							return err
						}
					}
					ctx.Reply(nil)
					return nil
				}),
			}
			e := benchRig(b, level(tree(b, callee, leaf("caller")), "basic"), m)
			b.ReportAllocs()
			b.ResetTimer()
			if _, err := e.Ask(context.Background(), "caller", engine.Msg{Type: "go", Payload: b.N}, CallOptions{Timeout: time.Hour}); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkRestart measures from a panic until the restarted child has handled the next message.
func BenchmarkRestart(b *testing.B) {
	m := making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		if m.Type == "boom" {
			deep(func() { panic("boom") })
		}
		ctx.Reply(nil)
		return nil
	})}
	p := level(tree(b, leaf("a")), "basic")
	p.Actors[0].Supervisor.Intensity = plan.Intensity{Max: 1 << 30, Within: time.Millisecond}
	e := benchRig(b, p, m)
	ref, _ := e.Ref("a")
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		_, _ = e.AskRef(context.Background(), ref, engine.Msg{Type: "boom"}, CallOptions{})
		if _, err := e.AskRef(context.Background(), ref, engine.Msg{Type: "n"}, CallOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// processor is the time that this process has been running on processors: neighbours disturb it less than the wall's.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSpawn measures booting and holding idle supervised actors.
func BenchmarkSpawn(b *testing.B) {
	const n = 50_000
	for b.Loop() {
		b.StopTimer()
		leaves := make([]plan.Actor, n)
		for i := range leaves {
			leaves[i] = leaf(fmt.Sprintf("a%d", i), func(a *plan.Actor) { a.Go.Behaviour = "a" })
		}
		p := level(tree(b, leaves...), "basic")
		for i := range p.Actors[1:] {
			p.Actors[i+1].Order = 0
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start, used := time.Now(), processor()
		b.StartTimer()
		e, err := New(Options{Plan: p, Machine: engine.NewMachine(), Clock: clock.System(), Recorder: &sink{}, Factories: making{"a": simple(echo)}.factories})
		if err != nil {
			b.Fatal(err)
		}
		e.Start()
		<-e.Up()
		b.StopTimer()
		b.ReportMetric(float64(time.Since(start).Nanoseconds())/n, "ns/actor")
		b.ReportMetric(float64(processor()-used)/n, "cpu-ns/actor")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/actor")
		e.Shutdown("over")
		<-e.Done()
		b.StartTimer()
	}
}
