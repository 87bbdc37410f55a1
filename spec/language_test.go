package spec

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
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
	diags = slices.DeleteFunc(diags, func(d Diagnostic) bool { return d.Code == "LR226" && strings.HasSuffix(d.Message, "has no effect yet") })
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

// Who gives a field that nothing heeds yet is told so, and so is who reads about it.
func TestAFieldThatNothingHeedsYetIsAWarning(t *testing.T) {
	text := "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: x}\njournal: {erase: {subject: msg.user}}\nroot:\n  children:\n    - {name: a, script: {}, observe: {level: basic}}\n"
	want := "warning LR226 4:11 journal.erase is checked and has no effect yet\nwarning LR226 7:29 root.children.a.observe is checked and has no effect yet"
	if got := strings.TrimSpace(findings(t, "x.yaml", text)); got != want {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
	if doc, _, ok := Lookup("journal.erase"); !ok || !strings.HasSuffix(doc.Doc, "no effect yet.") {
		t.Errorf("explained as %q", doc.Doc)
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
