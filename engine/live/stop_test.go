package live

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

func TestAStopDrainsThenCancelsThenFences(t *testing.T) {
	gate := (chan struct{})(nil)
	for _, c := range []struct {
		name   string
		handle handler
		took   time.Duration
		leaked bool
		asker  string
	}{
		{"finishes while draining", func(ctx engine.Context, m engine.Msg) error {
			_ = ctx.Sleep(500 * time.Millisecond)
			return echo(ctx, m)
		}, 500 * time.Millisecond, false, ""},
		{"is cancelled", func(ctx engine.Context, m engine.Msg) error {
			return ctx.Sleep(time.Hour)
		}, time.Second, false, engine.KindUnreachable},
		{"never returns", func(ctx engine.Context, m engine.Msg) error {
			<-gate
			if ctx.Reply("from beyond") {
				t.Error("a fenced handler's reply found somebody")
			}
			ref, _ := ctx.Ref("b")
			if err := ctx.Tell(ref, engine.Msg{Type: "n"}); !errors.Is(err, engine.ErrStopped) {
				t.Errorf("a fenced handler's tell gave %v", err)
			}
			return nil
		}, 2 * time.Second, true, engine.KindUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, tree(t, leaf("a"), leaf("b")), making{"a": simple(c.handle), "b": simple(echo)}, func(t *testing.T, r rig) {
				gate = make(chan struct{})
				asked := make(chan error, 1)
				go func() {
					_, err := r.Ask(context.Background(), "a", engine.Msg{Type: "go"}, CallOptions{Timeout: time.Hour})
					asked <- err
				}()
				synctest.Wait()
				start := time.Now()
				if err := r.Command(context.Background(), engine.Steer{Verb: "restart", Target: "a"}, "ana"); err != nil {
					t.Fatal(err)
				}
				if err := <-asked; kindOf(err) != c.asker {
					t.Errorf("the asker got %v", err)
				}
				synctest.Wait()
				if took := time.Since(start); took != c.took {
					t.Errorf("it took %v", took)
				}
				if got := len(r.book.of(journal.TypeActorLeaked, "root/a")) == 1; got != c.leaked {
					t.Errorf("leaked: %v", got)
				}
				if st := r.actorStatus("root/a"); st.State != "running" || st.Incarnation != 2 {
					t.Errorf("a is %s in incarnation %d", st.State, st.Incarnation)
				}
				close(gate)
				synctest.Wait()
				if st := r.actorStatus("root/a"); st.InFlight != 0 || st.Mailbox != 0 {
					t.Errorf("the fenced handler's return changed the actor: %+v", st)
				}
			})
		})
	}
}

// service is a Runner whose every step can be told to fail or hang.
type service struct {
	startErr, initErr error
	stopFor           time.Duration
	life              engine.Life
	stopped           atomic.Bool
}

func (s *service) Start(l engine.Life) error { s.life = l; return s.startErr }
func (s *service) Init(engine.Context) error { return s.initErr }
func (s *service) Stop(ctx context.Context) error {
	s.stopped.Store(true)
	time.Sleep(s.stopFor)
	return nil
}
func (s *service) Handle(ctx engine.Context, m engine.Msg) error {
	if m.Type == "wait" {
		return ctx.Sleep(time.Hour)
	}
	return echo(ctx, m)
}

func TestFailedStartsAreRetriedAndCleanedUp(t *testing.T) {
	for _, stage := range []string{"factory", "start", "init", "panic", "goexit"} {
		t.Run(stage, func(t *testing.T) {
			var made []*service
			m := making{"a": func(*plan.Actor) (engine.Behavior, error) {
				s := &service{}
				made = append(made, s)
				if len(made) > 2 {
					return s, nil
				}
				err := fmt.Errorf("no luck at %s", stage)
				switch stage {
				case "factory":
					return nil, err
				case "start":
					s.startErr = err
				case "init":
					s.initErr = err
				case "panic":
					panic("no luck at panic")
				case "goexit":
					runtime.Goexit()
				}
				return s, nil
			}}
			backs := leaf("a", func(a *plan.Actor) { a.Restart.Backoff.Initial = time.Second })
			run(t, tree(t, backs), m, func(t *testing.T, r rig) {
				if got := r.ask(t, "a", "n", 1); got != 1 || len(made) != 3 {
					t.Fatalf("answered %v after %d tries", got, len(made))
				}
				failed := r.book.of(journal.TypeActorFailed, "root/a")
				reason := "no luck at " + stage
				if stage == "goexit" {
					reason = "runtime.Goexit"
				}
				if len(failed) != 2 || !strings.Contains(string(failed[0].Payload), reason) {
					t.Errorf("%d failures, first %s", len(failed), journal.Describe(failed[0]))
				}
				began := stage == "start" || stage == "init"
				if made[0].stopped.Load() != began || made[2].stopped.Load() {
					t.Errorf("stopped: %v, running one: %v", made[0].stopped.Load(), made[2].stopped.Load())
				}
			})
			if !made[2].stopped.Load() {
				t.Error("the last one was not stopped at shutdown")
			}
		})
	}
}

func TestARunnersExitRestartsItAndOldWordsAreVoid(t *testing.T) {
	var made []*service
	m := making{"a": func(*plan.Actor) (engine.Behavior, error) {
		made = append(made, &service{})
		return made[len(made)-1], nil
	}}
	run(t, tree(t, leaf("a")), m, func(t *testing.T, r rig) {
		asked := make(chan error, 1)
		go func() {
			_, err := r.Ask(context.Background(), "a", engine.Msg{Type: "wait"}, CallOptions{Timeout: time.Hour})
			asked <- err
		}()
		synctest.Wait()
		made[0].life.Healthy(false, "no answer")
		synctest.Wait()
		if st := r.actorStatus("root/a"); st.Healthy {
			t.Error("a sick actor is shown as healthy")
		}
		made[0].life.Exited(&engine.Failure{Kind: engine.KindExit, Message: "signal: killed", Signal: "killed", ExitCode: -1})
		if err := <-asked; kindOf(err) != engine.KindUnreachable {
			t.Errorf("the asker got %v", err)
		}
		synctest.Wait()
		made[0].life.Exited(&engine.Failure{Kind: engine.KindExit, Message: "again"})
		made[0].life.Healthy(false, "old")
		synctest.Wait()
		st := r.actorStatus("root/a")
		if len(made) != 2 || st.State != "running" || !st.Healthy || st.Restarts != 1 {
			t.Errorf("%d incarnations, %+v", len(made), st)
		}
		failed, ready := r.book.of(journal.TypeActorFailed, ""), r.book.of(journal.TypeActorReady, "root/a")
		if len(failed) != 1 || failed[0].Correlation != ready[1].Correlation {
			t.Errorf("%d failures; correlations %q and %q", len(failed), failed[0].Correlation, ready[1].Correlation)
		}
	})
}

func TestAStopThatHangsIsGivenUp(t *testing.T) {
	run(t, tree(t, leaf("a")), making{"a": func(*plan.Actor) (engine.Behavior, error) { return &service{stopFor: time.Minute}, nil }}, func(t *testing.T, r rig) {
		start := time.Now()
		r.Shutdown("over")
		<-r.Done()
		if took := time.Since(start); took != time.Second+stopGrace {
			t.Errorf("the shutdown took %v", took)
		}
		if len(r.book.of(journal.TypeActorLeaked, "root/a")) != 1 {
			t.Error("the leak is not told")
		}
		time.Sleep(time.Minute)
	})
}

func TestTheRootsGiveUpEndsTheEngine(t *testing.T) {
	p := tree(t, leaf("a"), leaf("b"))
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, p, making{"b": simple(echo), "a": func(*plan.Actor) (engine.Behavior, error) { return nil, errors.New("never") }})
		r.Start()
		<-r.Done()
		if code, why := r.Result(); code != 70 || !strings.Contains(why, "root/a") {
			t.Errorf("ended with %d: %s", code, why)
		}
		start := time.Now()
		for _, name := range []string{"a", "b"} {
			if _, err := r.Ask(context.Background(), name, engine.Msg{Type: "n"}, CallOptions{}); kindOf(err) != engine.KindUnreachable {
				t.Errorf("%s: %v", name, err)
			}
		}
		if time.Since(start) != 0 {
			t.Error("asking who is gone takes time")
		}
	})
}

func TestASiblingStartsWhenThoseBeforeItAreReady(t *testing.T) {
	var order []string
	slow := func(a *plan.Actor) (engine.Behavior, error) {
		order = append(order, "make "+a.Name)
		return initer{func(ctx engine.Context) error {
			err := ctx.Sleep(time.Second)
			order = append(order, "ready "+a.Name)
			return err
		}}, nil
	}
	run(t, tree(t, leaf("a"), leaf("b")), making{"a": slow, "b": slow}, func(t *testing.T, r rig) {
		if got := strings.Join(order, ", "); got != "make a, ready a, make b, ready b" {
			t.Errorf("order: %s", got)
		}
	})
}

type initer struct{ init func(engine.Context) error }

func (i initer) Init(ctx engine.Context) error                 { return i.init(ctx) }
func (i initer) Handle(ctx engine.Context, m engine.Msg) error { return echo(ctx, m) }
