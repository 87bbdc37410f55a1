package live

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// between takes a frame of the actor's to where a worker stands that has taken a message and not begun to handle it.
func (r rig) between(path string) *frame {
	a := r.byPath(path)
	f := newFrame(r.Engine)
	a.mu.Lock()
	defer a.mu.Unlock()
	f.inc, f.actor, f.seen = a.inc, a, true
	f.env = envelope{msg: engine.Msg{Type: "n"}, attempt: 1}
	a.inc.active++
	a.inc.list(f)
	return f
}

// A message that was taken just before the actor was given up is not begun any more: nobody would give up its handler.
func TestNothingBeginsAfterTheFence(t *testing.T) {
	for _, kill := range []time.Duration{0, time.Second} {
		began := make(chan string, 2)
		note := simple(func(_ engine.Context, m engine.Msg) error { began <- m.Type; return nil })
		a := leaf("a", func(a *plan.Actor) { a.Concurrency, a.Shutdown.Drain, a.Shutdown.Kill = 2, 0, kill })
		run(t, tree(t, a), making{"a": note}, func(t *testing.T, r rig) {
			f := r.between("root/a")
			if err := r.Command(context.Background(), engine.Steer{Verb: "restart", Target: "a"}, "ana"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(kill)
			synctest.Wait() // the fence has found nobody in a behaviour's code
			if p := f.handle(); p != goOn || f.take() {
				t.Errorf("the worker goes on (%v)", p)
			}
			f.rest()
			synctest.Wait()
			select {
			case m := <-began:
				t.Errorf("kill %v: %q was begun after the fence", kill, m)
			default:
			}
			if st := r.actorStatus("root/a"); st.Incarnation != 2 || st.DeadLetters != 1 || st.State != "running" {
				t.Errorf("kill %v: %+v", kill, st)
			}
		})
	}
}

// An exchange's clock starts with it, not with the end of the one that used its frame before.
func TestAnExchangeIsTimedFromItsBeginning(t *testing.T) {
	up := func(*plan.Actor) (engine.Behavior, error) {
		return pipe{handler(echo), func(http.ResponseWriter, *http.Request) error { return nil }}, nil
	}
	run(t, level(tree(t, leaf("a")), "full"), making{"a": up}, func(t *testing.T, r rig) {
		ref, _ := r.Ref("a")
		for range 2 {
			time.Sleep(time.Minute)
			if _, err := r.Proxy(ref, httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), CallOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		var n uint32
		for i, count := range r.actorStatus("root/a").Latency.Counts(nil) {
			if n += count; count > 0 && engine.BucketLimit(i) > time.Second {
				t.Errorf("%d exchanges took up to %v", count, engine.BucketLimit(i))
			}
		}
		if n != 2 {
			t.Errorf("%d exchanges were counted", n)
		}
	})
}

// What a health check of an earlier incarnation still says is not about the one that runs.
func TestALateHealthCheckIsVoid(t *testing.T) {
	run(t, tree(t, leaf("a")), making{"a": simple(echo)}, func(t *testing.T, r rig) {
		first := r.byPath("root/a").inc
		if err := r.Command(context.Background(), engine.Steer{Verb: "restart", Target: "a"}, "ana"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.healthy(first, false, "late")
		if st := r.actorStatus("root/a"); st.Incarnation != 2 || !st.Healthy {
			t.Errorf("%+v", st)
		}
	})
}

// Who drops a message for a newer one leaves the count alone that belongs to the consumer, which changes it without a lock.
func TestADropLeavesTheConsumersCountAlone(t *testing.T) {
	var gate chan struct{}
	var s seen
	run(t, tree(t, leaf("a", box4("reject"))), making{"a": simple(held(&s, &gate))}, func(t *testing.T, r rig) {
		gate = make(chan struct{})
		a := r.byPath("root/a")
		r.tellOK(t, "a", "hold", nil)
		synctest.Wait()
		a.mu.Lock()
		a.box.Overflow = kernel.OverflowDropOldest // as by a reload, while the consumer may hold a chain that it has stolen
		a.mu.Unlock()
		before := a.done.Load()
		for i := range 9 {
			r.tellOK(t, "a", "n", i)
		}
		if done := a.done.Load(); done != before {
			t.Errorf("the count went from %d to %d", before, done)
		}
		close(gate)
		synctest.Wait()
		if got := s.list(); len(got) != 4 || got[0] != 5 {
			t.Errorf("handled %v", got)
		}
	})
}

// A context whose handler has returned does nothing for who kept it, while its worker has nothing to do.
func TestAKeptContextDoesNothing(t *testing.T) {
	var kept engine.Context
	run(t, tree(t, leaf("a")), making{"a": func(*plan.Actor) (engine.Behavior, error) {
		return handler(func(ctx engine.Context, m engine.Msg) error { kept = ctx; return nil }), nil
	}}, func(t *testing.T, r rig) {
		r.ask(t, "a", "keep", nil)
		synctest.Wait()
		ref, err := r.Ref("a")
		if err != nil {
			t.Fatal(err)
		}
		m := engine.Msg{Type: "late"}
		_, asked := kept.Ask(ref, m, 0)
		_, all := kept.AskAll([]engine.Ref{ref}, []engine.Msg{m}, 0)
		_, called := kept.Call(0, func(context.Context) (any, error) { return nil, nil })
		for what, err := range map[string]error{"tell": kept.Tell(ref, m), "ask": asked, "ask all": all[0], "sleep": kept.Sleep(1), "call": called, "stash": kept.Stash()} {
			if !errors.Is(err, engine.ErrStopped) {
				t.Errorf("%s: %v", what, err)
			}
		}
		kept.Emit(journal.Logged{Level: "info", Text: "late"})
		if n := kept.Unstash(); n != 0 || len(r.book.of(journal.TypeLogged, "root/a")) != 0 {
			t.Errorf("unstashed %d; told %v", n, r.book.of(journal.TypeLogged, "root/a"))
		}
	})
}

// tardy is a Runner whose Start takes as long as the test wants.
type tardy struct {
	handler
	until           chan struct{}
	inited, stopped *int
}

func (s tardy) Start(engine.Life) error    { <-s.until; return nil }
func (s tardy) Stop(context.Context) error { *s.stopped++; return nil }
func (s tardy) Init(engine.Context) error  { *s.inited++; return nil }

// A start that was given up goes no further when its Start returns at last: what it began is stopped, and it is not said to run.
func TestAStartThatWasGivenUpGoesNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made, inited, stopped, until := 0, 0, 0, make(chan struct{})
		m := making{"a": func(*plan.Actor) (engine.Behavior, error) {
			if made++; made > 1 {
				return handler(echo), nil
			}
			return tardy{handler(echo), until, &inited, &stopped}, nil
		}}
		a := leaf("a", func(a *plan.Actor) { a.Shutdown.Drain, a.Shutdown.Kill = 0, time.Second })
		r := newRig(t, tree(t, a), m)
		r.Start()
		synctest.Wait()
		go func() { _ = r.Command(context.Background(), engine.Steer{Verb: "restart", Target: "a"}, "ana") }()
		time.Sleep(5 * time.Second) // the second incarnation is up
		synctest.Wait()
		close(until)
		synctest.Wait()
		started := r.book.of(journal.TypeActorStarted, "root/a")
		if st := r.actorStatus("root/a"); st.Incarnation != 2 || st.State != "running" || inited != 0 || stopped != 1 || len(started) != 1 {
			t.Errorf("%+v; Init was called %d times, Stop %d times, %d were told to have started", st, inited, stopped, len(started))
		}
		r.Shutdown("test over")
		<-r.Done()
		synctest.Wait()
	})
}
