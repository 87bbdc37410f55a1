package compiler

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// site is what a compiled expression depends on besides its text and what the whole topology declares. It is comparable,
// so that equal expressions at equal places are compiled once, however many actors share them.
type site struct {
	place   rules.Place
	want    rules.Want
	subject rules.Subject
	msg     string // type of the message in scope, "" when unknown
	fields  string // of the state in scope, with their kinds
	binds   string // results in scope, with the messages they answer
	oneOf   string // comma-separated texts the expression may give
}

// scope is where an expression stands, with the types of what is in scope there.
type scope struct {
	site
	state *rules.Shape
	bound []rules.Field
}

// programKey identifies a compiled program.
type programKey struct {
	site
	text string
}

// exprPlace is an expression that has been reported on.
type exprPlace struct {
	pos spec.Pos
	key programKey
}

// in is the scope of a place where neither state nor results are in scope.
func in(place rules.Place) scope { return scope{site: site{place: place}} }

// about adds the type of the message in scope.
func (s scope) about(message string) scope { s.msg = message; return s }

// of adds the subject of a rule.
func (s scope) of(subject rules.Subject) scope { s.subject = subject; return s }

func (s scope) wanting(want rules.Want) scope { s.want = want; return s }

// condition, number and words compile an expression that must give such a value; nil when it is absent or wrong.
func (c *compiler) condition(v *spec.Value, s scope) *rules.Program {
	return c.program(v, s.wanting(rules.Condition))
}

func (c *compiler) number(v *spec.Value, s scope) *rules.Program {
	return c.program(v, s.wanting(rules.Number))
}

func (c *compiler) words(v *spec.Value, s scope) *rules.Program {
	return c.program(v, s.wanting(rules.Text))
}

// program compiles an expression; nil when there is none, or when it is wrong, which has then been reported.
func (c *compiler) program(v *spec.Value, s scope) *rules.Program {
	e := v.Expression()
	if e.IsZero() {
		return nil
	}
	key := programKey{s.site, e.Text}
	p, known := c.programs[key]
	here := exprPlace{e.Pos, key}
	if known && (p != nil || c.reported[here]) {
		c.note(p, e, s, here)
		return p
	}
	p, problems := rules.Compile(e.Text, s.want, c.scope(s))
	c.programs[key] = p
	for _, problem := range problems {
		c.problem(e, problem)
	}
	c.note(p, e, s, here)
	return p
}

// note keeps the subjects that a program names, once for each place. Most programs are fine and name nobody: of them
// nothing is kept.
func (c *compiler) note(p *rules.Program, e spec.Expr, s scope, here exprPlace) {
	if p != nil && len(p.Names()) == 0 || c.reported[here] {
		return
	}
	c.reported[here] = true
	if p != nil {
		c.named = append(c.named, reference{p, e, s.place})
	}
}

// scope gives the names that are in scope their types.
func (c *compiler) scope(s scope) rules.Scope {
	out := rules.Scope{Place: s.place, Subject: s.subject, Params: c.params, State: s.state, Binds: s.bound, Metrics: c.metrics}
	if m, ok := c.messages[s.msg]; ok {
		out.Msg = m.fields
		if s.place == rules.AtOutcome || s.place == rules.AtRetryWhen || s.place == rules.AtFallback {
			out.Reply = m.reply
		}
	}
	if s.oneOf != "" {
		out.OneOf = strings.Split(s.oneOf, ",")
	}
	return out
}

// severalWords is text that YAML's quotes were meant to make text of, such as "not found".
var severalWords = regexp.MustCompile(`^[A-Za-z]+( [A-Za-z]+)+[.!]?$`)

// problem reports what is wrong with an expression, at its place inside the scalar.
func (c *compiler) problem(e spec.Expr, p rules.Problem) {
	begin, end := clamp(e.Text, p.Offset), clamp(e.Text, p.Offset+p.Len)
	length := max(1, utf8.RuneCountInString(e.Text[begin:end]))
	d := spec.Diagnostic{
		Code: p.Code, Message: p.Message, Help: p.Help,
		Pos: e.At(utf8.RuneCountInString(e.Text[:begin]), length),
	}
	if p.Warning {
		d.Severity = spec.Warning
	}
	if p.Suggestion != "" && !strings.Contains(p.Message, "did you mean") && !strings.Contains(p.Message, strings.Trim(p.Suggestion, "'")) {
		d.Suggestion = fmt.Sprintf("did you mean %q?", p.Suggestion)
	}
	if e.Quoted && p.Code != "LR315" && severalWords.MatchString(e.Text) {
		d = spec.Diagnostic{Code: "LR315", Pos: e.Pos, Message: fmt.Sprintf(`%q is an expression here; literal text is '"%s"'`, e.Text, e.Text)}
	}
	c.report(d)
}

func clamp(text string, at int) int { return max(0, min(at, len(text))) }

// template compiles a built value: an expression, or a mapping or list of built values.
func (c *compiler) template(v *spec.Value, s scope) *rules.Template {
	switch {
	case v == nil:
		return nil
	case v.Type.Shape == spec.Table:
		fields := make([]rules.TemplateField, 0, len(v.Entries()))
		for _, e := range v.Entries() {
			fields = append(fields, rules.TemplateField{Name: e.Key, Value: c.template(e.Value, s)})
		}
		slices.SortFunc(fields, func(a, b rules.TemplateField) int { return strings.Compare(a.Name, b.Name) })
		return rules.Mapping(fields)
	case v.Type.Shape == spec.List:
		items := make([]*rules.Template, 0, len(v.Items()))
		for _, item := range v.Items() {
			items = append(items, c.template(item, s))
		}
		return rules.List(items)
	}
	p := c.program(v, s.wanting(rules.Any))
	if p == nil {
		return nil
	}
	return rules.Expression(p)
}

// reference is an expression that names subjects by literals.
type reference struct {
	program *rules.Program
	expr    spec.Expr
	place   rules.Place
}

// checkNamed holds the actors and breakers that expressions name against those that there are.
func (c *compiler) checkNamed() {
	for _, r := range c.named {
		for _, n := range r.program.Names() {
			begin, end := clamp(r.expr.Text, n.Offset), clamp(r.expr.Text, n.Offset+n.Len)
			pos := r.expr.At(utf8.RuneCountInString(r.expr.Text[:begin]), max(1, utf8.RuneCountInString(r.expr.Text[begin:end])))
			c.checkSubject(n, pos)
		}
	}
}

func (c *compiler) checkSubject(n rules.NamedSubject, pos spec.Pos) {
	switch n.Function {
	case "actor":
		c.lookup(n.Name, pos, "actor")
	case "breaker":
		if !c.breakers[n.Name] {
			c.unknownBreaker(n.Name, pos)
		} else if found := c.find(n.Name); len(found) == 1 {
			c.count(found[0])
		}
	case "load":
		if !slices.Contains(c.loads, n.Name) {
			c.unknown("LR203", pos, "load", n.Name, c.loads)
		}
	case "share.target":
		c.matches(n.Name, pos)
	case "share.state":
		if states := shareStates(); !slices.Contains(states, n.Name) {
			c.unknown("LR203", pos, "state", n.Name, states)
		}
	}
}

// unknownBreaker tells an actor that has no breaker from a name that nothing has.
func (c *compiler) unknownBreaker(name string, pos spec.Pos) {
	if found := c.find(name); len(found) == 1 {
		c.errorf("LR203", pos, "%q has no breaker; give it guard: {breaker: …}", name)
		return
	}
	var have []string
	for b := range c.breakers {
		have = append(have, b)
	}
	slices.Sort(have)
	c.unknown("LR203", pos, "breaker", name, have)
}

// shareStates are what share counts: states of breakers first, then those of actors.
func shareStates() []string {
	return append(rules.BreakerStates(), rules.ActorStates()...)
}
