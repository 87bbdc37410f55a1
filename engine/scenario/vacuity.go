package scenario

import (
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// relevance tells whether an expectation that has passed had a chance not to. It keeps a few words: a premise that has held
// once is not looked at again.
type relevance struct {
	clauses  []clause
	measures []rules.NamedSubject // all that it reads are measurements of these; nil: it reads other things too
	measured bool                 // one of them has been called
}

// clause is one thing that an expectation claims, and the premises that have not held yet.
type clause struct {
	missing []*rules.Program
}

// relevanceOf finds what must have been so for an expectation to say something.
func relevanceOf(e *plan.Expectation, params []rules.Field) relevance {
	if e.Kind == "sometimes" || e.Kind == "eventually" {
		return relevance{measured: true} // it passes because something was so
	}
	var v relevance
	for _, c := range rules.Clauses(e.Cond.Source(), e.Kind != "never", rules.Scope{Place: rules.AtExpect, Params: params}) {
		v.clauses = append(v.clauses, clause{missing: slices.Clone(c.Premises)})
	}
	v.measures = measurements(e.Cond)
	v.measured = v.measures == nil
	return v
}

// measurements are the subjects of a condition that reads nothing but what is measured of their calls.
func measurements(p *rules.Program) []rules.NamedSubject {
	if len(p.Names()) == 0 {
		return nil
	}
	for _, path := range p.Reads() {
		_, field, ok := strings.Cut(path, `").`)
		if !ok && !strings.HasPrefix(path, "params") || ok && !measuredField(path, field) {
			return nil
		}
	}
	for _, n := range p.Names() {
		if n.Function != "actor" && n.Function != "breaker" && n.Function != "load" {
			return nil
		}
	}
	return p.Names()
}

// measuredField tells the fields that mean nothing before there has been a call. How many there were means something.
func measuredField(path, field string) bool {
	if strings.HasPrefix(path, "load(") {
		return field != "sent"
	}
	field, _, _ = strings.Cut(field, ".")
	return slices.Contains([]string{"error_rate", "slow_rate", "latency", "consecutive", "rejected"}, field)
}

// look takes in a moment at which the expectation is judged.
func (v *relevance) look(env *rules.Env) {
	for i := range v.clauses {
		if c := &v.clauses[i]; len(c.missing) > 0 {
			c.missing = slices.DeleteFunc(c.missing, func(p *rules.Program) bool {
				ok, err := p.Condition(env)
				return ok && err == nil
			})
		}
	}
	if !v.measured && env.World != nil {
		v.measured = slices.ContainsFunc(v.measures, func(n rules.NamedSubject) bool { return called(env.World, n) })
	}
}

// called tells whether a subject has had calls.
func called(w rules.World, n rules.NamedSubject) bool {
	switch n.Function {
	case "actor":
		a := w.Actor(n.Name)
		return a != nil && a.Calls > 0
	case "load":
		l := w.Load(n.Name)
		return l != nil && l.OK+l.Failed > 0
	}
	b := w.Breaker(n.Name, "")
	return b == nil || b.Calls > 0 || b.Rejected > 0 || b.Opens > 0 // nil: one of its keys is meant
}

// vacuous says why an expectation that holds says nothing, "" when it says something.
func (v *relevance) vacuous() string {
	if !v.measured {
		return "nobody called what it measures"
	}
	for i := range v.clauses {
		if len(v.clauses[i].missing) == 0 {
			return ""
		}
	}
	if len(v.clauses) == 0 {
		return ""
	}
	return "it says nothing: never was " + v.clauses[0].missing[0].Source()
}
