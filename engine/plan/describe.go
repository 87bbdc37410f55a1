package plan

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/rules"
)

// node is what is known about one type of a plan before any value is seen, so that walking a value only follows it.
type node struct {
	fields []field                                           // of a struct
	elem   *node                                             // of a list or pointer
	key    int                                               // index of the field that names an element of this type; -1: none
	secret int                                               // index of the bool field that hides the value beside it; -1: none
	text   func(dst []byte, v reflect.Value) ([]byte, error) // of a leaf
	absent func(v reflect.Value) bool                        // of a leaf that may be missing
	list   bool
	wrap   bool // a pointer: absent when nil
}

// field is one tagged field of a struct.
type field struct {
	index   int
	name    string
	class   Class
	own     bool // class was stated here, not inherited
	order   listOrder
	node    *node
	element bool // called value: takes the path of the element it stands in
}

// listOrder says what the order of a keyed list means.
type listOrder uint8

const (
	sorted  listOrder = iota // none: sorted by key
	ordered                  // it matters, and is a leaf of its own
	tree                     // it follows from the elements
)

// root describes Plan. It is built once, at the first Seal.
var root = sync.OnceValue(func() *node { return describe(reflect.TypeFor[Plan]()) })

func describe(t reflect.Type) *node {
	n := &node{key: -1, secret: -1}
	switch {
	case leaf(n, t):
	case t.Kind() == reflect.Pointer:
		n.wrap, n.elem = true, describe(t.Elem())
	case t.Kind() == reflect.Slice:
		n.list, n.elem = true, describe(t.Elem())
	case t.Kind() == reflect.Struct:
		describeStruct(n, t)
	default:
		panic(fmt.Sprintf("plan: no canonical text for type %v", t))
	}
	return n
}

func describeStruct(n *node, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Tag.Get("plan") == "-" {
			continue
		}
		n.fields = append(n.fields, describeField(i, f))
	}
	for _, f := range n.fields {
		if strings.HasSuffix(t.Field(f.index).Tag.Get("plan"), ",,key") {
			n.key = f.index
		}
		if f.name == "secret" {
			n.secret = f.index
		}
	}
}

func describeField(i int, f reflect.StructField) field {
	tag, tagged := f.Tag.Lookup("plan")
	if !tagged {
		tag = snake(f.Name)
	}
	parts := strings.Split(tag, ",")
	out := field{index: i, name: parts[0], element: parts[0] == "value", node: describe(f.Type)}
	if len(parts) > 1 && parts[1] != "" {
		class, ok := ParseClass(parts[1])
		if !ok {
			panic(fmt.Sprintf("plan: field %s has an unknown class %q", f.Name, parts[1]))
		}
		out.class, out.own = class, true
	}
	if len(parts) > 2 {
		out.order = map[string]listOrder{"ordered": ordered, "tree": tree}[parts[2]]
	}
	return out
}

// snake turns the Go name of another package's field into the language's spelling.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if upper && i > 0 {
			b.WriteByte('_')
		}
		if upper {
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// leaf makes n a leaf if values of type t have a text, and reports whether they do.
func leaf(n *node, t reflect.Type) bool {
	isNil := func(v reflect.Value) bool { return v.IsNil() }
	switch {
	case t == reflect.TypeFor[*rules.Program]():
		n.text, n.absent = programText, isNil
	case t == reflect.TypeFor[*rules.Template]():
		n.text, n.absent = templateText, isNil
	case t == reflect.TypeFor[time.Duration]() || t.Implements(reflect.TypeFor[fmt.Stringer]()):
		n.text = stringerText
	case t.Kind() == reflect.Interface && t.NumMethod() > 0:
		n.text = wiredText
	case t.Kind() == reflect.Interface:
		n.text, n.absent = jsonText, isNil
	case t.Kind() == reflect.Slice && (t.Elem().Kind() == reflect.String || t.Elem().Kind() == reflect.Int):
		n.text, n.absent = jsonText, func(v reflect.Value) bool { return v.Len() == 0 }
	default:
		n.text = scalarText(t.Kind())
	}
	return n.text != nil
}

func scalarText(k reflect.Kind) func([]byte, reflect.Value) ([]byte, error) {
	switch k {
	case reflect.String:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return append(dst, v.String()...), nil }
	case reflect.Bool:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendBool(dst, v.Bool()), nil }
	case reflect.Int, reflect.Int64:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendInt(dst, v.Int(), 10), nil }
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return func(dst []byte, v reflect.Value) ([]byte, error) { return strconv.AppendUint(dst, v.Uint(), 10), nil }
	case reflect.Float64:
		return func(dst []byte, v reflect.Value) ([]byte, error) {
			return strconv.AppendFloat(dst, v.Float(), 'g', -1, 64), nil
		}
	}
	return nil
}

func programText(dst []byte, v reflect.Value) ([]byte, error) {
	return append(dst, v.Interface().(*rules.Program).Source()...), nil
}

func templateText(dst []byte, v reflect.Value) ([]byte, error) {
	return append(dst, v.Interface().(*rules.Template).Source()...), nil
}

func stringerText(dst []byte, v reflect.Value) ([]byte, error) {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return append(dst, time.Duration(v.Int()).String()...), nil
	}
	return append(dst, v.Interface().(fmt.Stringer).String()...), nil
}

// wiredText is the text of something wired in from outside, such as a breaker's trigger.
func wiredText(dst []byte, v reflect.Value) ([]byte, error) {
	if s, ok := v.Interface().(fmt.Stringer); ok {
		return append(dst, s.String()...), nil
	}
	return dst, fmt.Errorf("%T needs a String method, or a change of it would not be seen", v.Interface())
}

// jsonText sorts the keys of mappings, so equal data has equal text.
func jsonText(dst []byte, v reflect.Value) ([]byte, error) {
	if s, ok := v.Interface().(string); ok {
		return append(dst, s...), nil
	}
	text, err := json.Marshal(v.Interface())
	return append(dst, text...), err
}
