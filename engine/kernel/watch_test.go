package kernel

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
)

// circle is some actors that watch one another, and what they should watch.
type circle struct {
	*rapid.T
	watching [3]Watching
	watchers [4]Watchers
	model    map[[2]int]bool
}

func (c *circle) watch(who, of int) {
	pair := [2]int{who, of}
	w := c.watching[who].Begin(engine.ID(of), func(n *Notice) {
		if !c.model[pair] || !c.watching[who].Heard(n) {
			c.Fatalf("%d hears of %d and does not watch it", who, of)
		}
		delete(c.model, pair)
	})
	if (w == nil) != c.model[pair] {
		c.Fatalf("%v is watched already: %v", pair, w == nil)
	}
	if w != nil {
		c.watchers[of].Add(w)
		c.model[pair] = true
	}
}

func (c *circle) unwatch(who, of int) {
	if w := c.watching[who].End(engine.ID(of)); w != nil {
		w.Off()
		c.watchers[of].Drop(w)
	}
	delete(c.model, [2]int{who, of})
}

// late takes a watch back while it is put in.
func (c *circle) late(who, of int) {
	if w := c.watching[who].Begin(engine.ID(of), nil); w != nil {
		c.watching[who].End(engine.ID(of)).Off()
		c.watchers[of].Drop(w)
		c.watchers[of].Add(w)
	}
}

// check compares both sides with the model.
func (c *circle) check() {
	sides := [2]int{}
	for i := range c.watchers {
		sides[0] += c.watchers[i].Len()
	}
	for i := range c.watching {
		sides[1] += len(c.watching[i].All())
	}
	if sides != [2]int{len(c.model), len(c.model)} {
		c.Fatalf("%d watches with the watched, %d with the watchers, want %d", sides[0], sides[1], len(c.model))
	}
}

// Whoever watches, hears or gives up: watchers and watched agree on who is left, everybody hears, and nothing stays behind.
func TestWatchesLeaveNothingBehind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &circle{T: t, model: map[[2]int]bool{}}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			who, of := rapid.IntRange(0, 2).Draw(t, "who"), rapid.IntRange(0, 3).Draw(t, "of")
			switch rapid.IntRange(0, 4).Draw(t, "act") {
			case 0, 1:
				c.watch(who, of)
			case 2:
				c.unwatch(who, of)
			case 3:
				c.late(who, of)
			case 4:
				for _, w := range c.watchers[of].Take() {
					w.Tell(&Notice{Watch: w})
				}
			}
			c.check()
		}
	})
}
