package otp

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

const recorded = "testdata/sequences.jsonl.gz"

// played is a sequence and what Erlang did: the lines of the first start and of each step.
type played struct {
	sequence
	Erlang []string `json:"erlang"`
}

// TestAsErlangDid compares the Machine with what a real Erlang did.
func TestAsErlangDid(t *testing.T) {
	kept := load(t)
	if len(kept) < 2000 {
		t.Fatalf("only %d sequences are kept", len(kept))
	}
	compareAll(t, kept)
}

// compareAll reports each difference and counts the deviations by name. It returns one sequence that differs.
func compareAll(t *testing.T, all []played) *played {
	t.Helper()
	var bad *played
	explained := map[string]int{}
	steps := 0
	for i := range all {
		what, deviations := compare(all[i])
		for _, d := range deviations {
			explained[d]++
		}
		steps += len(all[i].Steps)
		if what != "" {
			if bad == nil || len(all[i].Steps) < len(bad.Steps) {
				bad = &all[i]
			}
			t.Errorf("sequence %d: %s", i, what)
		}
	}
	t.Logf("%d sequences, %d steps; deviations: %v", len(all), steps, explained)
	return bad
}

// compare tells the first difference that no deviation explains, and the names of the deviations met before. A deviation
// after which the two count differently ends the comparison.
func compare(p played) (difference string, deviations []string) {
	ours, err := replay(p.sequence)
	if err != nil {
		return err.Error(), nil
	}
	for i, theirs := range p.Erlang {
		if i < len(ours) && ours[i] == theirs {
			continue
		}
		if i >= len(ours) {
			return fmt.Sprintf("line %d is missing", i), deviations
		}
		name, over := explain(p.sequence, i, ours[i], theirs)
		if name == "" {
			return fmt.Sprintf("line %d\nerlang:  %s\nmachine: %s", i, theirs, ours[i]), deviations
		}
		deviations = append(deviations, name)
		if over {
			return "", deviations
		}
	}
	if len(ours) != len(p.Erlang) {
		return fmt.Sprintf("erlang has %d lines, the machine %d", len(p.Erlang), len(ours)), deviations
	}
	return "", deviations
}

// The deviations of docs/supervision.md.
const (
	retriedFirstStart = "first start retried"
	mergedRestarts    = "restarts merged"
	mergedFailing     = "restarts merged, a failing start among them"
)

// explain names the deviation that two different lines show, "" when none does, and tells whether the two sides cannot be
// compared any more after it.
func explain(q sequence, line int, ours, theirs string) (name string, over bool) {
	if line == 0 {
		return explainFirst(ours, theirs), true
	}
	s := q.Steps[line-1]
	if !mayMerge(q.Tree, s) {
		return "", false
	}
	if len(s.Fails) > 0 {
		return mergedFailing, true
	}
	if outcome(ours) != outcome(theirs) {
		return "", false
	}
	return mergedRestarts, false
}

// explainFirst: OTP's supervisor does not come up when a child's first start fails. Ours tries again, having done the same
// until then.
func explainFirst(ours, theirs string) string {
	at := strings.Index(theirs, "f")
	if at < 0 || !strings.HasSuffix(theirs, "| over") || strings.Contains(theirs, "g") {
		return ""
	}
	until := theirs[:at+strings.IndexByte(theirs[at:], ' ')]
	if !strings.HasPrefix(ours, until+" ") {
		return ""
	}
	return retriedFirstStart
}

// mayMerge tells whether a restart of rest_for_one may have been under way when an earlier sibling ended: OTP carries the
// first out and then the second, we carry both out as one.
func mayMerge(tree []node, s step) bool {
	if tree[tree[s.Ends[0].Child].Parent].Strategy != "rest_for_one" {
		return false
	}
	last := -1
	for _, e := range s.Ends {
		if last > e.Child {
			return true
		}
		last = max(last, e.Child)
	}
	return false
}

// outcome is what a merged restart may not change: who gives up, and who is alive in the end.
func outcome(line string) string {
	var gave []string
	for _, word := range strings.Fields(line) {
		if word[0] == 'g' {
			gave = append(gave, word)
		}
	}
	_, alive, _ := strings.Cut(line, "|")
	return strings.Join(gave, " ") + alive
}

func load(t *testing.T) []played {
	t.Helper()
	f, err := os.Open(recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []played
	for scan := bufio.NewScanner(z); scan.Scan(); {
		var p played
		if err := json.Unmarshal(scan.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}
