package upstream

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
)

// How a transport is tuned.
const (
	dialTimeout   = 5 * time.Second
	keepAlive     = 15 * time.Second
	idleTimeout   = 60 * time.Second
	idlePerHost   = 256
	maxRespHeader = 256 << 10
	wireBuffer    = 16 << 10
	resends       = 2 // of requests of which not a byte was sent
)

func newTransport(h2c bool) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &countedConn{Conn: conn}, nil
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxRespHeader,
		DisableCompression:     true, // what passes through stays as it is
		ForceAttemptHTTP2:      true,
		WriteBufferSize:        wireBuffer,
		ReadBufferSize:         wireBuffer,
	}
	if h2c {
		t.Protocols = new(http.Protocols)
		t.Protocols.SetUnencryptedHTTP2(true)
	}
	return t
}

// countedConn counts what is written to the network, so that it is known whether a request can have been received.
type countedConn struct {
	net.Conn
	written atomic.Int64
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// CloseWrite lets an upgraded connection end in one direction.
func (c *countedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// sendError is a request that got no answer.
type sendError struct {
	err       error
	delivered bool // the upstream may have received it
}

func (e *sendError) Error() string { return e.err.Error() }
func (e *sendError) Unwrap() error { return e.err }

// once sends every request once. net/http itself would send an idempotent one again when a connection that it reuses
// breaks, although the upstream may have acted on it: with a body that it cannot get a second time, even an empty one, it
// does not. A request of which nothing was written to the connection is sent again here.
type once struct{ transport *http.Transport }

// RoundTrip is safe for concurrent use. Its error is a *sendError.
func (o *once) RoundTrip(r *http.Request) (*http.Response, error) {
	again := r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
	for try := 0; ; try++ {
		sent := &delivery{}
		out, err := attempt(r, sent, try)
		if err != nil {
			return nil, &sendError{err: err}
		}
		resp, err := o.transport.RoundTrip(out)
		if err == nil {
			resp.Request = r // what looks at the answer finds the asker's context
			return resp, nil
		}
		delivered := sent.delivered()
		if delivered || !sent.reused || !again || try == resends || r.Context().Err() != nil {
			return nil, &sendError{err: err, delivered: delivered}
		}
	}
}

// attempt is r as it goes out: under the context's end but without its values, so that no trace of the proxy passes
// informational answers on, and with a body that can be had only once.
func attempt(r *http.Request, sent *delivery, try int) (*http.Request, error) {
	trace := httptrace.WithClientTrace(context.Background(), sent.trace())
	out := r.WithContext(&bare{r.Context(), trace})
	if try > 0 && r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	out.GetBody = nil
	if out.Body == nil || out.Body == http.NoBody {
		out.Body = io.NopCloser(strings.NewReader(""))
		out.ContentLength = 0                       // beside a body: unknown
		out.TransferEncoding = []string{"identity"} // so that the transport writes neither a length nor chunks
	}
	return out, nil
}

// bare ends as its context does and has the values of another.
type bare struct {
	context.Context
	values context.Context
}

// Value never looks into the context that it ends with.
func (b *bare) Value(key any) any { return b.values.Value(key) }

// AfterFunc lets contexts that are derived from this one directly, as the transport's are, follow without a goroutine each.
func (b *bare) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(b.Context, f) }

// delivery finds out whether a request can have been received: whether anything was written since it got its connection.
type delivery struct {
	conn   *countedConn
	before int64
	reused bool
	got    atomic.Bool // set last: the transport may still be dialing when the request is given up
	tried  atomic.Bool // a connection that is not counted: assume the worst
}

func (d *delivery) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		conn := info.Conn
		if secured, ok := conn.(*tls.Conn); ok {
			conn = secured.NetConn()
		}
		counted, ok := conn.(*countedConn)
		if !ok {
			d.tried.Store(true)
			return
		}
		d.conn, d.before, d.reused = counted, counted.written.Load(), info.Reused
		d.got.Store(true)
	}}
}

func (d *delivery) delivered() bool {
	if !d.got.Load() {
		return d.tried.Load()
	}
	return d.conn.written.Load() > d.before
}
