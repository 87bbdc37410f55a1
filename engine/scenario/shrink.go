package scenario

import (
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// MaxShrink bounds the runs of one Shrink.
const MaxShrink = 400

// Found is a schedule of random faults, and the seed with which it breaks a scenario.
type Found struct {
	Steps []plan.Step
	Seed  uint64
}

// Shrink looks for the smallest schedule that still fails. It leaves faults out (delta debugging, after Zeller and
// Hildebrandt, 2002), joins faults of a kind, and where that gets stuck explores the neighbourhood: one fault less, another
// one longer, earlier, surer or elsewhere, or another seed. What is left is made shorter and simpler. fails plays a schedule;
// it is called at most MaxShrink times, which is also returned.
func Shrink(f Found, fails func(Found) bool) (small Found, runs int) {
	k := &shrinker{fails: fails, best: f}
	k.fewer()
	for k.joined() || k.near() {
		k.fewer()
	}
	k.simpler()
	return k.best, k.runs
}

// shrinker holds the smallest schedule so far.
type shrinker struct {
	fails func(Found) bool
	best  Found
	runs  int
}

// try takes a schedule over if it fails, too.
func (k *shrinker) try(steps []plan.Step, seed uint64) bool {
	if k.runs >= MaxShrink || len(steps) == 0 {
		return false
	}
	k.runs++
	next := Found{slices.Clone(steps), seed}
	slices.SortStableFunc(next.Steps, func(a, b plan.Step) int { return int(a.At.Offset - b.At.Offset) })
	if !k.fails(next) {
		return false
	}
	k.best = next
	return true
}

// without is the schedule with faults left out.
func (k *shrinker) without(at, n int) []plan.Step {
	return slices.Delete(slices.Clone(k.best.Steps), at, min(at+n, len(k.best.Steps)))
}

// fewer leaves out ever smaller parts, until no single fault can be.
func (k *shrinker) fewer() {
	for size := max(len(k.best.Steps)/2, 1); ; size /= 2 {
		for at := 0; at < len(k.best.Steps); {
			if !k.try(k.without(at, size), k.best.Seed) {
				at += size
			}
		}
		if size <= 1 {
			return
		}
	}
}

// joined makes one fault of two of a kind on the same target. It reports whether it could.
func (k *shrinker) joined() bool {
	for i := range k.best.Steps {
		for j := i + 1; j < len(k.best.Steps); j++ {
			a, b := k.best.Steps[i], k.best.Steps[j]
			if !alike(a, b) {
				continue
			}
			a.For = max(a.For, b.At.Offset+b.For-a.At.Offset)
			one := k.without(j, 1)
			one[i] = a
			if k.try(one, k.best.Seed) {
				return true
			}
		}
	}
	return false
}

// alike tells whether two steps do the same thing for a while to the same target.
func alike(a, b plan.Step) bool {
	if a.Verb != b.Verb || a.For == 0 || b.For == 0 || (a.Fault == nil) != (b.Fault == nil) {
		return false
	}
	if a.Fault == nil {
		return a.Action != nil && b.Action != nil && a.Action.Target == b.Action.Target
	}
	return a.Fault.Target == b.Fault.Target && a.Fault.To == b.Fault.To && a.Fault.Resource == b.Fault.Resource &&
		slices.EqualFunc(a.Fault.Between, b.Fault.Between, slices.Equal)
}

// seedsTried is how many other seeds are tried without a fault.
const seedsTried = 2

// near looks for a schedule with one fault less in the neighbourhood. It reports whether it found one.
func (k *shrinker) near() bool {
	if len(k.best.Steps) < 2 {
		return false
	}
	for i, gone := range k.best.Steps {
		rest := k.without(i, 1)
		for j := range rest {
			for _, changed := range neighbours(rest[j], gone) {
				one := slices.Clone(rest)
				one[j] = changed
				if k.try(one, k.best.Seed) {
					return true
				}
			}
		}
	}
	for i := range k.best.Steps {
		for n := range uint64(seedsTried) {
			if k.try(k.without(i, 1), k.best.Seed+n+1) {
				return true
			}
		}
	}
	return false
}

// neighbours are changes of a fault that may make up for one that is left out: it covers the time of both, lasts several
// times as long, comes when that one came, happens always.
func neighbours(s, gone plan.Step) []plan.Step {
	var out []plan.Step
	add := func(change func(*plan.Step)) {
		next := s
		at := *s.At
		next.At = &at
		change(&next)
		if !same(next, s) {
			out = append(out, next)
		}
	}
	if s.For > 0 {
		add(func(n *plan.Step) {
			end := max(s.At.Offset+s.For, gone.At.Offset+gone.For)
			n.At.Offset = min(s.At.Offset, gone.At.Offset)
			n.For = end - n.At.Offset
			n.Fault = rated(s.Fault, 1)
		})
		add(func(n *plan.Step) { n.For, n.Fault = 4*s.For, rated(s.Fault, 1) })
	}
	add(func(n *plan.Step) { n.At.Offset = gone.At.Offset })
	add(func(n *plan.Step) { n.At.Offset = max(0, gone.At.Offset-s.For/2) })
	return out
}

// simpler makes each fault shorter, surer and rounds its time.
func (k *shrinker) simpler() {
	for i := range k.best.Steps {
		for _, change := range []func(*plan.Step){
			func(s *plan.Step) { s.Fault = rated(s.Fault, 1) },
			func(s *plan.Step) { s.For = (s.For / 2).Round(grain) },
			func(s *plan.Step) { s.For = (s.For - s.For/4).Round(grain) },
			func(s *plan.Step) { s.Fault = delayed(s.Fault) },
			func(s *plan.Step) { s.At = &plan.Moment{Step: plan.Whole, Offset: s.At.Offset.Round(time.Second)} },
		} {
			for k.change(i, change) {
			}
		}
	}
}

// change tries one change of one fault. It reports whether the changed schedule fails.
func (k *shrinker) change(i int, change func(*plan.Step)) bool {
	next := k.best.Steps[i]
	change(&next)
	if same(next, k.best.Steps[i]) || k.best.Steps[i].For > 0 && next.For <= 0 {
		return false
	}
	steps := slices.Clone(k.best.Steps)
	steps[i] = next
	return k.try(steps, k.best.Seed)
}

// rated is the fault happening with another rate; itself when it has that or none.
func rated(f *plan.Fault, rate float64) *plan.Fault {
	if f == nil || f.Rate == rate || f.Rate == 0 {
		return f
	}
	out := *f
	out.Rate = rate
	return &out
}

// delayed is the fault with half its delay, itself when it has none.
func delayed(f *plan.Fault) *plan.Fault {
	if f == nil || f.By < 2*grain {
		return f
	}
	out := *f
	out.By = (f.By / 2).Round(grain)
	return &out
}

func same(a, b plan.Step) bool { return a.For == b.For && *a.At == *b.At && a.Fault == b.Fault }
