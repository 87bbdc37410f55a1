package compiler_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

func options() spec.Options {
	return spec.Options{
		ReadSecretFile: func(string) ([]byte, error) { return []byte("t0ps3cret"), nil },
		Exe:            "/bin/lukhas-run",
	}
}

// compile compiles one file held in memory.
func compile(t testing.TB, text string) (*plan.Plan, spec.Diagnostics) {
	t.Helper()
	set, diags := spec.Parse("t.yaml", []byte(text), options())
	p, more := compiler.Compile(set, compiler.Options{Dir: "/srv"})
	return p, append(diags, more...).Sorted()
}

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file in testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s differs (-want +got); run with -update if it should:\n%s", name, diff)
	}
}

// annotated is the topology that the language's documentation explains.
func annotated(t testing.TB) string {
	data, err := os.ReadFile("../spec/testdata/topology.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAnnotatedTopologyCompiles(t *testing.T) {
	p, diags := compile(t, annotated(t))
	for _, d := range diags {
		if d.Code != "LR226" || !strings.HasSuffix(d.Message, "has no effect yet") {
			t.Fatalf("findings: %v", diags)
		}
	}
	var text strings.Builder
	if err := plan.Print(&text, p); err != nil {
		t.Fatal(err)
	}
	golden(t, "annotated.plan", text.String())
	if p.Dir != "/srv" {
		t.Errorf("relative commands start at %q", p.Dir)
	}
}
