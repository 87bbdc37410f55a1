package live

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// log keeps what a behaviour has seen, over incarnations.
type seen struct {
	mu  sync.Mutex
	all []any
}

func (s *seen) add(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, v)
}

func (s *seen) list() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// held is a behaviour that waits for a gate on "hold" and logs the payload of everything else.
func held(s *seen, gate *chan struct{}) handler {
	return func(ctx engine.Context, m engine.Msg) error {
		switch m.Type {
		case "hold":
			<-*gate
		case "boom":
			s.add(m.Payload)
			panic("boom")
		default:
			s.add(m.Payload)
		}
		return nil
	}
}

func box4(overflow string) func(*plan.Actor) {
	return func(a *plan.Actor) { a.Mailbox.Capacity, a.Mailbox.Overflow = 4, overflow }
}

func refusedBy(t *testing.T, err error) *engine.Error {
	t.Helper()
	var e *engine.Error
	if !errors.As(err, &e) || e.Kind != engine.KindRefused || e.Delivered {
		t.Fatalf("want an undelivered refusal, got %v", err)
	}
	return e
}

func TestOverflowPoliciesAreExact(t *testing.T) {
	for _, c := range []struct {
		policy string
		want   []any
		errors int
		dead   string
	}{
		{"reject", []any{0, 1, 2, 3}, 3, kernel.Full},
		{"drop_newest", []any{0, 1, 2, 3}, 0, kernel.Full},
		{"drop_oldest", []any{3, 4, 5, 6}, 0, kernel.Dropped},
	} {
		s, gate := &seen{}, (chan struct{})(nil)
		run(t, tree(t, leaf("a", box4(c.policy))), making{"a": simple(held(s, &gate))}, func(t *testing.T, r rig) {
			gate = make(chan struct{})
			r.tellOK(t, "a", "hold", nil)
			synctest.Wait()
			failed := 0
			for i := range 7 {
				if err := r.Tell(context.Background(), "a", engine.Msg{Type: "n", Payload: i}, CallOptions{}); err != nil {
					refusedBy(t, err)
					failed++
				}
			}
			close(gate)
			synctest.Wait()
			if got := s.list(); !slices.Equal(got, c.want) || failed != c.errors {
				t.Errorf("%s: handled %v with %d refusals, want %v with %d", c.policy, got, failed, c.want, c.errors)
			}
			time.Sleep(2 * time.Second)
			var dead uint64
			for _, e := range r.book.of(journal.TypeDeadLetter, "root/a") {
				b, _ := e.Body()
				d := b.(journal.DeadLetter)
				if d.Reason != c.dead {
					t.Errorf("%s: dead letter %q", c.policy, d.Reason)
				}
				dead += d.Count
			}
			if dead != 3 {
				t.Errorf("%s: %d dead letters", c.policy, dead)
			}
		})
	}
}

func TestBlockWaitsForRoomInOrder(t *testing.T) {
	s, gate := &seen{}, (chan struct{})(nil)
	synctest.Test(t, func(t *testing.T) {
		gate = make(chan struct{})
		r := newRig(t, tree(t, leaf("a", box4("block"))), making{"a": simple(held(s, &gate))})
		r.Start()
		<-r.Up()
		r.tellOK(t, "a", "hold", nil)
		synctest.Wait()
		for i := range 4 {
			r.tellOK(t, "a", "n", i)
		}
		for i := 4; i < 7; i++ {
			go func() {
				if err := r.Tell(context.Background(), "a", engine.Msg{Type: "n", Payload: i}, CallOptions{}); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(context.Background())
		gone := make(chan error)
		go func() { gone <- r.Tell(ctx, "a", engine.Msg{Type: "n", Payload: "gone"}, CallOptions{}) }()
		synctest.Wait()
		cancel()
		var e *engine.Error
		if err := <-gone; !errors.As(err, &e) || e.Kind != engine.KindCanceled {
			t.Errorf("a sender that went away got %v", err)
		}
		close(gate)
		synctest.Wait()
		if got, want := s.list(), []any{0, 1, 2, 3, 4, 5, 6}; !slices.Equal(got, want) {
			t.Errorf("handled %v", got)
		}
		r.Shutdown("over")
		<-r.Done()
	})
}

func TestNoMessageAroundAPoisonousOneIsLostOrReordered(t *testing.T) {
	for _, attempts := range []int{1, 3} {
		s := &seen{}
		poison := leaf("a", func(a *plan.Actor) { a.Mailbox.Attempts = attempts })
		run(t, tree(t, poison), making{"a": simple(held(s, nil))}, func(t *testing.T, r rig) {
			var want []any
			for i := range 99 {
				kind := "n"
				n := 1
				if i == 49 {
					kind, n = "boom", attempts
				}
				for range n {
					want = append(want, i)
				}
				r.tellOK(t, "a", kind, i)
			}
			synctest.Wait()
			if got := s.list(); !slices.Equal(got, want) {
				t.Errorf("attempts %d: handled %v", attempts, got)
			}
			dead := r.book.of(journal.TypeDeadLetter, "root/a")
			if len(dead) != 1 || len(r.book.of(journal.TypeActorFailed, "root/a")) != attempts {
				t.Errorf("attempts %d: %d dead letters, %d failures", attempts, len(dead), len(r.book.of(journal.TypeActorFailed, "root/a")))
			}
		})
	}
}

func TestOnRestartDropEmptiesTheMailbox(t *testing.T) {
	s, gate := &seen{}, (chan struct{})(nil)
	drops := leaf("a", func(a *plan.Actor) { a.Mailbox.OnRestart = "drop" })
	synctest.Test(t, func(t *testing.T) {
		gate = make(chan struct{})
		r := newRig(t, tree(t, drops), making{"a": simple(held(s, &gate))})
		r.Start()
		<-r.Up()
		r.tellOK(t, "a", "hold", nil)
		r.tellOK(t, "a", "boom", "boom")
		r.tellOK(t, "a", "n", 1)
		synctest.Wait()
		close(gate)
		synctest.Wait()
		r.tellOK(t, "a", "n", 2)
		synctest.Wait()
		if got := s.list(); !slices.Equal(got, []any{"boom", 2}) {
			t.Errorf("handled %v", got)
		}
		r.Shutdown("over")
		<-r.Done()
	})
}

func TestBoundsHoldUnderContention(t *testing.T) {
	const senders, each, capacity = 8, 2000, 16
	handled := 0
	a := leaf("a", func(a *plan.Actor) { a.Mailbox.Capacity = capacity })
	r := newRig(t, tree(t, a), making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		handled++
		return nil
	})})
	r.Start()
	<-r.Up()
	cell := r.byPath("root/a")
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			cell.mu.Lock()
			if n := cell.waiting(); n > capacity || n < 0 {
				t.Errorf("%d messages wait in a mailbox of %d", n, capacity)
			}
			cell.mu.Unlock()
		}
	})
	var sending sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for range senders {
		sending.Go(func() {
			n := 0
			for i := range each {
				if r.Tell(context.Background(), "root/a", engine.Msg{Type: "n", Payload: i}, CallOptions{}) == nil {
					n++
				}
			}
			mu.Lock()
			accepted += n
			mu.Unlock()
		})
	}
	sending.Wait()
	close(stop)
	watching.Wait()
	full := 0
	for { // the mailbox may still be full
		_, err := r.Ask(context.Background(), "root/a", engine.Msg{Type: "last"}, CallOptions{})
		if err == nil {
			break
		}
		refusedBy(t, err)
		full++
	}
	r.Shutdown("over")
	<-r.Done()
	if handled != accepted+1 {
		t.Errorf("accepted %d, handled %d", accepted, handled)
	}
	if st := r.Status(); st.DeadLetters != senders*each-uint64(accepted)+uint64(full) {
		t.Errorf("%d refused, %d dead letters", senders*each-accepted, st.DeadLetters)
	}
}

// settable is a behaviour whose state can be set.
type settable struct {
	engine.Behavior
	state atomic.Value
}

func (b *settable) State() any { return b.state.Load() }

func (b *settable) SetState(state any) error {
	b.state.Store(state)
	return nil
}

func TestPausedMessagesWaitAndStatesAreSet(t *testing.T) {
	s := &seen{}
	b := &settable{Behavior: held(s, nil)}
	run(t, tree(t, leaf("a")), making{"a": func(*plan.Actor) (engine.Behavior, error) { return b, nil }}, func(t *testing.T, r rig) {
		if err := r.Command(context.Background(), engine.Steer{Verb: "pause", Target: "a"}, "ana"); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			r.tellOK(t, "a", "n", i)
		}
		synctest.Wait()
		if got := s.list(); len(got) != 0 {
			t.Fatalf("handled %v while paused", got)
		}
		if err := r.Command(context.Background(), engine.Steer{Verb: "set_state", Target: "a", Payload: 7}, "ana"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if b.State() != 7 || len(s.list()) != 0 {
			t.Fatalf("state %v, handled %v", b.State(), s.list())
		}
		if err := r.Command(context.Background(), engine.Steer{Verb: "resume", Target: "a"}, "ana"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := s.list(); !slices.Equal(got, []any{0, 1, 2}) {
			t.Errorf("handled %v", got)
		}
	})
}

// A state that waits for a handler which never returns is set in the incarnation that comes after it, and that is told; when
// none comes, that nothing was set.
func TestAStateThatWaitsForAStuckHandlerIsNotLost(t *testing.T) {
	for _, c := range []struct {
		verb string
		want []string
	}{
		{"restart", []string{"set_state: done, now that the actor is up"}},
		{"stop", []string{"set_state: the actor has stopped, so nothing was set"}},
	} {
		t.Run(c.verb, func(t *testing.T) {
			var made []*settable
			var gate chan struct{}
			makes := func(*plan.Actor) (engine.Behavior, error) {
				b := &settable{Behavior: handler(func(engine.Context, engine.Msg) error { <-gate; return nil })}
				made = append(made, b)
				return b, nil
			}
			run(t, tree(t, leaf("a")), making{"a": makes}, func(t *testing.T, r rig) {
				gate = make(chan struct{})
				r.tellOK(t, "a", "stuck", nil)
				synctest.Wait()
				for _, s := range []engine.Steer{{Verb: "set_state", Target: "a", Payload: 7}, {Verb: c.verb, Target: "a"}} {
					if err := r.Command(t.Context(), s, "ana"); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(time.Minute) // until the handler is given up
				synctest.Wait()
				if last := made[len(made)-1].State(); c.verb == "restart" && (len(made) != 2 || last != 7) {
					t.Errorf("incarnation %d has the state %v", len(made), last)
				}
				var told []string
				for _, e := range r.book.of(journal.TypeLogged, "root/a") {
					if body, err := e.Body(); err == nil {
						told = append(told, body.(journal.Logged).Text)
					}
				}
				if !slices.Equal(told, c.want) {
					t.Errorf("told %q, want %q", told, c.want)
				}
				close(gate)
			})
		})
	}
}
