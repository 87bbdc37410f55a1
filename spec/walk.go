package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of what one file may hold.
const (
	MaxFileSize   = 8 << 20 // bytes
	maxDepth      = 100     // nesting
	maxAliasNodes = 100_000 // nodes that aliases add
	maxValues     = 1 << 20 // keys and values of one file
)

// walker turns yaml nodes into Values as the table says. It reports everything
// that is wrong and goes on.
type walker struct {
	src     *source
	opts    *Options
	lang    *language
	diags   *Diagnostics
	secrets *[][32]byte

	top     *Type // of the document, or of an override
	path    []string
	depth   int
	field   *Field  // the field whose value is being walked
	origin  *Origin // the layer being walked, nil in the tree itself
	layer   string  // a layer that begins with the next key
	dotted  bool    // inside an override: dotted keys nest
	aliases []*node // aliases being followed
	added   int     // nodes added by aliases
	tired   bool    // a bound was passed: stop descending
}

func (w *walker) pos(n *node) Pos {
	length := utf8.RuneCountInString(n.Value)
	if n.Style&quotedStyle != 0 {
		length += 2
	}
	if n.Kind != scalarNode && n.Kind != aliasNode {
		length = 1
	}
	return Pos{File: w.src.name, Line: n.Line, Col: n.Column, Len: max(1, length)}
}

// report adds a finding; what it underlines ends with its line.
func (w *walker) report(d Diagnostic) {
	d.Pos.Len = max(1, min(d.Pos.Len, utf8.RuneCountInString(w.src.from(d.Pos.Line, d.Pos.Col))))
	if len(*w.diags) < maxCollected {
		*w.diags = append(*w.diags, d)
	}
}

func (w *walker) problem(n *node, p *problem) {
	w.report(Diagnostic{Code: p.code, Message: p.message, Suggestion: p.suggestion, Pos: w.pos(n)})
}

func (w *walker) errorf(code string, pos Pos, format string, args ...any) {
	w.report(Diagnostic{Code: code, Message: fmt.Sprintf(format, args...), Pos: pos})
}

// place names where the walk is, for messages.
func (w *walker) place() string {
	if len(w.path) == 0 {
		return "the " + w.top.Title
	}
	return strings.Join(w.path, ".")
}

// value walks one node; nil when it is unusable (and reported).
func (w *walker) value(n *node, t *Type) *Value {
	if w.tired {
		return nil
	}
	w.depth++
	defer func() { w.depth-- }()
	if w.depth > maxDepth {
		w.tired = true
		w.errorf("LR013", w.pos(n), "nested deeper than %d", maxDepth)
		return nil
	}
	if n.Kind == aliasNode {
		return w.alias(n, t)
	}
	if len(w.aliases) > 0 {
		if w.added++; w.added > maxAliasNodes {
			w.tired = true
			w.errorf("LR010", w.pos(w.aliases[0]), "aliases expand to more than %d nodes", maxAliasNodes)
			return nil
		}
	}
	if !w.usable(n, t) {
		return nil
	}
	v := w.shaped(n, w.choose(n, t))
	if v != nil && v.Origin == nil {
		v.Origin = w.origin
	}
	return v
}

func (w *walker) alias(n *node, t *Type) *Value {
	for _, seen := range w.aliases {
		if seen.Alias == n.Alias {
			w.errorf("LR011", w.pos(n), "anchor %q contains itself (line %d)", n.Value, n.Alias.Line)
			return nil
		}
	}
	w.aliases = append(w.aliases, n)
	defer func() { w.aliases = w.aliases[:len(w.aliases)-1] }()
	return w.value(n.Alias, t)
}

// usable reports empty values and tags.
func (w *walker) usable(n *node, t *Type) bool {
	switch {
	case isCustomTag(n) && t.Shape == Expression || isCustomTag(n) && t.Shape == Built:
		w.errorf("LR301", w.tagPos(n), "YAML read %q as a tag; quote the expression", n.Tag)
	case isCustomTag(n):
		w.errorf("LR301", w.tagPos(n), "YAML read %q as a tag; quote the value", n.Tag)
	case n.Style&taggedStyle != 0 && n.Tag != "!!str" && n.Kind == scalarNode:
		w.errorf("LR301", w.tagPos(n), "tags such as %q are not used here; write the value as it is", n.Tag)
	case n.Kind == scalarNode && n.Tag == "!!null" && t.Shape != Any:
		w.empty(n)
	default:
		return true
	}
	return false
}

// tagPos is the place of a tag with the length to underline.
func (w *walker) tagPos(n *node) Pos {
	pos := w.pos(n)
	pos.Len = utf8.RuneCountInString(n.Tag)
	return pos
}

func (w *walker) empty(n *node) {
	way := "write a value, or remove the line"
	if w.field != nil && w.field.Default != "" {
		way = "remove the line to use the default " + w.field.Default
	}
	w.errorf("LR115", w.pos(n), "empty value; %s", way)
}

// choose picks the alternative of a union that fits the node's kind.
func (w *walker) choose(n *node, t *Type) *Type {
	if t.Shape != Union {
		return t
	}
	for _, alternative := range t.Alternatives {
		switch alternative.Shape {
		case Map, Table:
			if n.Kind == mappingNode {
				return alternative
			}
		case List, NamedList:
			if n.Kind == sequenceNode {
				return alternative
			}
		default:
			if n.Kind == scalarNode {
				return alternative
			}
		}
	}
	return t
}

func (w *walker) shaped(n *node, t *Type) *Value {
	switch t.Shape {
	case Map:
		if n.Kind != mappingNode && t.Short != "" && w.fitsShort(n, t) {
			return w.short(n, t)
		}
		return w.mapping(n, t)
	case Table:
		return w.mapping(n, t)
	case Override:
		return w.overrideValue(n)
	case List, NamedList:
		return w.list(n, t)
	case Built:
		return w.builtValue(n, t)
	case Any:
		return w.data(n, t)
	case Union:
		w.errorf("LR106", w.pos(n), "expected %s, found %s", t.Title, kindName(n))
		return nil
	}
	return w.scalar(n, t)
}

// fitsShort reports whether n may stand for {Short: n}.
func (w *walker) fitsShort(n *node, t *Type) bool {
	inner := t.Field(t.Short).Type
	return n.Kind == scalarNode || inner.Shape == List
}

// short reads a scalar or list as the mapping it abbreviates.
func (w *walker) short(n *node, t *Type) *Value {
	if glued := gluedKey(n); glued != "" && t.Field(glued) != nil {
		return w.expected(n, t)
	}
	f := t.Field(t.Short)
	inner := w.value(n, f.Type)
	if inner == nil {
		return nil
	}
	return &Value{Type: t, Pos: w.pos(n), source: w.src, entries: []Entry{{Key: t.Short, KeyPos: w.pos(n), Value: inner}}}
}

// gluedKey finds the key in text such as failures:3.
func gluedKey(n *node) string {
	key, rest, found := strings.Cut(n.Value, ":")
	if n.Kind != scalarNode || !found || rest == "" || rest[0] == ' ' || n.Style&quotedStyle != 0 {
		return ""
	}
	return key
}

// expected reports a node of the wrong kind.
func (w *walker) expected(n *node, t *Type) *Value {
	pos := w.pos(n)
	if key := gluedKey(n); key != "" && (t.Shape == Map || t.Shape == Table) && (t.Shape == Table || t.Field(key) != nil) {
		w.errorf("LR006", pos, `missing space after ":"`)
		return nil
	}
	d := Diagnostic{Code: "LR106", Pos: pos}
	want := "a mapping"
	if t.Shape == List || t.Shape == NamedList {
		want = "a list"
		d.Suggestion = listHint(n, t)
	} else if t.Shape != Map && t.Shape != Table && t.Shape != Override {
		want = article(t.wanted())
	}
	d.Message = fmt.Sprintf("expected %s, found %s", want, kindName(n))
	w.report(d)
	return nil
}

// listHint shows how to write as a list what is none.
func listHint(n *node, t *Type) string {
	switch {
	case t.Shape == NamedList && n.Kind == mappingNode:
		return `begin each with "- name: "`
	case t.Elem.Shape == Text && n.Kind == scalarNode && n.Value != "" && !strings.ContainsAny(n.Value, "\"'[]{},$"):
		return "did you mean [" + strings.Join(strings.Fields(n.Value), ", ") + "]?"
	}
	return ""
}

func article(noun string) string {
	switch {
	case strings.ContainsRune("aeiou", rune(noun[0])):
		return "an " + noun
	case noun == "text", noun == "data", strings.Contains(noun, " or "):
		return noun
	}
	return "a " + noun
}

func kindName(n *node) string {
	switch {
	case n.Kind == mappingNode:
		return "a mapping"
	case n.Kind == sequenceNode:
		return "a list"
	case n.Style&quotedStyle != 0 || plainKind(n) == "":
		return "text"
	case n.Tag == "!!bool":
		return "true or false"
	case n.Tag == "!!timestamp":
		return "a date"
	}
	return "a number"
}

// list walks a sequence, or the one element that stands for it.
func (w *walker) list(n *node, t *Type) *Value {
	v := &Value{Type: t, Pos: w.pos(n), source: w.src}
	nodes := n.Content
	switch {
	case n.Kind == sequenceNode:
	case t.Single:
		nodes = []*node{n}
	default:
		return w.expected(n, t)
	}
	cut := false
	v.items = make([]*Value, 0, len(nodes))
	var names map[string]*Value
	if t.Shape == NamedList {
		names = make(map[string]*Value, len(nodes))
	}
	for i, item := range nodes {
		if cut = n.Style&flowStyle != 0 && (cut || w.cut(item, t.Elem)); cut {
			continue
		}
		w.path = append(w.path, itemName(item, i))
		if value := w.value(item, t.Elem); value != nil {
			v.items = append(v.items, value)
			w.distinct(names, value, t)
		}
		w.path = w.path[:len(w.path)-1]
	}
	if len(nodes) < t.AtLeast && !cut {
		w.errorf("LR107", v.Pos, "%s needs at least %d in the list", w.place(), t.AtLeast)
	}
	return v
}

// itemName is what an element of a list is called in paths: its name, or its
// number from 0.
func itemName(n *node, i int) string {
	if n.Kind == mappingNode {
		if name := valueOf(n, "name"); name != nil && name.Kind == scalarNode && name.Value != "" {
			return name.Value
		}
	}
	return strconv.Itoa(i)
}

// distinct reports the second of two equal names in a named list.
func (w *walker) distinct(names map[string]*Value, item *Value, t *Type) {
	name := item.Entry("name")
	if t.Shape != NamedList || name == nil {
		return
	}
	if first := names[name.text]; first != nil {
		w.report(Diagnostic{Code: "LR202", Pos: name.Pos,
			Message: fmt.Sprintf("%s %q already defined at %d:%d", t.Elem.Title, name.text, first.Pos.Line, first.Pos.Col),
			Related: []Related{{first.Pos, "the first one"}}})
		return
	}
	names[name.text] = name
}

// cut reports an expression that a comma of the surrounding flow collection
// ended too early.
func (w *walker) cut(n *node, t *Type) bool {
	if t.Shape != Expression && t.Shape != Built || n.Kind != scalarNode || n.Style&quotedStyle != 0 || balanced(n.Value) {
		return false
	}
	pos := w.pos(n)
	if !strings.HasPrefix(strings.TrimLeft(w.src.from(pos.Line, pos.Col+pos.Len), " "), ",") {
		return false
	}
	w.errorf("LR314", pos, "the comma ended the value; quote the expression")
	return true
}

// balanced reports whether brackets and quotes of an expression are closed.
func balanced(text string) bool {
	var open []byte
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case strings.IndexByte("([{", c) >= 0:
			open = append(open, c)
		case strings.IndexByte(")]}", c) >= 0:
			if len(open) == 0 {
				return false
			}
			open = open[:len(open)-1]
		}
	}
	return len(open) == 0 && quote == 0
}

// builtValue walks an expression, or a mapping or list of built values. Its
// Type tells which it is.
func (w *walker) builtValue(n *node, t *Type) *Value {
	switch n.Kind {
	case mappingNode:
		return w.mapping(n, t.Alternatives[0])
	case sequenceNode:
		return w.list(n, t.Alternatives[1])
	}
	return w.scalar(n, exprType)
}

// data walks plain data.
func (w *walker) data(n *node, t *Type) *Value {
	switch {
	case n.Kind == mappingNode:
		return w.mapping(n, t.Alternatives[0])
	case n.Kind == sequenceNode:
		return w.list(n, t.Alternatives[1])
	case n.Tag == "!!null":
		return &Value{Type: nullType, Pos: w.pos(n), source: w.src}
	}
	return w.scalar(n, t)
}

// scalar walks one scalar: interpolation, then its type's own rules.
func (w *walker) scalar(n *node, t *Type) *Value {
	if n.Kind != scalarNode {
		return w.expected(n, t)
	}
	s := scalar{text: n.Value, quoted: n.Style&quotedStyle != 0 || n.Style&taggedStyle != 0}
	if !s.quoted {
		s.plain = plainKind(n)
	}
	if t.Shape == Expression {
		w.expression(n, s)
	} else if needsInterpolation(s.text) {
		return w.interpolated(n, s, t)
	}
	v, problem := parseScalar(t, s)
	v.Pos, v.source = w.pos(n), w.src
	if problem != nil {
		w.problem(n, problem)
		return nil
	}
	return v
}

// interpolated fills in a scalar; what must wait for Resolve is kept as parts.
func (w *walker) interpolated(n *node, s scalar, t *Type) *Value {
	failed := false
	in := interpolation{opts: w.opts, secrets: w.secrets, report: func(severity Severity, offset, length int, p *problem) {
		failed = failed || severity == Error
		expr := Expr{Text: n.Value, Pos: w.pos(n), source: w.src}
		w.report(Diagnostic{Severity: severity, Code: p.code, Message: p.message, Pos: expr.At(offset, length)})
	}}
	in.fill(s.text)
	v := &Value{Type: t, Pos: w.pos(n), source: w.src, Secret: in.secret, quoted: s.quoted, text: joined(in.parts)}
	switch {
	case failed, in.missing && !t.takesText():
		return nil
	case in.missing:
	case waitsFor(in.parts, partReplica) && !t.takesText():
		w.errorf("LR603", v.Pos, "${name} and ${replica} stand only in text, not in a %s", t.Title)
		return nil
	case open(in.parts):
		v.parts = in.parts
	default:
		if p := v.settle(); p != nil {
			w.problem(n, p)
			return nil
		}
	}
	return v
}

// takesText reports whether any text is a value of t.
func (t *Type) takesText() bool { return t.Shape == Text || t.Shape == Any || t.Shape == Literal }

// settle types an interpolated scalar once its text is known.
func (v *Value) settle() *problem {
	s := scalar{text: v.text, secret: v.Secret}
	switch v.Type.Shape {
	case Text, Name, Ident, Target:
		s.quoted = true
	case Literal, Any:
		if s.quoted = v.quoted; !s.quoted {
			s.plain = kindOf(v.text)
		}
	}
	return v.parse(s)
}

// expression reports what YAML does to expressions behind their author's back.
func (w *walker) expression(n *node, s scalar) {
	pos := w.pos(n)
	switch {
	case strings.TrimSpace(s.text) == "":
		w.errorf("LR115", pos, "empty expression")
	case n.Style&foldedStyle != 0:
		w.errorf("LR313", pos, "use | for multi-line expressions")
	case strings.Contains(s.text, "${"):
		w.report(Diagnostic{Severity: Warning, Code: "LR604", Pos: pos,
			Message: "nothing is filled in inside an expression; use params.x or a field in scope"})
	case !s.quoted && w.lostComment(n):
		w.report(Diagnostic{Severity: Warning, Code: "LR302", Pos: pos,
			Message: "everything after # was dropped by YAML; quote the expression"})
	}
}

// lostComment reports whether the comment behind an expression reads like its
// continuation.
func (w *walker) lostComment(n *node) bool {
	rest := w.src.from(n.Line, n.Column)
	if !strings.HasPrefix(rest, n.Value) {
		return false
	}
	comment, found := strings.CutPrefix(strings.TrimLeft(rest[len(n.Value):], " \t"), "#")
	if !found {
		return false
	}
	comment = strings.TrimSpace(comment)
	for _, operator := range []string{"&&", "||", "==", "!=", "<", ">", "+", "*", "%", "?", ")", "]"} {
		if strings.HasPrefix(comment, operator) {
			return true
		}
	}
	word, _, _ := strings.Cut(comment, " ")
	if contains([]string{"and", "or", "not", "in"}, word) && strings.ContainsAny(comment, "<>=(") {
		return true
	}
	return !balanced(n.Value) || endsOpen(n.Value)
}

func endsOpen(text string) bool {
	return slices.ContainsFunc([]string{"&&", "||", "==", "!=", "<", ">", "+", "-", "*", "/", "%", "?", ":", ","}, func(operator string) bool {
		return strings.HasSuffix(strings.TrimSpace(text), operator)
	})
}
