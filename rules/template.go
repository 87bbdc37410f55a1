package rules

import "fmt"

// Template is a built value: an expression, or a mapping or list of templates. It is immutable and safe for
// concurrent use. The compiler walks the YAML and puts a Template together from Programs.
type Template struct {
	program *Program
	fields  []TemplateField
	items   []*Template
	kind    templateKind
}

type templateKind uint8

const (
	leafTemplate templateKind = iota
	mappingTemplate
	listTemplate
)

// TemplateField is one entry of a mapping.
type TemplateField struct {
	Name  string
	Value *Template
}

// Expression is the template that gives what p evaluates to.
func Expression(p *Program) *Template { return &Template{program: p} }

// Mapping is the template that gives a map[string]any with these entries.
func Mapping(fields []TemplateField) *Template {
	return &Template{kind: mappingTemplate, fields: fields}
}

// List is the template that gives a []any of these items.
func List(items []*Template) *Template { return &Template{kind: listTemplate, items: items} }

// Build evaluates the template. The error names the entry that failed. The value may share parts with env's values,
// so the caller must not change it.
func (t *Template) Build(env *Env) (any, error) {
	switch t.kind {
	case mappingTemplate:
		return t.buildMapping(env)
	case listTemplate:
		return t.buildList(env)
	default:
		return t.program.Value(env)
	}
}

func (t *Template) buildMapping(env *Env) (any, error) {
	out := make(map[string]any, len(t.fields))
	for _, f := range t.fields {
		v, err := f.Value.Build(env)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		out[f.Name] = v
	}
	return out, nil
}

func (t *Template) buildList(env *Env) (any, error) {
	out := make([]any, len(t.items))
	for i, item := range t.items {
		v, err := item.Build(env)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		out[i] = v
	}
	return out, nil
}

// Programs lists the template's expressions in the order they stand.
func (t *Template) Programs() []*Program {
	if t.kind == leafTemplate {
		return []*Program{t.program}
	}
	var out []*Program
	for _, f := range t.fields {
		out = append(out, f.Value.Programs()...)
	}
	for _, item := range t.items {
		out = append(out, item.Programs()...)
	}
	return out
}
