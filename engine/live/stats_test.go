package live

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

// Of messages that are quick and follow one another, level detailed times one in 16; it times every slow one, and the first
// after a pause. Level full times all, level basic none.
func TestDurationsAreSampledWhereTheyAreShort(t *testing.T) {
	const n = 160
	for _, c := range []struct {
		level string
		took  time.Duration
		want  uint64
	}{{"basic", 0, 0}, {"detailed", 0, n / sampled}, {"detailed", time.Millisecond, n}, {"full", 0, n}} {
		handle := func(ctx engine.Context, m engine.Msg) error { return ctx.Sleep(c.took) }
		feed := func(ctx engine.Context, m engine.Msg) error {
			to, _ := ctx.Ref("a")
			for range n {
				if err := ctx.Tell(to, engine.Msg{Type: "n"}); err != nil {
					return err
				}
			}
			return nil
		}
		run(t, level(tree(t, leaf("a"), leaf("feed")), c.level), making{"a": simple(handle), "feed": simple(feed)}, func(t *testing.T, r rig) {
			for _, verb := range []string{"pause", "resume"} { // so that one activation handles them all
				if err := r.Command(context.Background(), engine.Steer{Verb: verb, Target: "a"}, "ana"); err != nil {
					t.Fatal(err)
				}
				if verb == "pause" {
					r.tellOK(t, "feed", "go", nil)
				}
				synctest.Wait()
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got, all := timed(r.byPath("root/a")); got != c.want || all != n {
				t.Errorf("level %s, %v each: %d of %d messages are timed, want %d", c.level, c.took, got, all, c.want)
			}
		})
	}
}

// timed tells how many of an actor's messages are, and how many there were.
func timed(a *actor) (got, all uint64) {
	if h := a.counts().hist.Load(); h != nil {
		for _, n := range h.Counts(nil) {
			got += uint64(n)
		}
	}
	return got, a.counts().calls.Load()
}

// Who is woken for each ask is timed as seldom, where asks come soon after one another, and each time where they do not.
func TestDurationsOfSingleAsksAreSampledWhereTheyAreShort(t *testing.T) {
	const n = 160
	for _, c := range []struct {
		level       string
		took, pause time.Duration
		want        uint64
	}{
		{"basic", 0, 0, 0}, {"detailed", 0, 0, n / sampled}, {"detailed", time.Millisecond, 0, n}, {"full", 0, 0, n},
		{"detailed", 0, soon / 5, 30}, // each that is made more than soon after the last one timed, and each 16th
		{"detailed", 0, soon + dated + 1, n},
	} {
		handle := func(ctx engine.Context, m engine.Msg) error { return ctx.Sleep(c.took) }
		feed := func(ctx engine.Context, m engine.Msg) error {
			to, _ := ctx.Ref("a")
			for range n {
				if _, err := ctx.Ask(to, engine.Msg{Type: "n"}, time.Minute); err != nil {
					return err
				}
				_ = ctx.Sleep(c.pause)
			}
			return nil
		}
		run(t, level(tree(t, leaf("a"), leaf("feed")), c.level), making{"a": simple(handle), "feed": simple(feed)}, func(t *testing.T, r rig) {
			time.Sleep(time.Second)
			r.ask(t, "feed", "go", nil)
			synctest.Wait()
			if got, all := timed(r.byPath("root/a")); got != c.want || all != n {
				t.Errorf("level %s, %v each, %v apart: %d of %d messages are timed, want %d", c.level, c.took, c.pause, got, all, c.want)
			}
		})
	}
}
