package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/sim"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/rules"
)

// load is one stream of calls at work.
type load struct {
	run      *run
	spec     *plan.Load
	arrivals comings
	began    time.Duration
	until    time.Duration
	n        int64
	seed     uint64

	sent, ok, failed, degraded, retries float64
	hist                                *engine.Histogram
	view                                rules.Load  // used again
	env                                 rules.Env   // used again
	idle                                []*request  // used again
	coming                              func()      // arrive
	alarm                               clock.Alarm // of the next call
	label                               []byte      // used again
	buckets                             []uint32
	curve                               *Curve // nil when nobody wants it
}

func newLoad(r *run, spec *plan.Load) *load {
	seed := mix(r.seed + hash(spec.Name))
	l := &load{run: r, spec: spec, seed: seed, hist: &engine.Histogram{}}
	l.coming = l.arrive
	if len(spec.Recorded) > 0 {
		l.arrivals = &repeated{all: spec.Recorded}
	} else {
		l.arrivals = newArrivals(spec.Rate, spec.Arrival, seed)
	}
	return l
}

// comings tells when the calls of a load come.
type comings interface {
	// next is when the next call comes, since the load began; false when none comes any more.
	next() (time.Duration, bool)
}

// repeated are calls that came once and come again.
type repeated struct {
	all []plan.Arrival
	at  int
}

func (r *repeated) next() (time.Duration, bool) {
	if r.at == len(r.all) {
		return 0, false
	}
	r.at++
	return r.all[r.at-1].At, true
}

// hash is FNV-1a.
func hash(text string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 0x100000001b3
	}
	return h
}

// begin lets the first call come.
func (l *load) begin() {
	l.began, l.until = l.run.eng.Now(), l.run.spec.Duration
	if l.spec.For > 0 {
		l.until = min(l.until, l.began+l.spec.For)
	}
	l.next()
}

// next waits for the next call.
func (l *load) next() {
	t, ok := l.arrivals.next()
	if at := l.began + t; ok && at < l.until {
		l.run.eng.Wind(&l.alarm, at, l.coming)
	}
}

// request is one call of a caller, with its attempts.
type request struct {
	load    *load
	n       int64
	to      string
	msg     engine.Msg
	options engine.CallOptions
	began   time.Duration
	tries   int
	heard   func(sim.Answer) // answered
}

// request is one that is not under way.
func (l *load) request() *request {
	if n := len(l.idle); n > 0 {
		q := l.idle[n-1]
		l.idle = l.idle[:n-1]
		return q
	}
	q := &request{load: l}
	q.heard = q.answered
	return q
}

func (l *load) arrive() {
	q := l.request()
	q.n, q.began, q.tries, q.msg = l.n, l.run.eng.Now(), 0, engine.Msg{}
	l.n++
	l.sent++
	l.next()
	l.env.Params, l.env.Now, l.env.N, l.env.T = l.run.params(), q.began.Seconds(), q.n, (q.began - l.began).Seconds()
	if err := q.prepare(&l.env); err != nil {
		l.run.broken(l.spec.Place, "load "+l.spec.Name, err)
		return
	}
	q.send()
}

// prepare builds what the call says.
func (q *request) prepare(env *rules.Env) error {
	s := q.load.spec
	q.to, q.msg.Type = s.To, s.Message
	q.options = engine.CallOptions{From: s.Name, Correlation: q.load.numbered(q.n), Timeout: s.Timeout, Priority: outsidePriority(s.Priority)}
	if s.Key != nil {
		v, err := s.Key.Value(env)
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}
		q.options.Key = textOf(v)
	}
	if len(s.Recorded) > 0 && s.Route == nil {
		a := &s.Recorded[q.n]
		q.to, q.msg = a.To, engine.Msg{Type: a.Message, Payload: a.Payload}
		if a.Key != "" {
			q.options.Key = a.Key
		}
	}
	var err error
	if s.Payload != nil {
		q.msg.Payload, err = s.Payload.Build(env)
	}
	if err == nil && s.Route != nil {
		err = q.route(s.Route, env)
		if len(s.Recorded) > 0 && s.Route.Route.Message != "" && s.Recorded[q.n].Payload != nil {
			q.msg.Payload = s.Recorded[q.n].Payload // what the route made of the request then
		}
	}
	return err
}

// numbered is what the n-th call is known by.
func (l *load) numbered(n int64) string {
	l.label = append(append(l.label[:0], l.spec.Name...), '-')
	l.label = strconv.AppendInt(l.label, n, 10)
	return string(l.label)
}

func outsidePriority(p int) int {
	if p == 0 {
		return -1
	}
	return p
}

// textOf is a key as text: whole numbers without a point.
func textOf(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// route makes of a request what the gateway makes of it. An exchange that is proxied as it is reaches the upstream's model
// as a message named like the method.
func (q *request) route(c *plan.RouteCall, env *rules.Env) error {
	r := &rules.Request{Method: c.Method, Path: c.Route.Path, Headers: map[string]string{}, Query: map[string]string{}}
	if c.Path != nil {
		path, err := c.Path.Text(env)
		if err != nil {
			return fmt.Errorf("path: %w", err)
		}
		path, query, _ := strings.Cut(path, "?")
		r.Path = path
		for _, pair := range strings.Split(query, "&") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				r.Query[name] = value
			}
		}
	}
	for _, h := range c.Headers {
		v, err := h.Value.Build(env)
		if err != nil {
			return fmt.Errorf("header %s: %w", h.Name, err)
		}
		r.Headers[h.Name] = textOf(v)
	}
	if c.Body != nil {
		var err error
		if r.JSON, err = c.Body.Build(env); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	return q.through(c, r)
}

func (q *request) through(c *plan.RouteCall, r *rules.Request) error {
	route, o := c.Route, &q.options
	q.to = route.To
	if route.Guard != nil {
		q.to = route.Guard.Name
	}
	o.Priority = outsidePriority(route.Priority)
	o.Idempotent = route.Idempotent || r.Method != "POST" && r.Method != "PATCH" || r.Headers["idempotency-key"] != ""
	env := rules.Env{Params: q.load.run.params(), Now: q.began.Seconds(), Request: r}
	if route.Key != nil {
		v, err := route.Key.Value(&env)
		if err != nil {
			return fmt.Errorf("route %s: key: %w", route.Name, err)
		}
		if v != nil {
			o.Key = textOf(v)
		}
	}
	q.msg = engine.Msg{Type: route.Message, Payload: r.JSON}
	switch {
	case route.Message == "":
		q.msg = engine.Msg{Type: strings.ToLower(r.Method), Payload: map[string]any{"path": r.Path, "json": r.JSON}}
	case route.With != nil:
		v, err := route.With.Build(&env)
		if err != nil {
			return fmt.Errorf("route %s: with: %w", route.Name, err)
		}
		q.msg.Payload = v
	}
	return nil
}

func (q *request) send() {
	q.tries++
	q.load.run.eng.Ask(q.to, q.msg, q.options, q.heard)
}

func (q *request) answered(a sim.Answer) {
	l := q.load
	if a.Err != nil && q.again(a.Err) {
		l.retries++
		wait := l.spec.Retry.Backoff.Wait(q.tries-1, mix(l.seed+uint64(q.n)*golden))
		l.run.eng.At(l.run.eng.Now()+wait, q.send)
		return
	}
	switch {
	case a.Err != nil:
		l.failed++
	case a.Degraded:
		l.degraded++
		l.ok++
	default:
		l.ok++
	}
	if l.curve != nil {
		l.curve.count(l.run.eng.Now(), a.Err != nil, a.Degraded)
	}
	l.hist.Add(l.run.eng.Now() - q.began)
	l.idle = append(l.idle, q)
	l.run.served(l)
}

// again tells whether the caller tries once more.
func (q *request) again(err error) bool {
	l, r := q.load, q.load.spec.Retry
	if r == nil || q.tries >= r.Attempts || r.Budget > 0 && l.retries >= l.sent*r.Budget {
		return false
	}
	if r.When == nil {
		return true
	}
	failure := engine.ErrorOf(err, "")
	env := rules.Env{
		Params: l.run.params(), Now: l.run.eng.Now().Seconds(), Msg: q.msg.Payload, Status: failure.Status, Took: (l.run.eng.Now() - q.began).Seconds(),
		Call:  &rules.Call{From: l.spec.Name, To: q.to, Message: q.msg.Type, Key: q.options.Key, Attempt: q.tries, Priority: l.spec.Priority},
		Error: &rules.Error{Kind: failure.Kind, Message: failure.Message, By: failure.By},
	}
	ok, bad := r.When.Condition(&env)
	return ok && bad == nil
}

// seen is the load as expectations see it. The value is good until the next call.
func (l *load) seen() *rules.Load {
	done := l.ok + l.failed
	l.view = rules.Load{Sent: l.sent, OK: l.ok, Failed: l.failed, Retries: l.retries}
	if done > 0 {
		l.view.SuccessRate, l.view.DegradedRate = l.ok/done, l.degraded/done
	}
	if l.run.quantiles {
		l.buckets = l.hist.Counts(l.buckets)
		l.view.Latency = rules.LatencyOf(l.buckets, engine.BucketLimit)
	}
	return &l.view
}
