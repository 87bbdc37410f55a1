package compiler

import (
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// steering compiles what acts on the running system: rules, patterns, health and emergency.
func (c *compiler) steering() {
	for _, v := range c.root.Entry("rules").Items() {
		c.plan.Rules = append(c.plan.Rules, c.rule(v))
	}
	c.patterns(c.root.At("patterns"))
	health := c.root.At("health")
	c.plan.Health = &plan.Health{
		Score: c.number(health.At("score"), in(rules.AtHealth)), Degraded: health.At("degraded").Float(),
		Critical: health.At("critical").Float(), RecoverFor: health.At("recover_for").Duration(),
	}
	if c.plan.Health.Critical > c.plan.Health.Degraded {
		low, high := health.At("degraded"), health.At("critical")
		c.errorf("LR210", place(high, health), "critical %v is above degraded %v, so the system would never be degraded%s", c.plan.Health.Critical, c.plan.Health.Degraded, both(high, low))
	}
	if v := c.root.Entry("emergency"); on(v) {
		c.plan.Emergency = c.emergency(v)
	}
}

func (c *compiler) emergency(v *spec.Value) *plan.Emergency {
	s := in(rules.AtEmergency)
	return &plan.Emergency{
		Enter: c.condition(v.Entry("enter"), s), Leave: c.condition(v.Entry("leave"), s), Hold: hold(v.At("hold")),
		Admit: c.condition(v.Entry("admit"), in(rules.AtAdmit)),
		Then:  c.actions(v.Entry("then"), acting{place: rules.AtEmergency, subject: rules.SystemSubject}),
	}
}

func (c *compiler) rule(v *spec.Value) plan.Rule {
	subject, _ := rules.ParseSubject(v.At("for_each").Text())
	s := in(rules.AtRule).of(subject)
	limit := v.Entry("limit")
	r := plan.Rule{
		Name: v.Entry("name").Text(), Enabled: v.At("enabled").Bool(), Subject: subject,
		Where: c.condition(v.Entry("where"), s), When: c.condition(v.Entry("when"), s), Hold: hold(v.Entry("hold")),
		Clear: c.condition(v.Entry("clear"), s), Cooldown: v.Entry("cooldown").Duration(), OnError: v.At("on_error").Text(),
		Then: c.actions(v.Entry("then"), acting{place: rules.AtRuleAction, subject: subject, rule: v.Entry("name").Text()}),
	}
	if limit != nil {
		r.Limit = plan.Intensity{Max: int(limit.Entry("max").Int()), Within: limit.At("within").Duration()}
	}
	if v.Entry("when") == nil {
		for _, field := range []string{"hold", "clear", "cooldown"} {
			if given := v.Entry(field); given != nil {
				c.warnf("LR226", given.Pos, "%s has no effect on rule %q, which has no when and acts only by hand", field, r.Name)
			}
		}
	}
	return r
}

// patterns compiles those that come with the engine and the author's own.
func (c *compiler) patterns(v *spec.Value) {
	for _, f := range v.Type.Fields {
		at := v.At(f.Name)
		switch {
		case f.Name == "custom":
			for _, e := range at.Entries() {
				if v.Type.Field(e.Key) != nil {
					c.errorf("LR202", e.KeyPos, "pattern %q already comes with the engine; choose another name", e.Key)
				} else if on(e.Value) {
					c.plan.Patterns = append(c.plan.Patterns, c.pattern(e.Key, e.Value))
				}
			}
		case on(at):
			c.plan.Patterns = append(c.plan.Patterns, c.pattern(f.Name, at))
		}
	}
	slices.SortFunc(c.plan.Patterns, func(a, b plan.Pattern) int { return strings.Compare(a.Name, b.Name) })
}

func (c *compiler) pattern(name string, v *spec.Value) plan.Pattern {
	field := func(name string) *spec.Value {
		if v.Type.Field(name) == nil {
			return nil
		}
		return v.At(name)
	}
	first := func(names ...string) *spec.Value {
		for _, name := range names {
			if got := field(name); got != nil {
				return got
			}
		}
		return nil
	}
	return plan.Pattern{
		Name: name, Custom: v.Type.Field("when") != nil, Sigma: field("sigma").Float(), Failures: int(field("failures").Int()),
		Changes: int(field("changes").Int()), Share: first("share", "backlog", "error_rate").Float(),
		Within: first("within", "predict").Duration(), MaxDepth: int(field("max_depth").Int()),
		When: c.condition(field("when"), in(rules.AtPattern)), Hold: hold(field("hold")),
		Then: c.actions(field("then"), acting{place: rules.AtPattern, subject: rules.ActorSubject}),
	}
}
