package journal

import (
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	maxState   = 64 << 20 // bytes of one state
	stateTemp  = "state.tmp"
	stateNames = 20 // digits of a state's number, so that names sort as numbers do
)

// States keeps the states of actors in a directory, a directory each, the newest few of each. A file is written aside, synced and renamed, so that after a power cut a state is there whole or
// not at all. Calls for one actor must not overlap; those for different actors may.
type States struct {
	files FS
	dir   string
	keep  int
}

// NewStates keeps up to keep states (at least 2: a damaged one falls back to the one before) of each actor below dir. files
// is nil for the operating system's.
func NewStates(files FS, dir string, keep int) *States {
	if files == nil {
		files = osFS{}
	}
	return &States{files: files, dir: dir, keep: max(keep, 2)}
}

// place is an actor's directory: its name is the path with what a file system may not like written as hexadecimal.
func (s *States) place(actor string) string {
	var b strings.Builder
	for _, c := range []byte(actor) {
		if c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return path.Join(s.dir, b.String())
}

// Save adds a state of an actor and drops the oldest beyond those that are kept.
func (s *States) Save(actor string, snap Snapshot) error {
	if len(snap.State) > maxState {
		return fmt.Errorf("state of %q has %d bytes, more than the %d it may have", actor, len(snap.State), maxState)
	}
	dir := s.place(actor)
	if err := s.files.MkdirAll(dir); err != nil {
		return err
	}
	numbers, err := s.numbers(dir)
	if err != nil {
		return err
	}
	next := uint64(1)
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	if err := s.write(dir, stateName(next), snap.encode()); err != nil {
		return fmt.Errorf("state of %q: %w", actor, err)
	}
	for _, old := range numbers[:max(0, len(numbers)+1-s.keep)] {
		if err := s.files.Remove(path.Join(dir, stateName(old))); err != nil {
			return fmt.Errorf("state of %q: %w", actor, err)
		}
	}
	return nil
}

func (s *States) write(dir, name string, data []byte) error {
	temp := path.Join(dir, stateTemp)
	f, err := s.files.Create(temp)
	if err != nil {
		return err
	}
	if err := errors.Join(writeFull(f, data, 0), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := s.files.Rename(temp, path.Join(dir, name)); err != nil {
		return err
	}
	return s.files.SyncDir(dir)
}

// Load yields an actor's states, the newest first. One that is damaged is yielded as an error in its place.
func (s *States) Load(actor string) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		dir := s.place(actor)
		numbers, err := s.numbers(dir)
		if err != nil {
			yield(Snapshot{}, err)
			return
		}
		for _, n := range slices.Backward(numbers) {
			name := path.Join(dir, stateName(n))
			data, err := readFile(s.files, name, maxState+maxSnapshotFrame)
			snap := Snapshot{}
			if err == nil {
				snap, err = parseSnapshot(data)
			}
			if err != nil {
				err = fmt.Errorf("%s, a state of %q: %w", name, actor, err)
			}
			if !yield(snap, err) {
				return
			}
		}
	}
}

// Spoil changes a byte in the middle of an actor's newest state, as a bad disk may. It is for tests of what then happens.
func (s *States) Spoil(actor string) error {
	dir := s.place(actor)
	numbers, err := s.numbers(dir)
	if err != nil {
		return err
	}
	if len(numbers) == 0 {
		return fmt.Errorf("no state of %q has been saved", actor)
	}
	f, err := s.files.Open(path.Join(dir, stateName(numbers[len(numbers)-1])), true)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil {
		spot := make([]byte, 1)
		_, err = f.ReadAt(spot, size/2)
		spot[0] ^= 1
		err = errors.Join(err, writeFull(f, spot, size/2))
	}
	return errors.Join(err, f.Close())
}

func stateName(n uint64) string { return fmt.Sprintf("%0*d.state", stateNames, n) }

// numbers are those of an actor's states, ascending.
func (s *States) numbers(dir string) ([]uint64, error) {
	names, err := s.files.List(dir)
	if isNotExist(err) {
		return nil, nil
	}
	var numbers []uint64
	for _, name := range names {
		n, err := strconv.ParseUint(strings.TrimSuffix(name, ".state"), 10, 64)
		if err == nil && name == stateName(n) {
			numbers = append(numbers, n)
		}
	}
	return numbers, err
}
