package rules

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/expr-lang/expr/ast"
)

// pattern is a compiled regular expression of a `matches`.
type pattern = *regexp.Regexp

func (c *checker) binary(n *ast.BinaryNode) checked {
	switch n.Operator {
	case "&&", "and":
		return c.logic(n, "&&")
	case "||", "or":
		return c.logic(n, "||")
	case "==", "!=":
		return c.equality(n)
	case "<", "<=", ">", ">=":
		return c.order(n)
	case "+", "-", "*", "/", "%", "**", "^":
		return c.arithmetic(n)
	case "in":
		return c.in(n)
	case "contains", "startsWith", "endsWith":
		return c.affix(n)
	case "matches":
		return c.matches(n)
	case "??":
		return c.coalesce(n)
	}
	return c.refuse(n, "LR317", fmt.Sprintf("operator %q is not available in expressions", n.Operator))
}

func (c *checker) logic(n *ast.BinaryNode, operator string) checked {
	left, right := c.condition(n.Left), c.condition(n.Right)
	return checked{node: at(n, &ast.BinaryNode{Operator: operator, Left: left, Right: right}), kind: BoolKind}
}

func (c *checker) equality(n *ast.BinaryNode) checked {
	left, right := c.check(n.Left), c.check(n.Right)
	c.noteComparison(n)
	c.durationText(n, left, right)
	c.known(left, right.node)
	c.known(right, left.node)
	if left.kind != right.kind && left.kind != AnyKind && right.kind != AnyKind && left.kind != NilKind && right.kind != NilKind {
		c.mismatch(n, "compare", left.kind, right.kind)
	}
	node := own(n, "@==", left.node, right.node)
	if left.kind == right.kind && isScalar(left) && isScalar(right) {
		node = at(n, &ast.BinaryNode{Operator: "==", Left: left.node, Right: right.node})
	}
	if n.Operator == "!=" {
		node = at(n, &ast.UnaryNode{Operator: "!", Node: node})
	}
	return checked{node: node, kind: BoolKind}
}

// known refuses to compare one of a fixed set of words with another one: that never comes true, or is always.
func (c *checker) known(of checked, with ast.Node) {
	if list, ok := with.(*ast.ArrayNode); ok {
		for _, one := range list.Nodes {
			c.known(of, one)
		}
	}
	if literal, ok := with.(*ast.StringNode); ok && of.words != nil && literal.Value != "" {
		c.among(literal, of.words)
	}
}

// isScalar tells whether the node surely gives a number, a text or a truth value.
func isScalar(of checked) bool {
	return of.surely(NumberKind) || of.surely(TextKind) || of.surely(BoolKind)
}

func (c *checker) order(n *ast.BinaryNode) checked {
	left, right := c.check(n.Left), c.check(n.Right)
	c.noteComparison(n)
	c.durationText(n, left, right)
	for _, side := range []Kind{left.kind, right.kind} {
		if side != NumberKind && side != TextKind && side != AnyKind || left.kind != right.kind && left.kind != AnyKind && right.kind != AnyKind {
			c.mismatch(n, "compare", left.kind, right.kind)
			break
		}
	}
	node := own(n, "@"+n.Operator, left.node, right.node)
	if left.kind == right.kind && isScalar(left) && isScalar(right) {
		node = at(n, &ast.BinaryNode{Operator: n.Operator, Left: left.node, Right: right.node})
	}
	return checked{node: node, kind: BoolKind}
}

// durationText finds a number compared with a text that was meant as a duration.
func (c *checker) durationText(n *ast.BinaryNode, left, right checked) {
	number, literal, side := left, right.node, n.Right
	if right.kind == NumberKind {
		number, literal, side = right, left.node, n.Left
	}
	written, ok := literal.(*ast.StringNode)
	if !ok || written.Value == "" || !isDigit(written.Value[0]) || number.kind == TextKind {
		return
	}
	_, err := parseDuration(written.Value)
	switch {
	case err != nil && number.kind == NumberKind:
		p := c.problem(side, "LR308", err.Error())
		p.Help = durationHelp
		c.report(p)
	case err == nil && number.kind == NumberKind:
		p := c.problem(side, "LR308", fmt.Sprintf("%q is text; write the duration without quotes", written.Value))
		p.Suggestion = written.Value
		c.report(p)
	}
}

func (c *checker) mismatch(n *ast.BinaryNode, verb string, left, right Kind) {
	for _, p := range c.problems {
		if p.Code == "LR308" {
			return // the duration was the reason, and it is said
		}
	}
	c.complain(n, "LR316", fmt.Sprintf("cannot %s %s with %s", verb, left, right))
}

func (c *checker) arithmetic(n *ast.BinaryNode) checked {
	left, right := c.check(n.Left), c.check(n.Right)
	operator := n.Operator
	if operator == "^" {
		operator = "**"
	}
	texts := operator == "+" && (left.kind == TextKind || right.kind == TextKind)
	for _, side := range []Kind{left.kind, right.kind} {
		if side != AnyKind && side != NumberKind && !(texts && side == TextKind) || texts && side == NumberKind {
			c.mismatch(n, "calculate", left.kind, right.kind)
			break
		}
	}
	c.division(n, operator, right)
	node := own(n, "@"+operator, left.node, right.node)
	if left.surely(NumberKind) && right.surely(NumberKind) && operator != "%" {
		node = at(n, &ast.BinaryNode{Operator: operator, Left: left.node, Right: right.node})
	}
	return checked{node: node, kind: sumKind(operator, left.kind, right.kind)}
}

func sumKind(operator string, left, right Kind) Kind {
	switch {
	case operator == "+" && (left == TextKind || right == TextKind):
		return TextKind
	case operator == "+" && left == AnyKind && right == AnyKind:
		return AnyKind
	default:
		return NumberKind
	}
}

// division refuses a literal 0 and remembers a divisor that nothing bounds.
func (c *checker) division(n *ast.BinaryNode, operator string, right checked) {
	if operator != "/" && operator != "%" {
		return
	}
	literal, ok := right.node.(*ast.FloatNode)
	switch {
	case ok && literal.Value == 0:
		c.complain(n, "LR310", fmt.Sprintf("%q by 0 has no result", operator))
	case !ok && isRead(right.node):
		c.divisions = append(c.divisions, n)
	}
}

// unguarded warns of each divisor that the expression compares with nothing.
func (c *checker) unguarded() {
	for _, n := range c.divisions {
		if c.compared[n.Right.String()] {
			continue
		}
		p := c.problem(n, "LR311", "may divide by zero")
		p.Warning = true
		p.Help = "guard it: x > 0 && y / x > 1, or x > 0 ? y / x : 0"
		c.report(p)
	}
}

// noteComparison remembers that something tests this value.
func (c *checker) noteComparison(n *ast.BinaryNode) {
	for _, side := range []ast.Node{n.Left, n.Right} {
		switch side.(type) {
		case *ast.IdentifierNode, *ast.MemberNode, *ast.CallNode:
			c.compared[side.String()] = true
		}
	}
}

// isRead tells whether a node reads a value as it is, so that nothing bounds it.
func isRead(node ast.Node) bool {
	call, ok := node.(*ast.CallNode)
	if !ok {
		_, member := node.(*ast.MemberNode)
		return member
	}
	callee, ok := call.Callee.(*ast.IdentifierNode)
	return ok && (callee.Value == "@read" || callee.Value == "@member" || callee.Value == "@ask")
}

func (c *checker) in(n *ast.BinaryNode) checked {
	left, right := c.check(n.Left), c.check(n.Right)
	if right.kind != ListKind && right.kind != ObjectKind && right.kind != AnyKind {
		message := fmt.Sprintf("\"in\" looks into a list or an object, this is %s", right.kind)
		p := c.problem(n.Right, "LR316", message)
		if right.kind == TextKind {
			p.Help = `for a part of a text write: text contains "part"`
		}
		c.report(p)
	}
	c.known(left, right.node)
	if _, literal := right.node.(*ast.ArrayNode); c.looping && !literal {
		c.complain(n, "LR309", "costs too much: nested loops")
	}
	return checked{node: own(n, "@in", left.node, right.node), kind: BoolKind}
}

func (c *checker) affix(n *ast.BinaryNode) checked {
	left, right := c.wantKind(n.Left, TextKind), c.wantKind(n.Right, TextKind)
	node := own(n, "@"+n.Operator, left.node, right.node)
	if left.surely(TextKind) && right.surely(TextKind) {
		node = at(n, &ast.BinaryNode{Operator: n.Operator, Left: left.node, Right: right.node})
	}
	return checked{node: node, kind: BoolKind}
}

func (c *checker) matches(n *ast.BinaryNode) checked {
	left := c.wantKind(n.Left, TextKind)
	literal, ok := n.Right.(*ast.StringNode)
	if !ok {
		return c.refuse(n.Right, "LR317", "the pattern of matches must be a literal text")
	}
	compiled, err := regexp.Compile(literal.Value)
	if err != nil {
		message := err.Error()
		var bad *syntax.Error
		if errors.As(err, &bad) {
			message = bad.Code.String()
		}
		return c.refuse(literal, "LR312", message)
	}
	c.patterns = append(c.patterns, compiled)
	index := at(n, &ast.FloatNode{Value: float64(len(c.patterns) - 1)})
	return checked{node: own(n, "@matches", left.node, index), kind: BoolKind}
}

func (c *checker) coalesce(n *ast.BinaryNode) checked {
	left, right := c.check(n.Left), c.check(n.Right)
	kind := AnyKind
	if left.kind == right.kind {
		kind = left.kind
	}
	return checked{node: at(n, &ast.BinaryNode{Operator: "??", Left: left.node, Right: right.node}), kind: kind, loose: left.loose || right.loose}
}
