package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/textproto"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// Defaults where a plan that was built in Go leaves a limit out.
const (
	defaultMaxHeader  = 64 << 10
	defaultReadHeader = 10 * time.Second
	defaultIdle       = 2 * time.Minute
	acceptPause       = 50 * time.Millisecond // after an accept failed, for lack of descriptors mostly
)

// port is an address that is bound.
type port struct {
	name    string // of its listener
	listen  string // as the plan says it
	raw     net.Listener
	secure  *credentials // nil without TLS
	kept    bool         // it serves already: Prepare has only looked at it
	current *current
}

// current is the site that new connections go to.
type current struct{ site atomic.Pointer[site] }

// credentials are a listener's certificate and the files' bytes' mark, so that a changed file makes a new server.
type credentials struct {
	certificate tls.Certificate
	mark        string
}

func loadTLS(l *plan.Listener) (*credentials, error) {
	if l.TLSCert == "" && l.TLSKey == "" {
		return nil, nil
	}
	certificate, err := tls.LoadX509KeyPair(l.TLSCert, l.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("gateway.%s.tls: %w: %w; check cert %q and key %q", l.Name, ErrTLS, err, l.TLSCert, l.TLSKey)
	}
	return &credentials{certificate, string(certificate.Certificate[0])}, nil
}

// site is one HTTP server: connections come from the port's accept loop, routes from the table. It owns its connections.
type site struct {
	engine    Engine
	clock     clock.Clock
	server    *http.Server
	header    time.Duration // bounds a head, and a TLS handshake
	secure    *credentials
	shape     plan.Listener // what the server was made of
	table     atomic.Pointer[table]
	replaying atomic.Int64 // bytes of bodies kept for another try
	conns     chan net.Conn
	done      chan struct{} // closed when no connection is taken any more

	mu      sync.Mutex
	open    map[*tracked]struct{}
	stopped bool
	empty   chan struct{} // closed once stopped and no connection is open
	begun   sync.WaitGroup
}

type wireKey struct{}

func (g *Gateway) newSite(p *port, l *plan.Listener, t *table) *site {
	s := &site{
		engine: g.engine, clock: g.clock, header: orDefault(l.ReadHeader, defaultReadHeader), secure: p.secure, shape: *l,
		conns: make(chan net.Conn), done: make(chan struct{}), open: map[*tracked]struct{}{}, empty: make(chan struct{}),
	}
	s.table.Store(t)
	s.server = &http.Server{
		Handler:        s,
		IdleTimeout:    orDefault(l.Idle, defaultIdle),
		MaxHeaderBytes: int(orDefault(l.MaxHeader, defaultMaxHeader)),
		ErrorLog:       log.New(io.Discard, "", 0), // what a client does wrong is the client's
		Protocols:      new(http.Protocols),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			switch c := c.(type) {
			case *wire:
				return context.WithValue(ctx, wireKey{}, c)
			case *securedWire:
				return context.WithValue(ctx, wireKey{}, c.wire)
			}
			return ctx
		},
	}
	s.server.Protocols.SetHTTP1(true)
	s.server.Protocols.SetHTTP2(p.secure != nil)
	s.server.Protocols.SetUnencryptedHTTP2(l.H2C)
	return s
}

func orDefault[N int64 | time.Duration](n, other N) N {
	if n > 0 {
		return n
	}
	return other
}

// sameServer tells whether a listener needs no other server than this one.
func (s *site) sameServer(l *plan.Listener, secure *credentials) bool {
	a, b := s.shape, *l
	if (s.secure == nil) != (secure == nil) || secure != nil && s.secure.mark != secure.mark {
		return false
	}
	return a.H2C == b.H2C && a.MaxHeader == b.MaxHeader && a.ReadHeader == b.ReadHeader && a.Idle == b.Idle
}

// run serves until the site is stopped.
func (s *site) run() {
	_ = s.server.Serve(handed{s}) // ErrServerClosed, whatever the reason
	s.begun.Wait()
}

// accept hands the port's connections to whichever site is current, until the port is closed.
func (g *Gateway) accept(raw net.Listener, to *current) {
	for {
		conn, err := raw.Accept()
		switch {
		case err == nil:
			for at := to.site.Load(); !at.take(conn); at = to.site.Load() {
				if at == to.site.Load() { // no other takes its place: the gateway ends
					_ = conn.Close()
					break
				}
			}
		case errors.Is(err, net.ErrClosed):
			return
		default:
			pause := make(chan struct{})
			g.clock.AfterFunc(acceptPause, func() { close(pause) })
			<-pause
		}
	}
}

// take makes a connection the site's, unless it was stopped. A TLS handshake takes its own time.
func (s *site) take(raw net.Conn) bool {
	conn := &tracked{Conn: &stall{Conn: raw, patience: s.server.IdleTimeout, clock: s.clock}, site: s}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return false
	}
	s.open[conn] = struct{}{}
	s.begun.Add(1)
	s.mu.Unlock()
	if s.secure == nil {
		defer s.begun.Done()
		s.hand(s.newWire(conn))
		return true
	}
	go func() {
		defer s.begun.Done()
		s.handshake(conn)
	}()
	return true
}

func (s *site) handshake(conn *tracked) {
	secured := tls.Server(conn, &tls.Config{
		Certificates: []tls.Certificate{s.secure.certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	})
	_ = conn.SetDeadline(s.clock.Wall().Add(s.header))
	if err := secured.HandshakeContext(context.Background()); err != nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetDeadline(time.Time{})
	if secured.ConnectionState().NegotiatedProtocol == "h2" {
		s.hand(secured)
		return
	}
	s.hand(&securedWire{wire: s.newWire(secured), conn: secured})
}

// newWire checks a connection's HTTP/1. The secret cannot be guessed, so that no client can fake a refusal.
func (s *site) newWire(conn net.Conn) *wire {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails: the program ends instead
	return &wire{
		Conn: conn, maxHead: s.server.MaxHeaderBytes, headTime: s.header, wall: s.clock.Wall,
		secret: textproto.CanonicalMIMEHeaderKey("refused-" + hex.EncodeToString(random[:])), http2: s.shape.H2C,
	}
}

func (s *site) hand(conn net.Conn) {
	select {
	case s.conns <- conn:
	case <-s.done:
		_ = conn.Close()
	}
}

// stop takes no new connection, waits for the open ones until ctx is done and closes what is left then.
func (s *site) stop(ctx context.Context) {
	s.mu.Lock()
	s.stopped = true
	if len(s.open) == 0 {
		s.close()
	}
	s.mu.Unlock()
	_ = s.server.Shutdown(ctx) // idle connections end at once, busy ones after their answer
	select {
	case <-s.empty: // upgraded connections are not the server's any more
	case <-ctx.Done():
	}
	_ = s.server.Close()
	s.mu.Lock()
	for conn := range s.open {
		_ = conn.Conn.Close()
	}
	s.mu.Unlock()
}

// close is called with mu held.
func (s *site) close() {
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}

// tracked tells its site when it is closed.
type tracked struct {
	net.Conn
	site *site
}

// Close closes the connection; twice does no harm.
func (c *tracked) Close() error {
	s := c.site
	s.mu.Lock()
	delete(s.open, c)
	if s.stopped && len(s.open) == 0 {
		s.close()
	}
	s.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends an upgraded connection in one direction.
func (c *tracked) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// handed is the listener that gives the server the connections that its site took.
type handed struct{ site *site }

// Accept waits for a connection.
func (h handed) Accept() (net.Conn, error) {
	select {
	case conn := <-h.site.conns:
		return conn, nil
	case <-h.site.done:
		return nil, net.ErrClosed
	}
}

// Close lets nothing more in.
func (h handed) Close() error {
	h.site.mu.Lock()
	defer h.site.mu.Unlock()
	select {
	case <-h.site.done:
	default:
		close(h.site.done)
	}
	return nil
}

// Addr is asked for by the server's log alone.
func (h handed) Addr() net.Addr { return &net.TCPAddr{} }
