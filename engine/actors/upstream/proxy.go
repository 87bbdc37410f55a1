package upstream

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

const copyBuffer = 32 << 10

// patienceToFlush is how long an answer of known length that stalls may be held back; streams are never held back.
const patienceToFlush = 10 * time.Millisecond

// passing is one proxied exchange on its way; it travels in the request's context.
type passing struct {
	err      error
	bodyLost atomic.Bool // the client's body could not be read to its end: not the upstream's fault
}

type passingKey struct{}

// buffers hands out the copy buffers of one proxy.
type buffers struct{ pool sync.Pool }

// Get gives a buffer.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, copyBuffer)
}

// Put takes it back.
func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

func (u *upstream) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:       u.rewrite,
		Transport:     &u.once,
		BufferPool:    &buffers{},
		FlushInterval: patienceToFlush,
		ErrorLog:      log.New(io.Discard, "", 0), // the guard records what failed
		ModifyResponse: func(resp *http.Response) error {
			if judge := engine.JudgeOf(resp.Request.Context()); judge != nil {
				return judge(resp.StatusCode, resp.Header)
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			if p, ok := r.Context().Value(passingKey{}).(*passing); ok {
				p.err = err
			}
		},
	}
}

// rewrite points the request at the upstream and says, itself and not by what the client claims, where it came from.
func (u *upstream) rewrite(p *httputil.ProxyRequest) {
	p.SetURL(u.base)
	p.SetXForwarded()
	if p.Out.Body != nil && p.Out.Body != http.NoBody {
		passing, _ := p.In.Context().Value(passingKey{}).(*passing)
		p.Out.Body = &inbound{ReadCloser: p.Out.Body, from: p.In, to: p.Out, passing: passing}
	}
}

// inbound is a client's body on its way: it remembers whether it broke, and carries the trailers over, which are known only
// at its end, after the copy of the request was made.
type inbound struct {
	io.ReadCloser
	from, to *http.Request
	passing  *passing
}

// Read reads the body.
func (b *inbound) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		for name, values := range b.from.Trailer {
			b.to.Trailer[name] = values
		}
	case err != nil && b.passing != nil:
		b.passing.bodyLost.Store(true)
	}
	return n, err
}

// ServeProxy passes the exchange through. See engine.Proxy.
func (u *upstream) ServeProxy(w http.ResponseWriter, r *http.Request) error {
	ctx, done, refused := u.begin(r.Context())
	if refused != nil {
		return refused
	}
	defer done()
	p := &passing{}
	in := r.WithContext(context.WithValue(ctx, passingKey{}, p))
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return &engine.Error{Kind: engine.KindRefused, By: u.path, Message: err.Error()} // not the upstream's failure
		}
		in.Body = body
	}
	u.proxy.ServeHTTP(w, in)
	if p.err == nil {
		return nil
	}
	if p.bodyLost.Load() {
		return &engine.Error{Kind: engine.KindCanceled, By: u.path, Message: "the request's body could not be read", Delivered: true}
	}
	var sent *sendError
	if ctx.Err() != nil || errors.As(p.err, &sent) {
		return u.failure(ctx, p.err)
	}
	return p.err // the judge's, or the proxy's refusal of a broken upgrade
}
