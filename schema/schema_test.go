package schema

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/spec"
)

var update = flag.Bool("update", false, "write the generated schemas instead of comparing them")

func kinds() []spec.Kind {
	return []spec.Kind{spec.KindTopology, spec.KindPolicy, spec.KindScenario}
}

func TestThePublishedSchemasAreUpToDate(t *testing.T) {
	for _, kind := range kinds() {
		file := strings.ToLower(string(kind)) + ".schema.json"
		want := Generate(kind)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if !bytes.Equal(Of(kind), want) {
			t.Errorf("%s is not what the table says; run make docs", file)
		}
	}
}

// beyond are findings that no schema can make: spelling of numbers, order of
// magnitude of durations, and what YAML hides from a schema.
var beyond = []string{
	"LR101", "leading zero", "write 1000", "must be positive", "LR301 7:16", "LR302", "LR313", "LR60", "LR110 7:16", "LR121", "LR203", `quote "no"`, "LR111 7:20 not a finite",
}

func isBeyond(want string) bool {
	for _, text := range beyond {
		if strings.Contains(want, text) {
			return true
		}
	}
	return false
}

func validate(t *testing.T, v *Validator, text string) error {
	t.Helper()
	documents, diags := spec.Plain("x.yaml", []byte(text))
	if diags.HasErrors() {
		return diags[0]
	}
	for _, document := range documents {
		if err := v.Validate(document); err != nil {
			return err
		}
	}
	return nil
}

// The schema refuses what the walker refuses, as far as a schema can, and
// accepts what the walker accepts.
func TestSchemaAndWalkerAgreeOnNastyShapes(t *testing.T) {
	v, err := NewValidator(spec.KindTopology)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../spec/testdata/nasty_breakers.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(data), "\n\n")[1:] {
		name, rest, _ := strings.Cut(strings.TrimSpace(block), "\n")
		text, want, _ := strings.Cut(rest, "\n=>")
		document := "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: t}\npolicies:\n  breakers:\n   payments:\n    " + text + "\nroot: {children: []}\n"
		err := validate(t, v, document)
		if refused := strings.TrimSpace(want) != ""; refused != (err != nil) && !(refused && isBeyond(want)) {
			t.Errorf("%s: %s\nthe walker says %q, the schema %v", name, text, want, err)
		}
	}
}

func TestTheAnnotatedExamplesFitTheirSchemas(t *testing.T) {
	for _, kind := range kinds() {
		v, err := NewValidator(kind)
		if err != nil {
			t.Fatal(err)
		}
		file := "../spec/testdata/" + strings.ToLower(string(kind)) + ".yaml"
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, v, string(data)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestTheExamplesFitTheirSchemas(t *testing.T) {
	files, err := filepath.Glob("../examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents, diags := spec.Plain(file, data)
		if diags.HasErrors() {
			t.Error(diags)
		}
		for _, document := range documents {
			kind, _ := document.(map[string]any)["kind"].(string)
			v, err := NewValidator(spec.Kind(kind))
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Validate(document); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

func TestOf(t *testing.T) {
	if Of("Nothing") != nil {
		t.Error("a schema of an unknown kind")
	}
	if _, err := NewValidator("Nothing"); err == nil {
		t.Error("a validator of an unknown kind")
	}
}
