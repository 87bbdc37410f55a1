package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// member resolves a chain of names such as actor.latency.p99. What stands before it decides: a name in scope, a
// function that gives an object, or a value whose names are looked up at run time.
func (c *checker) member(n *ast.MemberNode) checked {
	base, chain := unfold(n)
	switch b := base.(type) {
	case *ast.IdentifierNode:
		return c.name(b, chain)
	case *ast.CallNode:
		if name, ok := b.Callee.(*ast.IdentifierNode); ok && isWorldFunction(name.Value) {
			return c.ask(b, name, chain)
		}
	}
	return c.below(c.check(base), "", chain)
}

// unfold splits a.b.c into a and the members b and c. It stops at a computed index and keeps that as the base.
func unfold(n *ast.MemberNode) (base ast.Node, chain []*ast.MemberNode) {
	base = n
	for {
		m, ok := base.(*ast.MemberNode)
		if !ok {
			break
		}
		chain = append(chain, m)
		base = m.Node
	}
	slices.Reverse(chain)
	return base, chain
}

// property is the literal name of a member, if it has one.
func property(m *ast.MemberNode) (string, bool) {
	name, ok := m.Property.(*ast.StringNode)
	if !ok {
		return "", false
	}
	return name.Value, true
}

// chain checks a?.b: an absent a makes the whole chain nil.
func (c *checker) chain(n *ast.ChainNode) checked {
	outer := c.chained
	c.chained = true
	of := c.check(n.Node)
	c.chained = outer
	return checked{node: at(n, &ast.ChainNode{Node: of.node})}
}

// name resolves a name in scope and the members behind it.
func (c *checker) name(n *ast.IdentifierNode, chain []*ast.MemberNode) checked {
	for i := range c.tables {
		t := &c.tables[i]
		if t.name == n.Value || t.name == "" && hasField(t.list(), n.Value) {
			return c.inTable(t, n, chain)
		}
	}
	c.unknownName(n)
	return checked{node: n}
}

func hasField(fields []field[Env], name string) bool {
	return slices.ContainsFunc(fields, func(f field[Env]) bool { return f.name == name || strings.HasPrefix(f.name, name+".") })
}

// inTable follows the chain as far as the table's fixed fields go, and looks the rest up at run time.
func (c *checker) inTable(t *table, n *ast.IdentifierNode, chain []*ast.MemberNode) checked {
	fields := t.list()
	path := n.Value
	for i := 0; ; i++ {
		if at := slices.IndexFunc(fields, func(f field[Env]) bool { return f.name == path }); at >= 0 {
			return c.found(n, path, fields[at], t, chain[i:])
		}
		if i == len(chain) {
			return c.whole(n, path, fields)
		}
		name, literal := property(chain[i])
		if !literal || !hasField(fields, path+"."+name) {
			return c.unknownField(chain[i], path, below(fields, path))
		}
		path += "." + name
	}
}

// found reads a field; a field with open names takes the next member as its key.
func (c *checker) found(n ast.Node, path string, f field[Env], t *table, chain []*ast.MemberNode) checked {
	if f.any != nil {
		read := c.read(n, path, f)
		c.note(path, chain)
		return c.below(checked{node: read, kind: t.declared(path), shape: t.shape, loose: true}, path, chain)
	}
	if f.texts != nil || f.nums != nil {
		if len(chain) > 0 {
			if key, literal := property(chain[0]); literal {
				return c.keyed(n, path, f, key, chain)
			}
		}
		c.reads[path] = true
		return c.below(checked{node: c.read(n, path, f), kind: ObjectKind}, path, chain)
	}
	if len(chain) > 0 {
		return c.refuse(chain[0].Property, "LR303", fmt.Sprintf("%s is %s and has no fields", path, f.kind()))
	}
	c.reads[path] = true
	return checked{node: c.read(n, path, f), kind: f.kind(), words: f.words}
}

// declared is the kind known of an open value itself; of a part of it nothing is known.
func (t *table) declared(path string) Kind {
	if path == t.name {
		return t.kind
	}
	return AnyKind
}

// keyed reads one name of a label, metric or header map.
func (c *checker) keyed(n ast.Node, path string, f field[Env], key string, chain []*ast.MemberNode) checked {
	if path == "actor.metrics" && c.scope.Metrics != nil && !slices.Contains(c.scope.Metrics, key) {
		return c.unknownField(chain[0], path, c.scope.Metrics)
	}
	one := field[Env]{name: path + "." + key}
	if texts := f.texts; texts != nil {
		one.text = func(e *Env) string { return texts(e)[key] }
	} else {
		nums := f.nums
		one.num = func(e *Env) float64 { return nums(e)[key] }
	}
	return c.found(n, one.name, one, &table{}, chain[1:])
}

// whole reads an object with fixed fields as a value.
func (c *checker) whole(n ast.Node, path string, fields []field[Env]) checked {
	c.reads[path] = true
	if latency := path + ".latency"; hasField(fields, latency) {
		c.reads[latency] = true // its quantiles must be kept
	}
	read := func(e *Env) any { return object(fields, path+".", e) }
	return checked{node: c.read(n, path, field[Env]{name: path, any: read}), kind: ObjectKind}
}

// read gives the node that reads a slot, one for each path.
func (c *checker) read(n ast.Node, path string, f field[Env]) ast.Node {
	i := slices.IndexFunc(c.slots, func(s slot) bool { return s.path == path })
	if i < 0 {
		i = len(c.slots)
		c.slots = append(c.slots, slot{path: path, from: f})
	}
	return own(n, "@read", at(n, &ast.IdentifierNode{Value: "@env"}), at(n, &ast.FloatNode{Value: float64(i)}))
}

// note records which part of an open value is read.
func (c *checker) note(path string, chain []*ast.MemberNode) {
	for _, m := range chain {
		name, literal := property(m)
		if !literal {
			break
		}
		path += "." + name
	}
	c.reads[path] = true
}

// below looks members up at run time, checking them against a declared shape where there is one.
func (c *checker) below(of checked, path string, chain []*ast.MemberNode) checked {
	for _, m := range chain {
		key, literal := property(m)
		next := checked{loose: true}
		if literal && of.shape != nil {
			f := slices.IndexFunc(of.shape.Fields, func(f Field) bool { return f.Name == key })
			if f < 0 {
				return c.unknownField(m, path, fieldNames(of.shape))
			}
			next.kind, next.shape = of.shape.Fields[f].Kind, of.shape.Fields[f].Shape
		}
		if of.kind == NumberKind || of.kind == BoolKind || of.kind == TextKind && literal || of.kind == NilKind {
			return c.refuse(m.Property, "LR303", strings.TrimSpace(fmt.Sprintf("%s is %s and has no fields", path, of.kind)))
		}
		path += "." + key
		next.node = c.memberNode(m, of.node)
		of = next
	}
	return of
}

func (c *checker) memberNode(m *ast.MemberNode, of ast.Node) ast.Node {
	prop := c.check(m.Property).node
	if c.chained {
		// The number of an index needs a run-time type the grammar's own checker leaves alone.
		if _, literal := property(m); !literal {
			prop = own(m, "@index", prop)
		}
		return at(m, &ast.MemberNode{Node: of, Property: prop, Optional: m.Optional})
	}
	return own(m, "@member", of, prop)
}

func fieldNames(s *Shape) []string {
	names := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		names[i] = f.Name
	}
	return names
}

// below lists the names directly under a path.
func below(fields []field[Env], path string) []string {
	var names []string
	for _, f := range fields {
		if rest, ok := strings.CutPrefix(f.name, path+"."); ok {
			head, _, _ := strings.Cut(rest, ".")
			if !slices.Contains(names, head) {
				names = append(names, head)
			}
		}
	}
	return names
}

func (c *checker) unknownField(m *ast.MemberNode, of string, known []string) checked {
	name, literal := property(m)
	if !literal {
		return c.refuse(m.Property, "LR303", fmt.Sprintf("the fields of %s are fixed: write %s.NAME", of, of))
	}
	also, suggestion := hint(name, known)
	p := c.problem(m.Property, "LR303", fmt.Sprintf("unknown field %q of %s%s", name, of, also))
	p.Suggestion = suggestion
	if len(known) > 0 {
		p.Help = fmt.Sprintf("%s has %s", of, quoteList(known))
	}
	c.report(p)
	return checked{node: m}
}

func (c *checker) unknownName(n *ast.IdentifierNode) {
	visible := c.visible()
	if c.original == n.Value && c.scope.takesText() {
		p := c.problem(n, "LR315", fmt.Sprintf("%q is a name here; literal text is '\"%s\"'", n.Value, n.Value))
		p.Suggestion = fmt.Sprintf("'\"%s\"'", n.Value)
		p.Help = fmt.Sprintf("%s sees %s", c.scope.Place, quoteList(visible))
		c.report(p)
		return
	}
	elsewhere := Scope{Place: AtEval}
	message, suggestion := "", ""
	switch {
	case slices.Contains(elsewhere.Visible(), n.Value):
		message = fmt.Sprintf("%s is not in scope here; %s sees %s", n.Value, c.scope.Place, quoteList(visible))
	case c.isFunction(n.Value):
		message = fmt.Sprintf("%s is a function: write %s(…)", n.Value, n.Value)
	default:
		var also string
		also, suggestion = hint(n.Value, visible)
		message = fmt.Sprintf("unknown name %q%s", n.Value, also)
	}
	p := c.problem(n, "LR303", message)
	p.Suggestion = suggestion
	p.Help = fmt.Sprintf("%s sees %s", c.scope.Place, quoteList(visible))
	if suggestion == "" && c.scope.takesText() {
		p.Help += fmt.Sprintf("; literal text stands in quotes: %q", n.Value)
	}
	c.report(p)
}

// takesText tells whether a bare word was likely meant as text: built values and fields with a set of words.
func (s *Scope) takesText() bool {
	switch s.Place {
	case AtOutcome, AtOnFailure, AtHandler, AtFallback, AtOperation, AtOperationReply, AtWorldReply, AtRoute, AtLoad, AtRuleAction, AtKey:
		return true
	}
	return len(s.OneOf) > 0
}
