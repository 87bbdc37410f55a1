package detect

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/golden.txt")

// plainSeries is made of integers only, so that it is the same on every platform: a sawtooth day, small noise, a spike, a
// shift, and a stretch without rhythm.
func plainSeries() []sample {
	out := make([]sample, 3000)
	state := uint32(2463534242)
	for i := range out {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		x := 200 + i%288 + int(state%40)
		switch {
		case i == 1500 || i == 1501:
			x += 900
		case i >= 2000 && i < 2060:
			x += 400
		case i >= 2500 && i < 2600:
			x = 320
		}
		out[i] = sample{time.Duration(i) * 5 * time.Minute, float64(x) / 1024}
	}
	return out
}

// TestScoresAreTheSameEverywhere holds every 50th score, and all around what happens, bit by bit.
func TestScoresAreTheSameEverywhere(t *testing.T) {
	var text strings.Builder
	for _, name := range Names() {
		d, folded := must(t, name, nil), uint64(0)
		for i, s := range plainSeries() {
			r := d.Observe(s.at, s.x)
			bits := math.Float64bits(r.Score)
			folded = folded*1099511628211 ^ bits
			if i%50 == 49 || r.Alert {
				fmt.Fprintf(&text, "%s %d %016x %v\n", name, i, bits, r.Alert)
			}
		}
		fmt.Fprintf(&text, "%s all %016x\n", name, folded)
	}
	file := filepath.Join("testdata", "golden.txt")
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, old := strings.Split(text.String(), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(got), len(old)) {
		if got[i] != old[i] {
			t.Fatalf("line %d of %s: want %q, got %q", i+1, file, old[i], got[i])
		}
	}
	if len(got) != len(old) {
		t.Fatalf("%d lines, want %d", len(got), len(old))
	}
}
