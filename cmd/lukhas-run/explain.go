package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/spec"
)

func newExplain(s *settings) *cobra.Command {
	var recursive bool
	cmd := &cobra.Command{
		Use:   "explain PATH-OR-CODE",
		Short: "what a field of the language means, or what a finding like LR104 says and how to mend it",
		Long: "A path leads through the language as through a file: policies.breakers.*.trip.error_rate, or from any mapping by its\n" +
			"name: breaker.trip.error_rate. Exit: 0, 1 when there is no such thing.",
		Args: cobra.ExactArgs(1),
		Example: `  lukhas-run explain breaker.trip.error_rate
  lukhas-run explain actor --recursive
  lukhas-run explain LR104`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("output", s.output(), []string{"text", "json"}); err != nil {
				return exit{exitUsage, err}
			}
			what, err := explained(args[0])
			if err != nil {
				return exit{exitFailed, err}
			}
			if s.output() == "json" {
				return printJSON(cmd, what.plain(recursive))
			}
			return what.print(cmd.OutOrStdout(), recursive)
		},
	}
	cmd.Flags().BoolVar(&recursive, "recursive", false, "also all fields below")
	return cmd
}

// explanation is of a code, or of a field.
type explanation struct {
	code  *spec.Code
	field spec.FieldDoc
}

func explained(what string) (explanation, error) {
	if regexp.MustCompile(`^(?i)LR\d+$`).MatchString(what) {
		code, ok := spec.Explain(strings.ToUpper(what))
		if !ok {
			return explanation{}, fmt.Errorf("there is no code %q", what)
		}
		return explanation{code: &code}, nil
	}
	field, near, ok := spec.Lookup(strings.ReplaceAll(what, "[]", ""))
	switch {
	case ok:
		return explanation{field: field}, nil
	case near != "":
		return explanation{}, fmt.Errorf("there is no field %q; did you mean %q?", what, near)
	}
	return explanation{}, fmt.Errorf("there is no field %q: try topology, actor, breaker, rule or scenario, and go on from there", what)
}

// jsonField is a field of explain -o json.
type jsonField struct {
	Path    string      `json:"path"`
	Type    string      `json:"type"`
	Doc     string      `json:"doc,omitempty"`
	Default string      `json:"default,omitempty"`
	Example string      `json:"example,omitempty"`
	Reload  string      `json:"reload,omitempty"`
	Fields  []jsonField `json:"fields,omitempty"`
}

// plain is the explanation as data.
func (e explanation) plain(recursive bool) any {
	if e.code != nil {
		return map[string]string{"code": e.code.Code, "title": e.code.Title, "text": e.code.Text, "wrong": e.code.Wrong, "right": e.code.Right}
	}
	return plainField(e.field, recursive, nil)
}

func plainField(f spec.FieldDoc, recursive bool, within []string) jsonField {
	out := jsonField{Path: f.Path, Type: f.Type, Doc: f.Doc, Default: f.Default, Example: f.Example, Reload: string(f.Reload)}
	within = append(slices.Clone(within), f.Title)
	for _, below := range f.Fields {
		if inner, ok := deeper(below, recursive, within); ok {
			below.Fields = inner.Fields
		}
		out.Fields = append(out.Fields, plainField(below, recursive, within))
	}
	return out
}

// deeper looks below a field, unless it leads back into a mapping that it stands in, as children do.
func deeper(f spec.FieldDoc, recursive bool, within []string) (spec.FieldDoc, bool) {
	const deepest = 8
	if !recursive || len(within) > deepest || slices.Contains(within, f.Title) || strings.HasSuffix(f.Path, ".children") {
		return f, false
	}
	inner, _, ok := spec.Lookup(f.Path)
	return inner, ok && len(inner.Fields) > 0
}

func (e explanation) print(w io.Writer, recursive bool) error {
	if e.code != nil {
		return printCode(w, *e.code)
	}
	f := e.field
	fmt.Fprintf(w, "%s\n", f.Path)
	if f.Doc != "" {
		fmt.Fprintf(w, "  %s\n", f.Doc)
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, row := range [][2]string{{"value", f.Type}, {"default", f.Default}, {"example", f.Example}, {"reload", reloadText(f.Reload)}} {
		if row[1] != "" {
			fmt.Fprintf(t, "  %s\t%s\n", row[0], row[1])
		}
	}
	if len(f.Fields) > 0 {
		fmt.Fprintln(t, "\nfields:")
		printFields(t, f, recursive, nil)
	}
	return t.Flush()
}

func printFields(w io.Writer, f spec.FieldDoc, recursive bool, within []string) {
	within = append(slices.Clone(within), f.Title)
	for _, below := range f.Fields {
		name := below.Path[strings.LastIndexByte(below.Path, '.')+1:]
		value := below.Type
		if below.Default != "" {
			value += " (" + below.Default + ")"
		}
		fmt.Fprintf(w, "%s%s\t%s\t%s\n", strings.Repeat("  ", len(within)), name, value, below.Doc)
		if inner, ok := deeper(below, recursive, within); ok {
			printFields(w, inner, recursive, within)
		}
	}
}

// reloadText says what changing a field costs a running engine.
func reloadText(r spec.Reload) string {
	switch r {
	case spec.Hot:
		return "hot: taken over by what runs, state and windows are kept"
	case spec.RestartActor:
		return "restart_actor: the actor is restarted"
	case spec.Recreate:
		return "recreate: the old is taken down and a new one built in its place"
	case spec.RestartEngine:
		return "restart_engine: only a new engine takes it over"
	}
	return string(r)
}

func printCode(w io.Writer, c spec.Code) error {
	fmt.Fprintf(w, "%s: %s\n\n  %s\n", c.Code, c.Title, c.Text)
	for _, example := range [][2]string{{"wrong", c.Wrong}, {"right", c.Right}} {
		if example[1] != "" {
			fmt.Fprintf(w, "\n%s:\n    %s\n", example[0], strings.ReplaceAll(example[1], "\n", "\n    "))
		}
	}
	return nil
}
