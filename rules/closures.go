package rules

import (
	"strings"

	"github.com/expr-lang/expr/ast"
)

// code evaluates one node: exactly one of the four is set, by what the node surely gives. They fail by panicking with
// a failure.
type code struct {
	num  func(*Env) float64
	text func(*Env) string
	flag func(*Env) bool
	any  func(*Env) any

	literal bool // the value never changes
}

// builder turns a checked tree into closures. What it does not cover, it leaves to the virtual machine.
type builder struct{ p *Program }

func (b builder) build(node ast.Node) (code, bool) {
	switch n := node.(type) {
	case *ast.NilNode:
		return code{any: func(*Env) any { return nil }, literal: true}, true
	case *ast.BoolNode:
		v := n.Value
		return code{flag: func(*Env) bool { return v }, literal: true}, true
	case *ast.FloatNode:
		v := n.Value
		return code{num: func(*Env) float64 { return v }, literal: true}, true
	case *ast.StringNode:
		v := n.Value
		return code{text: func(*Env) string { return v }, literal: true}, true
	case *ast.UnaryNode:
		return b.unary(n)
	case *ast.BinaryNode:
		return b.binary(n)
	case *ast.ConditionalNode:
		return b.conditional(n)
	case *ast.CallNode:
		return b.call(n)
	case *ast.ArrayNode:
		return b.list(n)
	case *ast.MapNode:
		return b.object(n)
	}
	return code{}, false
}

func (b builder) each(nodes []ast.Node) ([]code, bool) {
	out := make([]code, len(nodes))
	for i, n := range nodes {
		var ok bool
		if out[i], ok = b.build(n); !ok {
			return nil, false
		}
	}
	return out, true
}

func (b builder) unary(n *ast.UnaryNode) (code, bool) {
	of, ok := b.build(n.Node)
	if !ok {
		return code{}, false
	}
	if n.Operator == "-" {
		num := of.asNumber()
		return code{num: func(e *Env) float64 { return -num(e) }}, true
	}
	test := of.asFlag()
	return code{flag: func(e *Env) bool { return !test(e) }}, true
}

func (b builder) binary(n *ast.BinaryNode) (code, bool) {
	if n.Operator == "&&" || n.Operator == "||" {
		return b.logic(n)
	}
	sides, ok := b.each([]ast.Node{n.Left, n.Right})
	if !ok {
		return code{}, false
	}
	left, right := sides[0], sides[1]
	switch n.Operator {
	case "==":
		return code{flag: same(left, right)}, true
	case "<", "<=", ">", ">=":
		return code{flag: inOrder(n.Operator, left, right)}, true
	case "+", "-", "*", "/", "**":
		return code{num: sum(n.Operator, left.asNumber(), right.asNumber())}, true
	case "contains", "startsWith", "endsWith":
		a, c, test := left.asText(), right.asText(), affixTest(n.Operator)
		return code{flag: func(e *Env) bool { return test(a(e), c(e)) }}, true
	case "??":
		a, c := left.asAny(), right.asAny()
		return code{any: func(e *Env) any {
			if v := a(e); !isNil(v) {
				return v
			}
			return c(e)
		}}, true
	}
	return code{}, false
}

// logic flattens a && b && c, so that each needs no call of its own for the operator.
func (b builder) logic(n *ast.BinaryNode) (code, bool) {
	var tests []func(*Env) bool
	var gather func(node ast.Node) bool
	gather = func(node ast.Node) bool {
		if inner, ok := node.(*ast.BinaryNode); ok && inner.Operator == n.Operator {
			return gather(inner.Left) && gather(inner.Right)
		}
		of, ok := b.build(node)
		if ok {
			tests = append(tests, of.asFlag())
		}
		return ok
	}
	if !gather(n) {
		return code{}, false
	}
	if n.Operator == "||" {
		return code{flag: anyOf(tests)}, true
	}
	return code{flag: allOf(tests)}, true
}

// allOf is the conjunction of two or more tests, three at a time: a loop costs as much as a comparison.
func allOf(tests []func(*Env) bool) func(*Env) bool {
	first, second := tests[0], tests[1]
	switch len(tests) {
	case 2:
		return func(e *Env) bool { return first(e) && second(e) }
	case 3:
		third := tests[2]
		return func(e *Env) bool { return first(e) && second(e) && third(e) }
	}
	third, rest := tests[2], one(tests[3:], allOf)
	return func(e *Env) bool { return first(e) && second(e) && third(e) && rest(e) }
}

// anyOf is the disjunction of two or more tests.
func anyOf(tests []func(*Env) bool) func(*Env) bool {
	first, second := tests[0], tests[1]
	switch len(tests) {
	case 2:
		return func(e *Env) bool { return first(e) || second(e) }
	case 3:
		third := tests[2]
		return func(e *Env) bool { return first(e) || second(e) || third(e) }
	}
	third, rest := tests[2], one(tests[3:], anyOf)
	return func(e *Env) bool { return first(e) || second(e) || third(e) || rest(e) }
}

// one is the tests joined, or the only one there is.
func one(tests []func(*Env) bool, join func([]func(*Env) bool) func(*Env) bool) func(*Env) bool {
	if len(tests) == 1 {
		return tests[0]
	}
	return join(tests)
}

func (b builder) conditional(n *ast.ConditionalNode) (code, bool) {
	parts, ok := b.each([]ast.Node{n.Cond, n.Exp1, n.Exp2})
	if !ok {
		return code{}, false
	}
	test, then, otherwise := parts[0].asFlag(), parts[1], parts[2]
	switch {
	case then.num != nil && otherwise.num != nil:
		return code{num: choose(test, then.num, otherwise.num)}, true
	case then.text != nil && otherwise.text != nil:
		return code{text: choose(test, then.text, otherwise.text)}, true
	case then.flag != nil && otherwise.flag != nil:
		return code{flag: choose(test, then.flag, otherwise.flag)}, true
	}
	return code{any: choose(test, then.asAny(), otherwise.asAny())}, true
}

func choose[V any](test func(*Env) bool, then, otherwise func(*Env) V) func(*Env) V {
	return func(e *Env) V {
		if test(e) {
			return then(e)
		}
		return otherwise(e)
	}
}

func (b builder) list(n *ast.ArrayNode) (code, bool) {
	items, ok := b.each(n.Nodes)
	if !ok {
		return code{}, false
	}
	reads := asAnys(items)
	return code{any: func(e *Env) any {
		out := make([]any, len(reads))
		for i, read := range reads {
			out[i] = read(e)
		}
		return out
	}}, true
}

func asAnys(codes []code) []func(*Env) any {
	out := make([]func(*Env) any, len(codes))
	for i, c := range codes {
		out[i] = c.asAny()
	}
	return out
}

func (b builder) object(n *ast.MapNode) (code, bool) {
	names, reads := make([]func(*Env) string, len(n.Pairs)), make([]func(*Env) any, len(n.Pairs))
	for i, p := range n.Pairs {
		pair := p.(*ast.PairNode)
		parts, ok := b.each([]ast.Node{pair.Key, pair.Value})
		if !ok {
			return code{}, false
		}
		names[i], reads[i] = parts[0].asText(), parts[1].asAny()
	}
	return code{any: func(e *Env) any {
		out := make(map[string]any, len(names))
		for i, name := range names {
			out[name(e)] = reads[i](e)
		}
		return out
	}}, true
}

func (b builder) call(n *ast.CallNode) (code, bool) {
	operator := operatorOf(n)
	switch operator {
	case "@read":
		return b.read(n), true
	case "@ask":
		return code{}, false
	}
	args, ok := b.each(n.Arguments)
	if !ok {
		return code{}, false
	}
	switch operator {
	case "@matches":
		read, pattern := args[0].asAny(), b.p.patterns[int(n.Arguments[1].(*ast.FloatNode).Value)]
		return code{flag: func(e *Env) bool {
			v := read(e)
			return v != nil && pattern.MatchString(text(v))
		}}, true
	case "@flag":
		return code{flag: args[0].asFlag()}, true
	case "@number":
		return code{num: args[0].asNumber()}, true
	case "@text":
		return code{text: args[0].asText()}, true
	case "@member":
		return b.member(n, args[0], args[1]), true
	case "@in":
		return b.in(n, args), true
	}
	return b.operator(operator, args)
}

// read is the shortest road there is: the slot's own reader.
func (b builder) read(n *ast.CallNode) code {
	from := b.p.slots[int(n.Arguments[1].(*ast.FloatNode).Value)].from
	if from.num != nil || from.text != nil || from.flag != nil {
		return code{num: from.num, text: from.text, flag: from.flag}
	}
	if from.any != nil {
		return code{any: from.any}
	}
	return code{any: func(e *Env) any { return from.value(e) }}
}

// isParams tells whether a node reads all params, the one open value whose Go type is known.
func (b builder) isParams(node ast.Node) bool {
	n, ok := node.(*ast.CallNode)
	return ok && operatorOf(n) == "@read" && b.p.slots[int(n.Arguments[1].(*ast.FloatNode).Value)].path == "params"
}

func (b builder) member(n *ast.CallNode, of, name code) code {
	read := of.asAny()
	if !name.literal {
		at := name.asAny()
		return code{any: func(e *Env) any { return member(read(e), at(e)) }}
	}
	key := name.asAny()(nil)
	literal, isName := key.(string)
	if isName && b.isParams(n.Arguments[0]) {
		return code{any: func(e *Env) any { return e.Params[literal] }}
	}
	return code{any: func(e *Env) any {
		v := read(e)
		if object, ok := v.(map[string]any); ok && isName {
			return object[literal]
		}
		return member(v, key)
	}}
}

// in avoids building a literal list on each evaluation.
func (b builder) in(n *ast.CallNode, args []code) code {
	items, isList := n.Arguments[1].(*ast.ArrayNode)
	if isList {
		if members, ok := literals(items); ok {
			return code{flag: oneOf(args[0], members)}
		}
	}
	read, set := args[0].asAny(), args[1].asAny()
	return code{flag: func(e *Env) bool { return within(read(e), set(e)) }}
}

// literals are a list's texts and numbers, if it holds nothing else.
func literals(n *ast.ArrayNode) ([]any, bool) {
	out := make([]any, len(n.Nodes))
	for i, item := range n.Nodes {
		switch v := item.(type) {
		case *ast.StringNode:
			out[i] = v.Value
		case *ast.FloatNode:
			out[i] = v.Value
		default:
			return nil, false
		}
	}
	return out, true
}

func oneOf(of code, members []any) func(*Env) bool {
	if of.text != nil {
		var texts []string
		for _, m := range members {
			if s, ok := m.(string); ok {
				texts = append(texts, s)
			}
		}
		read := of.text
		return func(e *Env) bool {
			v := read(e)
			for _, s := range texts {
				if s == v {
					return true
				}
			}
			return false
		}
	}
	read, all := of.asAny(), any(members)
	return func(e *Env) bool { return within(read(e), all) }
}

// operator covers the operators on values of unknown type, and the functions.
func (b builder) operator(operator string, args []code) (code, bool) {
	switch operator {
	case "@==":
		return code{flag: same(args[0], args[1])}, true
	case "@<", "@<=", "@>", "@>=":
		return code{flag: inOrder(operator[1:], args[0], args[1])}, true
	case "@+":
		return plus(args[0], args[1]), true
	case "@-", "@*", "@/", "@%", "@**":
		return code{num: sum(operator[1:], args[0].asNumber(), args[1].asNumber())}, true
	case "@contains", "@startsWith", "@endsWith":
		a, c, test := args[0].asAny(), args[1].asAny(), affixTest(operator[1:])
		return code{flag: func(e *Env) bool { return affix(a(e), c(e), test) }}, true
	}
	if strings.HasPrefix(operator, "@") {
		return b.boxed(operator, args), true
	}
	f, _ := lookup(operator)
	if f.ofNumber != nil {
		apply, num := f.ofNumber, args[0].asNumber()
		return code{num: func(e *Env) float64 { return apply(num(e)) }}, true
	}
	return b.typed(f, args), true
}

// boxed runs an operator the way the virtual machine does.
func (b builder) boxed(operator string, args []code) code {
	reads, p := asAnys(args), b.p
	return code{any: func(e *Env) any { return p.operate(operator, evaluate(reads, e)) }}
}

func evaluate(reads []func(*Env) any, e *Env) []any {
	out := make([]any, len(reads))
	for i, read := range reads {
		out[i] = read(e)
	}
	return out
}

// typed calls a function and takes its result as what it always gives.
func (b builder) typed(f function, args []code) code {
	reads, call := asAnys(args), f.call
	of := code{any: func(e *Env) any { return call(evaluate(reads, e)) }}
	switch f.gives {
	case NumberKind:
		return code{num: of.asNumber()}
	case TextKind:
		return code{text: of.asText()}
	case BoolKind:
		return code{flag: of.asFlag()}
	}
	return of
}

func plus(left, right code) code {
	if left.text != nil || right.text != nil {
		a, c := left.asText(), right.asText()
		return code{text: func(e *Env) string { return joinTexts(a(e), c(e)) }}
	}
	if left.num != nil || right.num != nil {
		return code{num: sum("+", left.asNumber(), right.asNumber())}
	}
	a, c := left.asAny(), right.asAny()
	return code{any: func(e *Env) any { return add(a(e), c(e)) }}
}
