package live

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// openBook is a Stateful whose state is one map that its handler changes in place: whoever reads it out of turn races. It has no lock on
// purpose.
type openBook struct {
	pages map[string]any
	shown func() any // in place of the pages; nil: those
}

func (b *openBook) State() any {
	if b.shown != nil {
		return b.shown()
	}
	return b.pages
}

func (b *openBook) SetState(state any) error {
	b.pages = map[string]any{"set": state}
	return nil
}

func (b *openBook) Handle(ctx engine.Context, m engine.Msg) error {
	switch m.Type {
	case "sleep":
		_ = ctx.Sleep(time.Minute)
	case "crash":
		return errors.New("as told")
	default:
		n, _ := b.pages["n"].(int)
		b.pages["n"] = n + 1
	}
	return nil
}

func books(shown func() any) func(*plan.Actor) (engine.Behavior, error) {
	return func(*plan.Actor) (engine.Behavior, error) {
		return &openBook{pages: map[string]any{"n": 0}, shown: shown}, nil
	}
}

func (r rig) steer(t *testing.T, s engine.Steer) {
	t.Helper()
	if err := r.Command(context.Background(), s, "ana"); err != nil {
		t.Fatal(err)
	}
}

// looked is an actor's state, or what stands against reading it.
func (r rig) looked(name string) string {
	state, err := r.State(context.Background(), name, time.Second)
	if err != nil {
		return err.Error()
	}
	return string(state)
}

func (r rig) look(t *testing.T, name, want string) {
	t.Helper()
	if got := r.looked(name); !strings.Contains(got, want) || want == "" {
		t.Errorf("%s: %s, want %q", name, got, want)
	}
}

func TestAStateIsReadBetweenMessages(t *testing.T) {
	run(t, tree(t, leaf("a")), making{"a": books(nil)}, func(t *testing.T, r rig) {
		r.look(t, "a", `{"n":0}`)
		r.ask(t, "a", "count", nil)
		r.look(t, "root/a", `{"n":1}`)
		r.steer(t, engine.Steer{Verb: "pause", Target: "a"})
		r.tellOK(t, "a", "count", nil)
		r.steer(t, engine.Steer{Verb: "set_state", Target: "a", Payload: "x"})
		r.look(t, "a", `{"set":"x"}`)
		r.steer(t, engine.Steer{Verb: "resume", Target: "a"})
		synctest.Wait()
		r.look(t, "a", `{"n":1,"set":"x"}`)
		r.look(t, "b", "unknown actor")
		if _, err := r.State(context.Background(), "root", time.Second); !errors.Is(err, engine.ErrNoState) {
			t.Errorf("the root: %v", err)
		}
	})
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	cases := map[string]func() any{
		"panics": func() any { panic("a bad day") },
		"chan":   func() any { return make(chan int) },
		"large":  func() any { return strings.Repeat("x", kernel.MaxState) },
		"just":   func() any { return strings.Repeat("x", kernel.MaxState-2) },
	}
	var leaves []plan.Actor
	makes := making{"plain": simple(func(engine.Context, engine.Msg) error { return nil })}
	for _, name := range []string{"panics", "chan", "large", "just"} {
		leaves, makes[name] = append(leaves, leaf(name)), books(cases[name])
	}
	run(t, tree(t, append(leaves, leaf("plain"))...), makes, func(t *testing.T, r rig) {
		r.look(t, "panics", "invalid by root/panics: its state: it cannot be read: panic: a bad day")
		r.look(t, "chan", "its state: it cannot be shown as JSON: json: unsupported type: chan int")
		r.look(t, "large", fmt.Sprintf("it is too large to be shown: %d bytes of JSON, at most %d", kernel.MaxState+2, kernel.MaxState))
		r.look(t, "plain", "keeps no state that can be read")
		if got := r.looked("just"); len(got) != kernel.MaxState {
			t.Errorf("just small enough: %d bytes", len(got))
		}
		for _, a := range r.Status().Actors { // looking harms nobody
			if a.State != "running" || a.Failures != 0 || a.Restarts != 0 {
				t.Errorf("%+v", a)
			}
		}
	})
}

func TestABusyActorIsWaitedForAndNoLonger(t *testing.T) {
	run(t, tree(t, leaf("a")), making{"a": books(nil)}, func(t *testing.T, r rig) {
		r.tellOK(t, "a", "sleep", nil)
		synctest.Wait()
		began := time.Now()
		r.look(t, "a", "timeout by root/a: its state is read between two messages, and no handler of it has returned in time")
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %s", took)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		if _, err := r.State(ctx, "a", time.Hour); err == nil || !strings.Contains(err.Error(), "no handler of it has returned in time") {
			t.Errorf("until the context's end: %v", err)
		}
		gone, leave := context.WithCancel(context.Background())
		leave()
		if _, err := r.State(gone, "a", time.Hour); err == nil || !strings.Contains(err.Error(), "canceled") {
			t.Errorf("with a context that has ended: %v", err)
		}
		state, err := r.State(context.Background(), "a", 2*time.Minute)
		if string(state) != `{"n":0}` || err != nil || time.Since(began) != time.Minute {
			t.Errorf("%s, %v after %s", state, err, time.Since(began))
		}
		r.ask(t, "a", "count", nil) // those who did not wait leave nothing behind
		r.look(t, "a", `{"n":1}`)
	})
}

func TestWhoWaitsToLookIsToldThatTheIncarnationIsOver(t *testing.T) {
	slow := leaf("a", func(a *plan.Actor) {
		a.Restart = plan.Restart{Policy: plan.Always, Backoff: plan.Backoff{Initial: time.Minute, Factor: 1, Max: time.Minute}}
	})
	run(t, tree(t, slow), making{"a": books(nil)}, func(t *testing.T, r rig) {
		for _, end := range []struct {
			does func()
			want string
		}{
			{func() { r.steer(t, engine.Steer{Verb: "restart", Target: "a"}) }, "unreachable by root/a: no incarnation is up whose state could be read: the actor is stopping"},
			{func() { r.steer(t, engine.Steer{Verb: "stop", Target: "a"}) }, "the actor is stopping"},
		} {
			r.tellOK(t, "a", "sleep", nil)
			synctest.Wait()
			told := make(chan error, 1)
			go func() {
				_, err := r.State(context.Background(), "a", time.Hour)
				told <- err
			}()
			synctest.Wait()
			end.does()
			if err := <-told; err == nil || !strings.Contains(err.Error(), end.want) {
				t.Errorf("%v, want %q", err, end.want)
			}
			synctest.Wait()
		}
		r.look(t, "a", "the actor is stopped")
		r.steer(t, engine.Steer{Verb: "restart", Target: "a"})
		synctest.Wait()
		r.look(t, "a", `{"n":0}`)
		r.tellOK(t, "a", "crash", nil)
		synctest.Wait()
		r.look(t, "a", "the actor is restarting")
	})
}

// A look closes the gate until somebody comes to it. What came meanwhile is for all handlers to spare, not for that one.
func TestHandlersToSpareGoOnAfterALook(t *testing.T) {
	many := leaf("a", func(a *plan.Actor) { a.Concurrency = 3 })
	run(t, tree(t, many), making{"a": books(nil)}, func(t *testing.T, r rig) {
		a, w := r.byPath("root/a"), newWaiter(r.clock)
		defer w.rest()
		a.mu.Lock()
		a.unusual().looks = []ticket{w.begin(kernel.ForState, nil, a, 0)}
		a.inc.gate.Or(gateErrand)
		a.inc.active++ // it is handed out, and nobody has come yet
		a.mu.Unlock()
		for range 3 {
			r.tellOK(t, "a", "sleep", nil)
		}
		r.pool.run(a.inc)
		if state, err := w.wait(); err != nil || fmt.Sprintf("%s", state) != `{"n":0}` {
			t.Errorf("looked: %s, %v", state, err)
		}
		synctest.Wait()
		if now, _ := r.Actor("root/a"); now.InFlight != 3 || now.Mailbox != 0 {
			t.Errorf("%d in flight, %d wait", now.InFlight, now.Mailbox)
		}
	})
}

func TestNotMoreThanSoManyWaitToLook(t *testing.T) {
	run(t, tree(t, leaf("a")), making{"a": books(nil)}, func(t *testing.T, r rig) {
		r.tellOK(t, "a", "sleep", nil)
		synctest.Wait()
		var done sync.WaitGroup
		for range maxLooks {
			done.Go(func() {
				if _, err := r.State(context.Background(), "a", 2*time.Second); err == nil {
					t.Error("it was shown")
				}
			})
		}
		synctest.Wait()
		r.look(t, "a", "refused by root/a: 64 others wait to read its state")
		done.Wait()
		r.look(t, "a", "timeout") // those before it are gone
	})
}

// Many look while an actor changes its state and is restarted, and nobody races or waits for ever.
func TestLooksAmongMessagesAndRestarts(t *testing.T) {
	run(t, tree(t, leaf("a")), making{"a": books(nil)}, func(t *testing.T, r rig) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 20 {
					_, _ = r.Ask(context.Background(), "a", engine.Msg{Type: "count"}, CallOptions{})
				}
			})
			all.Go(func() {
				for range 20 {
					if got := r.looked("a"); !strings.HasPrefix(got, `{"n":`) && !strings.Contains(got, "no incarnation is up") {
						t.Errorf("looked: %s", got)
					}
				}
			})
		}
		all.Go(func() {
			for range 5 {
				_ = r.Command(context.Background(), engine.Steer{Verb: "restart", Target: "a"}, "ana")
			}
		})
		all.Wait()
		synctest.Wait()
		r.ask(t, "a", "count", nil)
		r.look(t, "a", `{"n":`)
	})
}

// What waits and who waits for room are counted apart.
func TestBlockedSendersAreNoMessagesThatWait(t *testing.T) {
	tight := leaf("a", func(a *plan.Actor) { a.Mailbox.Capacity, a.Mailbox.Overflow = 3, "block" })
	run(t, tree(t, tight), making{"a": books(nil)}, func(t *testing.T, r rig) {
		r.steer(t, engine.Steer{Verb: "pause", Target: "a"})
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { r.tellOK(t, "a", "count", nil) })
		}
		synctest.Wait()
		a, _ := r.Actor("root/a")
		if a.Mailbox != 3 || a.Capacity != 3 || a.Blocked != 2 {
			t.Errorf("%d/%d, %d blocked", a.Mailbox, a.Capacity, a.Blocked)
		}
		if seen := a.Seen(r.Plan()); seen.Mailbox != 5 {
			t.Errorf("rules see %v", seen.Mailbox)
		}
		r.steer(t, engine.Steer{Verb: "resume", Target: "a"})
		all.Wait()
	})
}
