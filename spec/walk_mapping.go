package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/internal/suggest"
)

// pair is one key of a mapping node with its value.
type pair struct {
	key, value *node
}

// firstKeys finds the first of equal keys: by looking while they are few, in a
// map when they are many.
type firstKeys struct {
	few  *[]pair
	many map[string]*node
}

const fewKeys = 16

func (f *firstKeys) at(key string) *node {
	if f.many != nil {
		return f.many[key]
	}
	for _, p := range *f.few {
		if p.key.Value == key {
			return p.key
		}
	}
	return nil
}

// add tells of a key that was just appended to few.
func (f *firstKeys) add(key *node) {
	switch {
	case f.many != nil:
		f.many[key.Value] = key
	case len(*f.few) > fewKeys:
		f.many = make(map[string]*node, 4*fewKeys)
		for _, p := range *f.few {
			f.many[p.key.Value] = p.key
		}
	}
}

// pairs lists a mapping's keys; `<<` brings those of another mapping that are
// not written here. Keys that are no text and duplicates are reported.
func (w *walker) pairs(n *node) []pair {
	out := make([]pair, 0, len(n.Content)/2)
	first := firstKeys{few: &out}
	var merges []*node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == aliasNode && key.Alias != nil {
			key = key.Alias
		}
		switch {
		case key.Kind != scalarNode:
			w.errorf("LR121", w.pos(key), "a key must be text, found %s", kindName(key))
		case key.Tag == "!!merge":
			merges = append(merges, value)
		case first.at(key.Value) != nil:
			at := first.at(key.Value)
			w.report(Diagnostic{Code: "LR101", Pos: w.pos(key), Message: fmt.Sprintf("%q already set at %d:%d", key.Value, at.Line, at.Column),
				Related: []Related{{w.pos(at), "the first one"}}})
		default:
			out = append(out, pair{key: key, value: value})
			first.add(key)
		}
	}
	for _, merge := range merges {
		out = w.mergeKeys(out, merge)
	}
	return out
}

// mergeKeys adds what `<<` brings.
func (w *walker) mergeKeys(out []pair, merge *node) []pair {
	var sources []*node
	switch merge.Kind {
	case sequenceNode:
		sources = merge.Content
	default:
		sources = []*node{merge}
	}
	for _, from := range sources {
		if from.Kind == aliasNode {
			if slices.ContainsFunc(w.aliases, func(a *node) bool { return a.Alias == from.Alias }) || holds(from.Alias, from) {
				w.errorf("LR011", w.pos(from), "anchor %q contains itself (line %d)", from.Value, from.Alias.Line)
				continue
			}
			w.aliases = append(w.aliases, from)
			out = w.addMerged(out, from.Alias)
			w.aliases = w.aliases[:len(w.aliases)-1]
			continue
		}
		out = w.addMerged(out, from)
	}
	return out
}

func (w *walker) addMerged(out []pair, from *node) []pair {
	if from.Kind != mappingNode {
		w.errorf("LR106", w.pos(from), "<< expects a mapping, found %s", kindName(from))
		return out
	}
	for _, p := range w.pairs(from) {
		if w.added++; w.added > maxAliasNodes {
			w.tired = true
			w.errorf("LR010", w.pos(from), "aliases expand to more than %d nodes", maxAliasNodes)
			return out
		}
		if !slices.ContainsFunc(out, func(q pair) bool { return q.key.Value == p.key.Value }) {
			out = append(out, p)
		}
	}
	return out
}

// holds reports whether tree holds n itself, aliases not followed.
func holds(tree, n *node) bool {
	return tree == n || slices.ContainsFunc(tree.Content, func(child *node) bool { return holds(child, n) })
}

// mapping walks a Map or a Table.
func (w *walker) mapping(n *node, t *Type) *Value {
	if n.Kind != mappingNode {
		return w.expected(n, t)
	}
	v := &Value{Type: t, Pos: w.pos(n), source: w.src}
	cut := false
	pairs := w.pairs(n)
	v.entries = make([]Entry, 0, len(pairs))
	for _, p := range pairs {
		if w.dotted && strings.Contains(p.key.Value, ".") {
			v = w.nest(v, p)
			continue
		}
		elem, ok := w.keyType(p, t, cut)
		if !ok {
			v.broken = v.broken || !strings.HasPrefix(p.key.Value, "x-")
			continue
		}
		if n.Style&flowStyle != 0 && w.cut(p.value, elem) {
			cut = true
			continue
		}
		if value := w.entry(p, t, elem); value != nil {
			w.heeded(p, t)
			v.entries = append(v.entries, Entry{Key: p.key.Value, KeyPos: w.pos(p.key), Value: value})
		} else {
			v.broken = true
		}
	}
	w.complete(v, cut)
	return v
}

// keyType finds the type of a key's value, and reports keys that may not be.
func (w *walker) keyType(p pair, t *Type, cut bool) (*Type, bool) {
	key := p.key.Value
	if t.Shape == Table {
		return t.Elem, w.keyFits(p.key, t)
	}
	if f := t.Field(key); f != nil {
		return f.Type, true
	}
	if !strings.HasPrefix(key, "x-") && !(cut && p.value.Tag == "!!null") {
		w.unknown(p.key, t)
	}
	return nil, false
}

// heeded warns of a field that nothing heeds yet: who gives one counts on what it says.
func (w *walker) heeded(p pair, t *Type) {
	if f := t.Field(p.key.Value); f != nil && f.Idle {
		w.report(Diagnostic{Severity: Warning, Code: "LR226", Pos: w.pos(p.key),
			Message: fmt.Sprintf("%s is checked and has no effect yet", strings.Join(append(slices.Clone(w.path), f.Name), "."))})
	}
}

func (w *walker) keyFits(key *node, t *Type) bool {
	if t.Key == Text {
		return true
	}
	s := scalar{text: key.Value, quoted: key.Style&quotedStyle != 0}
	if !s.quoted {
		s.plain = plainKind(key)
	}
	_, problem := parseScalar(&Type{Shape: t.Key}, s)
	if problem != nil {
		w.problem(key, problem)
	}
	return problem == nil
}

// entry walks the value of one key, keeping path, field and layer.
func (w *walker) entry(p pair, t, elem *Type) *Value {
	field, origin, layer := w.field, w.origin, w.layer
	w.path = append(w.path, p.key.Value)
	defer func() {
		w.field, w.origin, w.layer = field, origin, layer
		w.path = w.path[:len(w.path)-1]
	}()
	w.field, w.layer = t.Field(p.key.Value), ""
	if t.Shape == Table {
		w.field = nil
		if layer != "" && origin == nil {
			w.origin = &Origin{Layer: layer, Name: p.key.Value}
		}
	} else if w.field.Layer != "" && origin == nil {
		if w.layer = w.field.Layer; elem.Shape == Map {
			w.origin = &Origin{Layer: w.layer}
		}
	}
	value := w.value(p.value, elem)
	if value != nil && value.KeyPos.IsZero() {
		value.KeyPos = w.pos(p.key)
	}
	return value
}

// complete reports missing fields and fields that exclude each other.
func (w *walker) complete(v *Value, cut bool) {
	if v.Type.Shape != Map || w.dotted {
		return
	}
	v.broken = v.broken || cut
	for _, f := range v.Type.Fields {
		if f.Required && v.Entry(f.Name) == nil && !v.broken {
			w.missing(v, f)
		}
	}
	w.exclusive(v)
}

func (w *walker) missing(v *Value, f *Field) {
	message := fmt.Sprintf("%q is missing in %s", f.Name, w.place())
	if f.Example != "" {
		message += fmt.Sprintf("; add %s: %s", f.Name, f.Example)
	}
	w.report(Diagnostic{Code: "LR107", Pos: v.Pos, Message: message})
}

// exclusive reports the second of two fields that exclude each other.
func (w *walker) exclusive(v *Value) {
	for _, group := range v.Type.OneOf {
		var first *Entry
		for i := range v.entries {
			e := &v.entries[i]
			switch {
			case !contains(group, e.Key):
			case first == nil:
				first = e
			default:
				w.report(Diagnostic{Code: "LR108", Pos: e.KeyPos,
					Message: fmt.Sprintf("%q and %q exclude each other; keep one", first.Key, e.Key),
					Related: []Related{{first.KeyPos, "the first one"}}})
			}
		}
	}
}

// unknown reports a key that its mapping does not have, and where it belongs.
func (w *walker) unknown(key *node, t *Type) {
	name := key.Value
	d := Diagnostic{Code: "LR104", Pos: w.pos(key), Message: fmt.Sprintf("unknown field %q in %s", name, w.place())}
	names := fieldNames(t.Fields)
	folded := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	switch near := suggest.Nearest(name, names); {
	case strings.Contains(name, ":") && t.Field(strings.SplitN(name, ":", 2)[0]) != nil:
		d.Code, d.Message = "LR006", `missing space after ":"`
	case folded >= 0:
		d.Message += "; keys are case-sensitive"
		d.Suggestion = didYouMean(names[folded])
	case len(name) > 3 && near != "":
		d.Suggestion = didYouMean(near)
	default:
		if home := w.home(name, t); home != "" {
			d.Code, d.Message = "LR105", fmt.Sprintf("%q belongs under %s", name, home)
		} else if near != "" {
			d.Suggestion = didYouMean(near)
		}
	}
	w.report(d)
}

// home looks for the mappings that have the field: below first, then around.
func (w *walker) home(name string, t *Type) string {
	if homes := below(t, name, 2); len(homes) > 0 {
		return under(w.path, homes)
	}
	types := w.typesAlong()
	for level := len(types) - 2; level >= 0; level-- {
		around := types[level]
		if around == nil || around.Shape != Map {
			continue
		}
		if around.Field(name) != nil {
			if level == 0 {
				return "the top of the document"
			}
			return strings.Join(w.path[:level], ".")
		}
		if homes := below(around, name, 1); len(homes) > 0 {
			return under(w.path[:level], homes)
		}
	}
	return ""
}

// under names one or several mappings below path.
func under(path, homes []string) string {
	if len(homes) == 1 {
		return strings.Join(append(slices.Clone(path), homes[0]), ".")
	}
	last := len(homes) - 1
	text := strings.Join(homes[:last], ", ") + " or " + homes[last]
	if len(path) > 0 {
		text += " in " + strings.Join(path, ".")
	}
	return text
}

// below finds the mappings nearest under t that have the field, at most depth
// levels down, as paths.
func below(t *Type, name string, depth int) []string {
	if depth == 0 {
		return nil
	}
	var homes []string
	for _, f := range t.Fields {
		if f.Type.Shape == Map && f.Type.Field(name) != nil {
			homes = append(homes, f.Name)
		}
	}
	if homes != nil {
		return homes
	}
	for _, f := range t.Fields {
		if f.Type.Shape != Map {
			continue
		}
		for _, home := range below(f.Type, name, depth-1) {
			homes = append(homes, f.Name+"."+home)
		}
	}
	return homes[:min(len(homes), 4)]
}

// typesAlong returns the types of the document and of each step of the path.
func (w *walker) typesAlong() []*Type {
	t := w.top
	types := []*Type{t}
	for _, step := range w.path {
		switch {
		case t == nil:
		case t.Shape == Map:
			if f := t.Field(step); f != nil {
				t = f.Type
			} else {
				t = nil
			}
		default:
			t = t.Elem
		}
		if t != nil && t.Shape == Union {
			t = nil
		}
		types = append(types, t)
	}
	return types
}
