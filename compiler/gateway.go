package compiler

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

func (c *compiler) gateway() {
	var written []*spec.Value
	for _, v := range c.root.Entry("gateway").Items() {
		if !on(v) {
			continue
		}
		for _, other := range written {
			c.checkAddress(v, other)
		}
		written = append(written, v)
		c.plan.Gateway = append(c.plan.Gateway, c.listener(v))
	}
	slices.SortFunc(c.plan.Gateway, func(a, b plan.Listener) int { return strings.Compare(a.Name, b.Name) })
}

// checkAddress reports two listeners that cannot both listen.
func (c *compiler) checkAddress(v, other *spec.Value) {
	a, b := v.Entry("listen"), other.Entry("listen")
	hostA, portA, errA := net.SplitHostPort(a.Text())
	hostB, portB, errB := net.SplitHostPort(b.Text())
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return
	}
	if hostA == hostB || anyHost(hostA) || anyHost(hostB) {
		c.report(spec.Diagnostic{Code: "LR218", Pos: a.Pos,
			Message: "listener " + quote(v.Entry("name").Text()) + " listens on " + a.Text() + ", which " + quote(other.Entry("name").Text()) +
				" at " + at(a.Pos, b.Pos) + " takes; give it another port",
			Related: []spec.Related{{Pos: b.Pos, Message: "the first one"}}})
	}
}

func anyHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

func (c *compiler) listener(v *spec.Value) plan.Listener {
	l := plan.Listener{
		Name: v.Entry("name").Text(), Listen: c.text(v.Entry("listen"), nil), H2C: v.At("h2c").Bool(),
		TLSCert: c.text(v.Entry("tls").Entry("cert"), nil), TLSKey: c.text(v.Entry("tls").Entry("key"), nil),
		MaxHeader: v.At("max_header").Bytes(), MaxBody: v.At("max_body").Bytes(),
		ReadHeader: v.At("read_header").Duration(), ReadBody: v.At("read_body").Duration(), Idle: v.At("idle").Duration(),
	}
	if listen := v.Entry("listen"); listen != nil {
		_, port, err := net.SplitHostPort(l.Listen)
		if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
			c.errorf("LR223", listen.Pos, "%q is no address; write HOST:PORT, such as 127.0.0.1:8080", listen)
		}
	}
	if l.H2C && l.TLSCert != "" {
		c.errorf("LR222", place(v.Entry("h2c"), v), "h2c is HTTP/2 without TLS; with tls HTTP/2 needs no setting")
	}
	var written []*spec.Value
	for _, item := range v.Entry("routes").Items() {
		if !on(item) {
			continue
		}
		for _, other := range written {
			c.checkShadow(item, other)
		}
		written = append(written, item)
		l.Routes = append(l.Routes, c.route(l.Name, item))
	}
	slices.SortFunc(l.Routes, func(a, b plan.HTTPRoute) int { return strings.Compare(a.Name, b.Name) })
	return l
}

// checkShadow reports a route whose requests another route takes: same path, same headers, a method in common.
func (c *compiler) checkShadow(v, other *spec.Value) {
	path := v.Entry("path")
	if path == nil || other.Entry("path").Text() != path.Text() || !slices.Equal(c.pairs(v.Entry("headers"), nil), c.pairs(other.Entry("headers"), nil)) {
		return
	}
	mine, theirs := c.texts(v.Entry("methods"), nil), c.texts(other.Entry("methods"), nil)
	shared := "every method"
	if len(mine) > 0 && len(theirs) > 0 {
		mine = slices.DeleteFunc(mine, func(m string) bool { return !slices.Contains(theirs, m) })
		if len(mine) == 0 {
			return
		}
		shared = strings.Join(mine, ", ")
	} else if len(mine)+len(theirs) > 0 {
		shared = strings.Join(append(mine, theirs...), ", ")
	}
	c.report(spec.Diagnostic{Code: "LR219", Pos: path.Pos,
		Message: "route " + quote(v.Entry("name").Text()) + " and route " + quote(other.Entry("name").Text()) + " at " + at(path.Pos, other.Entry("path").Pos) +
			" both take " + path.Text() + " for " + shared + "; change the path, methods or headers of one",
		Related: []spec.Related{{Pos: other.Entry("path").Pos, Message: "the first one"}}})
}

func (c *compiler) route(listener string, v *spec.Value) plan.HTTPRoute {
	s := in(rules.AtRoute)
	r := plan.HTTPRoute{
		Name: v.Entry("name").Text(), Path: c.text(v.Entry("path"), nil), Methods: c.texts(v.Entry("methods"), nil),
		Headers: c.headers(v.Entry("headers")), Message: v.Entry("message").Text(), With: c.template(v.Entry("with"), s),
		Key: c.program(v.Entry("key"), s), Priority: int(v.At("priority").Int()), Idempotent: v.Entry("idempotent").Bool(),
		StripPrefix: c.text(v.Entry("strip_prefix"), nil),
	}
	slices.Sort(r.Methods)
	c.checkRoute(v, r)
	to := v.Entry("to")
	if to == nil {
		return r
	}
	t, ok := c.receiver(to)
	if !ok {
		return r
	}
	r.To = t.path()
	c.answers(t, to)
	if message := v.Entry("message"); message != nil {
		c.takes(t, message, r.Message)
		c.carries(v.Entry("with"), r.Message)
	} else if t.unit.kind != plan.Upstream && t.unit.kind != plan.Go {
		c.errorf("LR222", to.Pos, "%q is %s, to which no request can be proxied as it is; add message: NAME", to.Text(), kindText(t.unit.kind))
	}
	r.Guard = c.guard(v.Entry("guard"), edge{name: listener + "/" + r.Name, callee: t.unit, message: r.Message, outside: true})
	return r
}

// headers reads required headers; names are compared as HTTP does, whatever their case.
func (c *compiler) headers(v *spec.Value) []plan.Label {
	out := c.pairs(v, nil)
	for i := range out {
		out[i].Key = http.CanonicalHeaderKey(out[i].Key)
	}
	slices.SortFunc(out, func(a, b plan.Label) int { return strings.Compare(a.Key, b.Key) })
	return out
}

func (c *compiler) checkRoute(v *spec.Value, r plan.HTTPRoute) {
	path := v.Entry("path")
	switch {
	case path != nil && !strings.HasPrefix(r.Path, "/"):
		c.errorf("LR223", path.Pos, "path %q does not begin with /", path)
	case path != nil && strings.ContainsAny(r.Path, "{}*?#"):
		c.errorf("LR223", path.Pos, "path %q is a pattern, which routes do not know; end it in / to make it a prefix", path)
	case r.StripPrefix != "" && !strings.HasPrefix(r.Path, r.StripPrefix):
		c.errorf("LR223", place(v.Entry("strip_prefix"), v), "path %q does not begin with strip_prefix %q", r.Path, r.StripPrefix)
	}
	for i := 1; i < len(r.Headers); i++ {
		if r.Headers[i].Key == r.Headers[i-1].Key {
			c.errorf("LR202", v.Entry("headers").Pos, "header %q stands twice", r.Headers[i].Key)
		}
	}
}
