package plan

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Leaf is one value of a plan: where it is and its canonical text.
type Leaf struct {
	Path string // actors.root/services/database.guard.timeout
	Text string // *** for a secret
}

// Hidden is shown instead of a secret.
const Hidden = "***"

// shortSecret is the length below which a secret hides only texts that equal it: hiding each text that contains "1"
// would make the rest unreadable and the secret no safer.
const shortSecret = 6

// Leaves lists every leaf in the order of the fields, elements of named lists under their names. A part that is absent
// (a nil guard, an expression left out, an empty list) has no leaf.
func (p *Plan) Leaves() []Leaf {
	hide := p.hider()
	out := make([]Leaf, 0, 64*len(p.Actors)+256)
	var part record
	w := walk{emit: func(s seen) {
		if len(part.bytes) > chunk {
			out = part.leaves(out, hide)
			part.reset()
		}
		part.add(s)
	}}
	w.value(root(), reflect.ValueOf(p).Elem(), Hot)
	return part.leaves(out, hide)
}

// chunk is how many bytes of leaves share one piece of memory.
const chunk = 1 << 16

// Hider returns a function that replaces the plan's secrets in a text that is shown.
func (p *Plan) Hider() func(string) string { return p.hider() }

// hider replaces the plan's secrets in texts that are shown.
func (p *Plan) hider() func(string) string {
	var pairs []string
	for _, s := range p.Secrets {
		if len(s) >= shortSecret {
			pairs = append(pairs, s, Hidden)
		}
	}
	within := strings.NewReplacer(pairs...)
	return func(text string) string {
		for _, s := range p.Secrets {
			if text == s && s != "" {
				return Hidden
			}
		}
		if len(pairs) == 0 {
			return text
		}
		return within.Replace(text)
	}
}

// walk visits the leaves of a value. Path and text are valid only during emit.
type walk struct {
	path []byte
	text []byte
	emit func(seen)
	err  error

	known  reflect.Value // the definition last visited, which the next actor may share
	leaves record        // of it, their paths from its own place on
}

// seen is one leaf during a walk.
type seen struct {
	path, text []byte
	class      Class
	secret     bool // by the field beside it
	order      bool // the order of a list: names of its elements
	zero       bool // the zero value of its type
}

func (w *walk) value(n *node, v reflect.Value, class Class) {
	switch {
	case n.text != nil:
		w.leaf(n, v, class, false)
	case n.wrap && v.Type() == definition:
		w.definition(n.elem, v, class)
	case n.wrap:
		if !v.IsNil() {
			w.value(n.elem, v.Elem(), class)
		}
	case n.list:
		w.list(n, v, class, sorted)
	default:
		w.fields(n, v, class, -1)
	}
}

var definition = reflect.TypeFor[*Definition]()

// definition visits what an actor is. One that it shares with the actor before it is not walked again.
func (w *walk) definition(n *node, v reflect.Value, class Class) {
	if v.IsNil() {
		return
	}
	emit, at := w.emit, len(w.path)
	if !w.known.IsValid() || w.known.Pointer() != v.Pointer() {
		w.known = v
		w.leaves.reset()
		w.emit = func(s seen) {
			emit(s)
			s.path = s.path[at:]
			w.leaves.add(s)
		}
		w.value(n, v.Elem(), class)
		w.emit = emit
		return
	}
	begin := 0
	for _, m := range w.leaves.marks {
		w.path = append(w.path[:at], w.leaves.bytes[begin:m.path]...)
		emit(seen{w.path, w.leaves.bytes[m.path:m.text], m.class, m.secret, m.order, m.zero})
		begin = m.text
	}
	w.path = w.path[:at]
}

func (w *walk) leaf(n *node, v reflect.Value, class Class, secret bool) {
	if n.absent != nil && n.absent(v) {
		return
	}
	text, err := n.text(w.text[:0], v)
	if err != nil && w.err == nil {
		w.err = fmt.Errorf("%s: %w", w.path, err)
	}
	w.text = text
	w.emit(seen{path: w.path, text: text, class: class, secret: secret, zero: v.IsZero()})
}

// fields visits a struct; key is the field that has become part of the path, -1 when none has.
func (w *walk) fields(n *node, v reflect.Value, class Class, key int) {
	for i := range n.fields {
		f := &n.fields[i]
		if f.index == key {
			continue
		}
		c := class
		if f.own {
			c = f.class
		}
		was := len(w.path)
		if !f.element || key < 0 {
			w.push(f.name)
		}
		switch fv := v.Field(f.index); {
		case f.node.list:
			w.list(f.node, fv, c, f.order)
		case f.node.text != nil && f.element && n.secret >= 0:
			w.leaf(f.node, fv, c, v.Field(n.secret).Bool())
		default:
			w.value(f.node, fv, c)
		}
		w.path = w.path[:was]
	}
}

func (w *walk) list(n *node, v reflect.Value, class Class, order listOrder) {
	was := len(w.path)
	for i := range v.Len() {
		element := v.Index(i)
		if key := n.elem.key; key >= 0 {
			w.pushKey(element.Field(key).String())
			w.fields(n.elem, element, class, key)
		} else {
			w.path = strconv.AppendInt(append(w.path, '.'), int64(i), 10)
			w.value(n.elem, element, class)
		}
		w.path = w.path[:was]
	}
	if order == ordered && v.Len() > 0 {
		w.orderLeaf(n, v, class)
	}
}

// orderLeaf records in which order the elements of an ordered list stand.
func (w *walk) orderLeaf(n *node, v reflect.Value, class Class) {
	was := len(w.path)
	w.push("order")
	w.text = w.text[:0]
	for i := range v.Len() {
		if i > 0 {
			w.text = append(w.text, ", "...)
		}
		w.text = append(w.text, v.Index(i).Field(n.elem.key).String()...)
	}
	w.emit(seen{path: w.path, text: w.text, class: class, order: true})
	w.path = w.path[:was]
}

func (w *walk) push(name string) {
	if name == "" {
		return
	}
	if len(w.path) > 0 {
		w.path = append(w.path, '.')
	}
	w.path = append(w.path, name...)
}

// pushKey quotes a key that could be taken for several segments, so that different plans never share a path.
func (w *walk) pushKey(key string) {
	w.path = append(w.path, '.')
	if strings.ContainsFunc(key, unusual) || key == "" {
		w.path = strconv.AppendQuote(w.path, key)
		return
	}
	w.path = append(w.path, key...)
}

func unusual(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '/', r == '>':
		return false
	}
	return true
}

// record keeps what a walk saw, all texts in one piece of memory.
type record struct {
	bytes []byte
	marks []mark
}

type mark struct {
	path, text int // ends within bytes
	class      Class
	secret     bool
	order      bool
	zero       bool
}

func (r *record) add(s seen) {
	r.bytes = append(r.bytes, s.path...)
	path := len(r.bytes)
	r.bytes = append(r.bytes, s.text...)
	r.marks = append(r.marks, mark{path, len(r.bytes), s.class, s.secret, s.order, s.zero})
}

func (r *record) reset() { r.bytes, r.marks = r.bytes[:0], r.marks[:0] }

func (r *record) leaves(out []Leaf, hide func(string) string) []Leaf {
	all := string(r.bytes)
	begin := 0
	for _, m := range r.marks {
		text := all[m.path:m.text]
		if m.secret {
			text = Hidden
		}
		out = append(out, Leaf{Path: all[begin:m.path], Text: hide(text)})
		begin = m.text
	}
	return out
}
