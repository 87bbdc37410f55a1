package spec

import (
	"fmt"
	"strings"
)

// overrideValue walks a mapping of dotted paths. The result is a tree of the
// override type, which Resolve lays over everything else.
func (w *walker) overrideValue(n *node) *Value {
	path, origin, dotted, top := w.path, w.origin, w.dotted, w.top
	defer func() { w.path, w.origin, w.dotted, w.top = path, origin, dotted, top }()
	w.path, w.origin, w.dotted, w.top = nil, &Origin{Layer: "override"}, true, w.lang.override
	return w.mapping(n, w.lang.override)
}

// nest walks a dotted key and lays what it says over v.
func (w *walker) nest(v *Value, p pair) *Value {
	steps := strings.Split(p.key.Value, ".")
	tree := w.along(v.Type, steps, p)
	if tree == nil {
		return v
	}
	return Merge(v, tree)
}

// along builds the tree that leads through steps from a value of type t to p's
// value.
func (w *walker) along(t *Type, steps []string, p pair) *Value {
	if len(steps) == 0 {
		return w.value(p.value, t)
	}
	step := steps[0]
	next, ok := w.step(t, step, p)
	if !ok {
		return nil
	}
	field := w.field
	w.path = append(w.path, step)
	w.field = t.Field(step)
	inner := w.along(next, steps[1:], p)
	w.path = w.path[:len(w.path)-1]
	w.field = field
	if inner == nil {
		return nil
	}
	pos := w.pos(p.key)
	if t.Shape == NamedList {
		name := &Value{Type: nameType, Pos: pos, Origin: w.origin, text: step}
		item := *inner
		item.entries = append([]Entry{{Key: "name", KeyPos: pos, Value: name}}, inner.entries...)
		return &Value{Type: t, Pos: pos, Origin: w.origin, items: []*Value{&item}}
	}
	return &Value{Type: t, Pos: pos, Origin: w.origin, entries: []Entry{{Key: step, KeyPos: pos, Value: inner}}}
}

// step finds the type that one step of a path leads to.
func (w *walker) step(t *Type, name string, p pair) (*Type, bool) {
	switch t.Shape {
	case Map:
		if f := t.Field(name); f != nil {
			return f.Type, true
		}
		key := *p.key
		key.Value = name
		w.unknown(&key, t)
	case Table:
		key := *p.key
		key.Value = name
		return t.Elem, w.keyFits(&key, t)
	case NamedList:
		return t.Elem, true
	case List:
		w.errorf("LR122", w.pos(p.key), "%s is a list and replaced as a whole: %s: […]", w.place(), strings.Join(w.path, "."))
	case Any, Built:
		return t, true
	default:
		w.errorf("LR122", w.pos(p.key), "%s has no fields below it", w.place())
	}
	return nil, false
}

// ParseOverride reads a mapping of dotted paths to values, such as
// `{policies.breakers.upstream.open.for: 2s}`, into a tree for Resolve.
func ParseOverride(file string, data []byte, opts Options) (*Value, Diagnostics) {
	var diags Diagnostics
	l := &loader{opts: opts, set: &Set{opts: opts}, diags: &diags}
	src := &source{name: file, data: data}
	roots, ok := l.roots(src)
	if !ok || len(roots) == 0 || roots[0] == nil {
		if !diags.HasErrors() {
			diags = append(diags, Diagnostic{Code: "LR001", Pos: Pos{File: file}, Message: fmt.Sprintf("%s is empty; expected PATH: VALUE", file)})
		}
		return nil, diags.Sorted()
	}
	w := l.walker(src)
	v := w.overrideValue(roots[0])
	return v, diags.Sorted()
}
