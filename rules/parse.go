package rules

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
)

// parse gives the checker for a text and the tree it is to check, or no tree and the problem.
func parse(text string, scope *Scope) (*checker, ast.Node) {
	c := &checker{scope: scope, original: text, source: &rewritten{text: text}, reads: map[string]bool{}, compared: map[string]bool{}}
	if p := tooMuch(text); p != nil {
		c.report(*p)
		return c, nil
	}
	source, problem := rewriteDurations(text)
	if problem != nil {
		c.report(*problem)
		return c, nil
	}
	c.source, c.tables = &source, scope.tables()
	config := &conf.Config{MaxNodes: maxNodes}
	config.WithEnv(types.Map{})
	tree, err := parser.ParseWithConfig(source.text, config)
	if err != nil {
		c.syntax(err)
		return c, nil
	}
	return c, tree.Node
}

func tooMuch(text string) *Problem {
	switch {
	case len(text) > maxBytes:
		return &Problem{Code: "LR309", Len: len(text), Message: fmt.Sprintf("costs too much: %d bytes, at most %d", len(text), maxBytes)}
	case !utf8.ValidString(text):
		at := 0
		for i, r := range text {
			if r == utf8.RuneError {
				at = i
				break
			}
		}
		return &Problem{Code: "LR319", Offset: at, Len: 1, Message: "not valid UTF-8"}
	case strings.TrimSpace(text) == "":
		return &Problem{Code: "LR306", Len: len(text), Message: "expression is empty"}
	}
	return nil
}

// syntax says in our words what the parser found.
func (c *checker) syntax(err error) {
	var e *file.Error
	if !errors.As(err, &e) {
		c.report(Problem{Code: "LR319", Len: len(c.original), Message: err.Error()})
		return
	}
	start, end := c.source.span(c.bytes(e.From), c.bytes(max(e.To, e.From)))
	p := Problem{Code: "LR319", Offset: start, Len: max(end-start, 0), Message: e.Message}
	token, unexpected := strings.CutPrefix(e.Message, "unexpected token ")
	switch {
	case strings.Contains(e.Message, "exceeds maximum allowed nodes"):
		p.Code, p.Message = "LR309", fmt.Sprintf("costs too much: more than %d parts", maxNodes)
	case unexpected && strings.HasPrefix(token, "EOF"), strings.Contains(e.Message, "unexpected end"):
		p = Problem{Code: "LR306", Offset: len(c.original), Message: "expression ends too early"}
	case unexpected && token == `Operator("=")`:
		p.Code, p.Message, p.Suggestion = "LR305", "use == to compare", "=="
	case unexpected:
		p.Message = fmt.Sprintf("unexpected %q", c.original[start:max(start, end)])
	}
	if p.Len == 0 && p.Offset < len(c.original) {
		p.Len = 1
	}
	c.report(p)
}

// wanted checks the whole expression against what its place asks for.
func (c *checker) wanted(want Want, root ast.Node, of checked) {
	kind := of.kind
	switch {
	case kind == AnyKind || want == Any:
	case want == Condition && kind != BoolKind:
		c.complain(root, "LR304", fmt.Sprintf("condition must be true/false, this is %s", kind))
	case want == Number && kind != NumberKind:
		c.complain(root, "LR304", fmt.Sprintf("number expected, this is %s", kind))
	case want == Text && kind != TextKind:
		c.complain(root, "LR304", fmt.Sprintf("text expected, this is %s", kind))
	}
	if len(c.scope.OneOf) > 0 {
		c.oneOf(root)
	}
}

// oneOf checks the literal texts an expression may come to against the words its place knows.
func (c *checker) oneOf(node ast.Node) {
	switch n := node.(type) {
	case *ast.ConditionalNode:
		c.oneOf(n.Exp1)
		c.oneOf(n.Exp2)
	case *ast.StringNode:
		c.among(n, c.scope.OneOf)
	}
}

// among reports a literal text that is not one of the words.
func (c *checker) among(n *ast.StringNode, words []string) {
	if slices.Contains(words, n.Value) {
		return
	}
	also, suggestion := hint(n.Value, words)
	p := c.problem(n, "LR320", fmt.Sprintf("%q is not one of %s%s", n.Value, quoteList(words), also))
	if suggestion != "" {
		p.Suggestion = strconv.Quote(suggestion)
	}
	c.report(p)
}
