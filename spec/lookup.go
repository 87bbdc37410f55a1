package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/internal/suggest"
)

// FieldDoc is what the table says about one field.
type FieldDoc struct {
	Path    string // as found: policies.breakers.*.trip.error_rate
	Title   string // "ratio", "breaker"
	Doc     string
	Type    string // how a value looks: "0..1 or 50%"
	Default string
	Example string
	Reload  Reload
	Fields  []FieldDoc // one level below, in the table's order
}

// Lookup finds a field by path: policies.breakers.*.trip.error_rate, or
// shorter, from any mapping with a name: breaker.trip.error_rate. Names that
// the author chooses may be written, or * put in their place. When nothing is
// found the suggestion is the nearest path, or empty.
func Lookup(path string) (doc FieldDoc, suggestion string, ok bool) {
	l := table()
	steps := strings.Split(strings.TrimSpace(path), ".")
	for _, start := range l.starts() {
		if t, rest := start.enter(steps); t != nil {
			if doc, ok := find(t, rest, steps[:len(steps)-len(rest)], Hot); ok {
				return doc, "", true
			}
		}
	}
	return FieldDoc{}, l.nearestPath(path), false
}

// start is a place where a path may begin.
type start struct {
	name string // "" for the documents themselves
	t    *Type
}

func (s start) enter(steps []string) (*Type, []string) {
	switch {
	case s.name == "":
		return s.t, steps
	case s.name == steps[0]:
		return s.t, steps[1:]
	}
	return nil, nil
}

// starts lists the documents and every mapping by its title.
func (l *language) starts() []start {
	out := []start{{"topology", l.topology}, {"policy", l.policy}, {"scenario", l.scenario}, {"", l.topology}, {"", l.policy}, {"", l.scenario}}
	for _, t := range l.mappings() {
		out = append(out, start{strings.ReplaceAll(t.Title, " ", "_"), t})
	}
	return out
}

// mappings lists every Map of the table once, documents first.
func (l *language) mappings() []*Type {
	var out []*Type
	seen := map[*Type]bool{}
	var visit func(t *Type)
	visit = func(t *Type) {
		if t == nil || seen[t] {
			return
		}
		seen[t] = true
		if t.Shape == Map {
			out = append(out, t)
		}
		for _, f := range t.Fields {
			visit(f.Type)
		}
		visit(t.Elem)
		for _, a := range t.Alternatives {
			visit(a)
		}
	}
	for _, t := range []*Type{l.topology, l.policy, l.scenario} {
		visit(t)
	}
	return out
}

func find(t *Type, steps, path []string, class Reload) (FieldDoc, bool) {
	if len(steps) == 0 {
		return describe(&Field{Type: t, Doc: t.Doc}, path, class), true
	}
	f, inner := t.step(steps[0])
	if inner == nil {
		return FieldDoc{}, false
	}
	path = append(slices.Clone(path), steps[0])
	if f != nil && f.Reload != "" {
		class = f.Reload
	}
	if len(steps) == 1 && f != nil {
		return describe(f, path, class), true
	}
	return find(inner, steps[1:], path, class)
}

// step follows one step of a path; f is nil for the author's own names.
func (t *Type) step(name string) (f *Field, inner *Type) {
	switch t.Shape {
	case Map:
		if f = t.Field(name); f != nil {
			return f, f.Type
		}
	case Table, NamedList, List:
		if t.Elem.Shape == Map && t.Elem.Field(name) != nil {
			return t.Elem.step(name)
		}
		if t.Shape != List {
			return nil, t.Elem
		}
	case Union:
		for _, a := range t.Alternatives {
			if f, inner = a.step(name); inner != nil {
				return f, inner
			}
		}
	}
	return nil, nil
}

func describe(f *Field, path []string, class Reload) FieldDoc {
	doc := FieldDoc{Path: strings.Join(path, "."), Title: f.Type.Title, Doc: f.Doc, Type: f.Type.Describe(), Default: f.Default, Example: f.Example, Reload: class}
	if f.Reload != "" {
		doc.Reload = f.Reload
	}
	if doc.Doc == "" {
		doc.Doc = f.Type.Doc
	}
	below := f.Type
	for below.Shape == Table || below.Shape == List || below.Shape == NamedList {
		path = append(slices.Clone(path), "*")
		below = below.Elem
	}
	for _, field := range below.Fields {
		inner := doc.Reload
		if field.Reload != "" {
			inner = field.Reload
		}
		doc.Fields = append(doc.Fields, FieldDoc{Path: strings.Join(append(slices.Clone(path), field.Name), "."), Title: field.Type.Title,
			Doc: field.Doc, Type: field.Type.Describe(), Default: field.Default, Example: field.Example, Reload: inner})
	}
	return doc
}

// Describe says how a value of the type is written.
func (t *Type) Describe() string {
	switch t.Shape {
	case Map:
		if t.Short != "" {
			return t.Title + ", or " + t.Field(t.Short).Type.Describe()
		}
		return t.Title
	case Table:
		return "mapping of " + t.Key.keyName() + " to " + t.Elem.Describe()
	case List:
		if t.Single {
			return t.Elem.Describe() + ", or a list"
		}
		return "list of " + t.Elem.Describe()
	case NamedList:
		return "list of " + t.Elem.Title
	case Enum:
		return strings.Join(t.Values, ", ")
	case Int:
		return t.describeRange()
	case Ratio:
		return "0..1 or 50%"
	case Duration:
		return "duration"
	case Size:
		return "size"
	case Rate:
		return "rate"
	}
	return t.Title
}

func (t *Type) describeRange() string {
	if t.Max > 0 {
		return fmt.Sprintf("%s to %s", bound(t.Min), bound(t.Max))
	}
	return t.wanted()
}

func (s Shape) keyName() string {
	switch s {
	case Target:
		return "names or paths"
	case Text:
		return "text"
	}
	return "names"
}

// nearestPath mends the steps of a path that are misspelt; failing that it looks
// for another mapping with a field of the last step's name.
func (l *language) nearestPath(path string) string {
	steps := strings.Split(path, ".")
	starts := l.starts()
	for _, s := range starts {
		if mended := s.mend(steps); mended != "" {
			return mended
		}
	}
	last := steps[len(steps)-1]
	for _, t := range l.mappings() {
		if t.Field(last) != nil {
			return strings.ReplaceAll(t.Title, " ", "_") + "." + last
		}
	}
	return ""
}

// mend follows steps from s and puts the nearest field where one is unknown; ""
// when there is none near.
func (s start) mend(steps []string) string {
	var mended []string
	rest := steps
	if s.name != "" {
		if s.name != steps[0] && suggest.Nearest(steps[0], []string{s.name}) == "" {
			return ""
		}
		mended, rest = []string{s.name}, steps[1:]
	}
	t := s.t
	for _, step := range rest {
		_, inner := t.step(step)
		if inner == nil {
			if step = suggest.Nearest(step, fieldNames(t.Fields)); step == "" {
				return ""
			}
			_, inner = t.step(step)
		}
		mended, t = append(mended, step), inner
	}
	return strings.Join(mended, ".")
}
