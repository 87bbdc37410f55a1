package scenario

import (
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// explorer draws random faults within what a scenario declares in `explore`.
type explorer struct {
	spec    *plan.Scenario
	rng     uint64
	targets []string // paths of actors and groups
	verbs   []string
}

// Schedule draws the faults of one exploring run. The same scenario and seed give the same faults.
func Schedule(s *plan.Scenario, seed uint64) []plan.Step {
	x := newExplorer(s, seed)
	if len(x.targets) == 0 || len(x.verbs) == 0 || s.Explore.Most <= 0 {
		return nil
	}
	n := 1 + x.below(s.Explore.Most)
	var out []plan.Step
	for range n {
		out = append(out, x.step())
	}
	slices.SortStableFunc(out, func(a, b plan.Step) int { return int(a.At.Offset - b.At.Offset) })
	return out
}

func newExplorer(s *plan.Scenario, seed uint64) *explorer {
	x := &explorer{spec: s, rng: mix(seed + golden)}
	wanted := s.Explore.Targets
	if len(wanted) == 0 {
		wanted = []string{"**"}
	}
	for i := range s.Plan.Actors {
		a := &s.Plan.Actors[i]
		if a.Kind != plan.Supervisor && slices.ContainsFunc(wanted, func(t string) bool { return means(t, a) || strings.HasPrefix(a.Path, t+"/") }) {
			x.targets = append(x.targets, a.Path)
		}
	}
	x.verbs = s.Explore.Verbs
	if len(x.verbs) == 0 {
		x.verbs = []string{"crash", "hang", "slow", "fail", "drop", "delay", "duplicate", "reorder", "partition", "clock_skew", "fill_mailbox", "exhaust", "pause", "restart"}
	}
	x.verbs = slices.DeleteFunc(slices.Clone(x.verbs), func(v string) bool {
		// Poison and corruption need an expression of the author's, a reload something to reload, a partition two sides.
		return v == "poison" || v == "corrupt" || v == "reload" || v == "partition" && len(x.targets) < 2
	})
	return x
}

func (x *explorer) draw() uint64 {
	x.rng += golden
	return mix(x.rng)
}

func (x *explorer) below(n int) int { return int(x.draw() % uint64(n)) }

// grain is what the times of random faults are rounded to, so that people can read them.
const grain = 100 * time.Millisecond

// span draws a duration, in grains, from least to most.
func (x *explorer) span(least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(x.below(int((most-least)/grain)+1))*grain
}

func (x *explorer) target() string { return x.targets[x.below(len(x.targets))] }

func (x *explorer) step() plan.Step {
	d := x.spec.Duration
	s := plan.Step{
		Verb: x.verbs[x.below(len(x.verbs))], Place: x.spec.Place, For: x.span(grain, max(d/8, time.Second)),
		At: &plan.Moment{Step: plan.Whole, Offset: x.span(grain, d-d/5)},
	}
	f := &plan.Fault{Target: x.target(), Rate: []float64{1, 1, 0.5, 0.2}[x.below(4)]}
	s.Fault = f
	switch s.Verb {
	case "crash":
		s.For = 0
	case "slow":
		f.By = x.span(grain, 2*time.Second)
	case "fail":
		if x.below(2) == 0 {
			f.Kind = "unreachable"
		} else {
			f.Status = 503
		}
	case "drop", "duplicate":
		f.To, f.Target = f.Target, ""
	case "delay", "reorder":
		f.To, f.Target, f.By = f.Target, "", x.span(grain, time.Second)
	case "partition":
		other := x.target()
		for other == f.Target {
			other = x.target()
		}
		f.Between, f.Target = [][]string{{f.Target}, {other}}, ""
	case "clock_skew":
		f.By, f.Target = x.span(time.Second, time.Hour), ""
	case "fill_mailbox":
		f.To, f.Target, s.For = f.Target, "", 0
	case "exhaust":
		f.Resource, f.Target = []string{"cpu", "memory", "disk"}[x.below(3)], ""
	case "pause":
		s.Fault, s.Action = nil, &plan.Action{Verb: "pause", Target: f.Target, For: s.For}
	case "restart":
		s.Fault, s.Action, s.For = nil, &plan.Action{Verb: "restart", Target: f.Target}, 0
	}
	return s
}

// MaxShrink bounds the runs of one Shrink.
const MaxShrink = 400

// Shrink looks for the smallest schedule that still fails: it leaves faults out (delta debugging, after Zeller and
// Hildebrandt, 2002), joins what remains, makes it shorter and simpler, and begins anew as long as that helps. fails plays
// a schedule; it is called at most MaxShrink times, which is also returned.
func Shrink(steps []plan.Step, fails func([]plan.Step) bool) (small []plan.Step, runs int) {
	k := &shrinker{fails: fails}
	for before := -1; before != k.wins && k.runs < MaxShrink; {
		before = k.wins
		steps = k.fewer(steps)
		steps = k.joined(steps)
		steps = k.simpler(steps)
	}
	return steps, k.runs
}

type shrinker struct {
	fails      func([]plan.Step) bool
	runs, wins int
}

func (k *shrinker) try(steps []plan.Step) bool {
	if k.runs >= MaxShrink {
		return false
	}
	k.runs++
	if !k.fails(steps) {
		return false
	}
	k.wins++
	return true
}

// fewer leaves out ever smaller parts.
func (k *shrinker) fewer(steps []plan.Step) []plan.Step {
	for size := max(len(steps)/2, 1); ; size /= 2 {
		for at := 0; at < len(steps) && len(steps) > 0; {
			without := slices.Delete(slices.Clone(steps), at, min(at+size, len(steps)))
			if k.try(without) {
				steps = without
			} else {
				at += size
			}
		}
		if size <= 1 {
			return steps
		}
	}
}

// joined makes one fault of two of a kind with the same target.
func (k *shrinker) joined(steps []plan.Step) []plan.Step {
	for i := 0; i < len(steps); i++ {
		for j := i + 1; j < len(steps); j++ {
			a, b := steps[i], steps[j]
			if a.Verb != b.Verb || a.Fault == nil || b.Fault == nil || a.For == 0 || a.Fault.Target != b.Fault.Target || a.Fault.To != b.Fault.To {
				continue
			}
			a.For = max(a.For, b.At.Offset+b.For-a.At.Offset)
			one := slices.Clone(steps)
			one[i] = a
			if one = slices.Delete(one, j, j+1); k.try(one) {
				steps = one
				j--
			}
		}
	}
	return steps
}

// simpler shortens each fault and rounds its time.
func (k *shrinker) simpler(steps []plan.Step) []plan.Step {
	for i := range steps {
		for _, change := range []func(*plan.Step){
			func(s *plan.Step) { s.For = (s.For / 2).Round(grain) },
			func(s *plan.Step) { s.At = &plan.Moment{Step: plan.Whole, Offset: s.At.Offset.Round(time.Second)} },
			func(s *plan.Step) { s.Fault = rated(s.Fault, 1) },
		} {
			for {
				next := steps[i]
				change(&next)
				if same(next, steps[i]) || steps[i].For > 0 && next.For <= 0 {
					break
				}
				changed := slices.Clone(steps)
				changed[i] = next
				if !k.try(changed) {
					break
				}
				steps = changed
			}
		}
	}
	return steps
}

func rated(f *plan.Fault, rate float64) *plan.Fault {
	if f == nil || f.Rate == rate {
		return f
	}
	out := *f
	out.Rate = rate
	return &out
}

func same(a, b plan.Step) bool { return a.For == b.For && *a.At == *b.At && a.Fault == b.Fault }
