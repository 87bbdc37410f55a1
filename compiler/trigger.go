package compiler

import (
	"slices"
	"strconv"
	"strings"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// when wires an expression into a breaker. The one in the plan is only a pattern: Fresh gives each breaker its own,
// because an evaluation needs memory to put the window in.
type when struct {
	program *rules.Program
	params  map[string]any
	needs   breaker.Needs

	env    rules.Env
	window rules.Window
}

// when wires a condition once, however many breakers share it.
func (c *compiler) when(p *rules.Program) *when {
	if c.conditions[p] == nil {
		c.conditions[p] = newWhen(p, c.plan.Params)
	}
	return c.conditions[p]
}

func newWhen(p *rules.Program, params []plan.Param) *when {
	values := make(map[string]any, len(params))
	for _, param := range params {
		values[param.Name] = param.Value
	}
	w := &when{program: p, params: values}
	for _, path := range p.Reads() {
		w.needs.Latency = w.needs.Latency || path == "latency" || strings.HasPrefix(path, "latency.")
		w.needs.InFlight = w.needs.InFlight || path == "in_flight"
		if class, ok := classOf(path); ok && !slices.Contains(w.needs.Classes, class) {
			w.needs.Classes = append(w.needs.Classes, class)
		}
	}
	return w
}

// classOf reads the class out of class("timeout").
func classOf(path string) (string, bool) {
	quoted, ok := strings.CutPrefix(path, "class(")
	if !ok {
		return "", false
	}
	class, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
	return class, err == nil
}

// Name is what transitions are attributed to.
func (w *when) Name() string { return "when" }

// String is the condition, so that a plan with another one has another digest.
func (w *when) String() string { return "when " + w.program.Source() }

// Needs is what the condition reads beyond the cheap counts.
func (w *when) Needs() breaker.Needs { return w.needs }

// Fresh gives a breaker its own copy. A condition remembers nothing, so there is nothing to take over.
func (w *when) Fresh(breaker.Trigger) breaker.Trigger {
	own := &when{program: w.program, params: w.params, needs: w.needs}
	own.env = rules.Env{Params: own.params, Window: &own.window}
	return own
}

// Trip evaluates the condition. One that fails to evaluate does not open the breaker.
func (w *when) Trip(s breaker.Stats) (bool, string) {
	l := s.Latency()
	w.window = rules.Window{
		Calls: float64(s.Calls), Failures: float64(s.Failures), Slow: float64(s.Slow), Ignored: float64(s.Ignored),
		ErrorRate: s.ErrorRate(), SlowRate: s.SlowRate(), Consecutive: float64(s.Consecutive),
		Latency: rules.Latency{
			Mean: l.Mean.Seconds(), P50: l.P50.Seconds(), P90: l.P90.Seconds(), P95: l.P95.Seconds(), P99: l.P99.Seconds(), P999: l.P999.Seconds(),
		},
		InFlight: float64(s.InFlight), Rejected: float64(s.Rejected), SinceClose: s.SinceClose.Seconds(),
		Class: func(name string) float64 { return float64(s.Class(name)) },
	}
	w.env.Now = float64(s.Now) / 1e9
	open, err := w.program.Condition(&w.env)
	if err != nil || !open {
		return false, ""
	}
	return true, w.program.Source()
}
