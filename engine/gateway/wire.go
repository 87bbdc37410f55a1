package gateway

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Limits on what a connection may hold in memory.
const (
	wireBuffer = 4 << 10
	maxEarly   = 64 << 10 // sent by a client before it knows that its upgrade was accepted
)

var errEarly = errors.New("too much was sent before the upgrade was answered")

// http2Preface is how a client that knows it speaks HTTP/2 begins.
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// wire is an HTTP/1 connection that gives net/http only what checkHead lets pass, one request at a time. A head that is
// refused is replaced by a request that the handler recognises by the connection's secret and answers with the reason; the
// connection ends after it.
//
// Read is called by one goroutine at a time, as net/http does it; Write and the rest of net.Conn by any.
type wire struct {
	net.Conn
	maxHead  int
	headTime time.Duration // from a head's first byte to its last
	wall     func() time.Time
	secret   string // name of the field that carries a refusal; unknown to clients
	http2    bool   // the preface is welcome

	in    []byte // read from the client, not yet checked
	out   []byte // checked, to be delivered
	state wireState
	left  int64
	chunk chunks
	timed bool // the head has a deadline
	until deadlines

	// answering is set by the handler of a request that wants an upgrade: from then on Write sees that request's answer
	// and learns from it what becomes of the connection.
	answering atomic.Bool
	decided   atomic.Uint32
}

type wireState uint8

const (
	atStart wireState = iota // nothing read yet
	atHead
	inLength  // left bytes of a body
	inChunks  // a chunked body
	undecided // an upgrade was asked for
	through   // no longer HTTP/1: bytes pass as they are
	over      // nothing more is read
)

const (
	answerOpen uint32 = iota
	answerUpgraded
	answerRefused
)

// Read gives the next checked bytes.
func (w *wire) Read(p []byte) (int, error) {
	for {
		if len(w.out) > 0 {
			n := copy(p, w.out)
			w.out = w.out[n:]
			return n, nil
		}
		switch w.state {
		case atStart, atHead:
			if err := w.head(); err != nil {
				return 0, err
			}
		case inLength:
			if w.left > 0 {
				return w.body(p)
			}
			w.state = atHead
		case inChunks:
			if n, err := w.chunked(p); n > 0 || err != nil {
				return n, err
			}
		case undecided:
			if err := w.await(); err != nil {
				return 0, err
			}
		case through:
			return w.raw(p)
		case over:
			return 0, io.EOF
		}
	}
}

// raw takes what was read before, else reads.
func (w *wire) raw(p []byte) (int, error) {
	if len(w.in) == 0 {
		return w.Conn.Read(p)
	}
	n := copy(p, w.in)
	w.in = w.in[n:]
	return n, nil
}

// head reads until a whole head is there and checks it.
func (w *wire) head() error {
	for seen := 0; ; {
		if w.state == atStart && w.http2 && isPrefix(w.in, http2Preface) {
			if len(w.in) >= len(http2Preface) {
				w.deadline(false)
				w.state = through
				return nil
			}
		} else if end, v := headEnd(w.in, seen, w.maxHead); v != nil || end > 0 {
			w.deadline(false)
			w.settle(end, v)
			return nil
		}
		seen = max(len(w.in)-3, 0)
		w.deadline(w.state == atStart || len(w.in) > 0)
		if err := w.fill(); err != nil {
			return err
		}
	}
}

func isPrefix(text []byte, of string) bool {
	n := min(len(text), len(of))
	return string(text[:n]) == of[:n]
}

// headEnd finds the length of the head that in begins with; 0 when it is not complete yet. What stands before from was
// looked at already.
func headEnd(in []byte, from, most int) (int, *violation) {
	if end := bytes.Index(in[from:], []byte("\r\n\r\n")); end >= 0 && from+end+4 <= most {
		return from + end + 4, nil
	}
	if len(in) >= most {
		return 0, &violation{http.StatusRequestHeaderFieldsTooLarge, fmt.Sprintf("the head is longer than %d bytes", most)}
	}
	for i := from; i < len(in); i++ { // a client that ends lines otherwise would wait for ever
		if in[i] == '\n' && (i == 0 || in[i-1] != '\r') {
			return 0, bad("a line must end in CR LF")
		}
	}
	return 0, nil
}

// settle delivers a head that passes, or the refusal of one that does not.
func (w *wire) settle(end int, v *violation) {
	var f framing
	if v == nil {
		f, v = checkHead(w.in[:end])
	}
	if v != nil {
		w.out = fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n%s: %d %s\r\n\r\n", w.secret, v.status, v.reason)
		w.in, w.state = nil, over
		return
	}
	w.out, w.in = w.in[:end:end], w.in[end:]
	switch {
	case f.upgrade:
		w.state = undecided
	case f.chunked:
		w.chunk, w.state = chunks{}, inChunks
	case f.length > 0:
		w.left, w.state = f.length, inLength
	default:
		w.state = atHead
	}
}

// deadline bounds a head's time: a connection's first from the start, others from their first byte, until which the time is
// bounded that a connection may be idle. net/http's own would begin only when it sees the head, so it is off.
func (w *wire) deadline(on bool) {
	if on == w.timed || w.headTime <= 0 {
		return
	}
	w.timed = on
	w.until.Lock()
	defer w.until.Unlock()
	w.until.head = time.Time{}
	if on {
		w.until.head = w.wall().Add(w.headTime)
	}
	_ = w.Conn.SetReadDeadline(w.until.sooner())
}

// deadlines are what bounds reading: what the server asked for and the head's own.
type deadlines struct {
	sync.Mutex
	asked, head time.Time // zero: none
}

func (d *deadlines) sooner() time.Time {
	if d.asked.IsZero() || !d.head.IsZero() && d.head.Before(d.asked) {
		return d.head
	}
	return d.asked
}

// SetReadDeadline does not put off a head's own deadline.
func (w *wire) SetReadDeadline(t time.Time) error {
	w.until.Lock()
	defer w.until.Unlock()
	w.until.asked = t
	return w.Conn.SetReadDeadline(w.until.sooner())
}

// SetDeadline is SetReadDeadline and the same for writing.
func (w *wire) SetDeadline(t time.Time) error {
	return errors.Join(w.SetReadDeadline(t), w.SetWriteDeadline(t))
}

// fill reads more into in.
func (w *wire) fill() error {
	if cap(w.in)-len(w.in) < wireBuffer/4 {
		w.in = append(make([]byte, 0, len(w.in)+wireBuffer), w.in...) // out may still point into the old one
	}
	n, err := w.Conn.Read(w.in[len(w.in):cap(w.in)])
	w.in = w.in[:len(w.in)+n]
	if n > 0 {
		return nil
	}
	return err
}

func (w *wire) body(p []byte) (int, error) {
	n, err := w.raw(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	return n, err
}

// chunked delivers what belongs to the body; what follows it is kept for the next head.
func (w *wire) chunked(p []byte) (int, error) {
	n, err := w.raw(p)
	took, done, broken := w.chunk.scan(p[:n])
	if broken != nil {
		w.in, w.state = nil, over
		return took, broken
	}
	if done {
		w.in = append(append([]byte(nil), p[took:n]...), w.in...)
		w.state = atHead
	}
	if took > 0 {
		return took, nil
	}
	return 0, err
}

// await keeps what the client sends until its upgrade is answered: it is the next request's if the answer is no, and then
// nobody has checked it.
func (w *wire) await() error {
	switch w.decided.Load() {
	case answerUpgraded:
		w.state = through
		return nil
	case answerRefused:
		w.in, w.state = nil, over
		return nil
	}
	if len(w.in) > maxEarly {
		return errEarly
	}
	return w.fill()
}

// Write looks for the answer to an upgrade: its status line begins a write.
func (w *wire) Write(p []byte) (int, error) {
	if w.answering.Load() && w.decided.Load() == answerOpen && len(p) >= len("HTTP/1.1 101") {
		switch {
		case string(p[:len("HTTP/1.1 101")]) == "HTTP/1.1 101":
			w.decided.Store(answerUpgraded)
		case string(p[:len("HTTP/1.1 1")]) != "HTTP/1.1 1":
			w.decided.Store(answerRefused)
		}
	}
	return w.Conn.Write(p)
}

// CloseWrite ends an upgraded connection in one direction.
func (w *wire) CloseWrite() error {
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// securedWire is a wire inside TLS; net/http asks for the state to tell handlers.
type securedWire struct {
	*wire
	conn *tls.Conn
}

// ConnectionState is that of the TLS connection.
func (w *securedWire) ConnectionState() tls.ConnectionState { return w.conn.ConnectionState() }
