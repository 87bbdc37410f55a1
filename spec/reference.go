package spec

import (
	"fmt"
	"strings"
)

// Reference returns the field tables of the language page as Markdown.
func Reference() []byte {
	var b strings.Builder
	b.WriteString("# The language\n\nGenerated from the table of fields; `lukhas-run explain PATH` prints the same on a terminal.\n")
	b.WriteString("A field's reload class says what changing it costs a running engine.\n")
	for _, t := range table().mappings() {
		fmt.Fprintf(&b, "\n## %s\n\n", t.Title)
		if t.Doc != "" {
			b.WriteString(t.Doc + "\n\n")
		}
		if t.Short != "" {
			fmt.Fprintf(&b, "A value that is no mapping stands for `%s`.\n\n", t.Short)
		}
		b.WriteString("| field | value | default | reload | |\n|---|---|---|---|---|\n")
		for _, f := range t.Fields {
			b.WriteString(referenceRow(f))
		}
	}
	return []byte(b.String())
}

func referenceRow(f *Field) string {
	name := "`" + f.Name + "`"
	if f.Required || f.Needed {
		name += " *"
	}
	doc := f.Doc
	if f.Example != "" {
		doc += " Example: `" + f.Example + "`"
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", name, cell(f.Type.Describe()), cell(code(f.Default)), f.Reload, cell(doc))
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
