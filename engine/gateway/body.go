package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Limits on what is kept of bodies so that a guard may send requests again. What is longer, or comes when the site keeps too
// much already, is sent once.
const (
	maxReplay    = 1 << 20  // of one body
	maxReplaying = 64 << 20 // of all bodies of a site
)

// body bounds a request's body in size and time and, where a guard may try again, keeps its beginning. Readers made of it
// come one after the other: the newest is the only one that gets anything.
type body struct {
	limit  int64
	keep   bool
	pool   *atomic.Int64 // bytes that the site's bodies keep
	finish func()        // takes the deadline back once the body has ended

	tooLarge atomic.Bool
	late     atomic.Bool
	taken    atomic.Int64 // of the pool
	released atomic.Bool

	mu     sync.Mutex
	from   io.ReadCloser
	kept   []byte      // what was read so far, unless gone
	gone   atomic.Bool // more was read than is kept; set with mu held
	read   int64
	end    error // what ended the reading
	reader *bodyReader
}

// bodyReader reads a body from its start.
type bodyReader struct {
	body *body
	at   int
}

// limitBody puts the limits on the request's body.
func (x *exchange) limitBody() {
	if x.r.Body == nil || x.r.Body == http.NoBody || x.r.ContentLength == 0 {
		return
	}
	controller := http.NewResponseController(x.w)
	timed := x.table.def.ReadBody > 0
	if timed {
		_ = controller.SetReadDeadline(x.site.clock.Wall().Add(x.table.def.ReadBody))
	}
	x.body = &body{limit: x.maxBody(), keep: x.route.replaying, pool: &x.site.replaying, from: x.r.Body, finish: func() {
		if timed {
			_ = controller.SetReadDeadline(time.Time{})
		}
	}}
	x.r.Body = x.body.newReader()
	if x.route.replaying {
		x.r.GetBody = x.body.again
	}
}

// again gives the body from its start, if that is still there.
func (b *body) again() (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone.Load() {
		return nil, errBodyGone
	}
	b.reader = &bodyReader{body: b}
	return b.reader, nil
}

// newReader is again for whoever knows that the start is there.
func (b *body) newReader() io.ReadCloser {
	r, _ := b.again()
	return r
}

// keepAll makes a body that has been read whole available again.
func (b *body) keepAll(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept, b.keep = data, true
	b.gone.Store(false)
}

// Read gives what is kept and then reads on. What a reader that was replaced is still reading is kept for the next.
func (r *bodyReader) Read(p []byte) (int, error) {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reader != r {
		return 0, errBodyStale
	}
	if r.at < len(b.kept) {
		n := copy(p, b.kept[r.at:])
		r.at += n
		return n, nil
	}
	n, err := b.next(p)
	r.at += n
	if b.reader != r {
		return 0, errBodyStale
	}
	return n, err
}

// next reads from the client; called with mu held.
func (b *body) next(p []byte) (int, error) {
	if b.end != nil {
		return 0, b.end
	}
	n, err := b.from.Read(p)
	if b.read += int64(n); b.read > b.limit {
		b.tooLarge.Store(true)
		n, err = 0, errBodyTooLarge
	}
	if b.keep && !b.gone.Load() {
		b.keepMore(p[:n])
	}
	if err == nil {
		return n, nil
	}
	b.end = err
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, io.EOF):
		b.finish() // a body that is late stays so: the server, too, would wait for the rest
	case errors.As(err, &timeout) && timeout.Timeout():
		b.late.Store(true)
	}
	return n, err
}

// keepMore keeps what was read, or nothing any more when that would be too much; called with mu held.
func (b *body) keepMore(data []byte) {
	n := int64(len(data))
	if int64(len(b.kept))+n <= maxReplay && !b.released.Load() {
		b.taken.Add(n)
		if b.pool.Add(n) <= maxReplaying && !b.released.Load() {
			b.kept = append(b.kept, data...)
			return
		}
	}
	b.kept = nil
	b.gone.Store(true)
	b.letGo()
}

// release gives back what the body holds of the site's pool, once the request has been answered. It does not wait for a
// reader that the client keeps waiting.
func (b *body) release() {
	b.released.Store(true)
	b.letGo()
}

func (b *body) letGo() { b.pool.Add(-b.taken.Swap(0)) }

// Repeatable tells whether the body could be had again from its start. It does not wait for who is reading.
func (r *bodyReader) Repeatable() bool { return !r.body.gone.Load() }

// Close ends this reader alone: another may follow, and the server closes the body itself.
func (r *bodyReader) Close() error { return nil }
