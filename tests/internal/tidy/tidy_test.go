package tidy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/tests/internal/tidy"
)

// Each planted violation is caught by the rule it breaks, and by no other.
func TestPlantedViolationsAreCaught(t *testing.T) {
	const module = "github.com/lukhasai/lukhas-run"
	for _, c := range []struct{ name, file, text, rule string }{
		{"an arrow upward", "breaker/a.go", `import _ "` + module + `/engine"`, "imports"},
		{"a circle through a side room", "spec/a.go", `import _ "` + module + `/compiler"`, "imports"},
		{"a directory that is no room", "stuff/a.go", ``, "imports"},
		{"a second door", "compiler/a.go", `import _ "gopkg.in/yaml.v3"`, "door"},
		{"a second door in a test", "compiler/a_test.go", `import _ "gopkg.in/yaml.v3"`, "door"},
		{"a library without a door", "spec/a.go", `import _ "example.com/left-pad"`, "door"},
		{"a goroutine in a pure room", "engine/a.go", `func f() { go f() }`, "goroutine"},
		{"a clock in a pure room", "breaker/a.go", "import \"time\"\n\nfunc f() { _ = time.Now() }", "clock"},
		{"a clock passed on as a function", "engine/live/a.go", "import \"time\"\n\nvar _ = f(time.Now)\n\nfunc f(any) int { return 0 }", "clock"},
		{"package-level state", "spec/a.go", `var count int`, "state"},
		{"a table that is written to", "spec/a.go", "var table = map[string]int{}\n\nfunc f() { table[\"a\"] = 1 }", "state"},
		{"an init", "spec/a.go", `func init() {}`, "init"},
		{"a function beyond a screen", "spec/a.go", "func f() {\n" + strings.Repeat("\tprintln()\n", 70) + "}", "length"},
		{"an unexplained function", "spec/a.go", `func Exported() {}`, "doc"},
		{"an unexplained method", "spec/a.go", "// T is explained.\ntype T struct{}\n\nfunc (t *T) Exported() {}", "doc"},
		{"an unexplained type", "spec/a.go", `type Exported struct{}`, "doc"},
		{"an unexplained constant", "spec/a.go", `const Exported = 1`, "doc"},
		{"a name that says nothing", "spec/helpers/a.go", ``, "name"},
		{"a map ranged over in the Machine", "engine/a.go", "func f(m map[int]int) {\n\tfor range m {\n\t}\n}", "maprange"},
		{"a map made and ranged over", "engine/a.go", "func f() {\n\tm := make(map[int]int)\n\tfor range m {\n\t}\n}", "maprange"},
		{"a map field ranged over in the plan", "engine/plan/a.go", "type t struct{ m map[int]int }\n\nfunc (x t) f() {\n\tfor range x.m {\n\t}\n}", "maprange"},
		{"a map ranged over in the simulation", "engine/sim/a.go", "func f(m map[int]int) {\n\tfor range m {\n\t}\n}", "maprange"},
		{"two channels raced in the Machine", "engine/a.go", "func f(a, b chan int) {\n\tselect {\n\tcase <-a:\n\tcase <-b:\n\t}\n}", "select"},
		{"a global random source in a breaker", "breaker/a.go", "import _ \"math/rand/v2\"", "random"},
		{"an address printed by the plan", "engine/plan/a.go", "func f(x *int) string { return g(\"%p\", x) }\n\nfunc g(string, any) string { return \"\" }", "address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, c.file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			text := "package " + filepath.Base(filepath.Dir(path)) + "\n\n" + c.text + "\n"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := tidy.Check(dir, tidy.House())
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != 1 || found[0].Rule != c.rule {
				t.Fatalf("got %v, want one finding of %q", found, c.rule)
			}
		})
	}
}

// What the rules allow is not reported.
func TestCleanCodeIsClean(t *testing.T) {
	dir := t.TempDir()
	text := `// Package watch is allowed much.
package watch

import (
	"embed"
	"errors"
	"time"
)

//go:embed a.go
var files embed.FS

// ErrGone is a sentinel.
var ErrGone = errors.New("gone")

var table = map[string]int{"a": 1}

// Watch reads the clock in its own room.
func Watch() time.Time {
	go Watch()
	for range table {
	}
	_ = func(table []int) { clear(table) }
	return time.Now()
}
`
	path := filepath.Join(dir, "internal", "watch", "a.go")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := tidy.Check(dir, tidy.House())
	if err != nil || len(found) != 0 {
		t.Fatalf("got %v, %v", found, err)
	}
}
