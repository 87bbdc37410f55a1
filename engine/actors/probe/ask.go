package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// maxDrain bounds what is read of an answer that nobody looks at.
const maxDrain = 64 << 10

// What a behaviour may offer to be asked by, past its mailbox.
type (
	// prober takes a message and tells whether it was answered without an error.
	prober interface {
		Probe(ctx context.Context, m engine.Msg) error
	}
	// liner waits for the line that `ready: {line: …}` wants.
	liner interface {
		AwaitLine(ctx context.Context) error
	}
	// exiter waits for a normal exit.
	exiter interface {
		AwaitExit(ctx context.Context) error
	}
	// httpChecker gets a path of its own.
	httpChecker interface {
		CheckHTTP(ctx context.Context, path string) error
	}
)

var (
	errNotHere = errors.New("this actor cannot be probed so")
	errNoHost  = errors.New("a path alone has no host here; write http://HOST:PORT/PATH")
)

// asker asks one question. It is safe for concurrent use.
type asker struct {
	inner engine.Behavior
	base  string
	env   []plan.EnvVar
	exec  Exec
}

// direct tells whether messages can go past the mailbox.
func (a *asker) direct() bool {
	_, ok := a.inner.(prober)
	return ok
}

// final tells whether the probe waits by itself, so that it is asked once and has no timeout of its own.
func (a *asker) final(spec *plan.Probe) bool { return spec.Line != "" || spec.Exit }

// ask asks what the probe says.
func (a *asker) ask(ctx context.Context, spec *plan.Probe) error {
	switch {
	case spec.Line != "":
		return offered(a.inner, "line", func(l liner) error { return l.AwaitLine(ctx) })
	case spec.Exit:
		return offered(a.inner, "exit", func(e exiter) error { return e.AwaitExit(ctx) })
	case spec.HTTP != "":
		return a.http(ctx, spec.HTTP)
	case spec.TCP != "":
		return dial(ctx, spec.TCP)
	case len(spec.Exec) > 0:
		return a.exec(ctx, spec.Exec, a.base, a.env)
	case spec.Message != "":
		return offered(a.inner, "message", func(p prober) error { return p.Probe(ctx, engine.Msg{Type: spec.Message}) })
	}
	return fmt.Errorf("empty probe: %w", errNotHere)
}

func offered[T any](b engine.Behavior, what string, use func(T) error) error {
	found, ok := b.(T)
	if !ok {
		return fmt.Errorf("%s: %w", what, errNotHere)
	}
	return use(found)
}

func (a *asker) http(ctx context.Context, target string) error {
	if strings.HasPrefix(target, "/") {
		c, ok := a.inner.(httpChecker)
		if !ok {
			return fmt.Errorf("http %q: %w", target, errNoHost)
		}
		return c.CheckHTTP(ctx, target)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("http %q: %w", target, err)
	}
	transport := &http.Transport{DisableKeepAlives: true} // each probe shows anew that a connection can be made
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("http %s: %w", target, err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("http %s: %s", target, resp.Status)
	}
	return nil
}

// dial is satisfied when the address accepts; ":80" is this machine's.
func dial(ctx context.Context, address string) error {
	if strings.HasPrefix(address, ":") {
		address = "127.0.0.1" + address
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("tcp %s: %w", address, err)
	}
	return conn.Close()
}
