package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// growPlan makes a plan from an indented list: one actor a line, its name first, then words. A line with lines below it
// is a supervisor. Words: one_for_one all_for_one rest_for_one, N/SPAN (intensity), always on_failure never,
// backoff=INITIAL, xN (replicas), significant, auto=any, reset=SPAN.
func growPlan(lines []string) (*plan.Plan, error) {
	p := &plan.Plan{}
	var path []int // open supervisors by depth
	orders := map[int]int{}
	for i, line := range lines {
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		if depth > len(path) {
			return nil, fmt.Errorf("line %d is too deep", i)
		}
		path = path[:depth]
		fields := strings.Fields(line)
		parent := -1
		if depth > 0 {
			parent = path[depth-1]
		}
		order := orders[parent]
		orders[parent]++
		replicas := 0
		for _, w := range fields[1:] {
			if n, ok := strings.CutPrefix(w, "x"); ok {
				replicas, _ = strconv.Atoi(n)
			}
		}
		isSupervisor := i+1 < len(lines) && len(lines[i+1])-len(strings.TrimLeft(lines[i+1], " ")) > depth*2
		for r := range max(1, replicas) {
			a := plan.Actor{Name: fields[0], Parent: parent, Definition: &plan.Definition{Order: order, Kind: plan.Script, Script: &plan.ScriptSpec{}}}
			if replicas > 0 {
				a.Name, a.Group, a.Replica = fmt.Sprintf("%s-%d", fields[0], r), p.Actors[parent].Path+"/"+fields[0], r
				if r == 0 {
					p.Groups = append(p.Groups, plan.Group{Name: fields[0], Path: a.Group})
				}
				g := &p.Groups[len(p.Groups)-1]
				g.Members = append(g.Members, a.Group+fmt.Sprintf("-%d", r))
			}
			a.Path = a.Name
			if parent >= 0 {
				a.Path = p.Actors[parent].Path + "/" + a.Name
				up := p.Actors[parent].Supervisor
				up.Children = append(up.Children, len(p.Actors))
			}
			a.Restart = plan.Restart{Policy: plan.Always}
			a.Shutdown = plan.Shutdown{Drain: time.Second, Kill: time.Second}
			if isSupervisor || parent < 0 {
				a.Kind, a.Script = plan.Supervisor, nil
				a.Supervisor = &plan.SupervisorSpec{
					Strategy: plan.OneForOne, Intensity: plan.Intensity{Max: 3, Within: time.Minute}, AutoShutdown: "never",
				}
			}
			for _, w := range fields[1:] {
				if err := word(&a, w); err != nil {
					return nil, fmt.Errorf("line %d: %w", i, err)
				}
			}
			p.Actors = append(p.Actors, a)
			if r == 0 && isSupervisor {
				path = append(path, len(p.Actors)-1)
			}
		}
	}
	return p, p.Seal()
}

func word(a *plan.Actor, w string) error {
	policies := map[string]plan.RestartPolicy{"always": plan.Always, "on_failure": plan.OnFailure, "never": plan.Never}
	strategies := map[string]plan.Strategy{"one_for_one": plan.OneForOne, "all_for_one": plan.AllForOne, "rest_for_one": plan.RestForOne}
	key, value, _ := strings.Cut(w, "=")
	if max, within, ok := strings.Cut(w, "/"); ok {
		n, err := strconv.Atoi(max)
		if err != nil {
			return err
		}
		a.Supervisor.Intensity.Max = n
		a.Supervisor.Intensity.Within, err = time.ParseDuration(within)
		return err
	}
	var err error
	switch {
	case policies[w] != 0:
		a.Restart.Policy = policies[w]
	case strategies[w] != 0:
		a.Supervisor.Strategy = strategies[w]
	case key == "backoff":
		a.Restart.Backoff.Factor, a.Restart.Backoff.Max = 2, time.Minute
		a.Restart.Backoff.Initial, err = time.ParseDuration(value)
	case key == "reset":
		a.Restart.Backoff.ResetAfter, err = time.ParseDuration(value)
	case key == "auto":
		a.Supervisor.AutoShutdown = value
	case key == "breaker":
		a.Guard = &plan.Guard{Name: value, Breaker: &plan.Breaker{Name: value}}
	case key == "storm":
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		a.Supervisor.RestartBreaker = &plan.Breaker{Name: a.Path + "/restarts", Policy: breaker.Policy{
			Trip: breaker.Trip{ConsecutiveFailures: n}, Open: breaker.OpenPolicy{For: 5 * time.Second},
		}}
	case key == "calls":
		h := plan.Handler{Message: "m"}
		for to := range strings.SplitSeq(value, ",") {
			h.Calls = append(h.Calls, plan.CallSpec{To: strings.ReplaceAll(to, ":", "/"), Message: "m"})
		}
		a.Script = &plan.ScriptSpec{Handlers: []plan.Handler{h}}
	case key == "health":
		a.Health = &plan.Probe{Then: value}
	case key == "concurrency":
		a.Concurrency, err = strconv.Atoi(value)
	case key == "on_failure_is":
		a.Supervisor.OnFailure, err = compile(value, rules.Text, rules.Scope{Place: rules.AtOnFailure})
	case w == "adopt":
		a.Adopt = true
	case w == "persist":
		a.Persist.Mode = "state"
	case w == "significant":
		a.Significant = true
	case strings.HasPrefix(w, "x"):
	default:
		err = fmt.Errorf("unknown word %q", w)
	}
	return err
}
