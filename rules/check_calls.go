package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// maxLoop bounds the lists that predicates walk, and maxMap those they build a new list from.
const (
	maxLoop = 10_000
	maxMap  = 1_000
)

func (c *checker) call(n *ast.CallNode) checked {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.refuse(n.Callee, "LR303", "values have no methods; only the listed functions can be called")
	}
	if isWorldFunction(name.Value) {
		return c.ask(n, name, nil)
	}
	f, known := lookup(name.Value)
	if !known {
		return c.unknownFunction(n, name.Value)
	}
	if c.looping && f.lists {
		return c.refuse(n, "LR309", "costs too much: nested loops")
	}
	return c.apply(n, f, n.Arguments)
}

func (c *checker) apply(n ast.Node, f function, args []ast.Node) checked {
	if len(args) < f.least || len(args) > len(f.takes) && !f.rest {
		return c.refuse(n, "LR318", fmt.Sprintf("%s takes %s, got %d", f.name, f.arity(), len(args)))
	}
	nodes := make([]ast.Node, len(args))
	for i, arg := range args {
		want := f.takes[min(i, len(f.takes)-1)]
		if want == AnyKind {
			nodes[i] = c.check(arg).node
		} else {
			nodes[i] = c.wantKind(arg, want).node
		}
	}
	if literal, ok := nodes[0].(*ast.StringNode); ok && f.name == "duration" {
		if _, err := parseDuration(literal.Value); err != nil {
			c.complain(args[0], "LR308", err.Error())
		}
	}
	return checked{node: own(n, f.name, nodes...), kind: f.gives}
}

func (f *function) arity() string {
	switch {
	case f.rest:
		return fmt.Sprintf("at least %d arguments", f.least)
	case f.least < len(f.takes):
		return fmt.Sprintf("%d to %d arguments", f.least, len(f.takes))
	case f.least == 1:
		return "1 argument"
	default:
		return fmt.Sprintf("%d arguments", f.least)
	}
}

func (c *checker) unknownFunction(n ast.Node, name string) checked {
	switch name {
	case "now":
		p := c.problem(n, "LR307", `now() is not deterministic; use the variable "now"`)
		p.Suggestion = "now"
		c.report(p)
	case "rand", "random", "uuid", "date", "time", "timezone", "today":
		c.complain(n, "LR307", fmt.Sprintf("%s() is not deterministic; use the variable \"now\" or hash(x)", name))
	case "groupBy", "sortBy", "reduce", "repeat":
		c.complain(n, "LR317", fmt.Sprintf("%s is not available in expressions", name))
	default:
		also, suggestion := hint(name, c.functionNames())
		p := c.problem(n, "LR303", fmt.Sprintf("unknown function %q%s", name, also))
		p.Suggestion = suggestion
		p.Help = "available are " + quoteList(c.functionNames())
		c.report(p)
	}
	return checked{node: n}
}

// functionNames lists what may be called at this place, sorted.
func (c *checker) functionNames() []string {
	names := slices.Clone(loops())
	for _, f := range functions() {
		names = append(names, f.name)
	}
	for _, name := range worldFunctions() {
		if c.scope.reaches(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// visible lists the names and the functions of the system that may be read here, sorted.
func (c *checker) visible() []string {
	names := c.scope.Visible()
	for _, name := range worldFunctions() {
		if c.scope.reaches(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *checker) isFunction(name string) bool { return slices.Contains(c.functionNames(), name) }

// loops are the functions that walk a list with a predicate.
func loops() []string {
	return []string{"all", "any", "count", "filter", "find", "findIndex", "findLast", "findLastIndex", "map", "none", "one", "sum"}
}

// builtin checks what the grammar knows as a function: ours by another road, or a loop over a list.
func (c *checker) builtin(n *ast.BuiltinNode) checked {
	if !slices.Contains(loops(), n.Name) {
		callee := at(n, &ast.IdentifierNode{Value: n.Name})
		return c.call(at(n, &ast.CallNode{Callee: callee, Arguments: n.Arguments}))
	}
	if c.looping {
		return c.refuse(n, "LR309", "costs too much: nested loops")
	}
	limit := maxLoop
	if n.Name == "map" {
		limit = maxMap
	}
	over := c.wantKind(n.Arguments[0], ListKind)
	args := []ast.Node{own(n, "@list", over.node, at(n, &ast.FloatNode{Value: float64(limit)}))}
	if len(n.Arguments) > 1 {
		args = append(args, c.predicate(n.Name, n.Arguments[1]))
	}
	node := ast.Node(at(n, &ast.BuiltinNode{Name: n.Name, Arguments: args}))
	switch n.Name {
	case "all", "any", "none", "one":
		return checked{node: node, kind: BoolKind}
	case "count", "sum", "findIndex", "findLastIndex":
		return checked{node: own(n, "@number", node), kind: NumberKind}
	case "filter", "map":
		return checked{node: node, kind: ListKind}
	}
	return checked{node: node}
}

func (c *checker) predicate(of string, node ast.Node) ast.Node {
	p, ok := node.(*ast.PredicateNode)
	if !ok {
		return c.refuse(node, "LR318", of+" takes a list and a predicate").node
	}
	c.looping = true
	defer func() { c.looping = false }()
	var body ast.Node
	switch of {
	case "map":
		body = c.check(p.Node).node
	case "sum":
		body = own(p, "@number", c.wantKind(p.Node, NumberKind).node)
	default:
		body = c.condition(p.Node)
	}
	return at(p, &ast.PredicateNode{Node: body})
}

// pointer is the current item of a loop, or its index.
func (c *checker) pointer(n *ast.PointerNode) checked {
	switch {
	case !c.looping:
		return c.refuse(n, "LR303", "# stands for an item inside any(), count() and the like")
	case n.Name == "":
		return checked{node: n}
	case n.Name == "index":
		return checked{node: own(n, "@number", n), kind: NumberKind}
	}
	return c.refuse(n, "LR303", fmt.Sprintf("unknown pointer %q; there are # and #index", "#"+n.Name))
}

func worldFunctions() []string {
	return []string{"actor", "breaker", "class", "load", "over", "predict", "share"}
}

func isWorldFunction(name string) bool { return slices.Contains(worldFunctions(), name) }

// ask checks a function that reads the world. With literal arguments its result is a slot like any other field.
func (c *checker) ask(n *ast.CallNode, name *ast.IdentifierNode, chain []*ast.MemberNode) checked {
	if !c.scope.reaches(name.Value) {
		return c.refuse(n, "LR303", fmt.Sprintf("%s() is not in scope here; %s sees %s", name.Value, c.scope.Place, quoteList(c.visible())))
	}
	switch name.Value {
	case "over":
		return c.over(n, chain)
	case "predict":
		return c.predict(n, chain)
	}
	least, most := 1, 1
	if name.Value == "breaker" || name.Value == "share" {
		most = 2
	}
	if len(n.Arguments) < least || len(n.Arguments) > most {
		return c.refuse(n, "LR318", fmt.Sprintf("%s takes %d to %d texts, got %d", name.Value, least, most, len(n.Arguments)))
	}
	nodes, literals := make([]ast.Node, len(n.Arguments)), make([]string, 0, 2)
	for i, arg := range n.Arguments {
		nodes[i] = c.wantKind(arg, TextKind).node
		if literal, ok := nodes[i].(*ast.StringNode); ok {
			literals = append(literals, literal.Value)
			c.mention(name.Value, i, literal, arg)
		}
	}
	if len(literals) < len(nodes) {
		return c.askLater(n, name.Value, nodes, chain)
	}
	label := name.Value + "(" + quoted(literals) + ")"
	t := table{name: label, fields: func() []field[Env] { return settled(label, name.Value, literals) }}
	return c.inTable(&t, at(n, &ast.IdentifierNode{Value: label}), chain)
}

func quoted(texts []string) string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = strconv.Quote(t)
	}
	return strings.Join(out, ", ")
}

// mention records a literal that names a subject. A breaker's key names none.
func (c *checker) mention(function string, i int, literal *ast.StringNode, arg ast.Node) {
	switch {
	case function == "share" && i == 0:
		function = "share.state"
	case function == "share":
		function = "share.target"
	case i > 0:
		return
	}
	p := c.problem(arg, "", "")
	named := NamedSubject{Function: function, Name: literal.Value, Offset: p.Offset, Len: p.Len}
	if !slices.Contains(c.names, named) {
		c.names = append(c.names, named)
	}
}

// askLater calls a world function whose arguments are only known at run time.
func (c *checker) askLater(n *ast.CallNode, name string, nodes []ast.Node, chain []*ast.MemberNode) checked {
	label := name + "(…)"
	fields := pending(label, name)
	path, used := label, 0
	exact := func() int {
		return slices.IndexFunc(fields, func(f field[asking]) bool { return f.name == path })
	}
	for ; used < len(chain) && exact() < 0; used++ {
		next, _ := property(chain[used])
		path += "." + next
	}
	i := exact()
	if i < 0 {
		return c.refuse(n, "LR303", fmt.Sprintf("unknown field of %s: %s", label, path))
	}
	c.reads[path] = true
	c.asks = append(c.asks, fields[i])
	args := []ast.Node{at(n, &ast.IdentifierNode{Value: "@env"}), at(n, &ast.FloatNode{Value: float64(len(c.asks) - 1)})}
	node := own(n, "@ask", append(args, nodes...)...)
	return c.below(checked{node: node, kind: fields[i].kind(), words: fields[i].words}, path, chain[used:])
}

// over reads a subject's rates over another stretch of time.
func (c *checker) over(n *ast.CallNode, chain []*ast.MemberNode) checked {
	if len(n.Arguments) != 2 {
		return c.refuse(n, "LR318", "over takes a subject and a duration: over(actor, 1m)")
	}
	who, label, ok := c.subjectOf(n.Arguments[0])
	if !ok {
		return c.refuse(n.Arguments[0], "LR318", "over takes a subject: actor, breaker, system, or actor(\"name\")")
	}
	seconds, ok := c.literalSeconds(n.Arguments[1])
	if !ok {
		return checked{node: n}
	}
	label = fmt.Sprintf("over(%s, %v)", label, seconds)
	find := func(e *Env) *Rates {
		rates := worldOf(e).Over(who(e), seconds)
		if rates == nil {
			panic(fail("%s is unknown", label))
		}
		return rates
	}
	t := table{name: label, fields: func() []field[Env] { return nest(label, find, ratesFields()) }}
	return c.inTable(&t, at(n, &ast.IdentifierNode{Value: label}), chain)
}

// predict reads what a field will be. When too little is known it is what the field is now.
func (c *checker) predict(n *ast.CallNode, chain []*ast.MemberNode) checked {
	if len(n.Arguments) != 2 || len(chain) > 0 {
		return c.refuse(n, "LR318", "predict takes a field and a duration: predict(actor.mailbox, 5m)")
	}
	member, ok := n.Arguments[0].(*ast.MemberNode)
	if !ok {
		return c.refuse(n.Arguments[0], "LR318", "predict takes a field, such as actor.mailbox")
	}
	base, _ := unfold(member)
	who, label, ok := c.subjectOf(base)
	of := c.check(member)
	slot, isSlot := c.slotOf(of.node)
	if !ok || !isSlot || slot.from.num == nil {
		return c.refuse(member, "LR318", "predict takes a number field of a subject, such as actor.mailbox")
	}
	seconds, ok := c.literalSeconds(n.Arguments[1])
	if !ok {
		return checked{node: n}
	}
	name := strings.TrimPrefix(slot.path, label+".")
	path := fmt.Sprintf("predict(%s, %v)", slot.path, seconds)
	c.reads[path] = true
	current := slot.from.num
	read := func(e *Env) float64 {
		if v, known := worldOf(e).Predict(who(e), name, seconds); known {
			return v
		}
		return current(e)
	}
	return checked{node: c.read(n, path, field[Env]{name: path, num: read}), kind: NumberKind}
}

func (c *checker) slotOf(node ast.Node) (slot, bool) {
	call, ok := node.(*ast.CallNode)
	if !ok || operatorOf(call) != "@read" {
		return slot{}, false
	}
	return c.slots[int(call.Arguments[1].(*ast.FloatNode).Value)], true
}

func (c *checker) literalSeconds(arg ast.Node) (float64, bool) {
	literal, ok := c.check(arg).node.(*ast.FloatNode)
	if !ok || !(literal.Value > 0) {
		c.complain(arg, "LR308", "a literal duration longer than 0 is needed here, such as 5m")
		return 0, false
	}
	return literal.Value, true
}

// subjectOf says which subject a node stands for: a rule's own, the system, or one named by literals.
func (c *checker) subjectOf(node ast.Node) (who func(*Env) Reference, label string, ok bool) {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		if !slices.ContainsFunc(c.tables, func(t table) bool { return t.name == n.Value }) {
			return nil, "", false
		}
		who, ok = ownSubject(n.Value)
		return who, n.Value, ok
	case *ast.CallNode:
		return c.namedSubject(n)
	}
	return nil, "", false
}

func ownSubject(name string) (func(*Env) Reference, bool) {
	switch name {
	case "actor":
		return func(e *Env) Reference { return Reference{Subject: ActorSubject, Name: actorOf(e).Path} }, true
	case "supervisor":
		return func(e *Env) Reference { return Reference{Subject: SupervisorSubject, Name: supervisorOf(e).Path} }, true
	case "breaker":
		return func(e *Env) Reference {
			b := breakerOf(e)
			return Reference{Subject: BreakerSubject, Name: b.Name, Key: b.Key}
		}, true
	case "node":
		return func(e *Env) Reference { return Reference{Subject: NodeSubject, Name: nodeOf(e).Name} }, true
	case "system":
		return func(*Env) Reference { return Reference{Subject: SystemSubject} }, true
	}
	return nil, false
}

func (c *checker) namedSubject(n *ast.CallNode) (who func(*Env) Reference, label string, ok bool) {
	name, isName := n.Callee.(*ast.IdentifierNode)
	if !isName || name.Value != "actor" && name.Value != "breaker" || len(n.Arguments) == 0 || len(n.Arguments) > 2 {
		return nil, "", false
	}
	var literals []string
	for i, arg := range n.Arguments {
		literal, isText := arg.(*ast.StringNode)
		if !isText {
			return nil, "", false
		}
		literals = append(literals, literal.Value)
		c.mention(name.Value, i, literal, arg)
	}
	ref := Reference{Subject: ActorSubject, Name: literals[0]}
	if name.Value == "breaker" {
		ref.Subject = BreakerSubject
	}
	if len(literals) > 1 {
		ref.Key = literals[1]
	}
	return func(*Env) Reference { return ref }, name.Value + "(" + quoted(literals) + ")", true
}
