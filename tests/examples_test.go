package tests

import (
	"os/exec"
	"strings"
	"testing"
)

// The program that embeds the engine does what its comments say: it adds, a failure restarts its actor, it adds from zero.
func TestEmbedExample(t *testing.T) {
	cmd := exec.Command("go", "run", "-buildvcs=false", "./examples/embed")
	cmd.Dir = ".."
	cmd.Env = append(cmd.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	want := []string{"12.5 -> 12.50 EUR <nil>", "oops -> <nil> crash by root/ledger: add takes a number, got string", "7.5 -> 7.50 EUR <nil>"}
	if got := strings.Split(strings.TrimSpace(string(out)), "\n"); err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, %v", got, err)
	}
}
