package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/live"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// deep uses 4 KB of stack before it calls do, as a handler of a real program does: without it a benchmark flatters whoever
// starts fresh goroutines.
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

// hook is the journal's place: it numbers events and drops them. The journal's own cost is measured with the journal.
type hook struct {
	mu sync.Mutex
	n  uint64
}

func (h *hook) Record(journal.Event) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	return h.n
}

// handler is a behaviour of one function.
type handler func(ctx engine.Context, m engine.Msg) error

func (h handler) Handle(ctx engine.Context, m engine.Msg) error { return h(ctx, m) }

// cast is the handlers of a tree by the name of their behaviour.
type cast map[string]handler

// crew is how many actors have a behaviour; all of them are children of the root. Those of a group are its replicas, which
// share their definition as those of a file do.
type crew struct {
	behaviour string
	n         int
	group     bool
}

// clockOn starts the clock of a benchmark and gives what stops it. Beside the time that passed it reports the processor time
// spent, which neighbours on a shared machine disturb less.
func clockOn(b *testing.B) (off func()) {
	b.ReportAllocs()
	b.ResetTimer()
	before := processor()
	return func() {
		b.StopTimer()
		b.ReportMetric(float64(processor()-before)/float64(b.N), "cpu-ns/op")
	}
}

// processor is the time that this process has been running on processors.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tree is a plan of one supervisor and its children, which start together.
func tree(b *testing.B, level string, crews ...crew) *plan.Plan {
	b.Helper()
	total := 1
	for _, c := range crews {
		total += c.n
	}
	p := &plan.Plan{Name: "bench", Actors: make([]plan.Actor, 0, total)}
	p.Observe.Level = level
	root := &plan.SupervisorSpec{
		Strategy: plan.OneForOne, AutoShutdown: "never", Children: make([]int, 0, total-1),
		Intensity: plan.Intensity{Max: 1 << 30, Within: time.Millisecond},
	}
	p.Actors = append(p.Actors, plan.Actor{Name: "root", Path: "root", Parent: -1, Definition: &plan.Definition{Kind: plan.Supervisor, Concurrency: 1, Supervisor: root}})
	for _, c := range crews {
		def := &plan.Definition{
			Kind: plan.Go, Concurrency: 1, Go: &plan.GoSpec{Behaviour: c.behaviour},
			Restart:  plan.Restart{Policy: plan.Always},
			Mailbox:  plan.Mailbox{Capacity: 1 << 12, Overflow: "block", OnRestart: "keep", Attempts: 1},
			Shutdown: plan.Shutdown{Drain: time.Second, Kill: time.Second},
		}
		group := plan.Group{Name: c.behaviour, Path: "root/" + c.behaviour, Route: plan.Route{Pick: "least_loaded"}}
		for i := range c.n {
			path := fmt.Sprintf("%s%d", group.Path, i)
			a := plan.Actor{Name: path[len("root/"):], Path: path, Definition: def}
			if c.group {
				a.Group, a.Replica = group.Path, i
				group.Members = append(group.Members, path)
			}
			root.Children = append(root.Children, len(p.Actors))
			p.Actors = append(p.Actors, a)
		}
		if c.group {
			p.Groups = append(p.Groups, group)
		}
	}
	if err := p.Seal(); err != nil {
		b.Fatal(err)
	}
	return p
}

// start brings a plan up.
func start(b *testing.B, p *plan.Plan, c cast) *live.Engine {
	b.Helper()
	e, err := live.New(live.Options{
		Plan: p, Machine: engine.NewMachine(), Clock: clock.System(), Seed: 7, Recorder: &hook{},
		Factories: func(plan.Kind) engine.Factory {
			return func(a *plan.Actor, _ *plan.Plan) (engine.Behavior, error) { return c[a.Go.Behaviour], nil }
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	e.Start()
	<-e.Up()
	return e
}

func stop(e *live.Engine) {
	e.Shutdown("over")
	<-e.Done()
}

// proto is a quiet system of proto.actor.
func proto() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(io.Discard, nil))
	}))
}

// BenchmarkTell is the time of a message from senders to receivers that handle it, all of them actors.
func BenchmarkTell(b *testing.B) {
	for _, s := range []struct {
		name               string
		senders, receivers int
	}{{"1to1", 1, 1}, {"8to1", 8, 1}, {"fanout1000", 1, 1000}} {
		b.Run(s.name+"/ours", func(b *testing.B) { tellOurs(b, s.senders, s.receivers) })
		b.Run(s.name+"/protoactor", func(b *testing.B) { tellProto(b, s.senders, s.receivers) })
		b.Run(s.name+"/channel", func(b *testing.B) { tellChannel(b, s.senders, s.receivers) })
	}
}

// toll counts messages down, each receiver for itself, and opens when all of a receiver's are in.
type toll struct {
	left []int64
	all  sync.WaitGroup
}

// share is how many of n messages each of parts gets.
func share(n, parts int) int { return (n + parts - 1) / parts }

func newToll(receivers, each int) *toll {
	t := &toll{left: make([]int64, receivers*8)} // a cache line each
	for i := range receivers {
		t.left[i*8] = int64(each)
	}
	t.all.Add(receivers)
	return t
}

func (t *toll) pay(receiver int) {
	deep(func() {
		if t.left[receiver*8]--; t.left[receiver*8] == 0 {
			t.all.Done()
		}
	})
}

func tellOurs(b *testing.B, senders, receivers int) {
	each := share(b.N, senders*receivers) // of each sender to each receiver
	t := newToll(receivers, each*senders)
	note := engine.Msg{Type: "n"}
	e := start(b, tree(b, "basic", crew{behaviour: "receiver", n: receivers}, crew{behaviour: "sender", n: senders}), cast{
		"receiver": func(ctx engine.Context, m engine.Msg) error { t.pay(int(ctx.Self().ID) - 2); return nil },
		"sender": func(ctx engine.Context, m engine.Msg) error {
			to := m.Payload.([]engine.Ref)
			for range each {
				for _, r := range to {
					if err := ctx.Tell(r, note); err != nil {
						return err
					}
				}
			}
			return nil
		},
	})
	defer stop(e)
	to := make([]engine.Ref, receivers)
	for i := range to {
		to[i], _ = e.Ref(fmt.Sprintf("receiver%d", i))
	}
	off := clockOn(b)
	for i := range senders {
		if err := e.Tell(context.Background(), fmt.Sprintf("sender%d", i), engine.Msg{Type: "go", Payload: to}, live.CallOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	t.all.Wait()
	off()
}

func tellProto(b *testing.B, senders, receivers int) {
	each := share(b.N, senders*receivers)
	t := newToll(receivers, each*senders)
	s := proto()
	to := make([]*actor.PID, receivers)
	for i := range to {
		to[i] = s.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
			if _, ok := c.Message().(*note); ok {
				t.pay(i)
			}
		}))
	}
	from := make([]*actor.PID, senders)
	one := &note{}
	for i := range from {
		from[i] = s.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
			if _, ok := c.Message().(*begin); ok {
				for range each {
					for _, r := range to {
						c.Send(r, one)
					}
				}
			}
		}))
	}
	off := clockOn(b)
	for _, f := range from {
		s.Root.Send(f, &begin{})
	}
	t.all.Wait()
	off()
	s.Shutdown()
}

type (
	note  struct{}
	begin struct{}
	boom  struct{}
)

func tellChannel(b *testing.B, senders, receivers int) {
	each := share(b.N, senders*receivers)
	t := newToll(receivers, each*senders)
	to := make([]chan engine.Msg, receivers)
	for i := range to {
		to[i] = make(chan engine.Msg, 1<<12)
		go func() {
			for range to[i] {
				t.pay(i)
			}
		}()
	}
	off := clockOn(b)
	for range senders {
		go func() {
			for range each {
				for _, r := range to {
					r <- engine.Msg{Type: "n"}
				}
			}
		}()
	}
	t.all.Wait()
	off()
	for _, c := range to {
		close(c)
	}
}

// BenchmarkAsk is the time of a request and its answer; callers ask one answerer at once.
func BenchmarkAsk(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("%d/ours", callers), func(b *testing.B) { askOurs(b, callers) })
		b.Run(fmt.Sprintf("%d/protoactor", callers), func(b *testing.B) { askProto(b, callers) })
		b.Run(fmt.Sprintf("%d/channel", callers), func(b *testing.B) { askChannel(b, callers) })
	}
}

func askOurs(b *testing.B, callers int) {
	each := share(b.N, callers)
	var done sync.WaitGroup
	done.Add(callers)
	e := start(b, tree(b, "basic", crew{behaviour: "answerer", n: 1}, crew{behaviour: "caller", n: callers}), cast{
		"answerer": func(ctx engine.Context, m engine.Msg) error {
			deep(func() { ctx.Reply(m.Payload) })
			return nil
		},
		"caller": func(ctx engine.Context, m engine.Msg) error {
			defer done.Done()
			for range each {
				if _, err := ctx.Ask(m.Payload.(engine.Ref), engine.Msg{Type: "n"}, 10*time.Second); err != nil {
					return err
				}
			}
			return nil
		},
	})
	defer stop(e)
	to, _ := e.Ref("answerer0")
	off := clockOn(b)
	for i := range callers {
		if err := e.Tell(context.Background(), fmt.Sprintf("caller%d", i), engine.Msg{Type: "go", Payload: to}, live.CallOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	done.Wait()
	off()
}

func askProto(b *testing.B, callers int) {
	each := share(b.N, callers)
	s := proto()
	defer s.Shutdown()
	to := s.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		if m, ok := c.Message().(*note); ok {
			deep(func() { c.Respond(m) })
		}
	}))
	one := &note{}
	var done sync.WaitGroup
	off := clockOn(b)
	for range callers {
		done.Go(func() {
			for range each {
				if _, err := s.Root.RequestFuture(to, one, 10*time.Second).Result(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
	off()
}

func askChannel(b *testing.B, callers int) {
	each := share(b.N, callers)
	type request struct{ reply chan int }
	requests := make(chan request, 64)
	go func() {
		for r := range requests {
			deep(func() { r.reply <- 1 })
		}
	}()
	var done sync.WaitGroup
	off := clockOn(b)
	for range callers {
		done.Go(func() {
			reply := make(chan int, 1)
			for range each {
				requests <- request{reply}
				<-reply
			}
		})
	}
	done.Wait()
	off()
	close(requests)
}

// BenchmarkRestart is the time from a panic in a handler until the next message is in the handler of the restarted child.
func BenchmarkRestart(b *testing.B) {
	b.Run("ours", restartOurs)
	b.Run("protoactor", restartProto)
}

// report sorts what was measured and reports its quantiles.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
	b.ReportMetric(0, "ns/op")
}

func restartOurs(b *testing.B) {
	var failed time.Time
	back := make(chan time.Duration, 1)
	e := start(b, tree(b, "basic", crew{behaviour: "child", n: 1}), cast{"child": func(ctx engine.Context, m engine.Msg) error {
		if m.Type == "boom" {
			deep(func() { failed = time.Now(); panic("boom") })
		}
		deep(func() { back <- time.Since(failed) })
		return nil
	}})
	defer stop(e)
	var took []time.Duration
	b.ReportAllocs()
	for range b.N {
		_ = e.Tell(context.Background(), "child0", engine.Msg{Type: "boom"}, live.CallOptions{})
		_ = e.Tell(context.Background(), "child0", engine.Msg{Type: "n"}, live.CallOptions{})
		took = append(took, <-back)
	}
	report(b, took)
}

func restartProto(b *testing.B) {
	var failed time.Time
	back := make(chan time.Duration, 1)
	s := proto()
	defer s.Shutdown()
	child := actor.PropsFromFunc(func(c actor.Context) {
		switch c.Message().(type) {
		case *boom:
			deep(func() { failed = time.Now(); panic("boom") })
		case *note:
			deep(func() { back <- time.Since(failed) })
		}
	})
	born := make(chan *actor.PID, 1)
	always := actor.NewOneForOneStrategy(1<<30, time.Millisecond, func(any) actor.Directive { return actor.RestartDirective })
	s.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(*actor.Started); ok {
			born <- c.Spawn(child)
		}
	}, actor.WithSupervisor(always)))
	pid := <-born
	var took []time.Duration
	b.ReportAllocs()
	for range b.N {
		s.Root.Send(pid, &boom{})
		s.Root.Send(pid, &note{})
		took = append(took, <-back)
	}
	report(b, took)
}

// BenchmarkIdle makes many supervised actors that wait for messages: the time of making one, the memory of one, and the time
// to stop them all.
func BenchmarkIdle(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("%d/ours", n), func(b *testing.B) { idleOurs(b, n) })
		b.Run(fmt.Sprintf("%d/detailed", n), func(b *testing.B) { idleDetailed(b, n) })
		b.Run(fmt.Sprintf("%d/protoactor", n), func(b *testing.B) { idleProto(b, n) })
		b.Run(fmt.Sprintf("%d/goroutine", n), func(b *testing.B) { idleGoroutine(b, n) })
	}
}

// inUse is the memory of heap and stacks that is in use.
func inUse() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

// measure reports making and stopping n of something.
func measure(b *testing.B, n int, make func() (stop func())) {
	for range b.N {
		before, began, worked := inUse(), time.Now(), processor()
		stop := make()
		took := time.Since(began)
		b.ReportMetric(float64(processor()-worked)/float64(n), "spawn-cpu-ns/actor")
		held := inUse() - before
		began = time.Now()
		stop()
		b.ReportMetric(float64(took)/float64(n), "spawn-ns/actor")
		b.ReportMetric(held/float64(n), "B/actor")
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "stop-ms")
		b.ReportMetric(0, "ns/op")
	}
}

func idleOurs(b *testing.B, n int) {
	var p *plan.Plan
	before := inUse()
	p = tree(b, "basic", crew{behaviour: "idle", n: n, group: true})
	b.ReportMetric((inUse()-before)/float64(n), "plan-B/actor")
	measure(b, n, func() func() {
		e := start(b, p, cast{"idle": func(engine.Context, engine.Msg) error { return nil }})
		return func() { stop(e) }
	})
	runtime.KeepAlive(p)
}

// idleDetailed is idleOurs at level detailed, after each actor has handled a message: it has counts and a histogram then.
func idleDetailed(b *testing.B, n int) {
	p := tree(b, "detailed", crew{behaviour: "idle", n: n, group: true})
	measure(b, n, func() func() {
		var all sync.WaitGroup
		all.Add(n)
		e := start(b, p, cast{"idle": func(engine.Context, engine.Msg) error { all.Done(); return nil }})
		for i := range n {
			if err := e.Tell(context.Background(), p.Actors[i+1].Path, engine.Msg{Type: "n"}, live.CallOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		all.Wait()
		return func() { stop(e) }
	})
	runtime.KeepAlive(p)
}

func idleProto(b *testing.B, n int) {
	measure(b, n, func() func() {
		s := proto()
		made := make(chan struct{})
		child := actor.PropsFromFunc(func(actor.Context) {})
		parent := s.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
			if _, ok := c.Message().(*actor.Started); ok {
				for range n {
					c.Spawn(child)
				}
				close(made)
			}
		}))
		<-made
		return func() {
			_ = s.Root.StopFuture(parent).Wait()
			s.Shutdown()
		}
	})
}

func idleGoroutine(b *testing.B, n int) {
	measure(b, n, func() func() {
		quit := make(chan struct{})
		var all sync.WaitGroup
		for range n {
			box := make(chan engine.Msg, 1)
			all.Go(func() {
				select {
				case <-box:
				case <-quit:
				}
			})
		}
		return func() {
			close(quit)
			all.Wait()
		}
	})
}

// BenchmarkPoison counts the messages handled of 99 around one that kills the actor.
func BenchmarkPoison(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		var got []int
		done := make(chan struct{}, 1)
		for range b.N {
			got = nil
			e := start(b, tree(b, "basic", crew{behaviour: "child", n: 1}), cast{"child": func(ctx engine.Context, m engine.Msg) error {
				n := m.Payload.(int)
				switch {
				case n == 50:
					panic("poison")
				case n == 100:
					done <- struct{}{}
				}
				got = append(got, n)
				return nil
			}})
			for i := range 101 {
				_ = e.Tell(context.Background(), "child0", engine.Msg{Type: "n", Payload: i}, live.CallOptions{})
			}
			<-done
			stop(e)
			if !slices.IsSorted(got) {
				b.Fatalf("reordered: %v", got)
			}
		}
		b.ReportMetric(float64(len(got)-1), "handled-of-99")
		b.ReportMetric(0, "ns/op")
	})
}
