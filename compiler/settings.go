package compiler

import (
	"slices"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// settings compiles what concerns the engine itself.
func (c *compiler) settings() {
	c.plan.Journal = c.journal(c.root.At("journal"))
	c.plan.Observe = observation(c.root.At("observe"))
	v := c.root.At("reload")
	c.plan.Reload = plan.Reload{
		Mode: v.At("mode").Text(), MaxRemoved: v.At("max_removed").Float(), VerifyFor: v.At("verify_for").Duration(),
		AbortIf: c.condition(v.Entry("abort_if"), in(rules.AtAbortIf)),
	}
	if canary := v.Entry("canary"); on(canary) {
		c.plan.Reload.CanaryShare, c.plan.Reload.CanaryFor = canary.At("share").Float(), canary.At("for").Duration()
	}
}

func (c *compiler) journal(v *spec.Value) plan.Journal {
	j := plan.Journal{
		Durability: v.At("durability").Text(), Record: c.recorded(v.At("record")),
		RetentionAge: v.At("retention").At("age").Duration(), RetentionSize: v.At("retention").At("size").Bytes(),
		SnapshotEvery: int(v.At("snapshot").At("every").Int()), Overflow: v.At("overflow").Text(), OnFailure: v.At("on_failure").Text(),
	}
	if !v.At("enabled").Bool() {
		j.Durability = "memory"
	}
	if erase := v.Entry("erase"); erase != nil {
		j.EraseSubject = c.program(erase.Entry("subject"), in(rules.AtKey))
		j.EraseTypes = c.texts(erase.Entry("types"), nil)
		slices.Sort(j.EraseTypes)
	}
	return j
}

// recorded lists the classes of events that are kept; "all" is each of them, without what calls carried.
func (c *compiler) recorded(v *spec.Value) []string {
	if v == nil {
		return []string{"decisions", "failures", "lifecycle"}
	}
	if v.Type.Shape != spec.List {
		return []string{"calls", "decisions", "failures", "lifecycle", "messages", "state"}
	}
	var out []string
	for _, item := range v.Items() {
		out = append(out, item.Text())
	}
	if at := slices.Index(out, "payloads"); at >= 0 && !slices.Contains(out, "calls") && !slices.Contains(out, "messages") {
		c.errorf("LR222", v.Items()[at].Pos, "payloads are those of calls and messages, and neither is recorded; add calls or messages")
	}
	slices.Sort(out)
	return slices.Compact(out)
}
