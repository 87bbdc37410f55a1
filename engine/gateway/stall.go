package gateway

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/internal/clock"
)

// piece is how much is written under one deadline: a client that takes that much within the listener's idle time is slow but
// there.
const piece = 64 << 10

// stall ends connections whose client takes nothing of what is written to it for the listener's idle time: without it a
// client that stops reading keeps a connection, its buffers and a place in every limit for ever. The deadline is moved only
// when a quarter of it has passed, since moving it costs as much as a small write. Write may be called by one goroutine at a
// time, as net.Conn's users do; deadlines may be set beside it.
type stall struct {
	net.Conn
	patience time.Duration
	clock    clock.Clock
	moved    atomic.Int64 // when the deadline was moved, by Now; 0 is never
	asked    atomic.Bool  // somebody above set a deadline of its own
}

// Write writes in pieces, each under its own deadline.
func (c *stall) Write(p []byte) (n int, err error) {
	for {
		c.move()
		wrote, err := c.Conn.Write(p[n:min(n+piece, len(p))])
		n += wrote
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

func (c *stall) move() {
	now := max(c.clock.Now(), 1)
	if moved := c.moved.Load(); c.asked.Load() || moved != 0 && now-moved < int64(c.patience/4) {
		return
	}
	c.moved.Store(now)
	_ = c.Conn.SetWriteDeadline(c.clock.Wall().Add(c.patience))
}

// SetWriteDeadline takes the place of the connection's own until it is taken back.
func (c *stall) SetWriteDeadline(t time.Time) error {
	c.asked.Store(!t.IsZero())
	c.moved.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline is SetWriteDeadline and the same for reading.
func (c *stall) SetDeadline(t time.Time) error {
	c.asked.Store(!t.IsZero())
	c.moved.Store(0)
	return c.Conn.SetDeadline(t)
}

// CloseWrite ends an upgraded connection in one direction.
func (c *stall) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// stream is an HTTP/2 answer under the same bound: there a client stops an answer by giving it no window, which the
// connection does not notice. net/http's own deadline of a stream ends it at that moment even when nothing waits to be
// written, so it is set only once a write has waited too long.
type stream struct {
	http.ResponseWriter
	control *http.ResponseController
	site    *site
}

func newStream(w http.ResponseWriter, s *site) *stream {
	return &stream{ResponseWriter: w, control: http.NewResponseController(w), site: s}
}

// Write writes, unless the client takes nothing for too long.
func (s *stream) Write(p []byte) (int, error) {
	defer s.watch().Stop()
	return s.ResponseWriter.Write(p)
}

// FlushError flushes, unless the client takes nothing for too long.
func (s *stream) FlushError() error {
	defer s.watch().Stop()
	return s.control.Flush()
}

// Unwrap lets http.ResponseController reach what is below.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *stream) watch() clock.Timer {
	return s.site.clock.AfterFunc(s.site.server.IdleTimeout, func() { _ = s.control.SetWriteDeadline(s.site.clock.Wall()) })
}

// finish bounds what net/http still has to write when the handler has returned.
func (s *stream) finish() {
	_ = s.control.SetWriteDeadline(s.site.clock.Wall().Add(s.site.server.IdleTimeout))
}
