package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"

	"github.com/lukhasai/lukhas-run/internal/suggest"
)

// Limits on what is compiled.
const (
	maxBytes  = 4096
	maxNodes  = 500
	maxVisits = 2000 // the grammar shares nodes, so a small tree can unfold to a large one
)

// checker turns a parsed tree into one that both engines can run: names become reads of numbered slots, operators
// whose operands are only known at run time become calls of our own operators. It never changes the tree it reads,
// as the grammar shares nodes. Not safe for concurrent use.
type checker struct {
	scope    *Scope
	source   *rewritten
	original string
	tables   []table
	slots    []slot
	asks     []field[asking]
	patterns []pattern
	problems []Problem
	names    []NamedSubject
	reads    map[string]bool
	visits   int

	divisions []*ast.BinaryNode // by a value that nothing bounds
	compared  map[string]bool   // values that some comparison tests, as they print

	looping bool // inside a predicate
	chained bool // inside an optional chain
}

// slot is a value that a program reads from the Env.
type slot struct {
	path string
	from field[Env]
}

// checked is a node both engines can run, and what it gives.
type checked struct {
	node  ast.Node
	kind  Kind
	shape *Shape
	loose bool     // the kind is declared of outside data, and must be tested at run time
	words []string // all the texts that it may be, but for ""; nil is any
}

// surely tells whether the node gives this kind whenever it gives anything.
func (c checked) surely(k Kind) bool { return c.kind == k && !c.loose }

func (c *checker) check(node ast.Node) checked {
	if c.visits++; c.visits > maxVisits {
		if c.visits == maxVisits+1 {
			c.report(Problem{Code: "LR309", Len: len(c.original), Message: fmt.Sprintf("costs too much: more than %d steps", maxVisits)})
		}
		return checked{node: node}
	}
	switch n := node.(type) {
	case *ast.NilNode:
		return checked{node: n, kind: NilKind}
	case *ast.BoolNode:
		return checked{node: n, kind: BoolKind}
	case *ast.IntegerNode:
		return checked{node: at(n, &ast.FloatNode{Value: float64(n.Value)}), kind: NumberKind}
	case *ast.FloatNode:
		return checked{node: n, kind: NumberKind}
	case *ast.StringNode:
		return checked{node: n, kind: TextKind}
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.IdentifierNode:
		return c.name(n, nil)
	case *ast.MemberNode:
		return c.member(n)
	case *ast.ChainNode:
		return c.chain(n)
	case *ast.CallNode:
		return c.call(n)
	default:
		return c.compound(node)
	}
}

func (c *checker) compound(node ast.Node) checked {
	switch n := node.(type) {
	case *ast.BuiltinNode:
		return c.builtin(n)
	case *ast.PointerNode:
		return c.pointer(n)
	case *ast.ArrayNode:
		return checked{node: at(n, &ast.ArrayNode{Nodes: c.each(n.Nodes)}), kind: ListKind}
	case *ast.MapNode:
		return c.object(n)
	case *ast.SliceNode:
		return c.slice(n)
	case *ast.VariableDeclaratorNode:
		return c.refuse(node, "LR317", "let is not available in expressions")
	case *ast.SequenceNode:
		return c.refuse(node, "LR317", "an expression is one value; \";\" is not available")
	case *ast.BytesNode:
		return c.refuse(node, "LR317", "bytes are not available in expressions")
	default:
		return c.refuse(node, "LR317", "not available in expressions")
	}
}

func (c *checker) each(nodes []ast.Node) []ast.Node {
	out := make([]ast.Node, len(nodes))
	for i, n := range nodes {
		out[i] = c.check(n).node
	}
	return out
}

func (c *checker) object(n *ast.MapNode) checked {
	pairs := make([]ast.Node, len(n.Pairs))
	for i, p := range n.Pairs {
		pair := p.(*ast.PairNode)
		key := c.check(pair.Key)
		if !key.surely(TextKind) {
			key.node = own(pair, "@text", key.node)
		}
		pairs[i] = at(pair, &ast.PairNode{Key: key.node, Value: c.check(pair.Value).node})
	}
	return checked{node: at(n, &ast.MapNode{Pairs: pairs}), kind: ObjectKind}
}

func (c *checker) slice(n *ast.SliceNode) checked {
	of := c.check(n.Node)
	if of.kind == NumberKind || of.kind == BoolKind || of.kind == NilKind {
		return c.refuse(n, "LR316", fmt.Sprintf("cannot take a part of %s", of.kind))
	}
	from, to := ast.Node(at(n, &ast.NilNode{})), ast.Node(at(n, &ast.NilNode{}))
	if n.From != nil {
		from = c.wantKind(n.From, NumberKind).node
	}
	if n.To != nil {
		to = c.wantKind(n.To, NumberKind).node
	}
	return checked{node: own(n, "@slice", of.node, from, to), kind: of.kind, loose: true}
}

func (c *checker) unary(n *ast.UnaryNode) checked {
	if n.Operator == "!" || n.Operator == "not" {
		return checked{node: at(n, &ast.UnaryNode{Operator: "!", Node: c.condition(n.Node)}), kind: BoolKind}
	}
	of := c.wantKind(n.Node, NumberKind)
	if literal, ok := of.node.(*ast.FloatNode); ok {
		if n.Operator == "-" {
			return checked{node: at(n, &ast.FloatNode{Value: -literal.Value}), kind: NumberKind}
		}
		return of
	}
	if !of.surely(NumberKind) {
		of.node = own(n, "@number", of.node)
	}
	if n.Operator == "-" {
		of.node = at(n, &ast.UnaryNode{Operator: "-", Node: of.node})
	}
	return checked{node: of.node, kind: NumberKind}
}

func (c *checker) conditional(n *ast.ConditionalNode) checked {
	cond := c.condition(n.Cond)
	then, otherwise := c.check(n.Exp1), c.check(n.Exp2)
	kind := AnyKind
	if then.kind == otherwise.kind {
		kind = then.kind
	}
	node := at(n, &ast.ConditionalNode{Ternary: true, Cond: cond, Exp1: then.node, Exp2: otherwise.node})
	return checked{node: node, kind: kind, loose: then.loose || otherwise.loose}
}

// condition checks a node that must be true or false; one that is only known at run time is tested there.
func (c *checker) condition(node ast.Node) ast.Node {
	of := c.check(node)
	switch {
	case of.surely(BoolKind):
		return of.node
	case of.kind == AnyKind || of.kind == BoolKind:
		return own(node, "@flag", of.node)
	}
	c.complain(node, "LR304", fmt.Sprintf("condition must be true/false, this is %s", of.kind))
	return of.node
}

// wantKind checks a node that must give this kind, or one that is only known at run time.
func (c *checker) wantKind(node ast.Node, want Kind) checked {
	of := c.check(node)
	if of.kind != want && of.kind != AnyKind {
		c.complain(node, "LR316", fmt.Sprintf("%s expected, this is %s", want.bare(), of.kind))
	}
	return of
}

func (c *checker) refuse(node ast.Node, code, message string) checked {
	c.complain(node, code, message)
	return checked{node: node}
}

// complain reports a problem that spans a whole node.
func (c *checker) complain(node ast.Node, code, message string) {
	c.report(c.problem(node, code, message))
}

func (c *checker) problem(node ast.Node, code, message string) Problem {
	from, to := extent(node, 0)
	start, end := c.source.span(c.bytes(from), c.closed(node, c.bytes(to)))
	return Problem{Code: code, Offset: start, Len: end - start, Message: message}
}

// closed moves the end of a call behind its closing parenthesis, which is no part of the tree.
func (c *checker) closed(node ast.Node, end int) int {
	switch node.(type) {
	case *ast.CallNode, *ast.BuiltinNode:
	default:
		return end
	}
	rest := strings.TrimLeft(c.source.text[end:], " \t\r\n")
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "("), " \t\r\n")
	if !strings.HasPrefix(rest, ")") {
		return end
	}
	return len(c.source.text) - len(rest) + 1
}

// bytes turns the parser's rune offset into a byte offset.
func (c *checker) bytes(runes int) int {
	for i := range c.source.text {
		if runes == 0 {
			return i
		}
		runes--
	}
	return len(c.source.text)
}

// report keeps a problem. The first few say what is wrong; a tree full of errors needs no more.
func (c *checker) report(p Problem) {
	if len(c.problems) < 8 && !slices.Contains(c.problems, p) {
		c.problems = append(c.problems, p)
	}
}

// extent is the span of a node's tokens, in runes. Depth is bounded: a deeper part lies within the span anyway for
// all but the longest chains, and shared nodes could unfold.
func extent(node ast.Node, depth int) (from, to int) {
	loc := node.Location()
	from, to = loc.From, loc.To
	if depth > 12 {
		return from, to
	}
	for _, child := range children(node) {
		if child == nil || child.Location() == (file.Location{}) && len(children(child)) == 0 {
			continue
		}
		a, b := extent(child, depth+1)
		if loc == (file.Location{}) && from == to {
			from, to = a, b
		}
		from, to = min(from, a), max(to, b)
	}
	return from, to
}

func children(node ast.Node) []ast.Node {
	switch n := node.(type) {
	case *ast.UnaryNode:
		return []ast.Node{n.Node}
	case *ast.BinaryNode:
		return []ast.Node{n.Left, n.Right}
	case *ast.ConditionalNode:
		return []ast.Node{n.Cond, n.Exp1, n.Exp2}
	case *ast.MemberNode:
		return []ast.Node{n.Node, n.Property}
	case *ast.ChainNode:
		return []ast.Node{n.Node}
	case *ast.CallNode:
		return append([]ast.Node{n.Callee}, n.Arguments...)
	case *ast.BuiltinNode:
		return n.Arguments
	case *ast.PredicateNode:
		return []ast.Node{n.Node}
	case *ast.ArrayNode:
		return n.Nodes
	case *ast.MapNode:
		return n.Pairs
	case *ast.PairNode:
		return []ast.Node{n.Key, n.Value}
	case *ast.SliceNode:
		return []ast.Node{n.Node, n.From, n.To}
	}
	return nil
}

// at gives a fresh node the place of the one it stands for.
func at[N ast.Node](of ast.Node, fresh N) N {
	fresh.SetLocation(of.Location())
	return fresh
}

// own calls one of our operators, which are named so that no text can.
func own(of ast.Node, operator string, args ...ast.Node) ast.Node {
	callee := at(of, &ast.IdentifierNode{Value: operator})
	return at(of, &ast.CallNode{Callee: callee, Arguments: args})
}

// String names the kind in a message: "this is a number".
func (k Kind) String() string {
	switch k {
	case NumberKind, TextKind, ListKind:
		return "a " + k.bare()
	case ObjectKind:
		return "an object"
	default:
		return k.bare()
	}
}

func (k Kind) bare() string {
	switch k {
	case NumberKind:
		return "number"
	case TextKind:
		return "text"
	case BoolKind:
		return "true/false"
	case ListKind:
		return "list"
	case ObjectKind:
		return "object"
	case NilKind:
		return "nil"
	default:
		return "any value"
	}
}

// hint is the end of a message that offers another word.
func hint(word string, candidates []string) (message, suggestion string) {
	if best := suggest.Nearest(word, candidates); best != "" {
		return fmt.Sprintf("; did you mean %q?", best), best
	}
	return "", ""
}

func quoteList(words []string) string { return strings.Join(words, ", ") }
