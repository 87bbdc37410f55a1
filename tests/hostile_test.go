package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// used is what a process took.
type used struct {
	code  int
	said  string
	megas int64 // most memory at a time; never less than this test's own, which it was forked from
}

// validated checks a file with the binary.
func validated(t *testing.T, name, text string) used {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "validate", name)
	cmd.Dir = filepath.Dir(path)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	_ = cmd.Run() // the exit code tells
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("this system does not tell what a process used: the ceiling cannot be checked")
	}
	return used{cmd.ProcessState.ExitCode(), said.String(), usage.Maxrss >> 10}
}

const specHeader = "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: hostile}\n"

// Files made to hurt are refused with a code, and with little memory, whatever they would expand to.
func TestHostileFilesAreRefusedWithinBounds(t *testing.T) {
	for name, c := range map[string]struct {
		text, code string
		megas      int64
	}{
		"nested flow":  {specHeader + "root: " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), "LR013", 150},
		"nested maps":  {specHeader + "root: " + strings.Repeat("{a: ", 20_000) + strings.Repeat("}", 20_000), "LR013", 150},
		"nested block": {specHeader + "messages:\n m:\n  fields:\n" + deepBlock(2_000), "LR013", 200},
		"alias bomb":   {specHeader + bomb(), "LR010", 150},
		"nine megas":   {specHeader + strings.Repeat("# a comment that says nothing\n", 9<<20/30), "LR014", 150},
		"many values":  {specHeader + "x-a:\n" + strings.Repeat("  - {a: 1, b: [2, 3]}\n", (8<<20-200)/22), "LR018", 200},
		"many errors":  {specHeader + "root:\n  children:\n" + strings.Repeat("    - {nope: 1}\n", 20_000), "LR104", 300},
		"long line":    {specHeader + "root: \"" + strings.Repeat("x", 7<<20) + "\n", "LR004", 200},
	} {
		t.Run(name, func(t *testing.T) {
			got := validated(t, "hostile.yaml", c.text)
			if got.code != 1 || !strings.Contains(got.said, c.code) {
				t.Errorf("exit %d, no %s in %.600s", got.code, c.code, got.said)
			}
			if got.megas > c.megas || len(got.said) > 64<<10 {
				t.Errorf("%d MB of memory, %d bytes of text", got.megas, len(got.said))
			}
		})
	}
}

func deepBlock(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i+3) + "a:\n")
	}
	return b.String()
}

// bomb is a mapping of lists of aliases that would expand to nine to the twelfth.
func bomb() string {
	var b strings.Builder
	b.WriteString("messages: {m: {fields: {a0: &a0 [text, text]")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, ", a%d: &a%d [%s]", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	return b.String() + "}}}\n"
}

// Ten thousand actors stay within the memory that the budget allows.
func TestTenThousandActorsFitTheirMemory(t *testing.T) {
	var b strings.Builder
	b.WriteString(specHeader + "policies: {guards: {standard: {breaker: {trip: {error_rate: 50%}}, timeout: 500ms}}}\nroot:\n  children:\n")
	for i := range 10_000 {
		if i%100 == 0 {
			fmt.Fprintf(&b, "    - name: group-%d\n      children:\n", i/100)
		}
		fmt.Fprintf(&b, "        - name: actor-%d\n          script: {handlers: {get: {set: {hits: state.hits + 1}, reply: {hits: state.hits}}}, state: {hits: 0}}\n          guard: standard\n", i)
	}
	got := validated(t, "big.yaml", b.String())
	if got.code != 0 || !strings.Contains(got.said, "10101 actors, 10000 breakers") {
		t.Fatalf("exit %d, %.600s", got.code, got.said)
	}
	if got.megas > 300 {
		t.Errorf("%d MB of memory", got.megas)
	}
}
