package live

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// parcel is a numbered message of one sender.
type parcel struct{ sender, n int }

// Crashes, pauses, restarts and reloads while many send: every accepted message is handled once, in its sender's order,
// and restarts agree with the journal.
func TestNothingIsLostOrReorderedInChaos(t *testing.T) {
	const actors, senders, each = 20, 6, 1500
	type ledger struct {
		mu   sync.Mutex
		last map[int]int // of each sender
		n    int
		bad  []string
	}
	books := make([]ledger, actors)
	var leaves []plan.Actor
	for i := range actors {
		leaves = append(leaves, leaf(fmt.Sprintf("a%d", i), func(a *plan.Actor) {
			a.Go, a.Mailbox.Capacity, a.Replica = &plan.GoSpec{Behaviour: "a"}, 64, i
			a.Mailbox.Overflow = []string{"reject", "block"}[i%2]
		}))
		books[i].last = map[int]int{}
	}
	p := tree(t, leaves...)
	p.Actors[0].Supervisor.Intensity.Max = 1 << 30
	r := newRig(t, p, making{"a": func(a *plan.Actor) (engine.Behavior, error) {
		book := &books[a.Order]
		return handler(func(ctx engine.Context, m engine.Msg) error {
			if m.Type == "boom" {
				panic("boom")
			}
			got := m.Payload.(parcel)
			book.mu.Lock()
			defer book.mu.Unlock()
			if last, seen := book.last[got.sender]; seen && last >= got.n {
				book.bad = append(book.bad, fmt.Sprintf("%v after %d", got, last))
			}
			book.last[got.sender] = got.n
			book.n++
			return nil
		}), nil
	}})
	r.Start()
	<-r.Up()
	var sending sync.WaitGroup
	accepted := make([][senders]int, actors)
	for s := range senders {
		sending.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(s), 3))
			for n := range each {
				to := rnd.IntN(actors)
				if rnd.IntN(50) == 0 {
					_ = r.Tell(context.Background(), fmt.Sprintf("root/a%d", to), engine.Msg{Type: "boom"}, CallOptions{})
				}
				if r.Tell(context.Background(), fmt.Sprintf("root/a%d", to), engine.Msg{Type: "n", Payload: parcel{s, n}}, CallOptions{}) == nil {
					accepted[to][s]++
				}
			}
		})
	}
	var steering sync.WaitGroup
	stop := make(chan struct{})
	steering.Go(func() {
		rnd := rand.New(rand.NewPCG(9, 9))
		for i := uint64(2); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			target := fmt.Sprintf("a%d", rnd.IntN(actors))
			for _, verb := range []string{"pause", "resume", "restart"} {
				if err := r.Command(context.Background(), engine.Steer{Verb: verb, Target: target}, "chaos"); err != nil {
					t.Errorf("%s %s: %v", verb, target, err)
				}
			}
			if err := r.Reload(engine.Reloaded{Plan: p, Generation: i, By: "chaos", Why: "again"}, engine.Cause{}); err != nil {
				t.Error(err)
			}
		}
	})
	sending.Wait()
	close(stop)
	steering.Wait()
	for i := range actors { // a mailbox is handled in order, so an answer means that all before it are handled
		for {
			last := parcel{senders, each + i}
			if _, err := r.Ask(context.Background(), fmt.Sprintf("root/a%d", i), engine.Msg{Type: "n", Payload: last}, CallOptions{}); err == nil {
				break
			}
		}
		want := 1
		for _, n := range accepted[i] {
			want += n
		}
		if b := &books[i]; b.n != want || len(b.bad) > 0 {
			t.Errorf("a%d handled %d of %d, out of order: %v", i, b.n, want, b.bad)
		}
	}
	r.Shutdown("over")
	<-r.Done()
	checkBook(t, r)
}

// checkBook looks whether starts, ends and restarts fit together, for each actor.
func checkBook(t *testing.T, r rig) {
	t.Helper()
	up := map[string]bool{}
	restarts := map[string]uint64{}
	for _, e := range r.book.all() {
		if e.Actor == "root" {
			continue
		}
		switch e.Type.String() {
		case "actor_started":
			if up[e.Actor] {
				t.Errorf("%s was started twice (event %d)", e.Actor, e.Seq)
			}
			up[e.Actor] = true
		case "actor_stopped":
			up[e.Actor] = false
		case "actor_restarting":
			restarts[e.Actor]++
		}
	}
	for _, a := range r.Status().Actors {
		if up[a.Path] || a.Restarts != restarts[a.Path] {
			t.Errorf("%s: up %v, %d restarts counted, %d journalled", a.Path, up[a.Path], a.Restarts, restarts[a.Path])
		}
	}
}
