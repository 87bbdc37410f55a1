package journal

import (
	"context"
	"fmt"
	"io"
)

// Report is what a full verification found.
type Report struct {
	Segments int
	Events   uint64 // intact ones
	First    uint64 // number of the first event kept, 0 when the journal is empty
	Last     uint64
	Bytes    int64
	Damage   []*Damage
	Torn     string // why an unfinished end will be cut when the journal is next opened, or ""
	Lost     uint64 // events that an earlier repair had to give up
}

// Intact reports whether every event that was ever made durable is readable and
// unchanged, but for those an earlier repair gave up.
func (r *Report) Intact() bool { return len(r.Damage) == 0 }

// Verify reads everything and checks every checksum, number and hash.
func (r *Reader) Verify() (Report, error) { return verify(r) }

// Verify is Reader.Verify for a journal that is open for writing.
func (j *Journal) Verify() (Report, error) { return verify(j) }

func verify(src source) (Report, error) {
	v, err := src.view(context.Background())
	if err != nil {
		return Report{}, err
	}
	var r Report
	segments := v.segments()
	shown := v.manifest.with(segments)
	for _, l := range shown.lost {
		r.Lost += l.to - l.from + 1
	}
	files, dir := src.files()
	for i, e := range segments {
		if i > 0 && e.first != segments[i-1].last+1 && afterLost(shown.lost, segments[i-1].last+1) != e.first {
			r.Damage = append(r.Damage, &Damage{Segment: e.number, First: segments[i-1].last + 1, Last: e.first - 1, Reason: "the events are missing"})
		}
		if err := r.segment(files, dir, shown, i); err != nil {
			return r, err
		}
	}
	return r, nil
}

// segment adds one segment to the report.
func (r *Report) segment(files FS, dir string, m *manifest, i int) error {
	e := m.segments[i]
	r.Segments++
	if r.First == 0 {
		r.First = e.first
	}
	f, err := files.Open(segmentName(dir, e.number), false)
	if isNotExist(err) {
		r.Last = max(e.last, r.Last)
		r.Damage = append(r.Damage, &Damage{Segment: e.number, First: e.first, Last: e.last, Reason: "the segment file is missing"})
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if e.end > 0 && !e.sealed {
		f = &upTo{File: f, end: e.end} // the writer is at work behind it
	}
	s, err := surveySegment(f, m, i)
	if err != nil {
		return err
	}
	r.Bytes += s.end
	r.Damage = append(r.Damage, s.damage...)
	for _, ref := range s.index.frames {
		r.Events += uint64(ref.count)
	}
	r.Last = max(s.last, r.Last)
	if s.tail != nil {
		r.Torn = fmt.Sprintf("segment %d: %d bytes at %d: %s", e.number, s.tail.bytes, s.tail.offset, s.tail.reason)
	}
	return nil
}

// upTo shows a file only up to an offset.
type upTo struct {
	File
	end int64
}

func (u *upTo) Size() (int64, error) { return u.end, nil }

func (u *upTo) ReadAt(p []byte, off int64) (int, error) {
	if off >= u.end {
		return 0, io.EOF
	}
	if int64(len(p)) <= u.end-off {
		return u.File.ReadAt(p, off)
	}
	n, err := u.File.ReadAt(p[:u.end-off], off)
	if err == nil {
		err = io.EOF
	}
	return n, err
}

// Stats are the journal's numbers at one moment.
type Stats struct {
	Segments int
	First    uint64 // oldest event kept, 0 when there is none
	Last     uint64 // newest event appended
	Written  uint64 // newest event the operating system has
	Durable  uint64 // newest event synced
	Bytes    int64  // of frames, on disk
	Buffered int    // bytes waiting to be written
	Appended uint64 // events since Open
	Dropped  uint64 // events since Open
	Syncs    uint64 // since Open
	Held     uint64 // newest event that stays only because of Retention.Need, as of the last sealed segment; 0 for none
	Failed   error  // why nothing is written any more, or nil
}

// Stats returns the journal's numbers.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := view{manifest: j.current, open: j.open}
	s := Stats{
		Last: j.state.next - 1, Written: j.state.written, Durable: j.state.durable,
		Buffered: j.buffer.bytes, Appended: j.counts.appended, Dropped: j.counts.dropped,
		Syncs: j.counts.syncs, Held: j.counts.held, Failed: j.state.err,
	}
	s.measure(v.segments())
	return s
}

func (s *Stats) measure(segments []entry) {
	s.Segments = len(segments)
	for _, e := range segments {
		s.Bytes += max(e.end, 0)
	}
	if len(segments) > 0 {
		s.First = segments[0].first
	}
}

// Stats returns what the files tell: the counts since Open are zero, and Last,
// Written and Durable are the newest intact event. It reads the newest segment.
func (r *Reader) Stats() (Stats, error) {
	v, err := r.view(context.Background())
	if err != nil {
		return Stats{}, err
	}
	var s Stats
	segments := v.segments()
	s.measure(segments)
	if n := len(segments); n > 0 && segments[n-1].sealed {
		s.Last = segments[n-1].last
	} else if n > 0 {
		var newest Report
		if err := newest.segment(r.fs, r.dir, v.manifest, n-1); err != nil {
			return Stats{}, err
		}
		s.Last = newest.Last
		s.Bytes += newest.Bytes
	}
	s.Written, s.Durable = s.Last, s.Last
	return s, nil
}

// Missing tells which events from a number on the journal does not have any
// more: dropped by retention (an error that wraps ErrPruned), or lost to damage that was
// repaired (ErrDamaged). Damage that nobody has found yet is not looked for.
func (j *Journal) Missing(from uint64) error {
	j.mu.Lock()
	m := j.current
	j.mu.Unlock()
	for _, l := range m.lost {
		if l.to >= from {
			return fmt.Errorf("%w: events %d to %d were lost to damage that was repaired", ErrDamaged, l.from, l.to)
		}
	}
	if first := m.first(); from < first {
		return fmt.Errorf("%w: events %d to %d", ErrPruned, from, first-1)
	}
	return nil
}
