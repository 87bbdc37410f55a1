package live

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// A replica that is scaled away finishes what it is at; who waits in its mailbox is told at once that it was never delivered, and
// the others are not touched. `for` brings the replica back.
func TestScalingDownTellsWhoWaits(t *testing.T) {
	release := make(chan struct{})
	m := making{"w-0": simple(func(ctx engine.Context, msg engine.Msg) error {
		if msg.Type == "hold" {
			<-release
		}
		ctx.Reply(ctx.Path())
		return nil
	})}
	replica := func(n int) plan.Actor {
		return leaf([]string{"w-0", "w-1"}[n], func(a *plan.Actor) {
			a.Group, a.Replica, a.Go.Behaviour = "root/w", n, "w-0"
			a.Shutdown.Drain = time.Minute
		})
	}
	run(t, tree(t, replica(0), replica(1)), m, func(t *testing.T, r rig) {
		release = make(chan struct{}) // of the bubble
		busy, waits := make(chan any, 1), make(chan error, 1)
		go func() { busy <- r.ask(t, "root/w-1", "hold", nil) }()
		synctest.Wait()
		go func() {
			_, err := r.Ask(context.Background(), "root/w-1", engine.Msg{Type: "where"}, CallOptions{})
			waits <- err
		}()
		synctest.Wait()
		if err := r.Command(t.Context(), engine.Steer{Verb: "scale", Target: "w", Count: 1, For: time.Minute}, "ann"); err != nil {
			t.Fatal(err)
		}
		if got := r.ask(t, "w", "where", nil); got != "root/w-0" {
			t.Errorf("the group answers by %v", got)
		}
		close(release)
		if got := <-busy; got != "root/w-1" {
			t.Errorf("the message at hand got %v", got)
		}
		var refused *engine.Error
		if err := <-waits; !errors.As(err, &refused) || refused.Kind != engine.KindUnreachable || refused.Delivered {
			t.Errorf("who waited got %v", err)
		}
		synctest.Wait() // the answer does not wait for its record
		if n := len(r.book.of(journal.TypeDeadLetter, "root/w-1")); n != 1 {
			t.Errorf("%d dead letters", n)
		}
		time.Sleep(2 * time.Minute) // of the bubble
		got := r.ask(t, "root/w-1", "where", nil)
		first, second := len(r.book.of(journal.TypeActorStarted, "root/w-0")), len(r.book.of(journal.TypeActorStarted, "root/w-1"))
		if got != "root/w-1" || first != 1 || second != 2 {
			t.Errorf("after its time %v, the replicas started %d and %d times", got, first, second)
		}
	})
}
