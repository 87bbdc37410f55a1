package rules

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// Clause is one of the things that a claim says on its own, and the premises without which it says nothing. Each premise
// must hold at some time, though not all at the same.
type Clause struct {
	Premises []*Program
}

// Clauses splits the claim that a condition always holds, or never, into what it says: "never a || b" says two things.
// What stands before the last alternative of an `always` in a negated form is a premise, as are the call that a condition
// is about (its sender, its receiver and so on) and, where calls or events are judged, the state that somebody must be in
// meanwhile.
// A claim that says something whatever happens has a clause without premises. A text that does not compile gives none.
func Clauses(text string, always bool, scope Scope) []Clause {
	_, root := parse(text, &scope)
	if root == nil {
		return nil
	}
	s := splitter{scope: scope}
	s.claim(root, always)
	return s.out
}

// splitter walks a tree as far as it joins conditions. Each claim is brought into one form: never all of some literals.
type splitter struct {
	scope Scope
	out   []Clause
}

// literal is a condition that is a part of what must never be, all at once.
type literal struct {
	text    string
	program *Program
	premise bool // it is written as one: !a || …
}

func (s *splitter) claim(node ast.Node, want bool) {
	switch n := node.(type) {
	case *ast.UnaryNode:
		if negates(n) {
			s.claim(n.Node, !want)
			return
		}
	case *ast.BinaryNode:
		if conjunction(n, want) {
			s.claim(n.Left, want)
			s.claim(n.Right, want)
			return
		}
		if conjunction(n, !want) {
			s.clause(s.literals(n, want))
			return
		}
	case *ast.ConditionalNode:
		s.branch(n.Cond, false, n.Exp1, want)
		s.branch(n.Cond, true, n.Exp2, want)
		return
	}
	s.out = append(s.out, Clause{})
}

// branch is one side of a choice: what it claims counts while the test has come out so.
func (s *splitter) branch(test ast.Node, otherwise bool, side ast.Node, want bool) {
	if b, ok := side.(*ast.BoolNode); ok && b.Value == want {
		return // it claims nothing
	}
	s.clause([]literal{{text: inverted(test, otherwise), premise: true}, {text: inverted(side, want)}})
}

// literals flattens a claim that some of several conditions hold, or not all of them.
func (s *splitter) literals(n *ast.BinaryNode, always bool) []literal {
	var out []literal
	var gather func(node ast.Node)
	gather = func(node ast.Node) {
		if b, ok := node.(*ast.BinaryNode); ok && b.Operator == n.Operator {
			gather(b.Left)
			gather(b.Right)
			return
		}
		out = append(out, literal{text: inverted(node, always), premise: always && negated(node)})
	}
	gather(n)
	if always {
		out[len(out)-1].premise = false // it is the claim
	}
	return out
}

// clause finds the premises among what must never be all at once.
func (s *splitter) clause(all []literal) {
	var calls, rest []literal
	judged := false // calls or events are
	for _, l := range all {
		if l.program, _ = Compile(l.text, Condition, s.scope); l.program == nil {
			s.out = append(s.out, Clause{})
			return
		}
		judged = judged || slices.ContainsFunc(l.program.Reads(), ofCallOrEvent)
		if identifies(l.program) {
			calls = append(calls, l)
		} else {
			rest = append(rest, l)
		}
	}
	if len(rest) == 0 { // all is about which call: the receiver is the premise of the others
		calls, rest = slices.Clone(calls), nil
		calls = slices.DeleteFunc(calls, func(l literal) bool { return !slices.Equal(l.program.Reads(), []string{"call.to"}) })
		if len(calls) == len(all) {
			calls = nil
		}
	}
	var c Clause
	if joined := s.joined(calls); joined != nil {
		c.Premises = append(c.Premises, joined)
	}
	for _, l := range rest {
		if l.premise || judged && situation(l.program) {
			c.Premises = append(c.Premises, l.program)
		}
	}
	s.out = append(s.out, c)
}

// joined is the condition that all literals hold, nil without any.
func (s *splitter) joined(all []literal) *Program {
	if len(all) == 0 {
		return nil
	}
	texts := make([]string, len(all))
	for i, l := range all {
		texts[i] = l.text
		if len(all) > 1 && strings.Contains(l.text, "||") {
			texts[i] = "(" + l.text + ")"
		}
	}
	p, _ := Compile(strings.Join(texts, " && "), Condition, s.scope)
	return p
}

// Leaves splits a condition into the conditions that it joins by `&&`, `||`, `!` and `? :`, in the order they stand. One
// that joins nothing is its own leaf. A text that does not compile gives none.
func Leaves(text string, scope Scope) []*Program {
	_, root := parse(text, &scope)
	if root == nil {
		return nil
	}
	var out []*Program
	var walk func(ast.Node)
	walk = func(node ast.Node) {
		switch n := node.(type) {
		case *ast.UnaryNode:
			if negates(n) {
				walk(n.Node)
				return
			}
		case *ast.BinaryNode:
			if conjunction(n, true) || conjunction(n, false) {
				walk(n.Left)
				walk(n.Right)
				return
			}
		case *ast.ConditionalNode:
			walk(n.Cond)
			walk(n.Exp1)
			walk(n.Exp2)
			return
		case *ast.BoolNode:
			return
		}
		if p, _ := Compile(node.String(), Condition, scope); p != nil {
			out = append(out, p)
		}
	}
	walk(root)
	return out
}

func ofCallOrEvent(path string) bool {
	return strings.HasPrefix(path, "call.") || strings.HasPrefix(path, "event.")
}

// identifies tells whether a condition only says which calls are meant, and nothing of how they went.
func identifies(p *Program) bool {
	known := [...]string{"call.from", "call.to", "call.replica", "call.message", "call.key", "call.attempt", "call.probe", "call.idempotent", "call.priority"}
	any := false
	for _, path := range p.Reads() {
		if !slices.Contains(known[:], path) && !strings.HasPrefix(path, "params") {
			return false
		}
		any = any || strings.HasPrefix(path, "call.")
	}
	return any
}

// situation tells whether a condition only says in which state somebody is, or the system.
func situation(p *Program) bool {
	for _, path := range p.Reads() {
		if !strings.HasSuffix(path, ").state") && !strings.HasSuffix(path, ").quarantined") && path != "system.level" && path != "system.emergency" {
			return false
		}
	}
	return len(p.Reads()) > 0
}

func negates(n *ast.UnaryNode) bool { return n.Operator == "!" || n.Operator == "not" }

// conjunction tells whether a claim that n is want claims it of both sides.
func conjunction(n *ast.BinaryNode, want bool) bool {
	if want {
		return n.Operator == "&&" || n.Operator == "and"
	}
	return n.Operator == "||" || n.Operator == "or"
}

// negated tells whether a condition is written as the opposite of another.
func negated(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.UnaryNode:
		return negates(n)
	case *ast.BinaryNode:
		return n.Operator == "!="
	}
	return false
}

// inverted writes a condition or, when asked to, its opposite.
func inverted(node ast.Node, invert bool) string {
	if !invert {
		return node.String()
	}
	switch n := node.(type) {
	case *ast.UnaryNode:
		if negates(n) {
			return n.Node.String()
		}
	case *ast.BinaryNode:
		if n.Operator == "==" || n.Operator == "!=" {
			other := *n
			other.Operator = map[string]string{"==": "!=", "!=": "=="}[n.Operator]
			return other.String()
		}
	}
	return "!(" + node.String() + ")"
}

// Doubling is an expression in which one number is twice what it was.
type Doubling struct {
	From, To string // the comparison, before and after
	Text     string // the whole expression
}

// Doubled gives an expression with each number that something is compared with doubled, one at a time. Zero is left alone.
func Doubled(text string, scope Scope) []Doubling {
	_, root := parse(text, &scope)
	if root == nil {
		return nil
	}
	var out []Doubling
	for n := 0; ; n++ {
		d := doubler{at: n}
		next := d.copy(root)
		if d.from == "" {
			return out
		}
		if p, _ := Compile(next.String(), Condition, scope); p != nil {
			out = append(out, Doubling{d.from, d.to, next.String()})
		}
	}
}

// doubler copies a tree and doubles the number of the at-th comparison that has one. Trees share nodes, so none is changed.
type doubler struct {
	at       int
	seen     int
	from, to string
}

func (d *doubler) copy(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.UnaryNode:
		out := *n
		out.Node = d.copy(n.Node)
		return &out
	case *ast.ConditionalNode:
		out := *n
		out.Cond, out.Exp1, out.Exp2 = d.copy(n.Cond), d.copy(n.Exp1), d.copy(n.Exp2)
		return &out
	case *ast.BinaryNode:
		out := *n
		if !slices.Contains([]string{"<", "<=", ">", ">="}, n.Operator) {
			out.Left, out.Right = d.copy(n.Left), d.copy(n.Right)
			return &out
		}
		if left := twice(n.Left); left != nil {
			out.Left = left
		} else if right := twice(n.Right); right != nil {
			out.Right = right
		} else {
			return n
		}
		if d.seen++; d.seen-1 != d.at {
			return n
		}
		d.from, d.to = n.String(), out.String()
		return &out
	}
	return node
}

// twice is a number's double, nil for anything else.
func twice(node ast.Node) ast.Node {
	switch n := node.(type) {
	case *ast.IntegerNode:
		if n.Value != 0 {
			return &ast.IntegerNode{Value: 2 * n.Value}
		}
	case *ast.FloatNode:
		if n.Value != 0 {
			return &ast.FloatNode{Value: 2 * n.Value}
		}
	}
	return nil
}
