package journal

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/internal/clock"
)

// Scan yields the events that match q in order, up to what was appended before
// the call. Damage is yielded as an error of type *Damage in its place, after
// which the scan goes on behind it; any other error ends the scan. Events share
// the memory of their frame: a reader that keeps few of many copies them with Clone.
func (j *Journal) Scan(q Query) iter.Seq2[Event, error] { return scanAll(j, q) }

// Follow yields the events that match q, first those in the journal, then new
// ones as they are written, until ctx ends or the journal is closed. Errors are
// as for Scan.
func (j *Journal) Follow(ctx context.Context, q Query) iter.Seq2[Event, error] {
	return followAll(ctx, j, q)
}

func (j *Journal) files() (FS, string) { return j.options.FS, j.dir }

// view lets the writer write what was appended so far; when that fails, what
// stands on disk is still readable.
func (j *Journal) view(ctx context.Context) (view, error) {
	j.mu.Lock()
	last := j.state.next - 1
	j.mu.Unlock()
	_, err := j.wait(ctx, last, Written)
	if err != nil && ctx.Err() != nil {
		return view{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return view{manifest: j.current, open: j.open, index: j.index}, nil
}

func (j *Journal) await(ctx context.Context, next uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.state.written < next {
		if j.state.err != nil {
			return j.state.err
		}
		if err := j.sleep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Clone returns a copy of e that shares no memory with the frame it came from.
func (e Event) Clone() Event {
	e.Actor = strings.Clone(e.Actor)
	e.Correlation = strings.Clone(e.Correlation)
	e.Payload = bytes.Clone(e.Payload)
	return e
}

// Reader reads a journal that another process may be writing. It takes no lock
// and changes nothing. It is safe for concurrent use and needs no closing.
type Reader struct {
	dir   string
	fs    FS
	clock clock.Clock
}

// OpenReader returns a reader of the journal in dir. The error tells when there
// is none.
func OpenReader(dir string) (*Reader, error) { return openReader(dir, osFS{}, clock.System()) }

func openReader(dir string, files FS, c clock.Clock) (*Reader, error) {
	if _, err := readManifest(files, dir); err != nil {
		if isNotExist(err) {
			return nil, fmt.Errorf("no journal in %q: %w", dir, err)
		}
		return nil, err
	}
	return &Reader{dir: dir, fs: files, clock: c}, nil
}

// Scan is Journal.Scan, up to what the writer has handed to the operating system.
func (r *Reader) Scan(q Query) iter.Seq2[Event, error] { return scanAll(r, q) }

// Follow is Journal.Follow. It looks for new events 20 times a second and shows
// them as soon as they are written: after a power cut the writer may have lost
// events that a follower has seen.
func (r *Reader) Follow(ctx context.Context, q Query) iter.Seq2[Event, error] {
	return followAll(ctx, r, q)
}

func (r *Reader) files() (FS, string) { return r.fs, r.dir }

func (r *Reader) view(context.Context) (view, error) {
	m, err := readManifest(r.fs, r.dir)
	return view{manifest: m}, err
}

const pollEvery = 50 * time.Millisecond

func (r *Reader) await(ctx context.Context, _ uint64) error {
	tick := make(chan struct{})
	timer := r.clock.AfterFunc(pollEvery, func() { close(tick) })
	defer timer.Stop()
	select {
	case <-tick:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
