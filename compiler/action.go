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
		a.Count, a.By, a.Max = int(field("replicas").Int()), int(field("by").Int()), int(v.Entry("max").Int())
		if a.By != 0 {
			a.Min = int(field("min").Int())
		}
		c.scales(v, field("target"))
	case "adopt":
		a.Text = c.adopts(field("target"), field("under"))
	case "set_param":
		a.Text, a.Payload = field("name").Text(), c.setting(field("name"), field("value"), s)
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

// scales checks numbers of replicas, and that the target has replicas.
func (c *compiler) scales(v, to *spec.Value) {
	replicas, by, least, most := v.Entry("replicas"), v.Entry("by"), v.Entry("min"), v.Entry("max")
	switch {
	case replicas != nil && replicas.Int() > plan.MaxReplicas:
		c.errorf("LR217", replicas.Pos, "at most %d replicas, got %d", plan.MaxReplicas, replicas.Int())
	case replicas != nil && (least != nil || most != nil):
		c.errorf("LR222", v.Pos, "min and max bound by; replicas says exactly how many")
	case by != nil && by.Int() == 0:
		c.errorf("LR222", by.Pos, "by 0 changes nothing; write how many more, or how many fewer")
	case least != nil && most != nil && least.Int() > most.Int():
		c.errorf("LR222", least.Pos, "min %d is more than max %d%s", least.Int(), most.Int(), both(least, most))
	}
	if to == nil || plan.IsGlob(to.Text()) {
		return
	}
	found := c.find(to.Text())
	if len(found) != 1 {
		return // reported by aim
	}
	switch u := found[0].unit; {
	case !u.group && u.kind == plan.Supervisor:
		c.errorf("LR222", to.Pos, "%q is a supervisor, which has no replicas; scale a group below it", to.Text())
	case !u.group:
		c.errorf("LR222", to.Pos, "%q has no replicas to scale; give it replicas: 1", to.Text())
	case replicas != nil && found[0].replica < 0 && int(replicas.Int()) < u.named:
		c.errorf("LR222", replicas.Pos, "%q cannot have %d replicas: %s is named elsewhere", to.Text(), replicas.Int(), u.member(u.named-1))
	}
}

// adopts checks who moves and where to, and gives the path of the supervisor.
func (c *compiler) adopts(who, under *spec.Value) string {
	if who != nil && plan.IsGlob(who.Text()) {
		c.errorf("LR222", who.Pos, "%q may mean several actors; they are adopted one by one", who.Text())
	} else if who != nil {
		if found := c.find(who.Text()); len(found) == 1 { // else reported by aim
			c.adoptable(found[0], who)
		}
	}
	if under == nil {
		return "" // reported by spec
	}
	up, ok := c.resolve(under)
	switch {
	case !ok:
		return ""
	case up.unit.kind != plan.Supervisor:
		c.errorf("LR222", under.Pos, "%q is no supervisor", under.Text())
	}
	return up.path()
}

// adoptable reports an actor that may not be moved; see plan.Actor.Adoptable.
func (c *compiler) adoptable(t target, who *spec.Value) {
	u := t.unit
	def := &plan.Definition{Adopt: u.value.At("adopt").Bool()}
	as := plan.Actor{Path: t.path(), Definition: def}
	switch {
	case u.kind == plan.Supervisor:
		def.Supervisor = &plan.SupervisorSpec{}
	case u.group:
		as.Group = u.path
	default:
		def.Persist.Mode = u.value.At("persist").At("mode").Text()
	}
	if err := as.Adoptable(); err != nil {
		c.errorf("LR222", who.Pos, "%v", err)
	}
}

// setting compiles the new value of a param, which must be of its type.
func (c *compiler) setting(name, value *spec.Value, s scope) *rules.Template {
	if name == nil || value == nil {
		return nil // reported by spec
	}
	var have []string
	for _, p := range c.plan.Params {
		have = append(have, p.Name)
		if p.Name != name.Text() {
			continue
		}
		if value.Type.Shape == spec.Table || value.Type.Shape == spec.List {
			c.errorf("LR222", value.Pos, "params.%s is one value; write an expression", p.Name)
			return nil
		}
		wanted := map[rules.Kind]rules.Want{rules.NumberKind: rules.Number, rules.TextKind: rules.Text, rules.BoolKind: rules.Condition}
		if program := c.program(value, s.wanting(wanted[kindOfValue(p.Value)])); program != nil {
			return rules.Expression(program)
		}
		return nil
	}
	c.unknown("LR203", name.Pos, "param", name.Text(), have)
	return nil
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
