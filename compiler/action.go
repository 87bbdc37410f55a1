package compiler

import (
	"slices"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// acting is where actions stand and whom they reach when they name nobody.
type acting struct {
	place   rules.Place
	subject rules.Subject
	rule    string // whose actions they are, "" for none
}

func (c *compiler) actions(v *spec.Value, where acting) []plan.Action {
	var out []plan.Action
	for _, item := range v.Items() {
		for _, e := range item.Entries() {
			out = append(out, c.action(e.Key, e.Value, where))
		}
	}
	return out
}

func (c *compiler) action(verb string, v *spec.Value, where acting) plan.Action {
	s := in(where.place).of(where.subject)
	field := func(name string) *spec.Value {
		if v.Type.Field(name) == nil {
			return nil
		}
		return v.At(name)
	}
	a := plan.Action{
		Verb: verb, Where: c.condition(field("where"), in(rules.AtActionWhere)), For: field("for").Duration(),
		MaxShare: field("max_share").Float(), Reason: c.text(field("reason"), nil), Level: field("level").Text(),
	}
	a.Target = c.aim(verb, v, field("target"), where)
	switch verb {
	case "inject":
		a.Message, a.Payload = field("message").Text(), c.template(field("payload"), s)
		c.injects(field("target"), field("message"), field("payload"))
	case "set_state":
		a.Payload = c.template(field("set"), s)
	case "scale":
		a.Count, a.By = int(field("replicas").Int()), int(field("by").Int())
		c.scales(field("target"))
		c.warnf("LR236", v.Pos, "scale is not carried out by this version: when it comes, the journal says that it was refused; change replicas in the topology instead")
	case "set_param":
		a.Text, a.Payload = field("name").Text(), c.template(field("value"), s)
		c.knownParam(field("name"))
		c.warnf("LR236", v.Pos, "set_param is not carried out by this version: when it comes, the journal says that it was refused; change params in a policy file instead")
	case "checkpoint":
		a.Text = c.text(field("name"), nil)
	case "emergency":
		a.Text = field("mode").Text()
	case "webhook":
		a.Text, a.Headers, a.Timeout = c.text(field("url"), nil), c.pairs(field("headers"), nil), field("timeout").Duration()
		a.Payload = c.template(field("body"), s)
	case "log":
		a.Payload = c.template(field("message"), s)
	case "run":
		a.Text = field("rule").Text()
		c.runs(field("rule"), where)
	}
	return a
}

// aim reads whom an action reaches: a pattern over paths, a path, or "" for the rule's subject.
func (c *compiler) aim(verb string, v, t *spec.Value, where acting) string {
	switch {
	case v.Type.Field("target") == nil:
		return ""
	case t == nil && where.subject != rules.ActorSubject && where.subject != rules.SupervisorSubject && !(where.subject == rules.BreakerSubject && ofBreaker(verb)):
		c.errorf("LR228", v.Pos, "%s names no target, and its subject is no actor; add target: NAME", verb)
		return ""
	case t == nil:
		return ""
	case plan.IsGlob(t.Text()):
		c.matches(t.Text(), t.Pos)
		return t.Text()
	case ofBreaker(verb) && c.breakers[t.Text()]:
		return t.Text()
	}
	if found, ok := c.resolve(t); ok {
		return found.path()
	}
	return ""
}

// ofBreaker tells verbs that act on breakers.
func ofBreaker(verb string) bool {
	return slices.Contains([]string{"force_open", "force_close", "reset"}, verb)
}

// matches warns of a target that reaches nobody.
func (c *compiler) matches(target string, pos spec.Pos) {
	if !plan.IsGlob(target) {
		c.lookup(target, pos, "actor")
		return
	}
	below := c.units[0].path + "/" + target
	for _, u := range c.units {
		for n := range u.replicas {
			path := u.path
			if u.group {
				path = target0(u, n)
			}
			if plan.Match(target, path) || plan.Match(below, path) {
				return
			}
		}
	}
	c.warnf("LR229", pos, "%q matches no actor", target)
}

func target0(u *unit, n int) string { return target{u, n}.path() }

func (c *compiler) injects(to, message, payload *spec.Value) {
	c.carries(payload, message.Text())
	if to == nil || plan.IsGlob(to.Text()) {
		return
	}
	if found := c.find(to.Text()); len(found) == 1 {
		if found[0].unit.kind == plan.Supervisor {
			c.errorf("LR222", to.Pos, "%q is a supervisor, which takes no messages", to.Text())
			return
		}
		c.takes(found[0], message, message.Text())
	}
}

func (c *compiler) scales(to *spec.Value) {
	if to == nil || plan.IsGlob(to.Text()) {
		return
	}
	if found := c.find(to.Text()); len(found) == 1 && !found[0].unit.group {
		c.errorf("LR222", to.Pos, "%q has no replicas to scale; give it replicas: 1", to.Text())
	}
}

func (c *compiler) knownParam(name *spec.Value) {
	var have []string
	for _, p := range c.plan.Params {
		have = append(have, p.Name)
	}
	if name != nil && !slices.Contains(have, name.Text()) {
		c.unknown("LR203", name.Pos, "param", name.Text(), have)
	}
}

// runs checks a rule that another one runs.
func (c *compiler) runs(name *spec.Value, where acting) {
	if name == nil {
		return // reported by spec
	}
	var have []string
	for _, v := range c.root.Entry("rules").Items() {
		have = append(have, v.Entry("name").Text())
	}
	if !slices.Contains(have, name.Text()) {
		c.unknown("LR203", name.Pos, "rule", name.Text(), have)
		return
	}
	first := func(other string) bool { return slices.Index(have, where.rule) <= slices.Index(have, other) }
	if chain := c.runChain(name.Text(), where.rule, nil); chain != nil && !slices.ContainsFunc(chain, func(r string) bool { return !first(r) }) {
		c.errorf("LR204", name.Pos, "rule runs itself: %s", joinArrows(append([]string{where.rule}, chain...)))
	}
}

// runChain finds how running a rule comes back to another one; nil when it does not.
func (c *compiler) runChain(from, to string, seen []string) []string {
	if from == to {
		return []string{from}
	}
	if slices.Contains(seen, from) {
		return nil
	}
	for _, v := range c.root.Entry("rules").Items() {
		if v.Entry("name").Text() != from {
			continue
		}
		for _, item := range v.Entry("then").Items() {
			if next := item.Entry("run").Entry("rule"); next != nil {
				if chain := c.runChain(next.Text(), to, append(seen, from)); chain != nil {
					return append([]string{from}, chain...)
				}
			}
		}
	}
	return nil
}
