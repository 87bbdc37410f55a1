package rules

import (
	"strconv"
	"strings"
)

// subjectNames are the words of for_each, in the order of the constants.
func subjectNames() [5]string { return [...]string{"actor", "breaker", "supervisor", "node", "system"} }

// String returns the subject's name as for_each writes it.
func (s Subject) String() string {
	if names := subjectNames(); int(s) < len(names) {
		return names[s]
	}
	return "subject(" + strconv.Itoa(int(s)) + ")"
}

// ParseSubject returns the subject with that name, and whether there is one.
func ParseSubject(name string) (Subject, bool) {
	for i, n := range subjectNames() {
		if n == name {
			return Subject(i), true
		}
	}
	return ActorSubject, false
}

// Source is the template as text in flow style, equal for equal templates: {id: msg.id, tags: ["\"a\""]}. An expression
// inside a mapping or list stands in quotes, since it may hold commas and brackets itself.
func (t *Template) Source() string {
	if t.kind == leafTemplate {
		return t.program.Source()
	}
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t *Template) write(b *strings.Builder) {
	switch t.kind {
	case mappingTemplate:
		b.WriteByte('{')
		for i, f := range t.fields {
			comma(b, i)
			b.WriteString(f.Name + ": ")
			f.Value.write(b)
		}
		b.WriteByte('}')
	case listTemplate:
		b.WriteByte('[')
		for i, item := range t.items {
			comma(b, i)
			item.write(b)
		}
		b.WriteByte(']')
	default:
		b.WriteString(strconv.Quote(t.program.Source()))
	}
}

func comma(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteString(", ")
	}
}
