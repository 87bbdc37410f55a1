package compiler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// waits is one way in which an actor waits for another.
type waits struct {
	to  *unit
	pos spec.Pos
}

func (c *compiler) script(u *unit) *plan.ScriptSpec {
	v := u.part()
	out := &plan.ScriptSpec{State: c.data(v.Entry("state"), vars{"name": u.name, "replica": "0"})}
	s := c.inState(in(rules.AtHandler), u)
	for _, e := range v.Entry("handlers").Entries() {
		s.msg = e.Key
		out.Handlers = append(out.Handlers, c.handler(u, e.Value, s))
	}
	slices.SortFunc(out.Handlers, func(a, b plan.Handler) int { return strings.Compare(a.Message, b.Message) })
	for _, e := range v.Entry("timers").Entries() {
		out.Timers = append(out.Timers, plan.Tick{Message: e.Key, Every: e.Value.Duration()})
		if v.Entry("handlers").Entry(e.Key) == nil {
			c.errorf("LR224", e.KeyPos, "timer %q has no handler; add handlers: {%s: …}", e.Key, e.Key)
		}
	}
	slices.SortFunc(out.Timers, func(a, b plan.Tick) int { return strings.Compare(a.Message, b.Message) })
	return out
}

// stateShape lists what the state of a script may hold: what it begins with and what its handlers set. It is nil, open,
// for other actors.
func stateShape(u *unit) *rules.Shape {
	if u.kind != plan.Script {
		return nil
	}
	out := &rules.Shape{}
	known := map[string]bool{}
	for _, e := range u.part().Entry("state").Entries() {
		known[e.Key] = true
		out.Fields = append(out.Fields, rules.Field{Name: e.Key, Kind: stateKind(e.Value)})
	}
	for _, h := range u.part().Entry("handlers").Entries() {
		for _, e := range h.Value.Entry("set").Entries() {
			if !known[e.Key] {
				known[e.Key] = true
				out.Fields = append(out.Fields, rules.Field{Name: e.Key})
			}
		}
	}
	return out
}

// inState puts the actor's state into scope.
func (c *compiler) inState(s scope, u *unit) scope {
	s.state = stateShape(u)
	if s.state != nil {
		s.fields = "state"
		for _, f := range s.state.Fields {
			s.fields += fmt.Sprintf(" %s:%d", f.Name, f.Kind)
		}
	}
	return s
}

func stateKind(v *spec.Value) rules.Kind {
	switch v.Type.Shape {
	case spec.Int, spec.Number:
		return rules.NumberKind
	case spec.Text:
		return rules.TextKind
	case spec.Bool:
		return rules.BoolKind
	case spec.List:
		return rules.ListKind
	case spec.Table:
		return rules.ObjectKind
	}
	return rules.AnyKind
}

func (c *compiler) handler(u *unit, v *spec.Value, s scope) plan.Handler {
	h := plan.Handler{Message: s.msg, Parallel: v.At("parallel").Bool()}
	before := s
	for _, item := range v.Entry("calls").Items() {
		at := s
		if h.Parallel {
			at = before // no call sees another's result
		}
		h.Calls = append(h.Calls, c.call(u, item, at))
		s = c.bind(s, item)
	}
	if fail := v.Entry("fail"); fail != nil {
		h.Fail = &plan.FailSpec{
			When: c.condition(fail.Entry("when"), s), Kind: fail.At("kind").Text(), Message: c.template(fail.Entry("message"), s),
		}
	}
	h.Set = c.builtValues(v.Entry("set"), s)
	for _, item := range v.Entry("tell").Items() {
		h.Tell = append(h.Tell, c.tell(item, s))
	}
	h.Reply = c.template(v.Entry("reply"), s)
	h.Stop = c.condition(v.Entry("stop"), s)
	return h
}

// bind puts the result of a call into scope for what follows it.
func (c *compiler) bind(s scope, call *spec.Value) scope {
	as := call.Entry("as")
	if as == nil {
		return s
	}
	name := as.Text()
	taken := []string{"msg", "state", "self", "caller", "params", "now"}
	for _, f := range s.bound {
		taken = append(taken, f.Name)
	}
	if slices.Contains(taken, name) {
		c.errorf("LR202", as.Pos, "the name %q is already taken here", name)
		return s
	}
	f := rules.Field{Name: name}
	if m, ok := c.messages[call.Entry("message").Text()]; ok {
		f.Shape = m.reply
	}
	s.bound = append(slices.Clone(s.bound), f)
	s.binds += " " + name + ":" + call.Entry("message").Text()
	return s
}

func (c *compiler) call(u *unit, v *spec.Value, s scope) plan.CallSpec {
	out := plan.CallSpec{
		Message: v.Entry("message").Text(), With: c.template(v.Entry("with"), s), As: v.Entry("as").Text(),
		When: c.condition(v.Entry("when"), s), Optional: v.At("optional").Bool(),
	}
	to := v.Entry("to")
	t, ok := c.receiver(to)
	if !ok {
		return out
	}
	out.To = t.path()
	c.answers(t, to)
	c.takes(t, v.Entry("message"), out.Message)
	c.carries(v.Entry("with"), out.Message)
	u.calls = append(u.calls, waits{to: t.unit, pos: to.Pos})
	if guard := v.Entry("guard"); guard != nil {
		out.Guard = c.edgeGuard(guard, edge{name: c.called(u) + "->" + c.unique(t.unit, t.unit.member(max(0, t.replica))), callee: t.unit, message: out.Message, caller: u}, t)
	}
	return out
}

func (c *compiler) tell(v *spec.Value, s scope) plan.TellSpec {
	out := plan.TellSpec{Message: v.Entry("message").Text(), With: c.template(v.Entry("with"), s), When: c.condition(v.Entry("when"), s)}
	if t, ok := c.receiver(v.Entry("to")); ok {
		out.To = t.path()
		c.takes(t, v.Entry("message"), out.Message)
		c.carries(v.Entry("with"), out.Message)
	}
	return out
}

// carries reports fields of a written message that its type does not declare.
func (c *compiler) carries(with *spec.Value, name string) {
	m, ok := c.messages[name]
	if !ok || m.fields == nil || with == nil || with.Type.Shape != spec.Table {
		return
	}
	var have []string
	for _, f := range m.fields.Fields {
		have = append(have, f.Name)
	}
	for _, e := range with.Entries() {
		if !slices.Contains(have, e.Key) {
			c.unknown("LR303", e.KeyPos, "field of message "+quote(name)+":", e.Key, have)
		}
	}
}
