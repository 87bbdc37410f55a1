package compiler

import (
	"path/filepath"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

func (c *scripted) step(v *spec.Value) plan.Step {
	out := plan.Step{
		ID: v.Entry("id").Text(), Place: placed(v.Pos), At: c.moment(v.Entry("at")), When: c.condition(v.Entry("when"), in(rules.AtTimeline)),
		Every: v.Entry("every").Duration(), For: v.Entry("for").Duration(), Verb: verbOf(v),
	}
	if lasts := v.Entry("for"); lasts != nil && instant(out.Verb) {
		c.errorf("LR507", lasts.Pos, "%s is over at once, so there is nothing that could last", out.Verb)
	}
	if v.Entry("every") != nil && out.Verb == "" {
		c.errorf("LR507", v.Entry("every").Pos, "a moment without a verb comes once; use at or when")
	}
	does := v.Entry(out.Verb)
	switch {
	case out.Verb == "":
	case out.Verb == "world":
		out.World = c.world(does)
	case out.Verb == "reload":
		out.Reload = &plan.Reloading{} // filled by reloads
	case c.isFault(out.Verb):
		out.Fault = c.fault(out.Verb, does)
	default:
		a := c.action(out.Verb, does, acting{place: rules.AtTimeline, subject: rules.SystemSubject})
		if out.For > 0 {
			a.For = out.For
		} else {
			out.For = a.For
		}
		out.Action = &a
	}
	return out
}

// faults are the verbs of things that go wrong.
var faults = [...]string{
	"crash", "hang", "slow", "fail", "drop", "delay", "duplicate", "reorder", "partition", "clock_skew", "fill_mailbox", "corrupt", "exhaust", "poison",
}

func (c *scripted) isFault(verb string) bool {
	for _, f := range faults {
		if f == verb {
			return true
		}
	}
	return false
}

func (c *scripted) fault(verb string, v *spec.Value) *plan.Fault {
	field := func(name string) *spec.Value {
		if v.Type.Field(name) == nil {
			return nil
		}
		return v.At(name)
	}
	out := &plan.Fault{
		Target: c.whom(field("target")), From: c.whom(field("from")), Rate: field("rate").Float(), By: field("by").Duration(),
		Factor: field("factor").Float(), Kind: field("kind").Text(), Status: int(field("status").Int()), What: field("what").Text(),
		Value: c.template(field("value"), in(rules.AtWorldReply)), Resource: field("resource").Text(), Where: c.condition(field("where"), in(rules.AtPoison)),
	}
	switch verb {
	case "exhaust":
		out.Rate = field("to").Float()
	default:
		out.To = c.whom(field("to"))
	}
	for _, side := range field("between").Items() {
		out.Between = append(out.Between, c.side(side))
	}
	return out
}

// side reads one side of a partition: a name, or several.
func (c *scripted) side(v *spec.Value) []string {
	if len(v.Items()) == 0 {
		return []string{c.whom(v)}
	}
	var out []string
	for _, item := range v.Items() {
		out = append(out, c.whom(item))
	}
	return out
}

// reloads compiles what the steps reload, in the author's order: each `set` lies over the topology as the scenario starts
// it, with all earlier ones, or over the last `file`. The scenario's own override lies over both.
func (c *scripted) reloads(out *plan.Scenario) {
	set, override := c.set, c.override
	for i, item := range c.value.Entry("timeline").Items() {
		v := item.Entry("reload")
		if v == nil {
			continue
		}
		var found spec.Diagnostics
		if file := v.Entry("file"); file != nil {
			next := c.file(file, &found)
			if next == nil {
				continue
			}
			set, override = next, c.override
		}
		over := override
		if changes := v.Entry("set"); changes != nil {
			over = spec.Merge(override, changes)
		}
		var p *plan.Plan
		if !found.HasErrors() {
			p, found = Compile(set, Options{Override: over, Dir: c.opts.Dir})
		}
		out.Steps[i].Reload = reloading(p, found)
		if p != nil {
			override = over // what is refused leaves nothing behind
		}
	}
}

func (c *scripted) file(v *spec.Value, found *spec.Diagnostics) *spec.Set {
	if c.opts.Load == nil {
		c.errorf("LR508", v.Pos, "no files can be read here")
		return nil
	}
	set, diags := c.opts.Load(filepath.Join(filepath.Dir(v.Pos.File), v.Text()))
	for _, d := range diags {
		if d.Code == "LR015" {
			c.errorf("LR508", v.Pos, "%s", d.Message)
			return nil
		}
	}
	*found = diags
	return set
}

func reloading(p *plan.Plan, found spec.Diagnostics) *plan.Reloading {
	out := &plan.Reloading{Plan: p}
	if p != nil {
		return out
	}
	for _, d := range found {
		if d.Severity != spec.Error {
			continue
		}
		if out.Code == "" {
			out.Code = d.Code
		}
		out.Problems = append(out.Problems, d.Error())
	}
	return out
}
