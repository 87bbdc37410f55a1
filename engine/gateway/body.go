package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxReplay is how much of a body is kept so that a guard may send the request again.
const maxReplay = 64 << 10

// body bounds a request's body in size and time and, where a guard may try again, keeps its beginning. Readers made of it
// come one after the other: the newest is the only one that gets anything.
type body struct {
	limit  int64
	keep   bool
	finish func() // takes the deadline back once the body has ended

	tooLarge atomic.Bool
	late     atomic.Bool

	mu     sync.Mutex
	from   io.ReadCloser
	kept   []byte // what was read so far, unless gone
	gone   bool   // more was read than is kept
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
	x.body = &body{limit: x.maxBody(), keep: x.route.replaying, from: x.r.Body, finish: func() {
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
	if b.gone {
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
	b.kept, b.gone, b.keep = data, false, true
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
	if b.keep && !b.gone {
		if b.gone = len(b.kept)+n > maxReplay; b.gone {
			b.kept = nil
		} else {
			b.kept = append(b.kept, p[:n]...)
		}
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

// Close ends this reader alone: another may follow, and the server closes the body itself.
func (r *bodyReader) Close() error { return nil }
