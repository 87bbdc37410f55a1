package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/spec"
)

// Everything in examples and in the starters of init is valid, with not even a warning, and laid out by fmt.
func TestExamplesAreValid(t *testing.T) {
	for _, dir := range []string{"../../examples", "starter"} {
		if got := lukhas(t, "", "validate", dir, "--fail-on", "warning"); got.code != 0 {
			t.Errorf("%s: exit %d\n%s", dir, got.code, got.err)
		}
		if got := lukhas(t, "", "fmt", dir, "--check", "--diff"); got.code != 0 {
			t.Errorf("%s: exit %d\n%s%s", dir, got.code, got.out, got.err)
		}
	}
}

// The annotated topology shows every field group of the language.
func TestCheckoutShowsTheLanguage(t *testing.T) {
	text, err := os.ReadFile("../../examples/checkout.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range spec.TypeOf(spec.KindTopology).Fields {
		if !strings.Contains("\n"+string(text), "\n"+f.Name+":") {
			t.Errorf("checkout.yaml shows no %s", f.Name)
		}
	}
}

// fenced lists the code blocks of a page with their language.
func fenced(t *testing.T, page string) [][2]string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out [][2]string
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		out = append(out, [2]string{m[1], m[2]})
	}
	return out
}

// Whatever the pages tell people to type exists: verbs, flags, and YAML that parses.
func TestPagesNameRealVerbsAndFlags(t *testing.T) {
	for _, page := range []string{"../../docs/ci.md", "../../docs/editors.md", "../../docs/cli.md", "starter/ci.yaml"} {
		blocks := [][2]string{}
		if filepath.Ext(page) == ".md" {
			blocks = fenced(t, page)
		} else if text, err := fs.ReadFile(starter, page); err == nil {
			blocks = append(blocks, [2]string{"yaml", string(text)})
		}
		if len(blocks) == 0 {
			t.Fatalf("%s has no code", page)
		}
		for _, b := range blocks {
			if b[0] == "yaml" {
				if _, diags := spec.Plain(page, []byte(b[1])); diags.HasErrors() {
					t.Errorf("%s: %v in\n%s", page, diags, b[1])
				}
			}
			for line := range strings.Lines(b[1]) {
				checkCommand(t, page, line)
			}
		}
	}
}

// checkCommand finds the verb and flags of a line that calls lukhas-run.
func checkCommand(t *testing.T, page, line string) {
	t.Helper()
	call := regexp.MustCompile(`(?:^|[\s(])lukhas-run ([a-z]+)([^|>&;)]*)`).FindStringSubmatch(line)
	if call == nil || strings.Contains(line, "name: lukhas-run") && !strings.Contains(line, "entry") {
		return
	}
	cmd, rest, err := newRoot().Find(append([]string{call[1]}, strings.Fields(call[2])...))
	if err != nil || !cmd.HasParent() {
		t.Errorf("%s: no verb %q in %q", page, call[1], line)
		return
	}
	for _, arg := range rest {
		name, isFlag := strings.CutPrefix(strings.Split(arg, "=")[0], "--")
		if isFlag && !knowsFlag(cmd, name) {
			t.Errorf("%s: %s has no flag --%s", page, cmd.CommandPath(), name)
		}
	}
}

func knowsFlag(cmd *cobra.Command, name string) bool {
	return name == "" || name == "help" || cmd.Flags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil
}

// The hooks and workflows of docs/ci.md have the parts without which their tools ignore them.
func TestSnippetsAreComplete(t *testing.T) {
	var hooks, workflows int
	for _, b := range fenced(t, "../../docs/ci.md") {
		if b[0] != "yaml" {
			continue
		}
		docs, _ := spec.Plain("ci.md", []byte(b[1]))
		top := docs[0].(map[string]any)
		switch {
		case top["repos"] != nil:
			hooks++
			for _, h := range top["repos"].([]any)[0].(map[string]any)["hooks"].([]any) {
				for _, key := range []string{"id", "name", "entry", "language", "files"} {
					if h.(map[string]any)[key] == nil {
						t.Errorf("hook without %s: %v", key, h)
					}
				}
			}
		case top["jobs"] != nil:
			workflows++
			if top["on"] == nil {
				t.Error("the workflow is never triggered")
			}
			steps := top["jobs"].(map[string]any)["validate"].(map[string]any)["steps"].([]any)
			if !slices.ContainsFunc(steps, func(s any) bool {
				run, _ := s.(map[string]any)["run"].(string)
				return strings.Contains(run, "lukhas-run validate")
			}) {
				t.Error("the workflow validates nothing")
			}
		}
	}
	if hooks != 1 || workflows != 1 {
		t.Errorf("%d hooks, %d workflows", hooks, workflows)
	}
}
