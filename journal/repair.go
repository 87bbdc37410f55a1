package journal

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
)

// Repaired tells what Repair did.
type Repaired struct {
	Manifest bool      // the manifest was rebuilt from the segments
	Segments []uint64  // rewritten with what was intact
	Damage   []*Damage // what was found
	Lost     uint64    // events that could not be saved by this repair
	Cut      string    // the unfinished end that was cut, or ""
}

// Repair makes a damaged journal usable: intact frames are kept, each damaged
// segment is first copied whole into the aside directory, and the numbers that
// are lost are named in the manifest, so that readers see a Gap event in their
// place. It needs the journal's lock. A journal without damage is only
// recovered, as Open does.
func Repair(dir string, o Options) (done Repaired, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return done, err
	}
	lock, err := o.FS.Lock(path.Join(dir, lockName))
	if err != nil {
		return done, fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	r := repairer{dir: dir, options: o, done: &done}
	return done, r.run()
}

type repairer struct {
	dir     string
	options Options
	old     *manifest
	new     *manifest
	next    uint64 // number that follows the last event kept, 0 at first
	done    *Repaired
}

func (r *repairer) run() error {
	m, err := readManifest(r.options.FS, r.dir)
	if errors.Is(err, ErrDamaged) || isNotExist(err) {
		r.done.Manifest = true
		m, err = rebuildManifest(r.options.FS, r.dir)
	}
	if err != nil {
		return err
	}
	r.old, r.new = m, &manifest{id: m.id, lost: slices.Clone(m.lost)}
	for i := range m.segments {
		if err := r.segment(i); err != nil {
			return fmt.Errorf("repair segment %d: %w", m.segments[i].number, err)
		}
	}
	r.keep(m.newest()+1, m.newest())
	slices.SortFunc(r.new.lost, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	if err := r.strangers(); err != nil {
		return err
	}
	if err := writeManifest(r.options.FS, r.dir, r.new); err != nil {
		return err
	}
	return removeStrays(r.options.FS, r.dir, r.new)
}

// keep notes that events from to last are kept; those skipped since the last
// call are lost, unless an earlier repair has said so.
func (r *repairer) keep(from, last uint64) {
	if r.next == 0 && len(r.old.segments) > 0 {
		r.next = r.old.segments[0].first
	}
	next := afterLost(r.old.lost, max(r.next, 1))
	if from > next {
		r.new.lost = append(r.new.lost, span{next, from - 1})
		r.done.Lost += from - next
	}
	r.next = max(r.next, last+1)
}

// strangers sets aside segments above the newest that no manifest knows.
func (r *repairer) strangers() error {
	numbers, err := segmentNumbers(r.options.FS, r.dir)
	if err != nil {
		return err
	}
	newest, _ := r.old.lastEntry()
	for _, number := range numbers {
		if number <= newest.number {
			continue
		}
		f, err := r.options.FS.Open(segmentName(r.dir, number), false)
		if err != nil {
			return err
		}
		if err := errors.Join(r.setAside(f, number, true), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// segment keeps, rewrites or gives up one segment.
func (r *repairer) segment(i int) error {
	e := r.old.segments[i]
	name := segmentName(r.dir, e.number)
	f, err := r.options.FS.Open(name, true)
	if isNotExist(err) {
		r.done.Damage = append(r.done.Damage, &Damage{Segment: e.number, First: e.first, Last: e.last, Reason: "the segment file is missing"})
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := surveySegment(f, r.old, i)
	if errors.Is(err, ErrForeign) {
		r.done.Damage = append(r.done.Damage, &Damage{Segment: e.number, First: e.first, Last: e.last, Reason: err.Error()})
		return r.setAside(f, e.number, true)
	}
	if err != nil {
		return err
	}
	r.done.Damage = append(r.done.Damage, s.damage...)
	if s.tail != nil {
		r.done.Cut = fmt.Sprintf("segment %d: %d bytes at %d: %s", e.number, s.tail.bytes, s.tail.offset, s.tail.reason)
	}
	if len(s.damage) == 0 && s.tail == nil && e.sealed {
		r.keep(e.first, e.last)
		return r.new.addEntry(e)
	}
	r.old.segments[i].last = max(e.last, s.last)
	if err := r.setAside(f, e.number, len(s.good) == 0); err != nil || len(s.good) == 0 {
		return err
	}
	return r.rewrite(f, e, s)
}

// setAside copies a segment whole, and removes it when it holds nothing to keep.
func (r *repairer) setAside(f File, number uint64, remove bool) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	if err := copyAside(r.options.FS, r.dir, f, number, 0, size); err != nil || !remove {
		return err
	}
	return r.options.FS.Remove(segmentName(r.dir, number))
}

// rewrite puts the intact frames of a segment into a new file in its place.
func (r *repairer) rewrite(from File, e entry, s *survey) error {
	temp := path.Join(r.dir, "repair.tmp")
	to, err := r.options.FS.Create(temp)
	if err != nil {
		return err
	}
	sealed, err := r.fill(from, to, e, s)
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	if err := r.options.FS.Rename(temp, segmentName(r.dir, e.number)); err != nil {
		return err
	}
	r.done.Segments = append(r.done.Segments, e.number)
	return errors.Join(r.new.addEntry(sealed), r.options.FS.SyncDir(r.dir))
}

// fill writes header, intact frames and footer.
func (r *repairer) fill(from, to File, e entry, s *survey) (entry, error) {
	h := segmentHeader{id: r.old.id, number: e.number, first: e.first, created: r.options.Clock.Wall().UnixNano()}
	if last, ok := r.new.lastEntry(); ok {
		h.previous = last.head
	}
	if err := writeFull(to, h.encode(), 0); err != nil {
		return entry{}, err
	}
	at := int64(segmentHeaderSize)
	for _, g := range s.good {
		if err := copyRange(from, to, g.from, at, g.to-g.from); err != nil {
			return entry{}, err
		}
		at += g.to - g.from
	}
	if err := to.Sync(); err != nil {
		return entry{}, err
	}
	return r.seal(to, e, at)
}

// seal surveys the rewritten file, which must now be without fault, and closes it.
func (r *repairer) seal(f File, e entry, end int64) (entry, error) {
	x, head, err := reindex(f, end)
	if err != nil {
		return entry{}, err
	}
	for _, ref := range x.frames {
		r.keep(ref.first, ref.last())
	}
	last := x.frames[len(x.frames)-1].last()
	sum, err := sumOf(f, end)
	if err != nil {
		return entry{}, err
	}
	sealed := entry{number: e.number, first: e.first, last: last, end: end, sealed: true, head: head, sum: sum}
	return sealed, writeFooter(f, sealed, x)
}

// reindex walks the frames of a file that holds nothing else up to end.
func reindex(f File, end int64) (*index, hash, error) {
	w := walker{file: f, offset: segmentHeaderSize, limit: end}
	var rows unpacker
	defer rows.close()
	x, head := newIndex(), hash{}
	for {
		at := w.offset
		fr, err := w.next()
		if err == io.EOF {
			return x, head, nil
		}
		if err != nil {
			return nil, head, err
		}
		head = sha256.Sum256(appendFrame(nil, &fr))
		events, err := rows.rows(&fr)
		if err == nil {
			err = x.addFrame(&fr, at, events)
		}
		if err != nil {
			return nil, head, err
		}
	}
}

// rebuildManifest makes a manifest from what the segment files say themselves.
func rebuildManifest(files FS, dir string) (*manifest, error) {
	numbers, err := segmentNumbers(files, dir)
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, fmt.Errorf("no journal in %q: neither a readable %s nor segments", dir, manifestName)
	}
	m := &manifest{}
	for _, number := range numbers {
		e, h, err := identify(files, dir, number)
		if err != nil {
			return nil, err
		}
		if m.id == (journalID{}) {
			m.id = h.id
		}
		m.append(e)
	}
	return m, nil
}

// append adds a segment whose neighbours fill in what it does not say itself.
func (m *manifest) append(e entry) {
	n := len(m.segments)
	if n > 0 {
		before := &m.segments[n-1]
		if e.first == 0 {
			e.first = max(before.last, before.first) + 1
		}
		if !before.sealed {
			before.sealed, before.last = true, e.first-1
		}
	}
	e.first = max(e.first, 1)
	m.segments = append(m.segments, e)
}

// identify reads what header and footer of a segment say. Without an intact
// footer the entry is open and ends with the file; without a header first is 0.
func identify(files FS, dir string, number uint64) (entry, segmentHeader, error) {
	f, err := files.Open(segmentName(dir, number), false)
	if err != nil {
		return entry{}, segmentHeader{}, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return entry{}, segmentHeader{}, err
	}
	data := make([]byte, min(size, segmentHeaderSize))
	if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return entry{}, segmentHeader{}, err
	}
	h, err := parseSegmentHeader(data)
	if err != nil || h.number != number {
		h = segmentHeader{}
	}
	e := entry{number: number, first: h.first, end: size}
	if ft, at, err := readFooter(f); err == nil {
		e.sealed, e.last, e.end, e.head, e.sum = true, ft.last, at, ft.head, ft.sum
	}
	return e, h, nil
}

// copyRange copies n bytes between files.
func copyRange(from, to File, at, into, n int64) error {
	buf := make([]byte, windowSize)
	for done := int64(0); done < n; {
		got, err := from.ReadAt(buf[:min(int64(len(buf)), n-done)], at+done)
		if got == 0 {
			return err
		}
		if err := writeFull(to, buf[:got], into+done); err != nil {
			return err
		}
		done += int64(got)
	}
	return nil
}
