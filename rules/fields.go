package rules

import "strings"

// field is one readable name of a T: exactly one of the readers is set. Readers never fail; a T that is absent reads
// as zero. Nested names are dotted: "latency.p99".
type field[T any] struct {
	name  string
	num   func(*T) float64
	text  func(*T) string
	flag  func(*T) bool
	any   func(*T) any                // JSON-like, checked at run time
	texts func(*T) map[string]string  // open names with text values, "" when absent
	nums  func(*T) map[string]float64 // open names with number values, 0 when absent
	words []string                    // all that text gives, but for ""; nil is any text
}

// kind is what reading the field gives.
func (f *field[T]) kind() Kind {
	switch {
	case f.num != nil:
		return NumberKind
	case f.text != nil:
		return TextKind
	case f.flag != nil:
		return BoolKind
	case f.texts != nil, f.nums != nil:
		return ObjectKind
	default:
		return AnyKind
	}
}

// value reads the field as a JSON-like value.
func (f *field[T]) value(t *T) any {
	switch {
	case f.num != nil:
		return f.num(t)
	case f.text != nil:
		return f.text(t)
	case f.flag != nil:
		return f.flag(t)
	case f.texts != nil:
		return boxed(f.texts(t))
	case f.nums != nil:
		return boxed(f.nums(t))
	default:
		return f.any(t)
	}
}

// boxed is a JSON-like copy of m.
func boxed[V any](m map[string]V) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// nest makes the fields of a U readable from a T that holds one, under prefix. A nil U reads as zero.
func nest[T, U any](prefix string, get func(*T) *U, inner []field[U]) []field[T] {
	out := make([]field[T], len(inner))
	for i, f := range inner {
		out[i] = field[T]{
			name:  join(prefix, f.name),
			num:   through(get, f.num),
			text:  through(get, f.text),
			flag:  through(get, f.flag),
			any:   through(get, f.any),
			texts: through(get, f.texts),
			nums:  through(get, f.nums),
			words: f.words,
		}
	}
	return out
}

func through[T, U, V any](get func(*T) *U, read func(*U) V) func(*T) V {
	if read == nil {
		return nil
	}
	return func(t *T) V {
		if u := get(t); u != nil {
			return read(u)
		}
		var zero V
		return zero
	}
}

func join(prefix, name string) string {
	if prefix == "" || name == "" {
		return prefix + name
	}
	return prefix + "." + name
}

// object reads every field below prefix into a map, nested names into nested maps.
func object[T any](fields []field[T], prefix string, t *T) map[string]any {
	out := map[string]any{}
	for i := range fields {
		rest, below := strings.CutPrefix(fields[i].name, prefix)
		if !below {
			continue
		}
		at := out
		for {
			head, tail, nested := strings.Cut(rest, ".")
			if !nested {
				at[head] = fields[i].value(t)
				break
			}
			inner, _ := at[head].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
				at[head] = inner
			}
			at, rest = inner, tail
		}
	}
	return out
}

func latencyFields() []field[Latency] {
	return []field[Latency]{
		{name: "mean", num: func(l *Latency) float64 { return l.Mean }},
		{name: "p50", num: func(l *Latency) float64 { return l.P50 }},
		{name: "p90", num: func(l *Latency) float64 { return l.P90 }},
		{name: "p95", num: func(l *Latency) float64 { return l.P95 }},
		{name: "p99", num: func(l *Latency) float64 { return l.P99 }},
		{name: "p999", num: func(l *Latency) float64 { return l.P999 }},
	}
}

func errorFields() []field[Error] {
	return []field[Error]{
		{name: "kind", text: func(e *Error) string { return e.Kind }},
		{name: "message", text: func(e *Error) string { return e.Message }},
		{name: "by", text: func(e *Error) string { return e.By }},
	}
}

func callFields() []field[Call] {
	return append([]field[Call]{
		{name: "from", text: func(c *Call) string { return c.From }},
		{name: "to", text: func(c *Call) string { return c.To }},
		{name: "replica", text: func(c *Call) string { return c.Replica }},
		{name: "message", text: func(c *Call) string { return c.Message }},
		{name: "key", text: func(c *Call) string { return c.Key }},
		{name: "attempt", num: func(c *Call) float64 { return float64(c.Attempt) }},
		{name: "probe", flag: func(c *Call) bool { return c.Probe }},
		{name: "idempotent", flag: func(c *Call) bool { return c.Idempotent }},
		{name: "priority", num: func(c *Call) float64 { return float64(c.Priority) }},
		{name: "status", num: func(c *Call) float64 { return float64(c.Status) }},
		{name: "took", num: func(c *Call) float64 { return c.Took }},
		{name: "degraded", flag: func(c *Call) bool { return c.Degraded }},
	}, nest("error", func(c *Call) *Error { return c.Error }, errorFields())...)
}

func breakerFields() []field[Breaker] {
	return append([]field[Breaker]{
		{name: "name", text: func(b *Breaker) string { return b.Name }},
		{name: "key", text: func(b *Breaker) string { return b.Key }},
		{name: "state", text: func(b *Breaker) string { return b.State }, words: BreakerStates()},
		{name: "since", num: func(b *Breaker) float64 { return b.Since }},
		{name: "calls", num: func(b *Breaker) float64 { return b.Calls }},
		{name: "error_rate", num: func(b *Breaker) float64 { return b.ErrorRate }},
		{name: "slow_rate", num: func(b *Breaker) float64 { return b.SlowRate }},
		{name: "consecutive", num: func(b *Breaker) float64 { return b.Consecutive }},
		{name: "rejected", num: func(b *Breaker) float64 { return b.Rejected }},
		{name: "opens", num: func(b *Breaker) float64 { return b.Opens }},
	}, nest("latency", func(b *Breaker) *Latency { return &b.Latency }, latencyFields())...)
}

// BreakerStates are what `state` of a breaker may be: the states of its machine, then the modes that override it.
func BreakerStates() []string {
	return []string{"closed", "open", "half_open", "recovering", "forced_open", "forced_closed", "disabled", "shadow"}
}

// ActorStates are what `state` of an actor that the plan has may be.
func ActorStates() []string {
	return []string{"starting", "running", "paused", "quarantined", "failed", "restarting", "stopping", "stopped"}
}

func eventTypes() []string {
	return []string{
		"started", "stopped", "failed", "gave_up", "breaker", "quarantined", "released", "rule", "checkpoint", "reload", "dead_letter", "dissent",
		"emergency",
	}
}

func windowFields() []field[Window] {
	return append([]field[Window]{
		{name: "calls", num: func(w *Window) float64 { return w.Calls }},
		{name: "failures", num: func(w *Window) float64 { return w.Failures }},
		{name: "slow", num: func(w *Window) float64 { return w.Slow }},
		{name: "ignored", num: func(w *Window) float64 { return w.Ignored }},
		{name: "error_rate", num: func(w *Window) float64 { return w.ErrorRate }},
		{name: "slow_rate", num: func(w *Window) float64 { return w.SlowRate }},
		{name: "consecutive", num: func(w *Window) float64 { return w.Consecutive }},
		{name: "in_flight", num: func(w *Window) float64 { return w.InFlight }},
		{name: "rejected", num: func(w *Window) float64 { return w.Rejected }},
		{name: "since_close", num: func(w *Window) float64 { return w.SinceClose }},
	}, nest("latency", func(w *Window) *Latency { return &w.Latency }, latencyFields())...)
}

func actorFields() []field[Actor] {
	return append([]field[Actor]{
		{name: "name", text: func(a *Actor) string { return a.Name }},
		{name: "path", text: func(a *Actor) string { return a.Path }},
		{name: "group", text: func(a *Actor) string { return a.Group }},
		{name: "replica", num: func(a *Actor) float64 { return float64(a.Replica) }},
		{name: "labels", texts: func(a *Actor) map[string]string { return a.Labels }},
		{name: "state", text: func(a *Actor) string { return a.State }, words: append(ActorStates(), "new", "removed", "absent")},
		{name: "ready", flag: func(a *Actor) bool { return a.Ready }},
		{name: "quarantined", flag: func(a *Actor) bool { return a.Quarantined }},
		{name: "infected", num: func(a *Actor) float64 { return a.Infected }},
		{name: "anomaly", num: func(a *Actor) float64 { return a.Anomaly }},
		{name: "mailbox", num: func(a *Actor) float64 { return a.Mailbox }},
		{name: "capacity", num: func(a *Actor) float64 { return a.Capacity }},
		{name: "calls", num: func(a *Actor) float64 { return a.Calls }},
		{name: "error_rate", num: func(a *Actor) float64 { return a.ErrorRate }},
		{name: "in_flight", num: func(a *Actor) float64 { return a.InFlight }},
		{name: "restarts", num: func(a *Actor) float64 { return a.Restarts }},
		{name: "uptime", num: func(a *Actor) float64 { return a.Uptime }},
		{name: "memory", num: func(a *Actor) float64 { return a.Memory }},
		{name: "metrics", nums: func(a *Actor) map[string]float64 { return a.Metrics }},
	}, nest("latency", func(a *Actor) *Latency { return &a.Latency }, latencyFields())...)
}

func supervisorFields() []field[Supervisor] {
	return []field[Supervisor]{
		{name: "name", text: func(s *Supervisor) string { return s.Name }},
		{name: "path", text: func(s *Supervisor) string { return s.Path }},
		{name: "restarts", num: func(s *Supervisor) float64 { return s.Restarts }},
		{name: "gave_up", num: func(s *Supervisor) float64 { return s.GaveUp }},
	}
}

func nodeFields() []field[Node] {
	return []field[Node]{
		{name: "name", text: func(n *Node) string { return n.Name }},
		{name: "cpu", num: func(n *Node) float64 { return n.CPU }},
		{name: "memory", num: func(n *Node) float64 { return n.Memory }},
		{name: "disk_free", num: func(n *Node) float64 { return n.DiskFree }},
	}
}

func systemFields() []field[System] {
	return []field[System]{
		{name: "health", num: func(s *System) float64 { return s.Health }},
		{name: "level", text: func(s *System) string { return s.Level }, words: []string{"healthy", "degraded", "critical", "unknown"}},
		{name: "emergency", flag: func(s *System) bool { return s.Emergency }},
		{name: "anomaly", num: func(s *System) float64 { return s.Anomaly }},
		{name: "dead_letters", num: func(s *System) float64 { return s.DeadLetters }},
		{name: "generation", num: func(s *System) float64 { return s.Generation }},
		{
			name: "reload.status", text: func(s *System) string { return s.Reload.Status },
			words: []string{"verifying", "active", "rolled_back", "rejected"},
		},
		{name: "reload.code", text: func(s *System) string { return s.Reload.Code }},
	}
}

func loadFields() []field[Load] {
	return append([]field[Load]{
		{name: "sent", num: func(l *Load) float64 { return l.Sent }},
		{name: "ok", num: func(l *Load) float64 { return l.OK }},
		{name: "failed", num: func(l *Load) float64 { return l.Failed }},
		{name: "retries", num: func(l *Load) float64 { return l.Retries }},
		{name: "success_rate", num: func(l *Load) float64 { return l.SuccessRate }},
		{name: "degraded_rate", num: func(l *Load) float64 { return l.DegradedRate }},
	}, nest("latency", func(l *Load) *Latency { return &l.Latency }, latencyFields())...)
}

func ratesFields() []field[Rates] {
	return append([]field[Rates]{
		{name: "calls", num: func(r *Rates) float64 { return r.Calls }},
		{name: "error_rate", num: func(r *Rates) float64 { return r.ErrorRate }},
		{name: "restarts", num: func(r *Rates) float64 { return r.Restarts }},
		{name: "rule_errors", num: func(r *Rates) float64 { return r.RuleErrors }},
	}, nest("latency", func(r *Rates) *Latency { return &r.Latency }, latencyFields())...)
}

func eventFields() []field[Event] {
	return []field[Event]{
		{name: "seq", num: func(e *Event) float64 { return float64(e.Seq) }},
		{name: "actor", text: func(e *Event) string { return e.Actor }},
		{name: "kind", text: func(e *Event) string { return e.Kind }},
		{name: "code", text: func(e *Event) string { return e.Code }},
		{name: "type", text: func(e *Event) string { return e.Type }, words: eventTypes()},
	}
}

func requestFields() []field[Request] {
	return []field[Request]{
		{name: "method", text: func(r *Request) string { return r.Method }},
		{name: "path", text: func(r *Request) string { return r.Path }},
		{name: "query", texts: func(r *Request) map[string]string { return r.Query }},
		{name: "headers", texts: func(r *Request) map[string]string { return r.Headers }},
		{name: "json", any: func(r *Request) any { return r.JSON }},
		{name: "text", text: func(r *Request) string { return r.Text }},
	}
}

func responseFields() []field[Response] {
	return []field[Response]{
		{name: "status", num: func(r *Response) float64 { return float64(r.Status) }},
		{name: "headers", texts: func(r *Response) map[string]string { return r.Headers }},
		{name: "json", any: func(r *Response) any { return r.JSON }},
		{name: "text", text: func(r *Response) string { return r.Text }},
	}
}
