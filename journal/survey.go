package journal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Damage is a range of events that was once safely written and can no longer be
// read. It is an error that wraps ErrDamaged.
type Damage struct {
	Segment uint64
	Offset  int64  // where in the segment it starts
	Bytes   int64  // how long it is
	First   uint64 // first event it covers
	Last    uint64 // last event it covers, or less than First when no event is lost
	Reason  string
}

// Error names segment, place, events and reason.
func (d *Damage) Error() string {
	events := "no event"
	if d.Last >= d.First {
		events = fmt.Sprintf("events %d to %d", d.First, d.Last)
	}
	return fmt.Sprintf("%v: segment %d, %d bytes at %d, %s: %s", ErrDamaged, d.Segment, d.Bytes, d.Offset, events, d.Reason)
}

// Unwrap returns ErrDamaged.
func (d *Damage) Unwrap() error { return ErrDamaged }

// tail is the unfinished end of an open segment.
type tail struct {
	offset int64
	bytes  int64
	frames int // intact frames in it, none of which was ever durable
	reason string
}

// survey is all that a full reading of one segment finds out.
type survey struct {
	index  *index
	good   []stretch // where intact frames stand
	end    int64     // where frames end
	last   uint64    // number of the last event, first-1 when there is none
	head   hash      // of the last frame
	sum    hash      // of all bytes before end
	tail   *tail     // of an open segment
	footed bool      // an intact footer stands at end
	damage []*Damage
}

// stretch is a run of intact frames in a segment file.
type stretch struct{ from, to int64 }

// surveyor reads one segment in full. previous is the hash that the first frame
// must name; chained is false when it is not known.
type surveyor struct {
	entry    entry
	id       journalID
	lost     []span
	previous hash
	chained  bool

	walk    walker
	rows    unpacker
	next    uint64 // number expected
	durable uint64 // largest durable-through seen
	out     survey
}

// run reads the segment. An error is one of the file system, not of the content.
func (s *surveyor) run(f File) (*survey, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	s.walk = walker{file: f, offset: segmentHeaderSize, limit: size}
	defer s.rows.close()
	s.out.index, s.next = newIndex(), s.entry.first
	if err := s.header(f, size); err != nil {
		return nil, err
	}
	if err := s.footer(f, size); err != nil {
		return nil, err
	}
	for {
		more, err := s.frame()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	s.finish()
	s.out.sum, err = sumOf(f, s.out.end)
	if err != nil {
		return nil, err
	}
	if s.entry.sealed && len(s.out.damage) == 0 && s.out.sum != s.entry.sum {
		s.report(0, s.out.end, s.next, s.next-1, "SHA-256 of the segment differs from the manifest's")
	}
	return &s.out, nil
}

func (s *surveyor) header(f File, size int64) error {
	data := make([]byte, min(segmentHeaderSize, size))
	if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	h, err := parseSegmentHeader(data)
	switch {
	case err != nil:
		s.report(0, int64(len(data)), s.next, s.next-1, err.Error())
	case h.id != s.id:
		return fmt.Errorf("%w: segment %d belongs to journal %s, this is %s", ErrForeign, s.entry.number, h.id, s.id)
	case h.number != s.entry.number || h.first != s.entry.first:
		return fmt.Errorf("%w: it says segment %d from event %d, the manifest says segment %d from %d", ErrForeign, h.number, h.first, s.entry.number, s.entry.first)
	case s.chained && h.previous != s.previous && !isLost(s.lost, s.next-1):
		s.report(0, segmentHeaderSize, s.next, s.next-1, "the chain to the segment before is broken")
	case !s.chained:
		s.previous, s.chained = h.previous, true
	}
	s.out.head = s.previous
	return nil
}

// footer finds where the frames end, from the manifest or from an intact footer.
func (s *surveyor) footer(f File, size int64) error {
	ft, at, err := readFooter(f)
	if err == nil {
		_, err = parseIndex(ft.index)
	}
	intact := err == nil
	switch {
	case s.entry.sealed:
		s.walk.limit = min(size, s.entry.end)
		if !intact || at != s.entry.end || ft.last != s.entry.last || ft.head != s.entry.head || ft.sum != s.entry.sum {
			s.report(s.entry.end, max(size-s.entry.end, 0), s.entry.last+1, s.entry.last, "the footer is damaged or missing")
		}
	case intact:
		s.walk.limit, s.durable = at, ft.last
	}
	s.out.footed = intact && at == s.walk.limit
	return nil
}

// frame takes one frame, or what stands in the place of one.
func (s *surveyor) frame() (bool, error) {
	at := s.walk.offset
	f, err := s.walk.next()
	var bad *badFrame
	switch {
	case err == io.EOF:
		return false, nil
	case errors.As(err, &bad):
		return s.bad(at, bad.reason)
	case err != nil:
		return false, err
	}
	if expected := afterLost(s.lost, s.next); f.first != s.next && f.first != expected {
		s.walk.offset = at
		return s.bad(at, fmt.Sprintf("frame of event %d where %d is expected", f.first, s.next))
	} else if f.first == s.next && s.chained && f.previous != s.out.head && !isLost(s.lost, s.next-1) {
		s.report(at, s.walk.offset-at, f.first, f.last(), "the chain is broken: a frame before this one was exchanged")
	}
	rows, err := s.rows.rows(&f)
	if err == nil {
		err = s.out.index.addFrame(&f, at, rows)
	}
	if err != nil {
		s.report(at, s.walk.offset-at, f.first, f.last(), err.Error())
	}
	s.take(&f, at)
	return true, nil
}

func (s *surveyor) take(f *frame, at int64) {
	data, _ := s.walk.bytes(at, frameHeaderSize+len(f.body))
	s.out.head, s.chained = sha256.Sum256(data), true
	s.durable = max(s.durable, f.durable)
	s.next = f.last() + 1
	s.out.end = s.walk.offset
	if n := len(s.out.good); n > 0 && s.out.good[n-1].to == at {
		s.out.good[n-1].to = s.walk.offset
		return
	}
	s.out.good = append(s.out.good, stretch{at, s.walk.offset})
}

// bad judges bytes that are no frame: a torn tail ends the reading, damage is
// reported and passed over.
func (s *surveyor) bad(at int64, reason string) (bool, error) {
	s.next = afterLost(s.lost, s.next)
	ev, err := s.walk.look(at, s.next)
	if err != nil {
		return false, err
	}
	if !s.entry.sealed && max(s.durable, ev.durable) < s.next {
		s.out.tail = &tail{offset: at, bytes: s.walk.limit - at, frames: ev.frames, reason: reason}
		s.out.footed = false
		return false, nil
	}
	s.chained = false
	if ev.frames == 0 {
		last := max(s.durable, ev.durable)
		if s.entry.sealed {
			last = s.entry.last
		}
		s.report(at, s.walk.limit-at, s.next, last, reason)
		s.next, s.walk.offset = last+1, s.walk.limit
		return false, nil
	}
	s.report(at, ev.next-at, s.next, ev.first-1, reason)
	s.next, s.walk.offset = ev.first, ev.next
	return true, nil
}

func (s *surveyor) finish() {
	s.out.end = max(s.out.end, segmentHeaderSize)
	s.out.last = s.next - 1
	if s.entry.sealed {
		if s.next <= s.entry.last {
			s.report(s.out.end, s.entry.end-s.out.end, s.next, s.entry.last, "the segment ends early")
		}
		s.out.end, s.out.last = s.entry.end, s.entry.last
	}
}

func (s *surveyor) report(offset, bytes int64, first, last uint64, reason string) {
	s.out.damage = append(s.out.damage, &Damage{Segment: s.entry.number, Offset: offset, Bytes: bytes, First: first, Last: last, Reason: reason})
}

// afterLost returns the number that follows seq when seq starts a hole that a
// repair has left, else seq.
func afterLost(lost []span, seq uint64) uint64 {
	for _, l := range lost {
		if l.from <= seq && seq <= l.to {
			seq = l.to + 1
		}
	}
	return seq
}

// isLost reports whether event seq fell into a hole that a repair has left, so
// that the chain across it cannot be checked.
func isLost(lost []span, seq uint64) bool { return seq > 0 && afterLost(lost, seq) != seq }

// sumOf returns the SHA-256 of the first n bytes of a file.
func sumOf(f File, n int64) (hash, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, n)); err != nil {
		return hash{}, err
	}
	return hash(h.Sum(nil)), nil
}
