package spec

import (
	"fmt"
	"time"
)

// Origin says which layer of the precedence chain wrote a value, for
// `plan --explain-defaults`. A nil Origin means the place itself.
type Origin struct {
	Layer string // built-in, defaults, template, policy, override...
	Name  string // of the template, the named policy or the Policy document
}

// String gives the layer and, if it has one, its name.
func (o *Origin) String() string {
	switch {
	case o == nil:
		return "written here"
	case o.Name == "":
		return o.Layer
	}
	return fmt.Sprintf("%s %q", o.Layer, o.Name)
}

// Value is one node of what the author wrote, checked against its Type. Values
// are immutable once loaded and may be shared between trees; a nil Value stands
// for "absent" and answers every accessor with the zero.
type Value struct {
	Type   *Type
	Pos    Pos     // of the value
	KeyPos Pos     // of its key; zero for list items and roots
	Origin *Origin // nil: written at its own place
	Secret bool    // made from a secret: print *** instead

	text    string  // of every scalar, interpolated
	number  float64 // Number, Ratio, Rate (per second)
	whole   int64   // Int, Duration (ns), Size (bytes), Bool (0, 1), Time (unix ns), Hold, Moment (ns)
	of      int64   // Hold's window in ns
	entries []Entry // Map (in the author's order), Table
	items   []*Value
	source  *source // to find places inside the scalar
	quoted  bool
	parts   []part // text still to be interpolated
	broken  bool   // something in this mapping was unusable and reported
}

// Entry is one key of a mapping with its value.
type Entry struct {
	Key    string
	KeyPos Pos
	Value  *Value
}

// Expr is an expression as data: its text and where it stands.
type Expr struct {
	Text   string
	Pos    Pos
	Quoted bool // the YAML scalar was quoted: "ok" may have been meant as text

	source *source
}

// IsZero reports whether there is no expression.
func (e Expr) IsZero() bool { return e.Text == "" }

// Field returns the value that the author (or a layer merged below) gave the
// field, nil when absent. It panics when the table knows no such field: that is
// a mistake in the program, never in the input.
func (v *Value) Field(name string) *Value {
	if v == nil {
		return nil
	}
	if v.Type.Shape == Map && v.Type.Field(name) == nil {
		panic(fmt.Sprintf("spec: the table has no field %q in %s", name, v.Type.Title))
	}
	return v.Entry(name)
}

// Entry returns the value under key of a Table or Map, nil when absent.
func (v *Value) Entry(key string) *Value {
	if v == nil {
		return nil
	}
	for i := range v.entries {
		if v.entries[i].Key == key {
			return v.entries[i].Value
		}
	}
	return nil
}

// Has reports whether the field was given.
func (v *Value) Has(name string) bool { return v.Field(name) != nil }

// At returns the field, or its default from the table, or (for a field that is
// itself a mapping) an empty mapping whose own fields then give their defaults.
// It returns nil only for a scalar or list without default. So
// v.At("open").At("for").Duration() is always the effective value.
func (v *Value) At(name string) *Value {
	if v == nil {
		return nil
	}
	if got := v.Field(name); got != nil {
		return got
	}
	if f := v.Type.Field(name); f != nil {
		return f.fallback
	}
	return nil
}

// Entries returns the entries of a mapping in the author's order. The caller
// must not change the slice.
func (v *Value) Entries() []Entry {
	if v == nil {
		return nil
	}
	return v.entries
}

// Items returns the elements of a list. The caller must not change the slice.
func (v *Value) Items() []*Value {
	if v == nil {
		return nil
	}
	return v.items
}

// Text returns a scalar's text after interpolation. ${name} and ${replica} are
// still in it: see TextFor. For a secret it is the secret; print String instead.
func (v *Value) Text() string {
	if v == nil {
		return ""
	}
	return v.text
}

// Int returns an Int.
func (v *Value) Int() int64 {
	if v == nil {
		return 0
	}
	return v.whole
}

// Float returns a Number, a Ratio (0..1), a Rate (per second) or an Int.
func (v *Value) Float() float64 {
	switch {
	case v == nil:
		return 0
	case v.Type.Shape == Int:
		return float64(v.whole)
	}
	return v.number
}

// Duration returns a Duration, the first duration of a Hold, or the offset of a
// Moment.
func (v *Value) Duration() time.Duration { return time.Duration(v.Int()) }

// Bytes returns a Size in bytes.
func (v *Value) Bytes() int64 { return v.Int() }

// Bool returns a Bool.
func (v *Value) Bool() bool { return v.Int() != 0 }

// Hold returns both parts of a Hold: the condition must be true for `hold` out
// of the last `of`. Both are equal when it must be true without a break.
func (v *Value) Hold() (hold, of time.Duration) {
	if v == nil {
		return 0, 0
	}
	return time.Duration(v.whole), time.Duration(v.of)
}

// Moment returns a Moment's anchor ("start", "end", "ID", "ID.start", "ID.end")
// and the offset from it.
func (v *Value) Moment() (anchor string, offset time.Duration) {
	if v == nil {
		return "start", 0
	}
	return v.text, time.Duration(v.whole)
}

// Time returns a Time in UTC, the zero time when absent.
func (v *Value) Time() time.Time {
	if v == nil {
		return time.Time{}
	}
	return time.Unix(0, v.whole).UTC()
}

// Expression returns an expression's text and place.
func (v *Value) Expression() Expr {
	if v == nil {
		return Expr{}
	}
	return Expr{Text: v.text, Pos: v.Pos, Quoted: v.quoted, source: v.source}
}

// String prints a scalar for people, *** for a secret.
func (v *Value) String() string {
	switch {
	case v == nil:
		return ""
	case v.Secret:
		return "***"
	}
	return v.text
}

// TextFor returns the text with ${name} and ${replica} replaced from vars.
func (v *Value) TextFor(vars map[string]string) string {
	if v == nil || len(v.parts) == 0 {
		return v.Text()
	}
	filled := make([]part, len(v.parts))
	for i, p := range v.parts {
		if value, ok := vars[p.text]; ok && p.kind == partReplica {
			p = part{partText, value}
		}
		filled[i] = p
	}
	return joined(filled)
}

// Interface returns an Any, Literal or other value as plain Go data: string,
// int64, float64, bool, nil, []any and map[string]any. Durations are seconds.
func (v *Value) Interface() any {
	if v == nil {
		return nil
	}
	switch v.Type.Shape {
	case Map, Table, Override:
		out := make(map[string]any, len(v.entries))
		for _, e := range v.entries {
			out[e.Key] = e.Value.Interface()
		}
		return out
	case List, NamedList:
		out := make([]any, len(v.items))
		for i, item := range v.items {
			out[i] = item.Interface()
		}
		return out
	case Int, Size:
		return v.whole
	case Number, Ratio, Rate:
		return v.number
	case Duration:
		return v.Duration().Seconds()
	case Bool:
		return v.Bool()
	case Null:
		return nil
	}
	return v.text
}
