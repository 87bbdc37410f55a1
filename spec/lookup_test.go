package spec

import (
	"flag"
	"os"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	for _, c := range []struct{ path, kind, fallback string }{
		{"policies.breakers.*.trip.error_rate", "0..1 or 50%", ""},
		{"policies.breakers.upstream.open.for", "duration", "5s"},
		{"breaker.trip.error_rate", "0..1 or 50%", ""},
		{"root.children.*.guard.timeout", "duration", ""},
		{"journal.durability", "memory, async, interval, group, each", "group"},
		{"load.rate", "rate, ramp or list of steps", ""},
		{"rules.NAME.on_error", "ignore, fire, escalate", "ignore"},
		{"intensity.max", "", ""},
		{"restart_intensity.max", "whole number", "3"},
	} {
		doc, suggestion, ok := Lookup(c.path)
		if doc.Type != c.kind || doc.Default != c.fallback || ok != (c.kind != "") {
			t.Errorf("%s: %+v, %q, %v", c.path, doc, suggestion, ok)
		}
	}
	if _, suggestion, _ := Lookup("breaker.trip.eror_rate"); suggestion != "breaker.trip.error_rate" {
		t.Errorf("suggestion %q", suggestion)
	}
	if doc, _, _ := Lookup("breaker"); len(doc.Fields) < 10 || doc.Fields[0].Path != "breaker.use" {
		t.Errorf("fields of a breaker: %+v", doc.Fields)
	}
}

var update = flag.Bool("update", false, "write generated files instead of comparing them")

func TestTheReferencePageIsUpToDate(t *testing.T) {
	const page = "../docs/language.md"
	want := Reference()
	if *update {
		if err := os.MkdirAll("../docs", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != string(want) {
		t.Errorf("%s is not what the table says (%v); run make docs", page, err)
	}
}

func TestEveryFieldIsDocumented(t *testing.T) {
	for _, m := range table().mappings() {
		for _, f := range m.Fields {
			if f.Doc == "" || !strings.HasSuffix(f.Doc, ".") && !strings.HasSuffix(f.Doc, "…") {
				t.Errorf("%s.%s: doc %q", m.Title, f.Name, f.Doc)
			}
		}
	}
}

// Every default and example of the table is something the author could write.
func TestExamplesOfFieldsAreValid(t *testing.T) {
	for _, m := range table().mappings() {
		for _, f := range m.Fields {
			for _, text := range []string{f.Default, f.Example} {
				if text == "" {
					continue
				}
				src := &source{name: "example", data: []byte(text + "\n")}
				var diags Diagnostics
				l := &loader{opts: Options{Env: environment, ReadSecretFile: secretFile}, set: &Set{}, diags: &diags}
				roots, _ := l.roots(src)
				w := l.walker(src)
				w.top = m
				if len(roots) == 1 && roots[0] != nil {
					w.value(roots[0], f.Type)
				}
				if len(diags) > 0 {
					t.Errorf("%s.%s: %q: %v", m.Title, f.Name, text, diags)
				}
			}
		}
	}
}
