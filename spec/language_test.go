package spec

import (
	"bytes"
	"path/filepath"
	"testing"
)

func environment(name string) (string, bool) {
	v, ok := map[string]string{"HOME": "/home/x", "PASSWORD": "hunter2"}[name]
	return v, ok
}

func secretFile(path string) ([]byte, error) { return []byte("s3cret\n"), nil }

func testOptions() Options {
	return Options{Env: environment, ReadSecretFile: secretFile}
}

func show(t *testing.T, diags Diagnostics, files []File) {
	t.Helper()
	var out bytes.Buffer
	if err := Render(&out, diags, files, false); err != nil {
		t.Fatal(err)
	}
	if out.Len() > 0 {
		t.Log("\n" + out.String())
	}
}

// The annotated documents of the language page are the fullest example there is.
func TestTheAnnotatedExamplesLoadCleanly(t *testing.T) {
	set, diags := Load(OS(), []string{"testdata/topology.yaml", "testdata/policy.yaml", "testdata/scenario.yaml"}, testOptions())
	if len(diags) > 0 {
		show(t, diags, set.Files)
		t.Fatal("diagnostics on load")
	}
	topology, diags := Resolve(set, set.Scenarios[0].Root.Field("override"))
	if len(diags) > 0 {
		show(t, diags, set.Files)
		t.Fatal("diagnostics on resolve")
	}
	if _, diags = topology.Complete(set.Scenarios[0]); len(diags) > 0 {
		show(t, diags, set.Files)
		t.Fatal("diagnostics on the scenario")
	}
}

func TestTheExamplesLoadCleanly(t *testing.T) {
	files, err := filepath.Glob("../examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		set, diags := Load(OS(), []string{file}, testOptions())
		if set.Topology != nil {
			_, more := Resolve(set, nil)
			diags = append(diags, more...)
		}
		if len(diags) > 0 {
			show(t, diags, set.Files)
			t.Errorf("diagnostics on %s", file)
		}
	}
}
