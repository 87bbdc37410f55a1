package journal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	stdhash "hash"
)

// work is what the writer goroutine does in one round.
type work struct {
	chunks  []*chunk
	durable uint64 // events synced so far
	sync    bool
	close   bool
}

// run is the writer goroutine. It ends when the journal is closed or has failed.
func (j *Journal) run(w *writer) {
	defer close(j.done)
	for {
		round := j.nextWork()
		err := j.do(w, round)
		if err == nil && round.close {
			if err = j.seal(w); err == nil {
				err = ErrClosed
			}
		}
		if err != nil {
			w.abandon()
			j.fail(err)
			return
		}
	}
}

// nextWork sleeps until there is something to do and takes it.
func (j *Journal) nextWork() work {
	for {
		j.mu.Lock()
		s := &j.state
		if s.hurry || s.due || s.closing {
			round := j.take()
			j.mu.Unlock()
			return round
		}
		s.idle = j.buffer.bytes == 0
		idle := s.idle
		j.mu.Unlock()
		stop := func() bool { return true }
		if !idle {
			stop = j.after(j.options.Linger, &s.hurry)
		}
		<-j.wake
		stop()
	}
}

// take empties the buffer into the writer's hands. The caller holds mu.
func (j *Journal) take() work {
	j.buffer.cut()
	s := &j.state
	if s.due {
		s.timed = false
	}
	unsynced := len(j.buffer.queue) > 0 || s.written > s.durable
	round := work{
		chunks: j.buffer.queue, durable: s.durable, close: s.closing,
		sync: unsynced && !s.closing && (s.due || s.wanted > s.durable),
	}
	j.buffer.queue = nil
	s.hurry, s.due, s.idle = false, false, false
	return round
}

// do writes and syncs one round.
func (j *Journal) do(w *writer, round work) error {
	for len(round.chunks) > 0 {
		n := len(round.chunks)
		if j.options.Durability == Each {
			n = 1
		}
		if err := w.write(round.chunks[:n], round.durable); err != nil {
			return err
		}
		j.wrote(w, round.chunks[:n])
		if j.options.Durability == Each {
			if err := j.sync(w); err != nil {
				return err
			}
			round.durable = w.last
		}
		round.chunks = round.chunks[n:]
		if err := j.rotate(w); err != nil {
			return err
		}
	}
	if round.sync {
		return j.sync(w)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	timed := j.options.Durability == Group || j.options.Durability == Interval
	if timed && !j.state.timed && j.state.written > j.state.durable {
		j.state.timed = true
		j.after(j.options.Interval, &j.state.due)
	}
	return nil
}

// wrote publishes that chunks are with the operating system.
func (j *Journal) wrote(w *writer, chunks []*chunk) {
	j.publish(w)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.written = w.last
	j.buffer.reuse(chunks)
	j.progress()
}

func (j *Journal) sync(w *writer) error {
	if err := w.sync(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts.syncs++
	j.state.durable = w.last
	j.progress()
	return nil
}

// rotate seals a segment that is large enough and applies retention.
func (j *Journal) rotate(w *writer) error {
	if w.file == nil || (w.offset < j.options.SegmentBytes && len(w.index.correlations) < maxPostings) {
		return nil
	}
	if err := j.seal(w); err != nil {
		return err
	}
	j.mu.Lock()
	retain := j.options.Retain
	j.mu.Unlock()
	_, held, err := w.prune(retain, j.wallNow())
	if err != nil {
		return err
	}
	j.publish(w)
	j.mu.Lock()
	j.counts.held = held
	j.mu.Unlock()
	return nil
}

// Retain changes what is kept, from the next segment that is sealed on.
func (j *Journal) Retain(r Retention) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.options.Retain = r
}

// seal closes the open segment, which makes all that was written durable.
func (j *Journal) seal(w *writer) error {
	if err := w.seal(); err != nil {
		return err
	}
	j.publish(w)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts.syncs++
	j.state.durable = w.last
	j.progress()
	return nil
}

// publish lets readers see the writer's segments.
func (j *Journal) publish(w *writer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.current, j.open, j.index = w.manifest, w.entry(), nil
	if w.file != nil {
		j.index = w.index
	}
}

// progress wakes all who wait. The caller holds mu.
func (j *Journal) progress() {
	if j.state.changed != nil {
		close(j.state.changed)
		j.state.changed = nil
	}
	j.room.Broadcast()
}

// fail makes err the answer to everything that would write.
func (j *Journal) fail(err error) {
	if !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrFailed, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.err = err
	j.buffer = newBuffer()
	j.progress()
}

// maxPostings bounds the distinct correlations, and so the index, of a segment.
const maxPostings = 1 << 20

// writer owns the open segment. It belongs to the writer goroutine; after an
// error it must not be used again, as nobody knows what the disk holds.
type writer struct {
	dir      string
	options  Options
	manifest *manifest
	packer   packer
	out      []byte

	file   File // nil until the first frame after a seal
	number uint64
	first  uint64
	offset int64
	index  *index
	sum    stdhash.Hash
	last   uint64 // newest event written
	head   hash
}

func newWriter(dir string, o Options, m *manifest) *writer {
	w := &writer{dir: dir, options: o, manifest: m, last: m.newest()}
	if e, ok := m.lastEntry(); ok {
		w.number, w.head = e.number, e.head
	}
	return w
}

// entry describes the open segment, number 0 when there is none.
func (w *writer) entry() entry {
	if w.file == nil {
		return entry{}
	}
	return entry{number: w.number, first: w.first, last: w.last, end: w.offset}
}

// write packs chunks into frames and hands them to the operating system in one
// call. durable is the newest event known to be synced.
func (w *writer) write(chunks []*chunk, durable uint64) error {
	if w.file == nil {
		if err := w.create(chunks[0].first); err != nil {
			return fmt.Errorf("create segment %d: %w", w.number, err)
		}
	}
	w.out = w.out[:0]
	for _, c := range chunks {
		f, err := w.packer.pack(c, w.head, durable)
		if err != nil {
			return err
		}
		start := len(w.out)
		w.out = appendFrame(w.out, &f)
		w.head = sha256.Sum256(w.out[start:])
		rows := rowReader{rest: c.rows, seq: c.first, left: c.count}
		if err := w.index.addFrame(&f, w.offset+int64(start), rows); err != nil {
			return fmt.Errorf("index event %d: %w", c.first, err)
		}
	}
	w.sum.Write(w.out)
	if err := writeFull(w.file, w.out, w.offset); err != nil {
		return fmt.Errorf("write segment %d: %w", w.number, err)
	}
	w.offset += int64(len(w.out))
	newest := chunks[len(chunks)-1]
	w.last = newest.first + uint64(newest.count) - 1
	if cap(w.out) > 4*MaxBatchBytes {
		w.out = nil
	}
	return nil
}

// create starts the next segment in the order that FORMAT.md lays down.
func (w *writer) create(first uint64) error {
	w.number++
	w.first, w.offset, w.index, w.sum = first, segmentHeaderSize, newIndex(), sha256.New()
	h := segmentHeader{
		id: w.manifest.id, number: w.number, first: first,
		created: w.options.Clock.Wall().UnixNano(), previous: w.head,
	}
	file, err := w.options.FS.Create(segmentName(w.dir, w.number))
	if err != nil {
		return err
	}
	w.file = file
	header := h.encode()
	w.sum.Write(header)
	if err := writeFull(file, header, 0); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := w.options.FS.SyncDir(w.dir); err != nil {
		return err
	}
	open := entry{number: w.number, first: first, end: -1}
	return w.install(append(w.manifest.segments[:len(w.manifest.segments):len(w.manifest.segments)], open))
}

// install puts a manifest with these segments in force.
func (w *writer) install(segments []entry) error {
	next := w.manifest.with(segments)
	if err := writeManifest(w.options.FS, w.dir, next); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	w.manifest = next
	return nil
}

func (w *writer) sync() error {
	if w.file == nil {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync segment %d: %w", w.number, err)
	}
	return nil
}

// seal closes the open segment with a footer, if there is one.
func (w *writer) seal() error {
	if w.file == nil {
		return nil
	}
	sealed := entry{
		number: w.number, first: w.first, last: w.last, end: w.offset, sealed: true,
		head: w.head, sum: hash(w.sum.Sum(nil)),
	}
	if err := writeFooter(w.file, sealed, w.index); err != nil {
		return fmt.Errorf("seal segment %d: %w", w.number, err)
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("seal segment %d: %w", w.number, err)
	}
	w.file = nil
	segments := append([]entry(nil), w.manifest.segments...)
	segments[len(segments)-1] = sealed
	return w.install(segments)
}

// writeFooter makes the frames of a segment durable, then its footer.
func writeFooter(f File, sealed entry, x *index) error {
	if err := f.Sync(); err != nil {
		return err
	}
	ft := footer{last: sealed.last, index: x.encode(nil), head: sealed.head, sum: sealed.sum}
	if err := writeFull(f, ft.encode(), sealed.end); err != nil {
		return err
	}
	return f.Sync()
}

// abandon lets go of the file after a failure.
func (w *writer) abandon() {
	if w.file != nil {
		w.file.Close() // the failure that led here is the one to report
		w.file = nil
	}
}
