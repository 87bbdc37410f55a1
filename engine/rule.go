package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// rulebook holds the plan's rules with what they remember, in the author's order. Rules are judged on each sample: for
// the subjects whose measurements changed, and for those that a rule is watching.
type rulebook struct {
	rules    []*standing
	actors   []*actor   // changed since the last sample, by path
	breakers []*circuit // changed since the last sample, by name
	sups     []*actor   // supervisors that decided something since the last sample
	all      bool       // judge everybody next time: the plan is new
	tick     uint64
	subjects []subject // memory of the list that is made for each rule
}

// standing is one rule and what it remembers of its subjects. Memory is kept only for subjects whose condition is true,
// that are to be cleared, or that cool down: the others cost nothing.
type standing struct {
	rule    *plan.Rule
	broad   bool // it reads more than its subject: every subject is judged on every sample
	watches map[string]*watch
	order   []*watch // by name of the subject
	fires   spell    // for limit
}

// watch is what a rule remembers of one subject.
type watch struct {
	subject subject
	name    string
	tick    uint64 // last judged
	truth
	fired   bool          // and not cleared yet
	cool    time.Duration // may not fire before
	failing bool          // its last evaluation failed, and that was told
	limited bool          // it met the rule's limit, and that was told
}

// adopt takes a plan's rules over; a rule that keeps its name keeps its memory.
func (b *rulebook) adopt(p *plan.Plan) {
	old := b.rules
	b.rules, b.all = nil, true
	for i := range p.Rules {
		r := &p.Rules[i]
		if !r.Enabled || r.When == nil {
			continue
		}
		next := &standing{watches: map[string]*watch{}}
		if at := slices.IndexFunc(old, func(s *standing) bool { return s.rule.Name == r.Name && s.rule.Subject == r.Subject }); at >= 0 {
			next = old[at]
		}
		next.rule, next.broad = r, readsBeyond(r)
		b.rules = append(b.rules, next)
	}
}

// forget drops the memory of subjects that are gone.
func (b *rulebook) forget(gone func(subject) bool) {
	for _, s := range b.rules {
		s.order = slices.DeleteFunc(s.order, func(w *watch) bool {
			if gone(w.subject) {
				delete(s.watches, w.name)
				return true
			}
			return false
		})
	}
}

// readsBeyond tells whether a rule must be judged even when its subject did not change.
func readsBeyond(r *plan.Rule) bool {
	prefix := [...]string{"actor.", "breaker.", "supervisor.", "node.", "system."}[r.Subject]
	for _, program := range [...]*rules.Program{r.Where, r.When, r.Clear} {
		if program == nil {
			continue
		}
		for _, path := range program.Reads() {
			if !strings.HasPrefix(path, prefix) && !strings.HasPrefix(path, "params.") {
				return true
			}
		}
	}
	return false
}

func (b *rulebook) touchBreaker(c *circuit) {
	if !c.touched {
		c.touched = true
		b.breakers = append(b.breakers, c)
	}
}

// touchSupervisor makes the rules look at a supervisor at the next sample.
func (b *rulebook) touchSupervisor(s *supervisor) {
	if !s.touched {
		s.touched = true
		b.sups = append(b.sups, s.self)
	}
}

// rest empties the lists of those that changed.
func (b *rulebook) rest() {
	for _, c := range b.breakers {
		c.touched = false
	}
	for _, a := range b.sups {
		if a.sup != nil {
			a.sup.touched = false
		}
	}
	b.actors, b.breakers, b.sups, b.all = b.actors[:0], b.breakers[:0], b.sups[:0], false
}

// judgeRules judges every rule on the samples at hand, in the author's order.
func (m *Machine) judgeRules() {
	b := &m.rulebook
	b.tick++
	for _, r := range b.rules {
		m.judgeRule(r)
	}
	b.rest()
}

// judgeRule judges one rule for all subjects that matter now, then lets it fire: for the worst subject first, since a
// share or a limit may not reach for all.
func (m *Machine) judgeRule(r *standing) {
	env := m.envOf(subject{})
	for _, s := range m.subjects(r) {
		m.about(env, s)
		m.judgeSubject(r, s)
	}
	if len(r.order) == 0 {
		return
	}
	for _, w := range slices.Clone(r.order) {
		if w.tick != m.rulebook.tick {
			m.about(env, w.subject)
			m.judgeSubject(r, w.subject)
		}
	}
	var ready []*watch
	for _, w := range r.order {
		if !w.fired && m.now >= w.cool && w.held(m.now, r.rule.Hold) {
			ready = append(ready, w)
		}
	}
	slices.SortStableFunc(ready, func(a, b *watch) int {
		if a.subject.actor == nil || b.subject.actor == nil {
			return 0
		}
		return worse(a.subject.actor, b.subject.actor)
	})
	for _, w := range ready {
		m.fire(r, w)
	}
	r.tidy(m.now)
}

// subjects are whom a rule must look at on this sample, besides those it watches. The list is good until the next call.
func (m *Machine) subjects(r *standing) []subject {
	b := &m.rulebook
	everybody := r.broad || b.all
	out := b.subjects[:0]
	switch r.rule.Subject {
	case rules.ActorSubject, rules.SupervisorSubject:
		from, supervisors := b.actors, r.rule.Subject == rules.SupervisorSubject
		switch {
		case everybody:
			from = m.roster.byIndex
		case supervisors:
			from = b.sups
		}
		for _, a := range from {
			if (a.sup != nil) == supervisors {
				out = append(out, subject{actor: a})
			}
		}
	case rules.BreakerSubject:
		from := b.breakers
		if everybody {
			from = m.circuits.sorted
		}
		for _, c := range from {
			out = append(out, subject{breaker: c})
		}
	default:
		out = append(out, subject{})
	}
	b.subjects = out
	return out
}

// judgeSubject evaluates a rule for the subject that the scratch environment is about and remembers what came out.
// Most often that is nothing: the condition is false, and nobody was watching.
func (m *Machine) judgeSubject(r *standing, s subject) {
	is, selected, err := evaluate(r.rule, &m.scratch)
	if !is && err == nil && len(r.order) == 0 {
		return
	}
	name := s.name()
	w := r.watches[name]
	if w == nil {
		if !is && err == nil {
			return
		}
		w = r.watch(s, name)
	}
	w.tick = m.rulebook.tick
	if err != nil {
		is = m.evaluationFailed(r, w, err)
	} else {
		w.failing = false
	}
	w.turn(is, m.now, r.rule.Hold)
	if w.fired && m.cleared(r, w, is, selected) {
		w.fired, w.limited, w.since = false, false, m.now
		m.tell(s.path(), &journal.RuleCleared{Rule: r.rule.Name, Subject: name, Values: valuesOf(m.envOf(s), r.rule.When)})
	}
}

// evaluate gives the condition's value, and whether `where` selects the subject at all.
func evaluate(r *plan.Rule, env *rules.Env) (is, selected bool, err error) {
	if r.Where != nil {
		if selected, err = r.Where.Condition(env); err != nil || !selected {
			return false, false, err
		}
	}
	is, err = r.When.Condition(env)
	return is, true, err
}

// evaluationFailed does what on_error says and gives what the condition counts as.
func (m *Machine) evaluationFailed(r *standing, w *watch, err error) bool {
	m.ruleErred()
	if !w.failing {
		w.failing = true
		m.tell(w.subject.path(), &journal.RuleFailed{Rule: r.rule.Name, Subject: w.name, Error: err.Error()})
		if r.rule.OnError == "escalate" {
			m.enterEmergency("rule " + r.rule.Name + " could not be evaluated")
		}
	}
	return r.rule.OnError == "fire"
}

func (m *Machine) cleared(r *standing, w *watch, is, selected bool) bool {
	if r.rule.Clear == nil || !selected {
		return !is
	}
	clear, err := r.rule.Clear.Condition(m.envOf(w.subject))
	if err != nil {
		m.evaluationFailed(r, w, err)
	}
	return clear
}

func (r *standing) watch(s subject, name string) *watch {
	w := &watch{subject: s, name: name}
	r.watches[name] = w
	at, _ := slices.BinarySearchFunc(r.order, name, func(w *watch, name string) int { return strings.Compare(w.name, name) })
	r.order = slices.Insert(r.order, at, w)
	return w
}

// tidy forgets subjects that there is nothing to remember of.
func (r *standing) tidy(now time.Duration) {
	r.order = slices.DeleteFunc(r.order, func(w *watch) bool {
		if w.true || w.fired || w.failing || now < w.cool || len(w.spans) > 0 {
			return false
		}
		delete(r.watches, w.name)
		return true
	})
}

// fire runs a rule's actions for a subject, unless the rule has reached its limit.
func (m *Machine) fire(r *standing, w *watch) {
	limit := r.rule.Limit
	if limit.Max > 0 && r.fires.add(m.now, limit, false) {
		if !w.limited {
			w.limited = true
			m.tell(w.subject.path(), &journal.RuleFailed{
				Rule: r.rule.Name, Subject: w.name, Error: fmt.Sprintf("its limit of %d within %s is reached", limit.Max, limit.Within),
			})
		}
		return
	}
	w.fired, w.limited, w.cool = true, false, m.now+r.rule.Cooldown
	verbs := make([]string, len(r.rule.Then))
	for i := range r.rule.Then {
		verbs[i] = r.rule.Then[i].Verb
	}
	m.tell(w.subject.path(), &journal.RuleFired{Rule: r.rule.Name, Subject: w.name, Values: valuesOf(m.envOf(w.subject), r.rule.When), Actions: verbs})
	m.actAll(r.rule.Then, origin{by: "rule " + r.rule.Name, rule: r.rule.Name, cause: byRule, subject: w.subject})
}
