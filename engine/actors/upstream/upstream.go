package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http/httputil"
	"net/url"
	"sort"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// patience is how long a message without a deadline waits for its answer.
const patience = 5 * time.Minute

// New makes the behaviour of upstream actors.
func New() engine.Factory {
	return func(a *plan.Actor, _ *plan.Plan) (engine.Behavior, error) {
		base, h2c, err := parseURL(a.Upstream.URL)
		if err != nil {
			return nil, fmt.Errorf("%s: actor %s: %w", a.Place, a.Path, err)
		}
		u := &upstream{path: a.Path, base: base, once: once{newTransport(h2c)}, idle: make(chan struct{})}
		u.life, u.end = context.WithCancelCause(context.Background())
		u.proxy = u.newProxy()
		return u, nil
	}
}

// parseURL reads an upstream's url; h2c:// is HTTP/2 without TLS.
func parseURL(text string) (base *url.URL, h2c bool, err error) {
	base, err = url.Parse(text)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrURL, err)
	}
	switch base.Scheme {
	case "http", "https":
	case "h2c":
		base.Scheme, h2c = "http", true
	default:
		return nil, false, fmt.Errorf("%w: %q; use http://, https:// or h2c://", ErrURL, text)
	}
	if base.Hostname() == "" || base.RawQuery != "" || base.Fragment != "" {
		return nil, false, fmt.Errorf("%w: %q; write scheme, host and perhaps a path", ErrURL, text)
	}
	return base, h2c, nil
}

// errStopped ends what is under way when the incarnation is stopped by force.
var errStopped = errors.New("the upstream actor is stopping")

// upstream is one incarnation. Its methods are safe for concurrent use.
type upstream struct {
	path  string // of the actor
	base  *url.URL
	once  once
	proxy *httputil.ReverseProxy
	life  context.Context // ends with a forced stop
	end   context.CancelCauseFunc

	mu      sync.Mutex
	active  int
	stopped bool
	idle    chan struct{} // closed once stopped and nothing is under way
}

// Start has nothing to begin: connections are made when they are needed.
func (u *upstream) Start(engine.Life) error { return nil }

// Stop takes nothing new, lets what is under way finish until ctx is done, then cancels it.
func (u *upstream) Stop(ctx context.Context) error {
	u.mu.Lock()
	first := !u.stopped
	u.stopped = true
	if first && u.active == 0 {
		close(u.idle)
	}
	u.mu.Unlock()
	select {
	case <-u.idle:
	case <-ctx.Done():
	}
	u.end(errStopped)
	<-u.idle
	u.once.transport.CloseIdleConnections()
	return nil
}

// begin counts an exchange and gives the context that ends with the asker's and with the incarnation.
func (u *upstream) begin(ctx context.Context) (context.Context, func(), *engine.Error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stopped {
		return nil, nil, &engine.Error{Kind: engine.KindUnreachable, By: u.path, Message: errStopped.Error()}
	}
	u.active++
	both, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(u.life, func() { cancel(errStopped) })
	return both, func() { stop(); cancel(nil); u.done() }, nil
}

func (u *upstream) done() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.active--
	if u.stopped && u.active == 0 {
		close(u.idle)
	}
}

// Locate gives the upstream's address, without a password in it.
func (u *upstream) Locate() (pid int, address string) { return 0, u.base.Redacted() }

// Handle makes a request of the message and answers with its response. What goes wrong is the answer, never this actor's
// failure.
func (u *upstream) Handle(ctx engine.Context, m engine.Msg) error {
	r, err := u.request(ctx, m)
	if err != nil {
		ctx.Fail(engine.ErrorOf(err, u.path))
		return nil
	}
	reply, err := ctx.Call(engine.TimeLeft(ctx, patience), func(c context.Context) (any, error) { return u.exchange(c, r) })
	if err != nil {
		ctx.Fail(engine.ErrorOf(err, u.path))
		return nil
	}
	value, err := r.reply(reply)
	if err != nil {
		ctx.Fail(engine.ErrorOf(err, u.path))
		return nil
	}
	ctx.Reply(value)
	return nil
}

// Probe asks the upstream directly, past the mailbox: whether it answers at all. Expressions see the message alone.
func (u *upstream) Probe(ctx context.Context, m engine.Msg) error {
	r, err := u.build(nil, m, environment(m))
	if err != nil {
		return err
	}
	_, err = u.exchange(ctx, r)
	return err
}

// failure says what kind of error a request's end is.
func (u *upstream) failure(ctx context.Context, err error) *engine.Error {
	var own *engine.Error
	if errors.As(err, &own) {
		return own
	}
	e := &engine.Error{Kind: engine.KindUnreachable, Message: err.Error(), By: u.path, Delivered: true}
	var sent *sendError
	if errors.As(err, &sent) {
		e.Delivered = sent.delivered
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStopped), cause == nil:
	case errors.Is(cause, context.DeadlineExceeded):
		e.Kind, e.Message = engine.KindTimeout, "no answer in time"
	default:
		e.Kind, e.Message = engine.KindCanceled, "the asker went away"
	}
	return e
}

func operationOf(spec *plan.UpstreamSpec, message string) *plan.Operation {
	i := sort.Search(len(spec.Operations), func(i int) bool { return spec.Operations[i].Message >= message })
	if i == len(spec.Operations) || spec.Operations[i].Message != message {
		return nil
	}
	return &spec.Operations[i]
}
