// Package otp compares the Machine with Erlang/OTP's supervisor: the same trees, the same ends of the same children at
// the same times. What Erlang did with several thousand random ones is kept in testdata and compared by every test run;
// `make test-otp` asks a real Erlang again, with new ones.
package otp

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// node is a supervisor or a worker of a tree; its index is its place in the tree, the root's is 0. Names are OTP's.
type node struct {
	Parent      int    `json:"p"`
	Restart     string `json:"r"` // permanent, transient, temporary
	Significant bool   `json:"g,omitempty"`

	Strategy string `json:"s,omitempty"` // of a supervisor; "" is a worker
	Auto     string `json:"a,omitempty"`
	Max      int    `json:"m,omitempty"`
	Within   int    `json:"w,omitempty"` // seconds

	Shutdown string `json:"d,omitempty"` // of a worker: milliseconds or brutal_kill
	Deaf     bool   `json:"e,omitempty"` // it does not obey and must be killed
}

// finish is the end of a worker. Reasons are Erlang's: normal, shutdown and {shutdown,done} are normal ends, any other a crash.
type finish struct {
	Child  int    `json:"c"`
	Reason string `json:"r"`
}

func (f finish) normal() bool { return f.Reason != "crash" && f.Reason != "kill" }

// fail makes the next starts of a worker fail.
type fail struct {
	Child int `json:"c"`
	Times int `json:"n"`
}

// step is what happens in one second and is followed by quiet: workers of one supervisor end, before it hears of any.
type step struct {
	At    int      `json:"t"`
	Ends  []finish `json:"x"`
	Fails []fail   `json:"f,omitempty"`
}

// sequence is a tree and what happens to it.
type sequence struct {
	Tree  []node `json:"tree"`
	Fails []fail `json:"fails,omitempty"` // of the first start
	Steps []step `json:"steps"`
}

// pick chooses one of a few, which may be repeated to be likelier.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// drawTree grows a tree of at most three levels of supervisors.
func drawTree(r *rand.Rand) []node {
	var tree []node
	var grow func(parent, depth int)
	grow = func(parent, depth int) {
		n := node{Parent: parent, Restart: pick(r, "permanent", "permanent", "transient", "temporary")}
		if parent >= 0 {
			n.Significant = tree[parent].Auto != "never" && n.Restart != "permanent" && r.IntN(2) == 0
		}
		at, children := len(tree), 0
		if depth == 0 || depth < 3 && r.IntN(3) == 0 {
			children = 1 + r.IntN(4)
			n.Strategy = pick(r, "one_for_one", "one_for_all", "rest_for_one")
			n.Auto = pick(r, "never", "never", "never", "any_significant", "all_significant")
			n.Max, n.Within = pick(r, 0, 1, 1, 2, 3, 30), 1+r.IntN(4)
			if depth == 0 {
				n.Max = pick(r, 3, 30, 30) // or most sequences would be short
			}
		} else {
			n.Shutdown = pick(r, "5000", "5000", "5000", "5000", "brutal_kill")
			if r.IntN(10) == 0 {
				n.Shutdown, n.Deaf = "20", true
			}
		}
		tree = append(tree, n)
		for range children {
			grow(at, depth+1)
		}
	}
	grow(-1, 0)
	return tree
}

// draw makes a sequence: few about a failing first start, the others about a tree that is up. It asks the Machine who is alive, so that steps are about living workers.
func draw(r *rand.Rand) (sequence, error) {
	q := sequence{Tree: drawTree(r)}
	if r.IntN(25) == 0 {
		q.Fails = drawFails(r, q.Tree, len(q.Tree)-1)
		return q, nil
	}
	m, err := newRun(q)
	if err != nil {
		return q, err
	}
	m.boot()
	at := 0
	for range 12 {
		at += pick(r, 0, 0, 1, 1, 2)
		workers := m.livingWorkers()
		if len(workers) == 0 || at > 8 {
			break
		}
		s := step{At: at, Ends: []finish{{pick(r, workers...), drawReason(r)}}}
		if r.IntN(4) == 0 {
			s.Ends = alsoEnding(r, q.Tree, workers, s.Ends)
		}
		if r.IntN(3) == 0 {
			s.Fails = drawFails(r, q.Tree, s.Ends[0].Child)
		}
		q.Steps = append(q.Steps, s)
		m.play(s)
	}
	return q, nil
}

func drawReason(r *rand.Rand) string {
	return pick(r, "crash", "crash", "crash", "crash", "kill", "normal", "shutdown", "{shutdown,done}")
}

// alsoEnding lets siblings of the first one end with it, before or after it.
func alsoEnding(r *rand.Rand, tree []node, living []int, ends []finish) []finish {
	for _, w := range living {
		if w != ends[0].Child && tree[w].Parent == tree[ends[0].Child].Parent && r.IntN(2) == 0 {
			ends = append(ends, finish{w, drawReason(r)})
		}
	}
	r.Shuffle(len(ends), func(i, j int) { ends[i], ends[j] = ends[j], ends[i] })
	return ends
}

// drawFails lets starts of the worker or of a sibling fail.
func drawFails(r *rand.Rand, tree []node, child int) []fail {
	var siblings []int
	for i, n := range tree {
		if n.Parent == tree[child].Parent && n.Strategy == "" {
			siblings = append(siblings, i)
		}
	}
	return []fail{{pick(r, child, pick(r, siblings...)), 1 + r.IntN(2)}}
}

// plan is the tree as the Machine knows it.
func (q sequence) plan() (*plan.Plan, error) {
	p := &plan.Plan{Name: "otp"}
	for i, n := range q.Tree {
		a := plan.Actor{Name: fmt.Sprintf("n%d", i), Parent: n.Parent, Definition: &plan.Definition{Significant: n.Significant, Kind: plan.Go, Go: &plan.GoSpec{Behaviour: "n"}}}
		a.Restart.Policy = map[string]plan.RestartPolicy{"permanent": plan.Always, "transient": plan.OnFailure, "temporary": plan.Never}[n.Restart]
		a.Path = a.Name
		if n.Parent >= 0 {
			up := &p.Actors[n.Parent]
			a.Path = up.Path + "/" + a.Name
			a.Order = len(up.Supervisor.Children)
			up.Supervisor.Children = append(up.Supervisor.Children, i)
		}
		if n.Strategy != "" {
			a.Kind, a.Go = plan.Supervisor, nil
			a.Supervisor = &plan.SupervisorSpec{
				Strategy:     map[string]plan.Strategy{"one_for_one": plan.OneForOne, "one_for_all": plan.AllForOne, "rest_for_one": plan.RestForOne}[n.Strategy],
				AutoShutdown: strings.TrimSuffix(n.Auto, "_significant"),
				Intensity:    plan.Intensity{Max: n.Max, Within: time.Duration(n.Within) * time.Second},
			}
		}
		p.Actors = append(p.Actors, a)
	}
	return p, p.Seal()
}

// erlang is the sequence as a term for supervised.erl.
func (q sequence) erlang(id int) string {
	nodes := make([]string, len(q.Tree))
	for i, n := range q.Tree {
		what := fmt.Sprintf("{worker,%s,%v}", n.Shutdown, !n.Deaf)
		if n.Strategy != "" {
			what = fmt.Sprintf("{supervisor,%s,%s,%d,%d}", n.Strategy, n.Auto, n.Max, n.Within)
		}
		nodes[i] = fmt.Sprintf("{%d,%d,%s,%v,%s}", i, n.Parent, n.Restart, n.Significant, what)
	}
	steps := make([]string, len(q.Steps))
	for i, s := range q.Steps {
		ends := make([]string, len(s.Ends))
		for j, e := range s.Ends {
			ends[j] = fmt.Sprintf("{%d,%s}", e.Child, e.Reason)
		}
		steps[i] = fmt.Sprintf("{%d,[%s],%s}", s.At, strings.Join(ends, ","), erlangFails(s.Fails))
	}
	return fmt.Sprintf("{%d,[%s],%s,[%s]}.\n", id, strings.Join(nodes, ","), erlangFails(q.Fails), strings.Join(steps, ","))
}

func erlangFails(fails []fail) string {
	terms := make([]string, len(fails))
	for i, f := range fails {
		terms[i] = fmt.Sprintf("{%d,%d}", f.Child, f.Times)
	}
	return "[" + strings.Join(terms, ",") + "]"
}
