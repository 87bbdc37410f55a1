//go:build erlang

package otp

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// erlang builds supervised.erl, once a test.
type erlang struct{ dir string }

// newErlang fails the test when there is no Erlang.
func newErlang(t *testing.T) erlang {
	t.Helper()
	e := erlang{t.TempDir()}
	build := exec.Command("erlc", "-Wall", "-Werror", "-o", e.dir, "supervised.erl")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("erlc: %v\n%s(`make test-otp` installs it: apt-get install erlang-base)", err, out)
	}
	return e
}

// run lets Erlang play sequences, as many at once as concurrent says, and returns the lines of each. Those that left the
// second of a step, on a machine that has other things to do, are played again; after three tries they are nil.
func (e erlang) run(t *testing.T, seqs []sequence, concurrent int) [][]string {
	t.Helper()
	lines := make([][]string, len(seqs))
	todo := make([]int, len(seqs))
	for i := range todo {
		todo[i] = i
	}
	for try := 0; try < 3 && len(todo) > 0; try++ {
		var again []int
		for i, seen := range e.play(t, seqs, todo, concurrent) {
			if seen == nil {
				again = append(again, todo[i])
				continue
			}
			lines[todo[i]] = seen
		}
		todo = again
	}
	return lines
}

// play plays the sequences of which, one try each. A late one's lines are nil.
func (e erlang) play(t *testing.T, seqs []sequence, which []int, concurrent int) [][]string {
	t.Helper()
	var terms bytes.Buffer
	for place, i := range which {
		terms.WriteString(seqs[i].erlang(place))
	}
	file := filepath.Join(e.dir, "sequences")
	if err := os.WriteFile(file, terms.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "erl", "-noshell", "-pa", e.dir, "-run", "supervised", "main", file, strconv.Itoa(concurrent))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("erl: %v", err)
	}
	return parse(t, out, len(which))
}

func parse(t *testing.T, out []byte, n int) [][]string {
	t.Helper()
	lines := make([][]string, n)
	var seen []string
	at, late, ends := 0, false, 0
	for scan := bufio.NewScanner(bytes.NewReader(out)); scan.Scan(); {
		switch text := scan.Text(); {
		case strings.HasPrefix(text, "case "):
			seen, late = nil, false
			if _, err := fmt.Sscanf(text, "case %d", &at); err != nil || at >= n {
				t.Fatalf("erlang says %q", text)
			}
		case text == "late":
			late = true
		case text == "end":
			ends++
			if !late {
				lines[at] = seen
			}
		default:
			seen = append(seen, text)
		}
	}
	if ends != n {
		t.Fatalf("erlang played %d sequences of %d", ends, n)
	}
	return lines
}
