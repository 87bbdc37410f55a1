package compiler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

func joinArrows(names []string) string { return strings.Join(names, " -> ") }

// checkCycles reports actors that wait for each other: a call that comes back to its caller is never answered.
func (c *compiler) checkCycles() {
	w := waiting{c: c, state: map[*unit]int{}}
	for _, u := range c.units {
		w.visit(u)
	}
}

// waiting is a depth-first search over who waits for whom.
type waiting struct {
	c     *compiler
	state map[*unit]int // 0 new, 1 on the path, 2 done
	path  []waits       // how the search came here; path[i].to is the actor it came to
}

func (w *waiting) visit(u *unit) {
	if w.state[u] != 0 {
		return
	}
	w.state[u] = 1
	for _, next := range u.calls {
		w.path = append(w.path, next)
		if w.state[next.to] == 1 {
			w.report(next.to)
		} else {
			w.visit(next.to)
		}
		w.path = w.path[:len(w.path)-1]
	}
	w.state[u] = 2
}

// report tells the cycle that ends the path at u.
func (w *waiting) report(u *unit) {
	begin := 0
	for i := len(w.path) - 2; i >= 0; i-- {
		if w.path[i].to == u {
			begin = i + 1
			break
		}
	}
	cycle := w.path[begin:]
	names, lines := []string{w.c.called(u)}, []string{}
	for _, step := range cycle {
		names = append(names, w.c.called(step.to))
		lines = append(lines, fmt.Sprint(step.pos.Line))
	}
	d := spec.Diagnostic{Code: "LR204", Pos: cycle[0].pos, Message: fmt.Sprintf("ask cycle: %s (%s %s)", joinArrows(names), noun(len(lines), "line"), strings.Join(lines, ", ")),
		Help: "a message that is told instead of asked waits for nobody"}
	for _, step := range cycle[1:] {
		d.Related = append(d.Related, spec.Related{Pos: step.pos, Message: "goes on here"})
	}
	w.c.report(d)
}

func noun(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// checkReach warns of rules that never act.
func (c *compiler) checkReach() {
	for i, v := range c.root.Entry("rules").Items() {
		r := &c.plan.Rules[i]
		switch {
		case !r.Enabled:
		case constantly(r.When, false):
			c.warnf("LR231", v.Entry("when").Pos, "rule %q never acts: %q is never true", r.Name, r.When.Source())
		case constantly(r.Where, false):
			c.warnf("LR231", v.Entry("where").Pos, "rule %q never acts: %q is never true", r.Name, r.Where.Source())
		case constantly(r.When, true):
			c.warnf("LR231", v.Entry("when").Pos, "rule %q always acts: %q is always true", r.Name, r.When.Source())
		case len(r.Then) == 0 && v.Entry("then") == nil:
			c.warnf("LR226", place(v.Entry("name"), v), "rule %q does nothing; add then: [ACTION]", r.Name)
		case r.Subject == rules.BreakerSubject && len(c.breakers) == 0:
			c.warnf("LR231", place(v.Entry("for_each"), v), "rule %q never acts: there is no breaker", r.Name)
		case r.Where != nil && r.Subject == rules.ActorSubject && c.nobody(r.Where):
			c.warnf("LR231", v.Entry("where").Pos, "rule %q never acts: %q is true of no actor", r.Name, r.Where.Source())
		}
	}
}

// fixed are the fields of an actor that never change while it lives.
var fixed = [...]string{"actor.group", "actor.name", "actor.path", "actor.replica"}

// nobody reports whether a condition that reads only what never changes is true of no actor.
func (c *compiler) nobody(p *rules.Program) bool {
	for _, path := range p.Reads() {
		if !slices.Contains(fixed[:], path) {
			return false
		}
	}
	for i := range c.plan.Actors {
		a := &c.plan.Actors[i]
		if c.fits(p, &rules.Actor{Name: a.Name, Path: a.Path, Group: a.Group, Replica: a.Replica}) {
			return false
		}
	}
	for i := range c.plan.Groups {
		g := &c.plan.Groups[i]
		if c.fits(p, &rules.Actor{Name: g.Name, Path: g.Path, Group: g.Path}) {
			return false
		}
	}
	return true
}

func (c *compiler) fits(p *rules.Program, a *rules.Actor) bool {
	ok, err := p.Condition(&rules.Env{Actor: a})
	return ok || err != nil
}
