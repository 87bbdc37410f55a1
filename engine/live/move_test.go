package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// twoHomes is a plan with the supervisors a and b; mover, which may be adopted, is below one of them.
func twoHomes(t testing.TB, home string) *plan.Plan {
	t.Helper()
	p := tree(t)
	p = &plan.Plan{Name: "homes", Actors: slices.Clone(p.Actors)}
	add := func(parent int, a plan.Actor) {
		a.Parent, a.Path = parent, p.Actors[parent].Path+"/"+a.Name
		up := p.Actors[parent].Supervisor
		a.Order = len(up.Children)
		up.Children = append(up.Children, len(p.Actors))
		p.Actors = append(p.Actors, a)
	}
	for _, name := range []string{"a", "b"} {
		add(0, plan.Actor{Name: name, Definition: &plan.Definition{Kind: plan.Supervisor, Supervisor: &plan.SupervisorSpec{
			Strategy: plan.OneForOne, Intensity: plan.Intensity{Max: 1000, Within: 1}, AutoShutdown: "never",
		}}})
	}
	at := 1
	if home == "b" {
		at = 2
	}
	add(at, leaf("mover", func(a *plan.Actor) { a.Adopt = true; a.Mailbox.Capacity = 100 }))
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

// mover counts and remembers the order of what it handles; `hold` keeps it busy until released.
type mover struct {
	mu      sync.Mutex
	seen    []int
	made    int
	release chan struct{}
}

func (m *mover) behaviour(*plan.Actor) (engine.Behavior, error) {
	m.mu.Lock()
	m.made++
	m.mu.Unlock()
	return handler(func(ctx engine.Context, msg engine.Msg) error {
		switch msg.Type {
		case "hold":
			<-m.release
			if ctx.Actor() == nil {
				return errors.New("a handler has lost its definition")
			}
			ctx.Reply(ctx.Path())
		case "n":
			m.mu.Lock()
			m.seen = append(m.seen, msg.Payload.(int))
			m.mu.Unlock()
		case "where":
			ctx.Reply(ctx.Path() + " " + ctx.Actor().Path)
		case "crash":
			panic("asked to")
		}
		return nil
	}), nil
}

// A move under load, by an action or by a reload, loses and doubles nothing: an ask in flight is answered, what waits in a full
// mailbox is handled in order by the same incarnation, and the old path goes on reaching it.
func TestAMovedActorLosesNothing(t *testing.T) {
	moves := map[string]func(t *testing.T, r rig) error{
		"action": func(t *testing.T, r rig) error {
			return r.Command(t.Context(), engine.Steer{Verb: "adopt", Target: "mover", Text: "b"}, "ann")
		},
		"reload": func(t *testing.T, r rig) error {
			return r.Reload(engine.Reloaded{Plan: twoHomes(t, "b"), Generation: 2, By: "file"}, engine.Cause{})
		},
	}
	for name, move := range moves {
		t.Run(name, func(t *testing.T) {
			m := &mover{}
			run(t, twoHomes(t, "a"), making{"mover": m.behaviour}, func(t *testing.T, r rig) {
				m.release = make(chan struct{}) // of the bubble
				ref, err := r.Ref("root/a/mover")
				if err != nil {
					t.Fatal(err)
				}
				held := make(chan any, 1)
				go func() { held <- r.ask(t, "mover", "hold", nil) }()
				synctest.Wait()
				for i := range 100 {
					r.tellOK(t, "root/a/mover", "n", i)
				}
				if err := r.Tell(context.Background(), "mover", engine.Msg{Type: "n", Payload: -1}, CallOptions{}); err == nil {
					t.Error("the mailbox is not full")
				}
				if err := move(t, r); err != nil {
					t.Fatal(err)
				}
				close(m.release)
				if got := <-held; got != "root/b/mover" {
					t.Errorf("the ask in flight got %v", got)
				}
				synctest.Wait() // until there is room in the mailbox again
				for i, to := range []string{"root/a/mover", "root/b/mover", "mover"} {
					r.tellOK(t, to, "n", 100+i)
				}
				if v, err := r.AskRef(t.Context(), ref, engine.Msg{Type: "where"}, CallOptions{}); err != nil || v != "root/b/mover root/b/mover" {
					t.Errorf("its old reference says %v, %v", v, err)
				}
				if want := slices.Collect(func(yield func(int) bool) {
					for i := range 103 {
						if !yield(i) {
							return
						}
					}
				}); !slices.Equal(m.seen, want) || m.made != 1 {
					t.Errorf("%d incarnations handled %v", m.made, m.seen)
				}
				r.crashUnderB(t, m)
			})
		})
	}
}

// crashUnderB checks that b decides about the mover from now on, and that events name its new path.
func (r rig) crashUnderB(t *testing.T, m *mover) {
	t.Helper()
	if _, err := r.Ask(t.Context(), "mover", engine.Msg{Type: "crash"}, CallOptions{}); err == nil {
		t.Error("a crash is answered well")
	}
	synctest.Wait()
	if got := r.ask(t, "root/a/mover", "where", nil); got != "root/b/mover root/b/mover" || m.made != 2 {
		t.Errorf("after a crash it is at %v in its incarnation %d", got, m.made)
	}
	if len(r.book.of(journal.TypeActorFailed, "root/b/mover")) != 1 || len(r.book.of(journal.TypeActorFailed, "root/a/mover")) != 0 {
		t.Error("its failure is told of another path")
	}
	if err := r.Command(t.Context(), engine.Steer{Verb: "pause", Target: "root/a/mover"}, "ann"); r.Plan().Base().Index("root/a/mover") >= 0 && err != nil {
		t.Errorf("pausing it by the path that the files have: %v", err)
	}
	_ = r.Command(t.Context(), engine.Steer{Verb: "resume", Target: "mover"}, "ann")
}

// Moving to and fro while others talk to it is seen by nobody.
func TestMovingMeetsTraffic(t *testing.T) {
	m := &mover{}
	r := newRig(t, twoHomes(t, "a"), making{"mover": m.behaviour})
	r.Start()
	<-r.Up()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 300 {
				if _, err := r.Ask(context.Background(), "root/a/mover", engine.Msg{Type: "where"}, CallOptions{}); err != nil {
					t.Errorf("by the path of the files: %v", err)
					return
				}
			}
		})
	}
	for i := range 40 {
		if err := r.Command(context.Background(), engine.Steer{Verb: "adopt", Target: "mover", Text: []string{"b", "a"}[i%2]}, "ann"); err != nil {
			t.Fatal(fmt.Errorf("move %d: %w", i, err))
		}
	}
	all.Wait()
	if m.made != 1 {
		t.Errorf("%d incarnations", m.made)
	}
	r.Shutdown("over")
	<-r.Done()
}

// What is remembered of actors that have moved and were removed is bounded, and an end that comes late still finds a path.
func TestRemovedActorsThatHadMovedAreForgotten(t *testing.T) {
	m := &mover{}
	run(t, twoHomes(t, "a"), making{"mover": m.behaviour}, func(t *testing.T, r rig) {
		first := r.byPath("root/a/mover")
		for i := range 3 * mostLeft {
			if err := r.Command(t.Context(), engine.Steer{Verb: "adopt", Target: "mover", Text: "b"}, "ann"); err != nil {
				t.Fatal(err)
			}
			without := tree(t, leaf("other"))
			if err := r.Reload(engine.Reloaded{Plan: without, Generation: uint64(2*i + 2), By: "file"}, engine.Cause{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := first.Path(); i < mostLeft && got != "root/b/mover" || i >= mostLeft && got != "root/a/mover" {
				t.Fatalf("%d removed since: the first has the path %s", i, got)
			}
			if err := r.Reload(engine.Reloaded{Plan: twoHomes(t, "a"), Generation: uint64(2*i + 3), By: "file"}, engine.Cause{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := len(*r.roster.moved.Load()); n > mostLeft+1 {
				t.Fatalf("the places of %d actors are remembered", n)
			}
		}
	})
}
