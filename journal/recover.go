package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// recoverJournal brings the directory into the state that a proper Close leaves,
// creating the journal when there is none. It returns what it cut off, if
// anything. The caller holds the lock.
func recoverJournal(files FS, dir string) (*manifest, *JournalRecovered, error) {
	m, err := readManifest(files, dir)
	if isNotExist(err) {
		m, err = createManifest(files, dir)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := removeStrays(files, dir, m); err != nil {
		return nil, nil, err
	}
	if err := checkSizes(files, dir, m); err != nil {
		return nil, nil, err
	}
	last, ok := m.lastEntry()
	if !ok || last.sealed {
		return m, nil, nil
	}
	return recoverOpen(files, dir, m, last)
}

func createManifest(files FS, dir string) (*manifest, error) {
	numbers, err := segmentNumbers(files, dir)
	if err != nil {
		return nil, err
	}
	if len(numbers) > 0 {
		return nil, fmt.Errorf("%w: %d segments but no %s; `lukhas-run journal repair` rebuilds it", ErrDamaged, len(numbers), manifestName)
	}
	m := &manifest{}
	if _, err := rand.Read(m.id[:]); err != nil {
		return nil, err
	}
	return m, writeManifest(files, dir, m)
}

// segmentNumbers lists the segment files in a directory, ascending.
func segmentNumbers(files FS, dir string) ([]uint64, error) {
	names, err := files.List(dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, name := range names {
		stem, ok := strings.CutSuffix(name, ".seg")
		number, err := strconv.ParseUint(stem, 10, 64)
		if ok && err == nil && segmentName("", number) == name {
			numbers = append(numbers, number)
		}
	}
	return numbers, nil
}

// removeStrays removes what a crash in mid-rotation, retention or manifest
// writing left: files below the oldest segment, and empty ones above the newest.
func removeStrays(files FS, dir string, m *manifest) error {
	numbers, err := segmentNumbers(files, dir)
	if err != nil {
		return err
	}
	if err := files.Remove(path.Join(dir, manifestTemp)); err != nil && !isNotExist(err) {
		return err
	}
	newest, any := m.lastEntry()
	for _, number := range numbers {
		name := segmentName(dir, number)
		switch {
		case any && number < m.segments[0].number:
		case number > newest.number:
			empty, err := holdsNothing(files, name)
			if err != nil {
				return err
			}
			if !empty {
				return fmt.Errorf("%w: %s holds events that the manifest does not know; `lukhas-run journal repair` takes it in or aside", ErrDamaged, name)
			}
		default:
			continue
		}
		if err := files.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

func holdsNothing(files FS, name string) (bool, error) {
	f, err := files.Open(name, false)
	if err != nil {
		return false, err
	}
	defer f.Close()
	size, err := f.Size()
	return size <= segmentHeaderSize, err
}

// checkSizes finds segments that are missing or cut, without reading them.
func checkSizes(files FS, dir string, m *manifest) error {
	for _, e := range m.segments {
		f, err := files.Open(segmentName(dir, e.number), false)
		if err != nil {
			return fmt.Errorf("%w: segment %d (from event %d): %w", ErrDamaged, e.number, e.first, err)
		}
		size, err := f.Size()
		f.Close()
		if err != nil {
			return err
		}
		if size < e.end {
			return fmt.Errorf("%w: segment %d has %d bytes instead of at least %d; `lukhas-run journal repair` keeps what is left", ErrDamaged, e.number, size, e.end)
		}
	}
	return nil
}

// recoverOpen cuts the torn tail of the open segment and seals it.
func recoverOpen(files FS, dir string, m *manifest, e entry) (*manifest, *JournalRecovered, error) {
	name := segmentName(dir, e.number)
	f, err := files.Open(name, true)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	s, err := surveySegment(f, m, len(m.segments)-1)
	if err != nil {
		return nil, nil, err
	}
	if len(s.damage) > 0 {
		return nil, nil, fmt.Errorf("%w; nothing was changed, `lukhas-run journal repair` saves what is intact", s.damage[0])
	}
	var cut *JournalRecovered
	if s.tail != nil {
		cut = &JournalRecovered{Segment: e.number, Offset: s.tail.offset, Bytes: s.tail.bytes, Reason: s.tail.reason}
		if err := cutTail(files, dir, f, e.number, s.tail); err != nil {
			return nil, nil, fmt.Errorf("cut the unfinished end of %s: %w", name, err)
		}
	}
	m, err = sealRecovered(files, dir, f, m, s)
	return m, cut, err
}

// cutTail removes an unfinished end. Intact frames in it, which nobody was
// promised, are copied aside first.
func cutTail(files FS, dir string, f File, number uint64, t *tail) error {
	if t.frames > 0 {
		if err := copyAside(files, dir, f, number, t.offset, t.bytes); err != nil {
			return err
		}
	}
	return f.Truncate(t.offset) // synced with what follows: a footer, or the removal of the file
}

// copyAside copies bytes of a segment into the aside directory.
func copyAside(files FS, dir string, f File, number uint64, offset, length int64) error {
	aside := path.Join(dir, asideDir)
	if err := files.MkdirAll(aside); err != nil {
		return err
	}
	to, err := files.Create(path.Join(aside, fmt.Sprintf("%08d-%d.bytes", number, offset)))
	if err != nil {
		return err
	}
	defer to.Close()
	if err := copyRange(f, to, offset, 0, length); err != nil {
		return err
	}
	return errors.Join(to.Sync(), files.SyncDir(aside), files.SyncDir(dir))
}

// sealRecovered closes the surveyed newest segment, or removes it when it holds
// no event.
func sealRecovered(files FS, dir string, f File, m *manifest, s *survey) (*manifest, error) {
	n := len(m.segments) - 1
	e := m.segments[n]
	if s.last < e.first {
		next := m.with(m.segments[:n:n])
		if err := writeManifest(files, dir, next); err != nil {
			return nil, err
		}
		return next, files.Remove(segmentName(dir, e.number))
	}
	sealed := entry{number: e.number, first: e.first, last: s.last, end: s.end, sealed: true, head: s.head, sum: s.sum}
	if !s.footed {
		if err := writeFooter(f, sealed, s.index); err != nil {
			return nil, err
		}
	}
	next := m.with(append(m.segments[:n:n], sealed))
	return next, writeManifest(files, dir, next)
}

// surveySegment reads segment i of the manifest in full.
func surveySegment(f File, m *manifest, i int) (*survey, error) {
	s := &surveyor{entry: m.segments[i], id: m.id, lost: m.lost}
	if i > 0 {
		s.previous, s.chained = m.segments[i-1].head, true
	} else {
		s.chained = m.segments[0].number == 1 && m.segments[0].first == 1
	}
	return s.run(f)
}
