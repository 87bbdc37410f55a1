package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// drainTime is how long connections of a listener that a reload removed may finish what they began.
const drainTime = 10 * time.Second

// Engine is what the gateway needs of a runtime. Both calls go through all guards between the route and the actor; to is
// an actor's or group's path, or the name of the route's own guard ("public/orders"). Errors are *engine.Error.
type Engine interface {
	// Ask sends a message and waits for the answer.
	Ask(ctx context.Context, to string, m engine.Msg, meta engine.Meta) (Answer, error)
	// Proxy passes the exchange through. A nil answer with a nil error says that the upstream's answer was written;
	// otherwise nothing was, and the answer, a fallback's, or the error is to be written.
	Proxy(w http.ResponseWriter, r *http.Request, to string, meta engine.Meta) (*Answer, error)
}

// Answer is what an ask came to.
type Answer struct {
	Status  int // HTTP status that a fallback wants; 0 is 200
	Payload any // JSON-like
}

// Bound is a listener and where it listens.
type Bound struct {
	Name    string
	Address string
	TLS     bool
}

// Gateway serves the listeners of a plan. Prepare, Abandon, Swap and Shutdown come from one goroutine at a time; the rest
// may be used beside them.
type Gateway struct {
	engine Engine
	clock  clock.Clock

	mu      sync.Mutex
	ports   []*port // serving, by the plan's order
	pending []*port // bound by Prepare, or kept, for the next Swap
	running sync.WaitGroup
}

// New makes a gateway that serves nothing yet. c is the engine's clock.
func New(e Engine, c clock.Clock) *Gateway { return &Gateway{engine: e, clock: c} }

// Prepare binds the addresses that the listeners need and loads their certificates. An error names the listener and the
// way out; then nothing has changed. Nothing is served before Swap; Abandon lets go of what was bound. A second Prepare
// keeps what it needs of the first one's and lets go of the rest.
func (g *Gateway) Prepare(listeners []plan.Listener) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var next []*port
	for i := range listeners {
		p, err := g.prepare(&listeners[i], next)
		if err != nil {
			release(next, g.pending)
			return err
		}
		next = append(next, p)
	}
	release(g.pending, next)
	g.pending = next
	return nil
}

// prepare gives the port for a listener: one that serves, one that is bound already, or a new one. next are those of the
// listeners before it.
func (g *Gateway) prepare(l *plan.Listener, next []*port) (*port, error) {
	secure, err := loadTLS(l)
	if err != nil {
		return nil, err
	}
	for _, p := range next {
		if p.serves(l) {
			return nil, fmt.Errorf("%s %w by gateway.%s; change gateway.%s.listen", l.Listen, ErrInUse, p.name, l.Name)
		}
	}
	for _, bound := range [...][]*port{g.ports, g.pending} {
		if i := slices.IndexFunc(bound, func(p *port) bool { return p.serves(l) }); i >= 0 {
			again := *bound[i]
			again.name, again.secure = l.Name, secure
			again.kept = again.kept || slices.Contains(g.ports, bound[i])
			return &again, nil
		}
	}
	raw, err := net.Listen("tcp", l.Listen)
	if err != nil {
		return nil, bindError(l, err)
	}
	return &port{name: l.Name, listen: l.Listen, raw: raw, secure: secure, current: &current{}}, nil
}

// release closes the ports that serve nothing and that others does not hold.
func release(ports, others []*port) {
	for _, p := range ports {
		if !p.kept && !slices.ContainsFunc(others, func(o *port) bool { return o.raw == p.raw }) {
			_ = p.raw.Close()
		}
	}
}

func bindError(l *plan.Listener, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s %w; change gateway.%s.listen or stop the other program", l.Listen, ErrInUse, l.Name)
	}
	if errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("%s %w: permission denied; use a port above 1023 in gateway.%s.listen", l.Listen, ErrAddress, l.Name)
	}
	return fmt.Errorf("%s %w: %w; correct gateway.%s.listen", l.Listen, ErrAddress, err, l.Name)
}

// Abandon lets go of what Prepare bound.
func (g *Gateway) Abandon() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.abandon()
}

func (g *Gateway) abandon() {
	release(g.pending, nil)
	g.pending = nil
}

// Swap makes p, whose listeners were prepared, the plan that requests are served by. Connections stay open where their
// listener stays; requests under way end by the plan they began with. A removed listener stops accepting at once.
func (g *Gateway) Swap(p *plan.Plan) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.ports
	g.ports, g.pending = g.pending, nil
	for i, port := range g.ports {
		g.serve(port, &p.Gateway[i], p)
	}
	for _, was := range old {
		if !slices.ContainsFunc(g.ports, func(p *port) bool { return p.raw == was.raw }) {
			_ = was.raw.Close()
			g.retire(was.current.site.Load())
		}
	}
}

// Reroute gives the ports the routes of a plan whose listeners are those in force.
func (g *Gateway) Reroute(p *plan.Plan) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, port := range g.ports {
		port.current.site.Load().table.Store(newTable(&p.Gateway[i], p))
	}
}

// serve gives the port its site: the one it has with new routes, or a new one where the server itself changes.
func (g *Gateway) serve(p *port, l *plan.Listener, whole *plan.Plan) {
	table := newTable(l, whole)
	was := p.current.site.Load()
	if was != nil && was.sameServer(l, p.secure) {
		was.table.Store(table)
		return
	}
	next := g.newSite(p, l, table)
	g.running.Go(next.run)
	p.current.site.Store(next)
	if was == nil {
		g.running.Go(func() { g.accept(p.raw, p.current) })
		return
	}
	g.retire(was)
}

// retire lets a site's connections finish within drainTime, then ends them.
func (g *Gateway) retire(s *site) {
	ctx, cancel := context.WithCancel(context.Background())
	timer := g.clock.AfterFunc(drainTime, cancel)
	g.running.Go(func() {
		defer timer.Stop()
		defer cancel()
		s.stop(ctx)
	})
}

// Shutdown stops accepting, lets requests and upgraded connections finish until ctx is done, then ends them. It returns
// when nothing is left.
func (g *Gateway) Shutdown(ctx context.Context) {
	g.mu.Lock()
	g.abandon()
	ports := g.ports
	g.ports = nil
	g.mu.Unlock()
	var stopping sync.WaitGroup
	for _, p := range ports {
		_ = p.raw.Close()
		stopping.Go(func() { p.current.site.Load().stop(ctx) })
	}
	stopping.Wait()
	g.running.Wait()
}

// Addresses tells where the gateway listens, in the plan's order.
func (g *Gateway) Addresses() []Bound {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []Bound
	for _, p := range g.ports {
		out = append(out, Bound{Name: p.name, Address: p.raw.Addr().String(), TLS: p.secure != nil})
	}
	return out
}

// serves tells whether the port is what the listener asks for. Port 0 is any, so there the name decides.
func (p *port) serves(l *plan.Listener) bool {
	return p.listen == l.Listen && (!strings.HasSuffix(l.Listen, ":0") || p.name == l.Name)
}
