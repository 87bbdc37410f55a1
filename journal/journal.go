package journal

import (
	"errors"
	"fmt"
	"io"
	"path"
	"sync"
	"time"
)

// Journal is the one writer of a directory. All methods are safe for concurrent
// use. Append copies events into a buffer under a lock; one goroutine, which
// Close waits for, packs, writes and syncs them.
type Journal struct {
	dir     string
	options Options
	lock    io.Closer
	wake    chan struct{} // holds a token when the writer should look at state
	done    chan struct{} // closed when the writer has returned

	mu      sync.Mutex
	room    sync.Cond // on mu: buffer.bytes went down, or state changed for good
	buffer  buffer
	state   state
	counts  counts
	current *manifest // replaced, never changed
	open    entry     // the open segment, number 0 when there is none
	index   *index    // of the open segment, nil when there is none
}

// state is where the journal stands. It is guarded by Journal.mu.
type state struct {
	next    uint64 // number of the next event
	written uint64 // newest event the operating system has
	durable uint64 // newest event synced
	wanted  uint64 // newest event someone waits to see durable
	hurry   bool   // the writer should not linger
	due     bool   // the interval is over: sync
	timed   bool   // a timer will set due
	idle    bool   // the writer sleeps and no timer will wake it
	closing bool
	err     error         // sticky: why nothing is written any more
	changed chan struct{} // closed at the next progress; nil when nobody waits
}

// counts are totals since Open. They are guarded by Journal.mu.
type counts struct {
	appended, dropped, syncs uint64
	held                     uint64 // newest event that retention keeps only because it is needed
}

func (s *state) reached(seq uint64) Reach {
	switch {
	case seq <= s.durable:
		return Durable
	case seq <= s.written:
		return Written
	case s.err != nil:
		return Refused
	}
	return Buffered
}

// Open takes the journal in dir for writing, creating it if there is none, and
// recovers it from a crash. The error wraps ErrLocked when another writer has
// it, ErrDamaged when its newest segment needs Repair.
func Open(dir string, o Options) (*Journal, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := o.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	lock, err := o.FS.Lock(path.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j, err := openLocked(dir, o, lock)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", dir, err), lock.Close())
	}
	return j, nil
}

func openLocked(dir string, o Options, lock io.Closer) (*Journal, error) {
	m, cut, err := recoverJournal(o.FS, dir)
	if err != nil {
		return nil, err
	}
	last := m.newest()
	j := &Journal{
		dir: dir, options: o, lock: lock, wake: make(chan struct{}, 1), done: make(chan struct{}),
		buffer: newBuffer(), current: m,
		state: state{next: last + 1, written: last, durable: last},
	}
	j.room.L = &j.mu
	go j.run(newWriter(dir, o, m))
	if cut != nil {
		j.Append(New("", *cut))
	}
	return j, nil
}

// Append puts events at the end of the journal, all of them in one frame and so
// all or none after a crash, and returns the number of the first one and an Ack
// to wait for. It copies what it keeps. On refusal the number is 0 and the Ack
// carries the reason: ErrTooLarge, ErrCausation, ErrDropped, ErrClosed or the
// disk error that stopped the journal.
func (j *Journal) Append(events ...Event) (first uint64, ack Ack) {
	size, err := check(events)
	if err != nil {
		return 0, Ack{err: err}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.makeRoom(size, len(events)); err != nil {
		return 0, Ack{err: err}
	}
	if j.buffer.gap.Dropped > 0 {
		j.tellGap()
	}
	first = j.state.next
	if err := checkCauses(events, first); err != nil {
		return 0, Ack{err: err}
	}
	j.add(events, size)
	if j.state.idle {
		j.state.idle = false
		j.kick()
	}
	return first, Ack{journal: j, last: j.state.next - 1}
}

// check returns a bound of the events' encoded size, or why they are refused.
func check(events []Event) (int, error) {
	size := 0
	for i := range events {
		e := &events[i]
		switch {
		case len(e.Payload)+len(e.Actor)+len(e.Correlation) > MaxEventBytes:
			return 0, fmt.Errorf("%w: %s of %d bytes, at most %d", ErrTooLarge, e.Type, len(e.Payload), MaxEventBytes)
		case len(e.Actor) > MaxActorBytes:
			return 0, fmt.Errorf("%w: actor path of %d bytes, at most %d", ErrTooLarge, len(e.Actor), MaxActorBytes)
		case len(e.Correlation) > MaxCorrelationBytes:
			return 0, fmt.Errorf("%w: correlation id of %d bytes, at most %d", ErrTooLarge, len(e.Correlation), MaxCorrelationBytes)
		}
		size += rowBound(e)
	}
	switch {
	case size > MaxBatchBytes:
		return 0, fmt.Errorf("%w: batch of %d bytes, at most %d", ErrTooLarge, size, MaxBatchBytes)
	case len(events) > maxBatch:
		return 0, fmt.Errorf("%w: batch of %d events, at most %d", ErrTooLarge, len(events), maxBatch)
	}
	return size, nil
}

// checkCauses returns an error when an event of the batch, whose first number is
// first, names a cause that does not precede it.
func checkCauses(events []Event, first uint64) error {
	for i := range events {
		if cause := resolveCause(events[i].Causation, first); cause >= first+uint64(i) {
			return fmt.Errorf("%w: event %d names %d", ErrCausation, first+uint64(i), cause)
		}
	}
	return nil
}

// resolveCause turns a result of CauseInBatch into a number.
func resolveCause(cause, first uint64) uint64 {
	if i := ^cause; i < maxBatch {
		return first + i
	}
	return cause
}

// makeRoom waits for room or counts the loss. The caller holds mu.
func (j *Journal) makeRoom(size, events int) error {
	for {
		switch {
		case j.state.err != nil:
			return j.state.err
		case j.state.closing:
			return ErrClosed
		case j.buffer.bytes == 0 || j.buffer.bytes+size <= j.options.BufferBytes:
			return nil
		}
		j.state.hurry = true
		j.kick()
		if j.options.Full == FullDrop {
			j.counts.dropped += uint64(events)
			j.buffer.drop(j.wallNow(), events)
			return ErrDropped
		}
		j.room.Wait()
	}
}

// tellGap appends the Gap event that is owed. The caller holds mu.
func (j *Journal) tellGap() {
	gap := New("", j.buffer.gap)
	j.buffer.gap = Gap{}
	j.add([]Event{gap}, rowBound(&gap))
}

// add encodes events into the buffer. The caller holds mu and has checked them.
func (j *Journal) add(events []Event, size int) {
	active := j.buffer.active
	if active.count > 0 && len(active.rows)+size > frameTarget {
		j.buffer.cut()
		active = j.buffer.active
	}
	before, first, now := len(active.rows), j.state.next, int64(0)
	for i := range events {
		e := events[i]
		e.Seq, e.Causation = j.state.next, resolveCause(e.Causation, first)
		if e.Time == 0 {
			if now == 0 {
				now = j.wallNow()
			}
			e.Time = now
		}
		active.add(&e)
		j.state.next++
	}
	j.counts.appended += uint64(len(events))
	j.buffer.bytes += len(active.rows) - before
	if j.options.Durability == Each {
		j.buffer.cut()
		j.state.hurry = true
		j.kick()
	}
	if j.buffer.bytes > j.options.BufferBytes/2 && !j.state.hurry {
		j.state.hurry = true
		j.kick()
	}
}

func (j *Journal) wallNow() int64 { return j.options.Clock.Wall().UnixNano() }

// kick makes the writer look at state. It never blocks.
func (j *Journal) kick() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// after sets a flag of state under mu, d from now, and kicks the writer.
func (j *Journal) after(d time.Duration, flag *bool) (stop func() bool) {
	return j.options.Clock.AfterFunc(d, func() {
		j.mu.Lock()
		*flag = true
		j.mu.Unlock()
		j.kick()
	}).Stop
}

// Close writes and syncs what is buffered, seals the segment, releases the
// directory and returns the first disk error of the journal's life. Waiting
// Appends return ErrClosed.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.state.closing {
		j.mu.Unlock()
		<-j.done
		return ErrClosed
	}
	if j.buffer.gap.Dropped > 0 && j.state.err == nil {
		j.tellGap()
	}
	j.state.closing = true
	j.room.Broadcast()
	j.mu.Unlock()
	j.kick()
	<-j.done
	j.mu.Lock()
	err := j.state.err
	if errors.Is(err, ErrClosed) {
		err = nil
	}
	j.mu.Unlock()
	return errors.Join(err, j.lock.Close())
}
