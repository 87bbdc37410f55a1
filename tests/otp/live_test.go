//go:build erlang

package otp

import (
	"compress/gzip"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

var (
	ask    = flag.Int("sequences", 400, "play so many new sequences with a real Erlang")
	seed   = flag.Uint64("seed", 1, "of the new sequences")
	record = flag.Bool("record", false, "keep what Erlang did in testdata")
)

// TestAsErlangDoes plays new sequences with a real Erlang and shrinks what differs.
func TestAsErlangDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(*seed, 0))
	seqs := make([]sequence, *ask)
	for i := range seqs {
		var err error
		if seqs[i], err = draw(r); err != nil {
			t.Fatal(err)
		}
	}
	e := newErlang(t)
	var all []played
	for i, lines := range e.run(t, seqs, 250) {
		if lines != nil {
			all = append(all, played{seqs[i], lines})
		}
	}
	t.Logf("seed %d: %d sequences played, %d were always late", *seed, len(all), len(seqs)-len(all))
	if len(all) < len(seqs)*9/10 {
		t.Error("too many were late: the machine is too busy")
	}
	if bad := compareAll(t, all); bad != nil {
		bad = e.shrink(t, *bad)
		what, _ := compare(*bad)
		text, _ := json.MarshalIndent(bad, "", " ")
		t.Errorf("the smallest found: %s\n%s", what, text)
	}
	if *record && !t.Failed() {
		keep(t, all)
	}
}

// shrink looks for a smaller sequence that differs too: it plays all that are one step, end, failing start or worker smaller
// at once, goes on with the first that differs, and stops when none does.
func (e erlang) shrink(t *testing.T, bad played) *played {
	for range 12 {
		var smaller []sequence
		for _, q := range reductions(bad.sequence) {
			if lines, err := replay(q); err == nil && !strings.Contains(strings.Join(lines, "\n"), "is not alive") {
				smaller = append(smaller, q)
			}
		}
		found := false
		for i, lines := range e.run(t, smaller, 250) {
			p := played{smaller[i], lines}
			if what, _ := compare(p); lines != nil && what != "" {
				bad, found = p, true
				break
			}
		}
		if !found {
			break
		}
	}
	return &bad
}

func reductions(q sequence) []sequence {
	var all []sequence
	for i := range q.Steps {
		less := q
		less.Steps = slices.Delete(slices.Clone(q.Steps), i, i+1)
		all = append(all, less)
		if len(q.Steps[i].Fails) > 0 {
			less.Steps = slices.Clone(q.Steps)
			less.Steps[i].Fails = nil
			all = append(all, less)
		}
		for j := range q.Steps[i].Ends {
			if len(q.Steps[i].Ends) > 1 {
				less.Steps = slices.Clone(q.Steps)
				less.Steps[i].Ends = slices.Delete(slices.Clone(q.Steps[i].Ends), j, j+1)
				all = append(all, less)
			}
		}
	}
	for i := range q.Tree {
		if less, ok := q.without(i); ok {
			all = append(all, less)
		}
	}
	return all
}

// without is the sequence without a node that has no children and of which no step speaks.
func (q sequence) without(i int) (sequence, bool) {
	for _, n := range q.Tree {
		if n.Parent == i {
			return q, false
		}
	}
	moved := func(j int) int {
		if j > i {
			return j - 1
		}
		return j
	}
	less := sequence{Tree: slices.Delete(slices.Clone(q.Tree), i, i+1)}
	for j := range less.Tree {
		less.Tree[j].Parent = moved(less.Tree[j].Parent)
	}
	for _, s := range q.Steps {
		moves := step{At: s.At}
		for _, e := range s.Ends {
			if e.Child == i {
				return q, false
			}
			moves.Ends = append(moves.Ends, finish{moved(e.Child), e.Reason})
		}
		for _, f := range s.Fails {
			if f.Child == i {
				return q, false
			}
			moves.Fails = append(moves.Fails, fail{moved(f.Child), f.Times})
		}
		less.Steps = append(less.Steps, moves)
	}
	return less, i > 0
}

func keep(t *testing.T, all []played) {
	t.Helper()
	f, err := os.Create(recorded)
	if err != nil {
		t.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestCompression)
	lines := json.NewEncoder(z)
	for _, p := range all {
		if err := lines.Encode(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
