package gateway

import (
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// table is the routes of one listener in one generation, immutable, the most specific first.
type table struct {
	plan   *plan.Plan
	def    *plan.Listener
	routes []route
}

// route is one route with what is known about it beforehand.
type route struct {
	*plan.HTTPRoute
	to        string // its own guard's name, else the target
	from      string // shown as the caller: public/orders
	needs     needs  // of With and Key
	replaying bool   // a guard on the way tries again: bodies are kept for that
}

// needs is what a route's expressions read of a request.
type needs struct {
	body, headers, query bool
	text                 bool // a body that is not JSON will do
}

func newTable(l *plan.Listener, p *plan.Plan) *table {
	t := &table{plan: p, def: l}
	for i := range l.Routes {
		t.routes = append(t.routes, newRoute(l, &l.Routes[i], p))
	}
	sort.SliceStable(t.routes, func(i, j int) bool { return t.routes[i].before(&t.routes[j]) })
	return t
}

func newRoute(l *plan.Listener, def *plan.HTTPRoute, p *plan.Plan) route {
	r := route{HTTPRoute: def, to: def.To, from: l.Name + "/" + def.Name}
	if def.Guard != nil {
		r.to = def.Guard.Name
	}
	r.replaying = tries(def.Guard)
	if g := p.Group(def.To); g != nil {
		r.replaying = r.replaying || tries(g.Guard)
	} else if a := p.Actor(def.To); a != nil {
		r.replaying = r.replaying || tries(a.Guard)
	}
	r.needs.text = def.Message == "" // what passes as it is may be anything
	var reads []string
	if def.With != nil {
		for _, program := range def.With.Programs() {
			reads = append(reads, program.Reads()...)
		}
	}
	if def.Key != nil {
		reads = append(reads, def.Key.Reads()...)
	}
	for _, field := range reads {
		r.needs.body = r.needs.body || field == "request" || strings.HasPrefix(field, "request.json") || strings.HasPrefix(field, "request.text")
		r.needs.text = r.needs.text || field == "request" || strings.HasPrefix(field, "request.text")
		r.needs.headers = r.needs.headers || field == "request" || strings.HasPrefix(field, "request.headers")
		r.needs.query = r.needs.query || field == "request" || strings.HasPrefix(field, "request.query")
	}
	r.needs.body = r.needs.body || def.Message != "" && def.With == nil
	return r
}

func tries(g *plan.Guard) bool { return g != nil && (g.Retry != nil || g.Hedge != nil) }

// before orders routes: longer paths first, then those that ask for more headers.
func (r *route) before(other *route) bool {
	if len(r.Path) != len(other.Path) {
		return len(r.Path) > len(other.Path)
	}
	return len(r.Headers) > len(other.Headers)
}

// matchesPath: a path that ends in / is a prefix.
func (r *route) matchesPath(path string) bool {
	return path == r.Path || strings.HasSuffix(r.Path, "/") && strings.HasPrefix(path, r.Path)
}

func (r *route) matchesHeaders(h http.Header) bool {
	for _, l := range r.Headers {
		if !slices.Contains(h.Values(l.Key), l.Value) {
			return false
		}
	}
	return true
}

// allows tells whether the route takes the method. Whoever takes GET takes HEAD.
func (r *route) allows(method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method) ||
		method == http.MethodHead && slices.Contains(r.Methods, http.MethodGet)
}

// match finds the route of a request: the longest path whose headers fit decides, and among its routes one that takes the
// method. Without one, allow lists the methods that the path takes; it is empty when no route has it.
func (t *table) match(r *http.Request) (found *route, allow []string) {
	path := ""
	for i := range t.routes {
		candidate := &t.routes[i]
		if path != "" && candidate.Path != path {
			break
		}
		if !candidate.matchesPath(r.URL.Path) || !candidate.matchesHeaders(r.Header) {
			continue
		}
		if candidate.allows(r.Method) {
			return candidate, nil
		}
		path = candidate.Path
		allow = append(allow, candidate.Methods...)
	}
	slices.Sort(allow)
	return nil, slices.Compact(allow)
}
