package journal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// newest is an actor's newest whole state, and what was wrong with newer ones.
func newest(s *States, actor string) (text string, damaged error) {
	for snap, err := range s.Load(actor) {
		if err == nil {
			return string(snap.State), damaged
		}
		damaged = errors.Join(damaged, err)
	}
	return "", damaged
}

// A state comes back as it was saved; so many of the newest stay, and a damaged one falls back to the one before.
func TestStatesFallBack(t *testing.T) {
	for name, files := range map[string]FS{"disk": nil, "memory": &MemoryFS{}} {
		dir := t.TempDir()
		s := NewStates(files, dir, 2)
		if got, err := newest(s, "root/A"); got != "" || err != nil {
			t.Fatalf("%s: before the first: %q, %v", name, got, err)
		}
		if err := s.Spoil("root/A"); err == nil {
			t.Errorf("%s: nothing was spoilt", name)
		}
		for i, text := range []string{"one", "two", "three\nsha256 feigned\n"} {
			if err := s.Save("root/A", Snapshot{Sequence: uint64(i), Position: 70, Plan: `a "b`, State: []byte(text)}); err != nil {
				t.Fatal(err)
			}
		}
		for snap, err := range s.Load("root/A") {
			if err != nil || snap.Sequence != 2 || snap.Position != 70 || snap.Plan != `a "b` || string(snap.State) != "three\nsha256 feigned\n" {
				t.Errorf("%s: %+v, %v", name, snap, err)
			}
			break
		}
		kept := 0
		for range s.Load("root/A") {
			kept++
		}
		if kept != 2 {
			t.Errorf("%s: %d are kept, want 2", name, kept)
		}
		if err := s.Spoil("root/A"); err != nil {
			t.Fatal(err)
		}
		if got, err := newest(s, "root/A"); got != "two" || err == nil || !strings.Contains(err.Error(), "checksum does not match") ||
			!strings.Contains(err.Error(), "root%2f%41/00000000000000000003.state") {
			t.Errorf("%s: with the newest spoilt: %q, %v", name, got, err)
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
			if s.Save("a", Snapshot{State: fmt.Appendf(nil, "state %d", i)}) != nil {
				break
			}
			saved = i
		}
		after := files.afterPowerCut(rand.New(rand.NewPCG(uint64(cut), 0)), 0.5)
		got, _ := newest(NewStates(after, "states", 2), "a")
		allowed := []string{fmt.Sprintf("state %d", saved), fmt.Sprintf("state %d", saved+1)}
		if saved == 0 {
			allowed = append(allowed, "")
		}
		if !slices.Contains(allowed, got) {
			t.Errorf("cut at operation %d: %q, want one of %q", cut, got, allowed)
		}
	}
}

func FuzzSnapshot(f *testing.F) {
	s := Snapshot{Sequence: 3, Position: 9, Plan: "ab", State: []byte(`{"n":1}`)}
	f.Add(s.encode(), false)
	f.Add([]byte("lukhas-state 1 sequence 1 position 2 plan \"\"\n{}"), true)
	f.Fuzz(func(t *testing.T, data []byte, fix bool) {
		if fix { // get past the checksum
			data = fmt.Appendf(slices.Clone(data), snapshotSum+"%x\n", sha256.Sum256(data))
		}
		s, err := parseSnapshot(data)
		if err != nil {
			return
		}
		if again := s.encode(); !bytes.Equal(again, data) {
			t.Errorf("a state that was read and written again:\n%q\n%q", data, again)
		}
	})
}
