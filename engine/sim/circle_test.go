package sim

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
)

// step is what a hopper does next: it asks all of these at once, or sleeps when there are none. Each is to do its own steps.
type step struct {
	asks []errand
}

type errand struct {
	to    string
	steps []step
}

// hop makes one ask after another out of a line of names: "a b" asks a, which asks b.
func hop(line string) []step {
	to, rest, more := strings.Cut(line, " ")
	e := errand{to: to}
	if more {
		e.steps = hop(rest)
	}
	return []step{{[]errand{e}}}
}

// hoppers do the steps that their message has. They note the circles they are told of.
func hoppers(circles *[]string) making {
	var mu sync.Mutex
	return making{"hop": simple(func(ctx engine.Context, m engine.Msg) error {
		steps, _ := m.Payload.([]step)
		for _, s := range steps {
			if len(s.asks) == 0 {
				if err := ctx.Sleep(100 * time.Millisecond); err != nil {
					return err
				}
				continue
			}
			var to []engine.Ref
			var what []engine.Msg
			for _, e := range s.asks {
				ref, err := ctx.Ref("root/" + e.to)
				if err != nil {
					return err
				}
				to, what = append(to, ref), append(what, engine.Msg{Type: "hop", Payload: e.steps})
			}
			for _, err := range hopAll(ctx, to, what) {
				if err != nil && strings.Contains(err.Error(), "wait for itself: ") {
					_, circle, _ := strings.Cut(err.Error(), "wait for itself: ")
					mu.Lock()
					*circles = append(*circles, circle)
					mu.Unlock()
				}
				if errors.Is(err, engine.ErrStopped) {
					return err
				}
			}
		}
		ctx.Reply("done")
		return nil
	})}
}

func hopAll(ctx engine.Context, to []engine.Ref, what []engine.Msg) []error {
	if len(to) == 1 {
		_, err := ctx.Ask(to[0], what[0], time.Hour)
		return []error{err}
	}
	_, errs := ctx.AskAll(to, what, time.Hour)
	return errs
}

func hopping(actors string) string {
	text := "root:\n  children:\n"
	for _, a := range strings.Fields(actors) {
		name, n, _ := strings.Cut(a, "x")
		text += fmt.Sprintf("    - {name: %s, go: hop, concurrency: %s}\n", name, n)
	}
	return text
}

func TestCirclesOfAsksAreFoundAndTold(t *testing.T) {
	both := func(to string, then ...[]step) []step { // asks b, and beside it another
		s := step{[]errand{{to: "b"}, {to: to}}}
		if len(then) > 0 {
			s.asks[1].steps = then[0]
		}
		return []step{s}
	}
	slowly := []step{{[]errand{{"s", append([]step{{}}, hop("w")...)}}}} // asks s, which asks w after a while
	for _, c := range []struct {
		name, actors string
		asks         map[string][]step
		want         string
	}{
		{"a branch of several", "ax1 bx1 cx1", map[string][]step{"a": both("c", hop("a"))}, "root/c -> root/a -> root/c"},
		{"a branch that asks its own actor", "ax1 bx1", map[string][]step{"a": both("a")}, "root/a -> root/a"},
		{"all slots taken", "wx2 sx1", map[string][]step{"w": slowly, "w2": hop("s")}, "root/s -> root/w -> root/s"},
		{"a slot is free", "wx3 sx1", map[string][]step{"w": slowly, "w2": hop("s")}, ""},
		{"through one slot of several", "ax1 wx2 cx1", map[string][]step{"a": hop("w c a")}, "root/c -> root/a -> root/w -> root/c"},
		{"through one of any number", "ax1 wx64 cx1", map[string][]step{"a": hop("w c a")}, "root/c -> root/a -> root/w -> root/c"},
		{"who sleeps after an ask is free", "ax1 bx1", map[string][]step{"a": append(hop("b"), step{}), "b": {{}, hop("a")[0]}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBoth(t, func() play {
				var circles []string
				return play{hopping(c.actors), hoppers(&circles), func(t *testing.T, r twin) {
					var all []*outcome
					for _, name := range []string{"a", "b", "w", "w2"} {
						if steps, is := c.asks[name]; is {
							all = append(all, r.ask("root/"+name[:1], "hop", steps, 24*time.Hour))
						}
					}
					r.pass(10 * time.Second)
					for i, o := range all {
						if !o.over || o.err != nil {
							t.Errorf("ask %d: %+v", i, *o)
						}
					}
					if got := strings.Join(circles, ", "); got != c.want {
						t.Errorf("circles: %s, want %s", got, c.want)
					}
				}}
			})
		})
	}
}

// drawSteps draws what a hopper of some actors is to do.
func drawSteps(t *rapid.T, names []string, depth int) []step {
	steps := make([]step, rapid.IntRange(0, 2).Draw(t, "steps"))
	for i := range steps {
		if depth == 0 {
			continue
		}
		for range rapid.IntRange(0, 2).Draw(t, "asks") {
			steps[i].asks = append(steps[i].asks, errand{rapid.SampledFrom(names).Draw(t, "to"), drawSteps(t, names, depth-1)})
		}
	}
	return steps
}

// Blocking actors of any concurrency ask one another, one or several at once, whomever they like: nothing hangs until its deadline,
// because each circle is told to the one that would close it.
func TestRandomAsksNeverHang(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		actors, names := "", []string{"a", "b", "c", "d"}
		for _, name := range names {
			actors += fmt.Sprintf("%sx%d ", name, rapid.SampledFrom([]int{1, 1, 2, 3, 64}).Draw(rt, "concurrency"))
		}
		var starts []errand
		for range rapid.IntRange(1, 5).Draw(rt, "asks from outside") {
			starts = append(starts, errand{rapid.SampledFrom(names).Draw(rt, "first"), drawSteps(rt, names, 3)})
		}
		story := func(r twin) (hung int) {
			var all []*outcome
			for _, e := range starts {
				all = append(all, r.ask("root/"+e.to, "hop", e.steps, 24*time.Hour))
			}
			r.pass(10 * time.Minute)
			for _, o := range all {
				if !o.over {
					hung++
				}
			}
			return hung
		}
		var simulated, real []string
		s := begin(t, hopping(actors), hoppers(&simulated))
		if hung := story(simTwin{s}); hung > 0 {
			rt.Errorf("%d of %d hang in the simulation", hung, len(starts))
		}
		if err := s.Close(); err != nil {
			rt.Error(err)
		}
		p, hung := compiled(t, hopping(actors)), 0
		synctest.Test(t, func(t *testing.T) {
			r := newLiveTwin(t, p, hoppers(&real))
			defer r.end()
			hung = story(r)
		})
		if hung > 0 {
			rt.Errorf("%d of %d hang live", hung, len(starts))
		}
	})
}
