package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"
)

// Query says which events to read. The zero value means all. Bounds are inclusive.
type Query struct {
	Actor       string // exact path
	Correlation string // exact id
	// Actors are paths, any of them, each with a number: its events up to there are left out. nil for all.
	Actors   map[string]uint64
	Types    []Type    // any of them
	From, To uint64    // numbers, 0 for no bound
	Since    time.Time // by the events' own times, zero for no bound
	Until    time.Time
}

func (q *Query) matches(e *Event) bool {
	switch {
	case e.Seq < q.From || (q.To != 0 && e.Seq > q.To):
	case q.Actor != "" && e.Actor != q.Actor:
	case q.Actors != nil && !q.wants(e):
	case q.Correlation != "" && e.Correlation != q.Correlation:
	case len(q.Types) > 0 && !slices.Contains(q.Types, e.Type):
	default:
		return q.covers(e.Time, e.Time)
	}
	return false
}

// wants reports whether e comes after what is left out of its actor's events.
func (q *Query) wants(e *Event) bool {
	after, wanted := q.Actors[e.Actor]
	return wanted && e.Seq > after
}

// covers reports whether a span of times may hold a match.
func (q *Query) covers(earliest, latest int64) bool {
	return (q.Since.IsZero() || latest >= q.Since.UnixNano()) && (q.Until.IsZero() || earliest <= q.Until.UnixNano())
}

// selective reports whether an index can spare reading frames.
func (q *Query) selective() bool {
	return q.Actor != "" || q.Actors != nil || q.Correlation != "" || q.From > 1 || q.To != 0 || !q.Since.IsZero() || !q.Until.IsZero()
}

// choose returns those of a segment's frames that may hold matches. Each of may
// says of every frame whether it may hold what a part of the query asks for, nil for all.
func (q *Query) choose(frames []frameRef, may ...[]bool) []frameRef {
	var chosen []frameRef
	for n, f := range frames {
		if f.last() < q.From || (q.To != 0 && f.first > q.To) || !q.covers(f.minTime, f.maxTime) {
			continue
		}
		if slices.ContainsFunc(may, func(part []bool) bool { return part != nil && !part[n] }) {
			continue
		}
		chosen = append(chosen, f)
	}
	return chosen
}

// view is what a reader sees of the journal at one moment.
type view struct {
	manifest *manifest
	open     entry  // what the writer has written of the open segment; number 0 when unknown
	index    *index // of the open segment, nil when unknown
}

// segments returns the view's segments. The end of an open one is exact when
// the writer told it, else -1.
func (v *view) segments() []entry {
	list := v.manifest.segments
	if n := len(list); n > 0 && !list[n-1].sealed && list[n-1].number == v.open.number {
		list = append(list[:n-1:n-1], v.open)
	}
	return list
}

// source gives views of one journal.
type source interface {
	files() (FS, string)
	// view returns the present state.
	view(ctx context.Context) (view, error)
	// await returns when an event from number next on may be there.
	await(ctx context.Context, next uint64) error
}

// scanAll yields the matching events of the present view.
func scanAll(s source, q Query) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		v, err := s.view(context.Background())
		if err != nil {
			yield(Event{}, err)
			return
		}
		c := newCursor(s, q, yield)
		defer c.close()
		c.round(v)
	}
}

// followAll yields the matching events as they come, until ctx ends, which is
// not an error.
func followAll(ctx context.Context, s source, q Query) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		c := newCursor(s, q, yield)
		defer c.close()
		for {
			v, err := s.view(ctx)
			if err == nil {
				if !c.round(v) || (q.To != 0 && c.next > q.To) {
					return
				}
				err = s.await(ctx, max(c.next, 1))
			}
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				if !errors.Is(err, ErrClosed) {
					yield(Event{}, err)
				}
				return
			}
		}
	}
}

// cursor reads on from where it stands, view after view.
type cursor struct {
	fs    FS
	dir   string
	query Query
	yield func(Event, error) bool
	rows  unpacker

	id     journalID
	lost   []span
	index  *index // the view's, of its open segment
	number uint64 // of the segment it stands in
	next   uint64 // number of the event expected, 0 before the first
	file   File
	walk   walker
}

func newCursor(s source, q Query, yield func(Event, error) bool) *cursor {
	files, dir := s.files()
	return &cursor{fs: files, dir: dir, query: q, yield: yield}
}

func (c *cursor) close() {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
	c.rows.close()
}

// round reads what the view holds beyond the cursor. It returns false when the
// consumer has had enough or the files cannot be read.
func (c *cursor) round(v view) bool {
	c.id, c.lost, c.index = v.manifest.id, v.manifest.lost, v.index
	for _, e := range v.segments() {
		if e.sealed && e.last < max(c.query.From, c.next) {
			c.next = max(c.next, e.last+1)
			continue
		}
		if c.query.To != 0 && e.first > c.query.To {
			c.next = max(c.next, e.first)
			break
		}
		if e.number != c.number && !c.enter(e) {
			return false
		}
		if c.file != nil && !c.segment(e) {
			return false
		}
	}
	return true
}

// enter opens the next segment.
func (c *cursor) enter(e entry) bool {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
	if c.next != 0 && !c.expect(e.first) {
		return false
	}
	c.number, c.next = e.number, e.first
	f, err := c.fs.Open(segmentName(c.dir, e.number), false)
	if isNotExist(err) {
		return c.missing(e)
	}
	if err != nil {
		c.yield(Event{}, err)
		return false
	}
	c.file, c.walk = f, walker{file: f, offset: segmentHeaderSize, window: c.walk.window[:0]}
	return c.header(e)
}

// missing tells of a segment file that is gone: retired by retention since the
// view was taken, or lost.
func (c *cursor) missing(e entry) bool {
	c.next = max(c.next, e.last+1)
	m, err := readManifest(c.fs, c.dir)
	if err == nil && !slices.ContainsFunc(m.segments, func(x entry) bool { return x.number == e.number }) {
		return c.yield(Event{}, fmt.Errorf("%w: events %d to %d", ErrPruned, e.first, e.last))
	}
	return c.damaged(0, e.end, e.first, e.last, "the segment file is missing")
}

func (c *cursor) header(e entry) bool {
	data := make([]byte, segmentHeaderSize)
	n, err := c.file.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		c.yield(Event{}, err)
		return false
	}
	h, err := parseSegmentHeader(data[:n])
	switch {
	case err != nil:
		return c.damaged(0, int64(n), e.first, e.first-1, err.Error())
	case h.id != c.id || h.number != e.number || h.first != e.first:
		c.file.Close()
		c.file = nil
		c.next = e.last + 1
		return c.damaged(0, e.end, e.first, e.last, ErrForeign.Error())
	}
	return true
}

func (c *cursor) damaged(offset, bytes int64, first, last uint64, reason string) bool {
	return c.yield(Event{}, &Damage{Segment: c.number, Offset: offset, Bytes: bytes, First: first, Last: last, Reason: reason})
}

// segment reads the rest of the segment it stands in.
func (c *cursor) segment(e entry) bool {
	size, err := c.file.Size()
	if err != nil {
		c.yield(Event{}, err)
		return false
	}
	c.walk.limit = size
	if e.end >= 0 {
		c.walk.limit = min(size, e.end)
	}
	c.walk.forget()
	if c.walk.offset == segmentHeaderSize && c.query.selective() {
		if frames, ok := c.indexed(e); ok {
			return c.chosen(e, frames)
		}
	}
	return c.sequence(e)
}

// indexed asks the segment's index for the frames to read; false when there is none.
func (c *cursor) indexed(e entry) ([]frameRef, bool) {
	if !e.sealed {
		if c.index == nil || e.end < 0 {
			return nil, false
		}
		return c.index.choose(&c.query, e.last), true
	}
	ft, _, err := readFooter(c.file)
	if err != nil || ft.sum != e.sum {
		return nil, false
	}
	x, err := parseIndex(ft.index)
	if err != nil {
		return nil, false
	}
	return x.choose(&c.query), true
}

// chosen reads the frames that an index names.
func (c *cursor) chosen(e entry, frames []frameRef) bool {
	for _, ref := range frames {
		f, _, err := c.walk.frameAt(ref.offset)
		var bad *badFrame
		switch {
		case err == nil && f.first == ref.first && f.count == ref.count:
			if !c.events(&f, ref.offset) {
				return false
			}
		case err == nil || err == io.EOF || errors.As(err, &bad):
			reason := "the frame is not the one in the index"
			if bad != nil {
				reason = bad.reason
			}
			if !c.damaged(ref.offset, frameHeaderSize, ref.first, ref.last(), reason) {
				return false
			}
		default:
			c.yield(Event{}, err)
			return false
		}
	}
	c.next, c.walk.offset = e.last+1, e.end
	return true
}

// sequence reads frame after frame.
func (c *cursor) sequence(e entry) bool {
	for {
		at := c.walk.offset
		f, err := c.walk.next()
		var bad *badFrame
		switch {
		case err == io.EOF:
			return c.ended(e)
		case errors.As(err, &bad):
			if more, ok := c.bad(e, at, bad.reason); !more {
				return ok
			}
			continue
		case err != nil:
			c.yield(Event{}, err)
			return false
		}
		if f.first < c.next {
			if !c.damaged(at, c.walk.offset-at, c.next, c.next-1, fmt.Sprintf("frame of event %d where %d is expected", f.first, c.next)) {
				return false
			}
			continue
		}
		if !c.expect(f.first) {
			return false
		}
		c.next = f.last() + 1
		if c.query.To != 0 && f.first > c.query.To {
			return true
		}
		if f.last() < c.query.From || !c.query.covers(f.minTime, f.maxTime) {
			continue
		}
		if !c.events(&f, at) {
			return false
		}
	}
}

// ended checks that a sealed segment held all its events.
func (c *cursor) ended(e entry) bool {
	if !e.sealed || c.next > e.last {
		return true
	}
	first := c.next
	c.next = e.last + 1
	return c.damaged(c.walk.limit, e.end-c.walk.limit, first, e.last, "the segment ends early")
}

// bad judges bytes that are no frame: damage is told and passed over; the end of
// what a writer has written so far, or a torn tail, ends the reading for now.
func (c *cursor) bad(e entry, at int64, reason string) (more, ok bool) {
	if !c.expect(afterLost(c.lost, c.next)) {
		return false, false
	}
	ev, err := c.walk.look(at, c.next)
	if err != nil {
		c.yield(Event{}, err)
		return false, false
	}
	if e.end < 0 {
		if ev.durable < c.next {
			return false, true
		}
		c.walk.forget()
		if _, _, err := c.walk.frameAt(at); err == nil {
			return true, true // it was being written when first read
		}
	}
	if ev.frames == 0 {
		first, last := c.next, max(e.last, c.next-1)
		c.next, c.walk.offset = last+1, c.walk.limit
		return false, c.damaged(at, c.walk.limit-at, first, last, reason)
	}
	first := c.next
	c.next, c.walk.offset = ev.first, ev.next
	return true, c.damaged(at, ev.next-at, first, ev.first-1, reason)
}

// expect tells of events missing before number first.
func (c *cursor) expect(first uint64) bool {
	if first == c.next || c.next == 0 {
		return true
	}
	from := c.next
	c.next = first
	if afterLost(c.lost, from) < first {
		return c.damaged(c.walk.offset, 0, from, first-1, "the events are missing")
	}
	gap := New("", Gap{Dropped: first - from, Reason: "lost to damage that was repaired"})
	gap.Seq = from
	return !c.query.matches(&gap) || c.yield(gap, nil)
}

// events yields the matching events of one frame.
func (c *cursor) events(f *frame, at int64) bool {
	rows, err := c.rows.rows(f)
	var e Event // stays on the stack: a million of these a second must not meet the collector
	for more := err == nil; more; {
		if more, err = rows.next(&e); !more {
			break
		}
		if c.query.matches(&e) && !c.yield(e, nil) {
			return false
		}
	}
	if err != nil {
		return c.damaged(at, frameHeaderSize+int64(len(f.body)), f.first, f.last(), err.Error())
	}
	return true
}
