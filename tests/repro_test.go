package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The line that a failure gives to run it again does just that when it is pasted into a shell, whatever the file and the
// scenario are called, and with the seed and the order that it failed with.
func TestAFailureRunsAgainAsItSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := `apiVersion: lukhas/v1
kind: Topology
metadata: {name: shop}
root: {children: [{name: api, script: {handlers: {get: {reply: {n: 1}}}}}]}
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: "it's (50%) of $HOME \\ [a|b] ` + "`x`" + ` #1!"}
seed: 3
duration: 5s
load: [{name: l, to: api, message: get, rate: 20/s, arrival: poisson}]
timeline: [{at: 2s, for: 1s, drop: {to: api, rate: 50%}}]
expect: [{name: all are answered, always: load("l").failed == 0 && load("l").sent < 60}]
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: another}
duration: 5s
expect: [{name: runs, finally: now > 0}]
`
	for _, name := range []string{"plain.yaml", "it's a $(file) `name`; & more #2.yaml", "-v.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		first := failing(t, dir, binary, "test", "--once", "--seed", "77", "--shuffle", "5", "--", name)
		line := regexp.MustCompile(`(?m)^ *again +(lukhas-run .*)$`).FindStringSubmatch(first)
		if line == nil {
			t.Fatalf("%s: nothing says how to run it again:\n%s", name, first)
		}
		second := failing(t, dir, "sh", "-c", line[1])
		if story(first) != story(second) || !strings.Contains(second, "FAIL: 1 of 1 scenario") {
			t.Errorf("%s\nbecame another run:\n%s\nwas\n%s", line[1], second, first)
		}
	}
}

// failing runs a command that must exit with 1 and gives what it says to people.
func failing(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"), "NO_COLOR=1")
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Fatalf("%v: %v\n%s", args, err, errs.String())
	}
	return errs.String()
}

// story is the failure itself, from its first line to the last before the way to run it again.
func story(text string) string {
	_, text, _ = strings.Cut(text, "\n")
	text, _, _ = strings.Cut(text, "again ")
	text, _, _ = strings.Cut(text, "  --> ") // the file's name may be written in another way
	return text
}
