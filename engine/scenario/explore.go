package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
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
		x.verbs = []string{"crash", "hang", "slow", "fail", "drop", "delay", "duplicate", "reorder", "partition", "clock_skew", "fill_mailbox", "exhaust",
			"poison", "pause", "restart", "reload"}
	}
	x.verbs = slices.DeleteFunc(slices.Clone(x.verbs), func(v string) bool {
		return v == "reload" && len(s.Explore.Reloads) == 0 || v == "partition" && len(x.targets) < 2
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
	if !hasRate(s.Verb) {
		f.Rate = 1
	}
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
	case "poison":
		f.Rate, f.Where = 0, deadly(x.below(poisons))
	case "corrupt":
		f.What = "reply"
	case "reload":
		s.Fault, s.Reload = nil, &x.spec.Explore.Reloads[x.below(len(x.spec.Explore.Reloads))]
	}
	return s
}

// hasRate tells the verbs that befall a share of calls or messages; that of exhaust is how much is used up.
func hasRate(verb string) bool {
	return slices.Contains([]string{"slow", "fail", "drop", "delay", "duplicate", "reorder", "corrupt", "exhaust"}, verb)
}

// poisons is how many kinds of messages there are of which one kills.
const poisons = 8

// deadly is the condition that one kind of messages meets: the same content always kills, however often it comes.
func deadly(kind int) *rules.Program {
	p, _ := rules.Compile(fmt.Sprintf("hash(msg) %% %d == %d", poisons, kind), rules.Condition, rules.Scope{Place: rules.AtPoison})
	return p
}
