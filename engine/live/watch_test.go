package live

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// watchersOf counts those who watch an actor.
func (r rig) watchersOf(path string) int {
	a := r.byPath(path)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rare == nil {
		return 0
	}
	return a.rare.watchers.Len()
}

// Many handlers of one actor watch and unwatch many others at once while those are stopped and started: each notice has a watch,
// and when the watcher has gone nobody remembers it.
func TestWatchesFromManyHandlersLeaveNothingBehind(t *testing.T) {
	var heard, wild atomic.Int64
	watcher := simple(func(ctx engine.Context, m engine.Msg) error {
		if m.Type == engine.MessageTerminated {
			if m.Payload.(engine.Terminated).Reason == "" {
				wild.Add(1)
			}
			heard.Add(1)
			return nil
		}
		to, err := ctx.Ref(m.Payload.(string))
		if err != nil {
			return err
		}
		if m.Type == "unwatch" {
			ctx.Unwatch(to)
			return nil
		}
		return ctx.Watch(to)
	})
	leaves := []plan.Actor{leaf("watcher", func(a *plan.Actor) { a.Concurrency = 8 })}
	m := making{"watcher": watcher}
	for i := range 4 {
		name := fmt.Sprint("w", i)
		leaves, m[name] = append(leaves, leaf(name)), simple(echo)
	}
	run(t, tree(t, leaves...), m, func(t *testing.T, r rig) {
		var all sync.WaitGroup
		for i := range 4 {
			name := fmt.Sprint("w", i)
			all.Go(func() {
				for n := range 100 {
					verb := []string{"watch", "watch", "unwatch"}[n%3]
					_ = r.Tell(context.Background(), "watcher", engine.Msg{Type: verb, Payload: name}, CallOptions{})
				}
			})
			all.Go(func() {
				for range 20 {
					_ = r.Command(context.Background(), engine.Steer{Verb: "stop", Target: name}, "test")
					_ = r.Command(context.Background(), engine.Steer{Verb: "restart", Target: name}, "test")
				}
			})
		}
		all.Wait()
		synctest.Wait()
		// Whatever was heard so far: each that is watched and up is heard of when it stops.
		before := heard.Load()
		for _, verb := range []string{"restart", "watch", "stop"} {
			for i := range 4 {
				name, err := fmt.Sprint("w", i), error(nil)
				if verb == "watch" {
					err = r.Tell(context.Background(), "watcher", engine.Msg{Type: verb, Payload: name}, CallOptions{})
				} else {
					err = r.Command(context.Background(), engine.Steer{Verb: verb, Target: name}, "test")
				}
				if err != nil {
					t.Fatal(verb, name, err)
				}
			}
			synctest.Wait()
		}
		if n := heard.Load() - before; n != 4 {
			t.Errorf("4 stopped, and %d of them were heard of", n)
		}
		if err := r.Command(context.Background(), engine.Steer{Verb: "stop", Target: "watcher"}, "test"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for i := range 4 {
			if n := r.watchersOf(fmt.Sprint("root/w", i)); n != 0 {
				t.Errorf("w%d is watched %d times by nobody", i, n)
			}
		}
		if wild.Load() > 0 {
			t.Errorf("heard %d, of them %d without a reason", heard.Load(), wild.Load())
		}
	})
}
