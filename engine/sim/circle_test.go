package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
)

// step is what a hopper does next: it tells one of them after another, or asks all of them at once, or sleeps when there are none. Each
// is to do its own steps.
type step struct {
	asks  []errand
	tells []errand
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
	return []step{{asks: []errand{e}}}
}

// tells makes a step of a line of names: each is told, and is to do nothing.
func tells(line string) step {
	var s step
	for _, to := range strings.Fields(line) {
		s.tells = append(s.tells, errand{to: to})
	}
	return s
}

// hoppers do the steps that their message has. They note the circles they are told of.
func hoppers(circles *[]string) making {
	var mu sync.Mutex
	return making{"hop": simple(func(ctx engine.Context, m engine.Msg) error {
		steps, _ := m.Payload.([]step)
		for _, s := range steps {
			for _, err := range s.do(ctx) {
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

func (s step) do(ctx engine.Context) (errs []error) {
	if len(s.asks)+len(s.tells) == 0 {
		return []error{ctx.Sleep(100 * time.Millisecond)}
	}
	to, what, err := addressed(ctx, s.tells)
	for i := range to {
		errs = append(errs, ctx.Tell(to[i], what[i]))
	}
	if err != nil || len(s.asks) == 0 {
		return append(errs, err)
	}
	to, what, err = addressed(ctx, s.asks)
	if err != nil {
		return []error{err}
	}
	return append(errs, hopAll(ctx, to, what)...)
}

func addressed(ctx engine.Context, errands []errand) (to []engine.Ref, what []engine.Msg, err error) {
	for _, e := range errands {
		ref, err := ctx.Ref("root/" + e.to)
		if err != nil {
			return nil, nil, err
		}
		to, what = append(to, ref), append(what, engine.Msg{Type: "hop", Payload: e.steps})
	}
	return to, what, nil
}

func hopAll(ctx engine.Context, to []engine.Ref, what []engine.Msg) []error {
	if len(to) == 1 {
		_, err := ctx.Ask(to[0], what[0], time.Hour)
		return []error{err}
	}
	_, errs := ctx.AskAll(to, what, time.Hour)
	return errs
}

// hopping is a topology of hoppers, each with its name and concurrency ("ax2"), and a capacity when its mailbox is to block ("bx1/8").
func hopping(actors string) string {
	text := "root:\n  children:\n"
	for _, a := range strings.Fields(actors) {
		name, n, _ := strings.Cut(a, "x")
		mailbox := ""
		if all, capacity, blocks := strings.Cut(n, "/"); blocks {
			n, mailbox = all, ", mailbox: {overflow: block, capacity: "+capacity+"}"
		}
		text += fmt.Sprintf("    - {name: %s, go: hop, concurrency: %s%s}\n", name, n, mailbox)
	}
	return text
}

// askedToHop asks hoppers, in the order of their names; "b2" is another ask of b.
func askedToHop(r twin, asks map[string][]step) (all []*outcome) {
	for _, name := range slices.Sorted(maps.Keys(asks)) {
		all = append(all, r.ask("root/"+name[:1], "hop", asks[name], 24*time.Hour))
	}
	return all
}

func TestCirclesOfAsksAreFoundAndTold(t *testing.T) {
	both := func(to string, then ...[]step) []step { // asks b, and beside it another
		s := step{asks: []errand{{to: "b"}, {to: to}}}
		if len(then) > 0 {
			s.asks[1].steps = then[0]
		}
		return []step{s}
	}
	slowly := []step{{asks: []errand{{"s", append([]step{{}}, hop("w")...)}}}} // asks s, which asks w after a while
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
					all := askedToHop(r, c.asks)
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

// sleepy is a step after some sleep.
func sleepy(n int, then ...step) []step { return append(make([]step, n), then...) }

func TestCirclesOfTellsWithoutRoomAreFoundAndTold(t *testing.T) {
	for _, c := range []struct {
		name, actors string
		asks         map[string][]step
		pause        string // an actor that is paused meanwhile
		want         string
		letters      string // dead letters of a
		reach        int    // messages that b handles in the end
	}{
		{"its own mailbox", "ax1/1 bx1", map[string][]step{"a": sleepy(0, tells("a a"), step{}, step{})}, "", "root/a -> root/a",
			"the tell would wait for itself: root/a -> root/a: 1", 0},
		{"two that tell each other", "ax1/1 bx1/1", map[string][]step{"a": sleepy(1, tells("b b b")), "b": sleepy(2, tells("a a"))}, "",
			"root/b -> root/a -> root/b", "the tell would wait for itself: root/b -> root/a -> root/b: 1", 4},
		{"one of the two is paused", "ax1/1 bx1/1", map[string][]step{"a": sleepy(1, tells("b b b")), "b": sleepy(2, tells("a a"))}, "a",
			"root/b -> root/a -> root/b", "the tell would wait for itself: root/b -> root/a -> root/b: 1", 4},
		{"a mailbox is not full", "ax1/1 bx1/3", map[string][]step{"a": sleepy(1, tells("b b b")), "b": sleepy(2, tells("a a"))}, "", "", "", 4},
		{"three round", "ax1/1 bx1/1 wx1/1", map[string][]step{"a": sleepy(1, tells("b b")), "b": sleepy(2, tells("w w")),
			"w": sleepy(3, tells("a a"))}, "", "root/w -> root/a -> root/b -> root/w",
			"the tell would wait for itself: root/w -> root/a -> root/b -> root/w: 1", 3},
		{"an ask of who waits for room", "ax1/1 bx1/1", map[string][]step{"a": sleepy(1, tells("b b")), "b": sleepy(2, hop("a")...)}, "",
			"root/b -> root/a -> root/b", "the ask would wait for itself: root/b -> root/a -> root/b: 1", 3},
		{"a tell to who asks", "ax1/1 bx1/1", map[string][]step{"b": sleepy(2, tells("a a")), "a": sleepy(1, hop("b")...)}, "",
			"root/b -> root/a -> root/b", "the tell would wait for itself: root/b -> root/a -> root/b: 1", 2},
		{"a handler is to spare", "ax1/1 bx2/1", map[string][]step{"a": sleepy(1, tells("b b b b")), "b": sleepy(3, tells("a a"))}, "", "", "", 5},
		{"all handlers wait for room", "ax1/1 bx2/1", map[string][]step{"a": sleepy(2, tells("b b")), "b": sleepy(3, tells("a a")),
			"b2": sleepy(4, tells("a"))}, "", "root/b -> root/a -> root/b",
			"the tell would wait for itself: root/b -> root/a -> root/b: 1", 4},
		{"room that nobody was woken for", "ax1/1 bx1/8", map[string][]step{"a": sleepy(1, tells("b b b b b b b b")),
			"b": sleepy(2), "b2": {tells("a a")}}, "", "", "", 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBoth(t, func() play {
				var circles []string
				return play{hopping(c.actors), hoppers(&circles), func(t *testing.T, r twin) {
					all := askedToHop(r, c.asks)
					r.pass(150 * time.Millisecond)
					if c.pause != "" {
						if err := r.steer(engine.Steer{Verb: "pause", Target: "root/" + c.pause}); err != nil {
							t.Fatal(err)
						}
						r.pass(time.Second)
						_ = r.steer(engine.Steer{Verb: "resume", Target: "root/" + c.pause})
					}
					if _, waiting := r.look("root/a"); waiting > 1 {
						t.Errorf("%d messages wait for a, of those that were refused", waiting-1)
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
					if got := deadLetters(r, "root/a"); got != c.letters {
						t.Errorf("dead letters of a: %s, want %s", got, c.letters)
					}
					if got := r.handled("root/b"); c.reach > 0 && got != uint64(c.reach) {
						t.Errorf("b has handled %d messages, want %d", got, c.reach)
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
		draw := func(what string) (all []errand) {
			for range rapid.IntRange(0, 2).Draw(t, what) {
				all = append(all, errand{rapid.SampledFrom(names).Draw(t, "to"), drawSteps(t, names, depth-1)})
			}
			return all
		}
		steps[i].asks, steps[i].tells = draw("asks"), draw("tells")
	}
	return steps
}

// Blocking actors of any concurrency ask one another, one or several at once, and tell one another through mailboxes of any size,
// whomever they like: nothing hangs until its deadline, because each circle is told to the one that would close it.
func TestRandomAsksAndTellsNeverHang(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		actors, names := "", []string{"a", "b", "c", "d"}
		for _, name := range names {
			actors += fmt.Sprintf("%sx%d/%d ", name, rapid.SampledFrom([]int{1, 1, 2, 3, 64}).Draw(rt, "concurrency"),
				rapid.SampledFrom([]int{1, 2, 3, 5, 9, 1024}).Draw(rt, "capacity"))
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
			for _, name := range names {
				if _, waiting := r.look("root/" + name); waiting > 0 {
					hung++
				}
			}
			return hung
		}
		var simulated, real []string
		s := begin(t, hopping(actors), hoppers(&simulated))
		if hung := story(simTwin{s}); hung > 0 {
			rt.Errorf("%d of %d asks and %d mailboxes hang in the simulation", hung, len(starts), len(names))
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
			rt.Errorf("%d of %d asks and %d mailboxes hang live", hung, len(starts), len(names))
		}
	})
}
