// Package draw turns a plan into a picture of it: who supervises whom, who calls whom, where breakers stand and what rules
// reach. It knows nothing of a running engine and starts nothing.
package draw

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Graph is what is drawn: nodes in the plan's order, parents before children, then listeners, then rules; edges in the
// order of where they start.
type Graph struct {
	Name  string `json:"name"`
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// Node is an actor, a group of replicas (drawn as one), a listener or a rule.
type Node struct {
	ID       string   `json:"id"` // path of the actor or group, gateway/NAME, rules/NAME
	Name     string   `json:"name"`
	Kind     string   `json:"kind"`             // supervisor, process, upstream, script, go, consensus, listener, rule
	Parent   string   `json:"parent,omitempty"` // ID of the supervisor
	Replicas int      `json:"replicas,omitempty"`
	Detail   string   `json:"detail,omitempty"`  // what it is: one_for_one, max 3 in 1m0s
	Breaker  string   `json:"breaker,omitempty"` // what trips its breaker
	Guards   []string `json:"guards,omitempty"`  // its other layers: timeout 500ms
	Routes   []string `json:"routes,omitempty"`  // of a listener
}

// Edge is a relation between two nodes.
type Edge struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Kind    string `json:"kind"` // call, tell, fallback, member, route, acts, watches
	Label   string `json:"label,omitempty"`
	Breaker string `json:"breaker,omitempty"` // of the edge itself
	Port    int    `json:"-"`                 // route: its index in the listener's Routes
}

// Of describes a sealed plan.
func Of(p *plan.Plan) Graph {
	b := builder{plan: p, graph: Graph{Name: p.Name}, ids: make([]string, len(p.Actors)), links: map[[3]string]int{}, hide: p.Hider()}
	for i := range p.Actors {
		b.actor(i)
	}
	for i := range p.Actors {
		b.edges(i)
	}
	for i := range p.Gateway {
		b.listener(&p.Gateway[i])
	}
	for i := range p.Rules {
		b.rule(&p.Rules[i])
	}
	return b.graph
}

type builder struct {
	plan  *plan.Plan
	graph Graph
	links map[[3]string]int // index of the edge of a kind between two nodes
	hide  func(string) string
	ids   []string // by actor: the node that shows it, its group's for a replica
}

func (b *builder) actor(i int) {
	a := &b.plan.Actors[i]
	b.ids[i] = a.Path
	n := Node{ID: a.Path, Name: a.Name, Kind: strings.ToLower(a.Kind.String()), Detail: b.hide(detailOf(a))}
	if a.Parent >= 0 {
		n.Parent = b.ids[a.Parent]
	}
	guard := a.Guard
	if a.Group != "" {
		b.ids[i] = a.Group
		if a.Replica > 0 {
			return
		}
		if g := b.plan.Group(a.Group); g != nil {
			n.ID, n.Name, n.Replicas, guard = g.Path, g.Name, len(g.Members), g.Guard
		}
	}
	n.Breaker, n.Guards = guardOf(guard)
	b.graph.Nodes = append(b.graph.Nodes, n)
}

// detailOf says in a few words what an actor is.
func detailOf(a *plan.Actor) string {
	switch {
	case a.Supervisor != nil:
		s := a.Supervisor
		return fmt.Sprintf("%v, max %d in %v", s.Strategy, s.Intensity.Max, short(s.Intensity.Within))
	case a.Process != nil && len(a.Process.Command) > 0:
		command := append([]string{path.Base(a.Process.Command[0])}, a.Process.Command[1:]...)
		return strings.Join(command, " ")
	case a.Upstream != nil:
		if u, err := url.Parse(a.Upstream.URL); err == nil {
			return u.Host + strings.TrimSuffix(u.Path, "/") // never the user's password
		}
	case a.Script != nil:
		names := make([]string, len(a.Script.Handlers))
		for i, h := range a.Script.Handlers {
			names[i] = h.Message
		}
		return strings.Join(names, ", ")
	case a.Go != nil:
		return a.Go.Behaviour
	case a.Consensus != nil:
		return fmt.Sprintf("%d of %d agree by %s", a.Consensus.Quorum, len(a.Consensus.Members), percent(a.Consensus.Agreement))
	}
	return ""
}

// guardOf describes a guard's breaker and its other layers.
func guardOf(g *plan.Guard) (trips string, layers []string) {
	if g == nil {
		return "", nil
	}
	add := func(there bool, format string, args ...any) {
		if there {
			layers = append(layers, fmt.Sprintf(format, args...))
		}
	}
	if g.Rate != nil {
		add(true, "%g/s", g.Rate.PerSecond)
	}
	if g.Bulkhead != nil {
		add(true, "%d at once", g.Bulkhead.Concurrent)
	}
	add(g.Adaptive != nil, "adaptive")
	if g.Retry != nil {
		add(true, "%d attempts", g.Retry.Attempts)
	}
	add(g.Hedge != nil, "hedged")
	add(g.Timeout > 0, "timeout %v", short(g.Timeout))
	add(len(g.Fallback) > 0, "fallback")
	if g.Breaker != nil {
		trips = tripsOf(g.Breaker)
	}
	return trips, layers
}

func tripsOf(b *plan.Breaker) string {
	t := b.Policy.Trip
	var parts []string
	if t.ConsecutiveFailures > 0 {
		parts = append(parts, fmt.Sprintf("%d in a row", t.ConsecutiveFailures))
	}
	if t.Failures > 0 {
		parts = append(parts, fmt.Sprintf("%d failures", t.Failures))
	}
	if t.ErrorRate > 0 {
		parts = append(parts, percent(t.ErrorRate)+" errors")
	}
	if t.Slow.Rate > 0 {
		parts = append(parts, percent(t.Slow.Rate)+" slow")
	}
	if len(t.Triggers) > 0 {
		parts = append(parts, "own condition")
	}
	if len(parts) == 0 {
		return "never by itself"
	}
	return strings.Join(parts, ", ")
}

func percent(share float64) string { return fmt.Sprintf("%g%%", share*100) }

// short drops the parts of a duration that are zero: 1m, not 1m0s.
func short(d fmt.Stringer) string {
	text := d.String()
	for _, zero := range [...]string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

func (b *builder) link(e Edge) {
	e.From, e.To = b.node(e.From), b.node(e.To)
	key := [3]string{e.From, e.To, e.Kind}
	at, ok := b.links[key]
	if !ok {
		b.links[key] = len(b.graph.Edges)
		b.graph.Edges = append(b.graph.Edges, e)
		return
	}
	have := &b.graph.Edges[at]
	if e.Label != "" && !slices.Contains(strings.Split(have.Label, ", "), e.Label) {
		have.Label += ", " + e.Label
	}
}

// node is the ID of the node that shows an actor or group.
func (b *builder) node(path string) string {
	if i := b.plan.Index(path); i >= 0 {
		return b.ids[i]
	}
	return path
}

// edges links an actor with those it asks, tells and falls back to.
func (b *builder) edges(i int) {
	a := &b.plan.Actors[i]
	if a.Script != nil {
		for _, h := range a.Script.Handlers {
			for _, c := range h.Calls {
				trips, _ := guardOf(c.Guard)
				b.link(Edge{From: a.Path, To: c.To, Kind: "call", Label: c.Message, Breaker: trips})
				b.fallbacks(c.To, c.Guard)
			}
			for _, t := range h.Tell {
				b.link(Edge{From: a.Path, To: t.To, Kind: "tell", Label: t.Message})
			}
		}
	}
	if a.Consensus != nil {
		for _, m := range a.Consensus.Members {
			b.link(Edge{From: a.Path, To: m, Kind: "member"})
		}
	}
	guard := a.Guard
	if g := b.plan.Group(a.Group); g != nil {
		guard = g.Guard
	}
	b.fallbacks(a.Path, guard)
}

func (b *builder) fallbacks(from string, g *plan.Guard) {
	if g == nil {
		return
	}
	for _, f := range g.Fallback {
		if f.To != "" {
			b.link(Edge{From: from, To: f.To, Kind: "fallback", Label: f.Message})
		}
	}
}

func (b *builder) listener(l *plan.Listener) {
	n := Node{ID: "gateway/" + l.Name, Name: l.Name, Kind: "listener", Detail: l.Listen}
	for i, r := range l.Routes {
		n.Routes = append(n.Routes, strings.TrimPrefix(strings.Join(r.Methods, " ")+" "+r.Path, " "))
		trips, _ := guardOf(r.Guard)
		b.graph.Edges = append(b.graph.Edges, Edge{From: n.ID, To: b.node(r.To), Kind: "route", Label: r.Name, Breaker: trips, Port: i})
		b.fallbacks(r.To, r.Guard)
	}
	b.graph.Nodes = append(b.graph.Nodes, n)
}
