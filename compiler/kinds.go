package compiler

import (
	"net/url"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/suggest"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

func (c *compiler) process(v *spec.Value, fill vars) *plan.ProcessSpec {
	p := &plan.ProcessSpec{
		Command: c.texts(v.Entry("command"), fill), Dir: c.text(v.Entry("cwd"), fill), Protocol: v.At("protocol").Text(),
		InFlight: int(v.Entry("in_flight").Int()), Signal: v.At("stop").At("signal").Text(), Grace: v.At("stop").At("grace").Duration(),
		NormalExit: []int{0},
	}
	if codes := v.Entry("normal_exit"); codes != nil {
		p.NormalExit = nil
		for _, code := range codes.Items() {
			p.NormalExit = append(p.NormalExit, int(code.Int()))
		}
	}
	for _, e := range v.Entry("env").Entries() {
		p.Env = append(p.Env, plan.EnvVar{Name: e.Key, Value: c.text(e.Value, fill), Secret: e.Value.Secret})
	}
	slices.SortFunc(p.Env, func(a, b plan.EnvVar) int { return strings.Compare(a.Name, b.Name) })
	return p
}

// url reads the address of an upstream, which must be one that HTTP can reach.
func (c *compiler) url(v *spec.Value, fill vars) string {
	text := c.text(v, fill)
	if v == nil {
		return text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" && u.Scheme != "":
		c.errorf("LR223", v.Pos, "%q is no URL; write http://HOST:PORT", v)
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "h2c":
		c.errorf("LR223", v.Pos, "%q does not begin with http://, https:// or h2c:// (HTTP/2 without TLS)", v)
	}
	return text
}

func (c *compiler) operations(u *unit) []plan.Operation {
	var out []plan.Operation
	for _, e := range u.part().Entry("operations").Entries() {
		v := e.Value
		request := in(rules.AtOperation).about(e.Key)
		op := plan.Operation{
			Message: e.Key, Method: v.At("method").Text(), Path: c.words(v.Entry("path"), request),
			Headers: c.builtValues(v.Entry("headers"), request), Body: c.template(v.Entry("body"), request),
			Reply: c.template(v.Entry("reply"), in(rules.AtOperationReply).about(e.Key)),
		}
		out = append(out, op)
	}
	slices.SortFunc(out, func(a, b plan.Operation) int { return strings.Compare(a.Message, b.Message) })
	return out
}

// builtValues compiles a table of built values.
func (c *compiler) builtValues(v *spec.Value, s scope) []plan.Built {
	var out []plan.Built
	for _, e := range v.Entries() {
		out = append(out, plan.Built{Name: e.Key, Value: c.template(e.Value, s)})
	}
	slices.SortFunc(out, func(a, b plan.Built) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (c *compiler) consensus(u *unit) *plan.ConsensusSpec {
	v := u.part()
	out := &plan.ConsensusSpec{
		Agreement: v.At("agreement").Float(), Compare: c.program(v.Entry("compare"), in(rules.AtCompare)),
		Liars:     int(v.Entry("liars").Int()),
		OnDissent: c.actions(v.Entry("on_dissent"), acting{place: rules.AtRuleAction, subject: rules.ActorSubject}),
	}
	for _, item := range v.Entry("members").Items() {
		t, ok := c.receiver(item)
		if !ok {
			continue
		}
		u.calls = append(u.calls, waits{to: t.unit, pos: item.Pos})
		out.Members = append(out.Members, t.members()...)
		if t.unit.group && t.replica < 0 {
			out.Groups = append(out.Groups, t.unit.path)
		}
	}
	c.checkMembers(v, out.Members)
	if quorum := v.Entry("quorum"); quorum != nil {
		out.Quorum = int(quorum.Int())
	} else {
		out.Quorum, out.Majority = len(out.Members)/2+1, true
	}
	out.Weights = c.weights(v.Entry("weights"), out.Members)
	c.checkConsensus(v, out)
	return out
}

// members are the paths that a target stands for.
func (t target) members() []string {
	if !t.unit.group || t.replica >= 0 {
		return []string{t.path()}
	}
	out := make([]string, t.unit.replicas)
	for n := range out {
		out[n] = target{t.unit, n}.path()
	}
	return out
}

// weights reads the weights of members; a group's weight is that of each replica.
func (c *compiler) weights(v *spec.Value, members []string) []plan.Weight {
	var out []plan.Weight
	for _, e := range v.Entries() {
		t, ok := c.lookup(e.Key, e.KeyPos, "member")
		if !ok {
			continue
		}
		for _, path := range t.members() {
			if !slices.Contains(members, path) {
				c.errorf("LR203", e.KeyPos, "%q is no member; the members are %s", e.Key, strings.Join(members, ", "))
				break
			}
			out = append(out, plan.Weight{Member: path, Value: e.Value.Float()})
		}
	}
	slices.SortFunc(out, func(a, b plan.Weight) int { return strings.Compare(a.Member, b.Member) })
	return slices.CompactFunc(out, func(a, b plan.Weight) bool { return a.Member == b.Member })
}

// receiver resolves a name that must take messages.
func (c *compiler) receiver(v *spec.Value) (target, bool) {
	if v == nil {
		return target{}, false // reported by spec
	}
	t, ok := c.resolve(v)
	if ok && t.unit.kind == plan.Supervisor {
		c.errorf("LR222", v.Pos, "%q is a supervisor, which takes no messages; name an actor below it", v.Text())
		return t, false
	}
	return t, ok
}

// answers reports a group that cannot be asked, because it hands each message to all its replicas.
func (c *compiler) answers(t target, v *spec.Value) {
	if t.unit.group && t.replica < 0 && t.unit.value.At("route").At("pick").Text() == "all" {
		c.errorf("LR222", v.Pos, "%q hands a message to all its replicas (route.pick: all), so it can be told, not asked; name one replica or pick another way", v.Text())
	}
}

// takes reports a message that the receiver cannot understand.
func (c *compiler) takes(t target, v *spec.Value, message string) {
	if v == nil || message == "" {
		return // reported by spec
	}
	part := t.unit.part()
	switch t.unit.kind {
	case plan.Script:
		handlers := part.Entry("handlers")
		if handlers.Entry(message) != nil {
			return
		}
		var have []string
		for _, e := range handlers.Entries() {
			have = append(have, e.Key)
		}
		d := spec.Diagnostic{Code: "LR224", Pos: v.Pos, Message: "script " + quote(t.unit.name) + " has no handler for " + quote(message)}
		if near := suggest.Nearest(message, have); near != "" {
			d.Suggestion = "did you mean " + quote(near) + "?"
		}
		c.report(d)
	case plan.Process:
		if part.At("protocol").Text() == "none" {
			c.errorf("LR224", v.Pos, "process %q takes no messages; give it protocol: jsonl", t.unit.name)
		}
	}
}

func quote(s string) string { return `"` + s + `"` }
