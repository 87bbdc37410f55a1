package schema

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/lukhasai/lukhas-run/spec"
)

// generator writes each mapping of the table once, under definitions.
type generator struct {
	names       map[*spec.Type]string
	taken       map[string]bool
	definitions map[string]any
}

type node = map[string]any

// filled is what any scalar may be instead: text with ${…} in it.
const filled = `\$\{`

const units = `(ns|us|µs|μs|ms|s|m|h|d|w)`

// patterns of scalars that are written as text, ${…} apart.
const (
	durationText = `([0-9]+(\.[0-9]*)?|\.[0-9]+)` + units
	duration     = `(` + durationText + `)+`
	ratio        = `((100(\.0*)?|[0-9]{1,2}(\.[0-9]*)?|\.[0-9]+)%|0*[01](\.0*)?|0*\.[0-9]+)`
	size         = `([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGT]i?)?B`
	rate         = `([0-9]+(\.[0-9]*)?|\.[0-9]+) */ *` + units
	moment       = `(` + duration + `|[a-z][a-z0-9_]*(\.start|\.end)?( *\+ *` + duration + `)?)`
	name         = `[a-z][a-z0-9-]*`
	ident        = `[a-z][a-z0-9_]*`
	target       = `(\*|[a-z*][a-z0-9*-]*)(/[a-z0-9*-]+)*(->[a-z][a-z0-9-]*(/[a-z0-9-]+)*)?`
	moments      = `[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9:]+))?`
)

func whole(pattern string) string { return `^` + pattern + `$|` + filled }

func text(pattern string) node { return node{"type": "string", "pattern": whole(pattern)} }

// of returns the schema of one type. Mappings become references.
func (g *generator) of(t *spec.Type, class spec.Reload) node {
	switch t.Shape {
	case spec.Map:
		return g.reference(t, class)
	case spec.Table:
		out := node{"type": "object", "additionalProperties": g.of(t.Elem, class)}
		if pattern := keyPattern(t.Key); pattern != "" {
			out["propertyNames"] = node{"pattern": pattern}
		}
		return out
	case spec.List, spec.NamedList:
		return g.list(t, class)
	case spec.Built, spec.Any:
		return g.data(t)
	case spec.Union:
		return g.reference(t, class)
	}
	return scalar(t)
}

func (g *generator) list(t *spec.Type, class spec.Reload) node {
	out := node{"type": "array", "items": g.of(t.Elem, class)}
	if t.AtLeast > 0 {
		out["minItems"] = t.AtLeast
	}
	if t.Single {
		return node{"anyOf": []node{g.of(t.Elem, class), out}}
	}
	return out
}

// data is a definition that refers to itself.
func (g *generator) data(t *spec.Type) node {
	name := slug(t.Title)
	if g.definitions[name] == nil {
		ref := node{"$ref": "#/definitions/" + name}
		types := []string{"string", "number", "boolean", "object", "array"}
		if t.Shape == spec.Any {
			types = append(types, "null")
		}
		g.definitions[name] = node{"title": t.Title, "type": types, "additionalProperties": ref, "items": ref}
	}
	return node{"$ref": "#/definitions/" + name}
}

// scalar returns the schema of a single value. Keywords of one JSON type do not
// touch the others, so numbers and text with ${…} need no anyOf.
func scalar(t *spec.Type) node {
	switch t.Shape {
	case spec.Name:
		return node{"type": "string", "pattern": whole(name), "maxLength": 63}
	case spec.Ident:
		return node{"type": "string", "pattern": whole(ident), "maxLength": 63}
	case spec.Target:
		return text(target)
	case spec.Int:
		return bounded(t, node{"type": []string{"integer", "string"}, "pattern": filled})
	case spec.Number:
		return bounded(t, node{"type": []string{"number", "string"}, "pattern": filled})
	case spec.Ratio:
		return node{"type": []string{"number", "string"}, "minimum": 0, "maximum": 1, "pattern": whole(ratio)}
	case spec.Duration:
		if math.IsInf(t.Min, -1) {
			return text(`-?` + duration)
		}
		return text(duration)
	case spec.Hold:
		return text(duration + `( of ` + duration + `)?`)
	case spec.Moment:
		return text(moment)
	case spec.Size:
		return text(size)
	case spec.Rate:
		return text(rate)
	case spec.Time:
		return text(moments)
	case spec.Bool:
		return node{"type": []string{"boolean", "string"}, "pattern": filled}
	case spec.Enum:
		return node{"anyOf": []node{{"type": "string", "enum": t.Values}, {"type": "string", "pattern": filled}}}
	case spec.Expression:
		return node{"type": []string{"string", "number", "boolean"}, "minLength": 1}
	case spec.Literal:
		return node{"type": []string{"string", "number", "boolean"}}
	case spec.Override:
		return node{"type": "object"}
	}
	return node{"type": "string"}
}

func bounded(t *spec.Type, out node) node {
	if !math.IsInf(t.Min, -1) {
		out["minimum"] = t.Min
	}
	if t.Max > 0 {
		out["maximum"] = t.Max
	} else if t.Shape == spec.Int {
		out["maximum"] = float64(math.MaxInt64)
	}
	return out
}

func keyPattern(key spec.Shape) string {
	switch key {
	case spec.Name:
		return "^" + name + "$"
	case spec.Ident:
		return "^" + ident + "$"
	case spec.Target:
		return "^" + target + "$"
	}
	return ""
}

// reference puts a mapping or union under definitions, and refers to it.
func (g *generator) reference(t *spec.Type, class spec.Reload) node {
	name, known := g.names[t]
	if !known {
		name = slug(t.Title)
		for n := 2; g.taken[name]; n++ {
			name = slug(t.Title) + "_" + strconv.Itoa(n)
		}
		g.names[t], g.taken[name] = name, true
		g.definitions[name] = g.shorthand(t, class)
	}
	return node{"$ref": "#/definitions/" + name}
}

// shorthand is a mapping, or the value that may stand for it; or a union.
func (g *generator) shorthand(t *spec.Type, class spec.Reload) node {
	if t.Shape == spec.Union {
		var alternatives []node
		for _, alternative := range t.Alternatives {
			alternatives = append(alternatives, g.of(alternative, class))
		}
		return node{"title": t.Title, "anyOf": alternatives}
	}
	object := g.object(t, class)
	if t.Short == "" {
		return object
	}
	return node{"title": t.Title, "description": t.Doc, "anyOf": []node{object, g.of(t.Field(t.Short).Type, class)}}
}

func (g *generator) object(t *spec.Type, class spec.Reload) node {
	properties := node{}
	var required []string
	for _, f := range t.Fields {
		properties[f.Name] = g.property(f, class)
		if f.Required {
			required = append(required, f.Name)
		}
	}
	out := node{"type": "object", "title": t.Title, "properties": properties,
		"patternProperties": node{"^x-": node{}}, "additionalProperties": false}
	if t.Doc != "" {
		out["description"] = t.Doc
	}
	if required != nil {
		out["required"] = required
	}
	if exclusive := excluding(t.OneOf); len(exclusive) > 0 {
		out["dependencies"] = exclusive
	}
	return out
}

// excluding says of each field of a group that no other may stand beside it.
func excluding(groups [][]string) node {
	out := node{}
	for _, group := range groups {
		for _, field := range group {
			var others []node
			for _, other := range group {
				if other != field {
					others = append(others, node{"required": []string{other}})
				}
			}
			out[field] = node{"not": node{"anyOf": others}}
		}
	}
	return out
}

// property is the schema of a field with what an editor shows of it. Editors
// read the keywords beside $ref, validators need not.
func (g *generator) property(f *spec.Field, class spec.Reload) node {
	if f.Reload != "" {
		class = f.Reload
	}
	out := g.of(f.Type, class)
	out["description"] = f.Doc
	if f.Default != "" && f.Fallback() != nil {
		out["default"] = literal(f.Default)
	}
	if f.Example != "" {
		out["examples"] = examples(f.Example)
	}
	out["x-reload"] = string(class)
	return out
}

func examples(example string) []any {
	documents, _ := spec.Plain("example", []byte(example))
	return documents
}

func literal(text string) any {
	if documents := examples(text); len(documents) == 1 {
		return documents[0]
	}
	return text
}

var separators = regexp.MustCompile(`[^a-z0-9]+`)

func slug(title string) string {
	return strings.Trim(separators.ReplaceAllString(strings.ToLower(title), "_"), "_")
}
