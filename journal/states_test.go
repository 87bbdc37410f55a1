package journal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A state comes back as it was saved; so many of the newest stay, and a damaged one falls back to the one before.
func TestStatesFallBack(t *testing.T) {
	dir := t.TempDir()
	s := NewStates(nil, dir, 2)
	if got, err := s.Load("root/a"); got != nil || err != nil {
		t.Fatalf("before the first: %q, %v", got, err)
	}
	for _, text := range []string{"one", "two", "three\nsha256 feigned"} {
		if err := s.Save("root/A", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "root%2f%41", "*"))
	if len(files) != 2 {
		t.Fatalf("%d files are kept, want 2: %v", len(files), files)
	}
	if got, err := s.Load("root/A"); string(got) != "three\nsha256 feigned" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
	for i, want := range []string{"two", ""} {
		file := files[len(files)-1-i]
		data, _ := os.ReadFile(file)
		data[0] ^= 1
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := s.Load("root/A")
		if string(got) != want || err == nil || !strings.Contains(err.Error(), "checksum does not match") {
			t.Fatalf("with %d damaged: %q, %v", i+1, got, err)
		}
	}
}

// After a power cut at any moment a state is there whole: the last that was saved, or the one before, or the one being saved.
func TestStatesSurvivePowerCuts(t *testing.T) {
	for cut := 1; cut < 40; cut++ {
		files := newMemFS()
		files.failAt, files.failWith, files.half = cut, errPowerOff, true
		s, saved := NewStates(files, "states", 2), 0
		for i := 1; i <= 4; i++ {
			if s.Save("a", fmt.Appendf(nil, "state %d", i)) != nil {
				break
			}
			saved = i
		}
		after := files.afterPowerCut(rand.New(rand.NewPCG(uint64(cut), 0)), 0.5)
		got, _ := NewStates(after, "states", 2).Load("a")
		allowed := []string{fmt.Sprintf("state %d", saved), fmt.Sprintf("state %d", saved+1)}
		if saved == 0 {
			allowed = append(allowed, "")
		}
		if !slices.Contains(allowed, string(got)) {
			t.Errorf("cut at operation %d: %q, want one of %q", cut, got, allowed)
		}
	}
}
