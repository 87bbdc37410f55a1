package live

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

func kindOf(err error) string {
	if e := engine.ErrorOf(err, ""); e != nil {
		return e.Kind
	}
	return ""
}

func TestAnAskTimesOutAndItsLateReplyIsDropped(t *testing.T) {
	var replied []bool
	slow := simple(func(ctx engine.Context, m engine.Msg) error {
		if m.Type == "slow" {
			_ = ctx.Sleep(time.Second)
		}
		replied = append(replied, ctx.Reply(m.Payload))
		return nil
	})
	run(t, tree(t, leaf("a")), making{"a": slow}, func(t *testing.T, r rig) {
		start := time.Now()
		_, err := r.Ask(context.Background(), "a", engine.Msg{Type: "slow", Payload: "late"}, CallOptions{Timeout: 100 * time.Millisecond})
		if kindOf(err) != engine.KindTimeout || time.Since(start) != 100*time.Millisecond {
			t.Fatalf("got %v after %v", err, time.Since(start))
		}
		if got := r.ask(t, "a", "quick", "mine"); got != "mine" {
			t.Errorf("the next ask got %v", got)
		}
		synctest.Wait()
		if len(replied) != 2 || replied[0] || !replied[1] {
			t.Errorf("replies found somebody: %v", replied)
		}
	})
}

// Many askers with deadlines around the time an answer takes: whoever gets an answer gets its own.
func TestNoAskReceivesAnothersAnswer(t *testing.T) {
	run(t, tree(t, leaf("a", func(a *plan.Actor) { a.Concurrency = 8 })), making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		_ = ctx.Sleep(time.Duration(ctx.Rand()%5) * time.Millisecond)
		ctx.Reply(m.Payload)
		return nil
	})}, func(t *testing.T, r rig) {
		var asking sync.WaitGroup
		var mu sync.Mutex
		answers, late := 0, 0
		for g := range 16 {
			asking.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 1))
				for i := range 300 {
					want := [2]int{g, i}
					got, err := r.Ask(context.Background(), "a", engine.Msg{Type: "n", Payload: want},
						CallOptions{Timeout: time.Duration(rnd.IntN(9)+1) * time.Millisecond})
					mu.Lock()
					if err != nil {
						late++
					} else if answers++; got != want {
						t.Errorf("asked %v, got %v", want, got)
					}
					mu.Unlock()
				}
			})
		}
		asking.Wait()
		if answers == 0 || late == 0 {
			t.Errorf("%d answers, %d timeouts: the race did not happen", answers, late)
		}
	})
}

func TestTheAskersCancelEndsTheAsk(t *testing.T) {
	run(t, tree(t, leaf("a")), making{"a": simple(func(ctx engine.Context, _ engine.Msg) error {
		return ctx.Sleep(time.Hour)
	})}, func(t *testing.T, r rig) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := r.Ask(ctx, "a", engine.Msg{Type: "n"}, CallOptions{}); kindOf(err) != engine.KindCanceled {
			t.Errorf("got %v", err)
		}
	})
}

func TestACircleOfAsksIsReported(t *testing.T) {
	pass := func(to string) func(*plan.Actor) (engine.Behavior, error) {
		return simple(func(ctx engine.Context, m engine.Msg) error {
			ref, err := ctx.Ref(to)
			if err != nil {
				return err
			}
			v, err := ctx.Ask(ref, m, 0)
			if err != nil {
				ctx.Fail(engine.ErrorOf(err, ctx.Path()))
				return nil
			}
			ctx.Reply(v)
			return nil
		})
	}
	run(t, tree(t, leaf("a"), leaf("b"), leaf("c"), leaf("self")),
		making{"a": pass("b"), "b": pass("c"), "c": pass("a"), "self": pass("self")}, func(t *testing.T, r rig) {
			start := time.Now()
			_, err := r.Ask(context.Background(), "a", engine.Msg{Type: "go"}, CallOptions{})
			if kindOf(err) != engine.KindRefused || !strings.Contains(err.Error(), "root/c -> root/a -> root/b -> root/c") {
				t.Errorf("three in a circle: %v", err)
			}
			if _, err = r.Ask(context.Background(), "self", engine.Msg{Type: "go"}, CallOptions{}); !strings.Contains(err.Error(), "root/self -> root/self") {
				t.Errorf("asking itself: %v", err)
			}
			if time.Since(start) != 0 {
				t.Errorf("it took %v", time.Since(start))
			}
		})
}

// A chain that is no circle is left alone, also when the same actors ask one another again and again.
func TestAChainOfAsksIsNoCircle(t *testing.T) {
	hop := func(to string) func(*plan.Actor) (engine.Behavior, error) {
		return simple(func(ctx engine.Context, m engine.Msg) error {
			ref, _ := ctx.Ref(to)
			for range 3 {
				if _, err := ctx.Ask(ref, m, 0); err != nil {
					return err
				}
			}
			return nil
		})
	}
	run(t, tree(t, leaf("a"), leaf("b"), leaf("c")), making{"a": hop("b"), "b": hop("c"), "c": simple(echo)}, func(t *testing.T, r rig) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for _, name := range []string{"a", "b"} {
					if _, err := r.Ask(context.Background(), name, engine.Msg{Type: "go"}, CallOptions{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
}

func TestAKillDuringAnAskFreesBothSides(t *testing.T) {
	var inner error
	ended := false
	asks := simple(func(ctx engine.Context, m engine.Msg) error {
		defer func() { ended = true }()
		ref, _ := ctx.Ref("b")
		_, inner = ctx.Ask(ref, m, 0)
		_, _ = ctx.Ask(ref, m, 0) // does not return: the handler is unwound
		t.Error("a blocking call after ErrStopped returned")
		return nil
	})
	never := simple(func(ctx engine.Context, _ engine.Msg) error { return ctx.Sleep(time.Hour) })
	run(t, tree(t, leaf("b"), leaf("a")), making{"a": asks, "b": never}, func(t *testing.T, r rig) {
		result := make(chan error, 1)
		go func() {
			_, err := r.Ask(context.Background(), "a", engine.Msg{Type: "go"}, CallOptions{Timeout: time.Hour})
			result <- err
		}()
		synctest.Wait()
		if err := r.Command(context.Background(), engine.Steer{Verb: "restart", Target: "a"}, "ana"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := <-result; kindOf(err) != engine.KindUnreachable || time.Since(start) > time.Second {
			t.Errorf("the asker got %v after %v", err, time.Since(start))
		}
		if !errors.Is(inner, engine.ErrStopped) || !ended {
			t.Errorf("the handler's ask gave %v, deferred calls ran: %v", inner, ended)
		}
		synctest.Wait()
		if st := r.actorStatus("root/a"); st.State != "running" || st.Incarnation != 2 {
			t.Errorf("a is %s in incarnation %d", st.State, st.Incarnation)
		}
	})
}

func (r rig) actorStatus(path string) ActorStatus {
	for _, a := range r.Status().Actors {
		if a.Path == path {
			return a
		}
	}
	return ActorStatus{}
}

func TestAHandlerThatEndsItsGoroutineIsAFailure(t *testing.T) {
	run(t, tree(t, leaf("a")), making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		if m.Type == "exit" {
			runtime.Goexit()
		}
		return echo(ctx, m)
	})}, func(t *testing.T, r rig) {
		_, err := r.Ask(context.Background(), "a", engine.Msg{Type: "exit"}, CallOptions{})
		if kindOf(err) != engine.KindCrash || !strings.Contains(err.Error(), "Goexit") {
			t.Errorf("got %v", err)
		}
		if got := r.ask(t, "a", "n", 1); got != 1 {
			t.Errorf("then %v", got)
		}
	})
}

func TestAskAllAnswersInOrderAndKeepsErrorsApart(t *testing.T) {
	all := simple(func(ctx engine.Context, m engine.Msg) error {
		var refs []engine.Ref
		var msgs []engine.Msg
		for i, name := range []string{"x", "bad", "x"} {
			ref, _ := ctx.Ref(name)
			refs, msgs = append(refs, ref), append(msgs, engine.Msg{Type: "n", Payload: i})
		}
		answers, errs := ctx.AskAll(refs, msgs, time.Second)
		ctx.Reply([]any{answers[0], kindOf(errs[1]), answers[2]})
		return nil
	})
	bad := simple(func(ctx engine.Context, m engine.Msg) error {
		ctx.Fail(&engine.Error{Kind: "sorry", Delivered: true})
		return nil
	})
	run(t, tree(t, leaf("x"), leaf("bad"), leaf("all")), making{"x": simple(echo), "bad": bad, "all": all}, func(t *testing.T, r rig) {
		got := r.ask(t, "all", "go", nil).([]any)
		if got[0] != 0 || got[1] != "sorry" || got[2] != 2 {
			t.Errorf("got %v", got)
		}
	})
}

func TestABlockedHandlerStarvesNobody(t *testing.T) {
	var leaves []plan.Actor
	m := making{"echo": simple(echo)}
	gate := make(chan struct{})
	for i := range 50 {
		name := "b" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		leaves = append(leaves, leaf(name))
		m[name] = simple(func(engine.Context, engine.Msg) error { <-gate; return nil })
	}
	leaves = append(leaves, leaf("echo"))
	r := newRig(t, tree(t, leaves...), m)
	r.Start()
	<-r.Up()
	for _, a := range leaves[:50] {
		r.tellOK(t, a.Path, "block", nil)
	}
	for i := range 100 {
		if got := r.ask(t, "echo", "n", i); got != i {
			t.Fatalf("got %v", got)
		}
	}
	close(gate)
	r.Shutdown("over")
	<-r.Done()
}

func TestAskUntilShowsAnswersAsTheyComeAndGivesTheRestUp(t *testing.T) {
	var order []int
	asks := simple(func(ctx engine.Context, m engine.Msg) error {
		var refs []engine.Ref
		for _, name := range []string{"slow", "quick", "never"} {
			ref, _ := ctx.Ref(name)
			refs = append(refs, ref)
		}
		began := ctx.Now()
		ctx.(engine.EarlyAsker).AskUntil(refs, []engine.Msg{{Type: "m"}, {Type: "m"}, {Type: "m"}}, time.Minute, func(i int, v any, err error) bool {
			order = append(order, i)
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
			return len(order) < 2
		})
		ctx.Reply(ctx.Now() - began)
		return nil
	})
	after := func(d time.Duration) func(*plan.Actor) (engine.Behavior, error) {
		return simple(func(ctx engine.Context, _ engine.Msg) error { _ = ctx.Sleep(d); ctx.Reply(nil); return nil })
	}
	m := making{"slow": after(2 * time.Second), "quick": after(time.Second), "never": after(time.Hour), "asks": asks}
	run(t, tree(t, leaf("slow"), leaf("quick"), leaf("never"), leaf("asks")), m, func(t *testing.T, r rig) {
		if took := r.ask(t, "asks", "go", nil); took != 2*time.Second || len(order) != 2 || order[0] != 1 || order[1] != 0 {
			t.Errorf("order %v after %v", order, took)
		}
	})
}
