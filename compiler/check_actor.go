package compiler

import (
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

// spinning is the intensity from which restarts without a wait would keep a processor busy.
const spinning = 100

// checkActor reports what cannot work for the kind of actor at hand.
func (c *compiler) checkActor(u *unit, p parts) {
	c.checkProbe(u, u.value.Entry("ready"))
	c.checkProbe(u, u.value.Entry("health"))
	c.checkRestart(u, p)
	c.checkAdopt(u)
	if n := u.value.Entry("concurrency"); n != nil && n.Int() > 1 && setsState(p.script) {
		c.errorf("LR222", n.Pos, "script %q sets state, so it handles one message at a time; remove concurrency", u.name)
	}
	if persist := u.value.Entry("persist"); persist != nil && persist.At("mode").Text() != "none" && u.kind != plan.Script && u.kind != plan.Go {
		c.warnf("LR226", persist.Pos, "persist has no effect on %s, whose state the engine does not hold", kindText(u.kind))
	}
}

// checkAdopt warns of actors that are stopped and started when they move, whatever adopt says.
func (c *compiler) checkAdopt(u *unit) {
	adopt := u.value.Entry("adopt")
	if adopt == nil || !adopt.Bool() {
		return
	}
	why := ""
	switch {
	case u.kind == plan.Supervisor:
		why = "a supervisor: only single actors are adopted"
	case u.group:
		why = "replicas: a group stays together"
	case u.value.At("persist").At("mode").Text() != "none":
		why = "an actor with persist: its state is kept under its path"
	default:
		return
	}
	c.warnf("LR226", adopt.Pos, "adopt has no effect on %s", why)
}

func kindText(k plan.Kind) string {
	if k == plan.Upstream {
		return "an " + k.String()
	}
	return "a " + k.String()
}

func setsState(s *plan.ScriptSpec) bool {
	if s == nil {
		return false
	}
	for i := range s.Handlers {
		if len(s.Handlers[i].Set) > 0 {
			return true
		}
	}
	return false
}

func (c *compiler) checkProbe(u *unit, v *spec.Value) {
	if !on(v) {
		return
	}
	for _, field := range []string{"line", "exit"} {
		if given := v.Entry(field); given != nil && u.kind != plan.Process {
			c.errorf("LR222", given.Pos, "%s is for processes, and %q is %s", field, u.name, kindText(u.kind))
		}
	}
	if http := v.Entry("http"); http != nil && u.kind != plan.Upstream && strings.HasPrefix(http.Text(), "/") {
		c.errorf("LR223", http.Pos, "%q has no host, and %s has none either; write http://HOST:PORT%s", http, kindText(u.kind), http)
	}
	if message := v.Entry("message"); message != nil {
		c.takes(target{u, -1}, message, message.Text())
	}
	timeout := v.At("timeout")
	if within := v.Entry("within"); within != nil && timeout != nil && !timeout.Pos.IsZero() && within.Duration() < timeout.Duration() {
		c.warnf("LR226", timeout.Pos, "timeout %s is longer than within %s%s", timeout.Duration(), within.Duration(), both(timeout, within))
	}
	if then := v.Entry("then"); then != nil && then.Text() == "open" && u.value.Entry("guard").Entry("breaker") == nil {
		c.errorf("LR222", then.Pos, "then: open needs a breaker to open; give %q guard: {breaker: …}", u.name)
	}
}

// checkRestart holds OTP's rules on significant children, and refuses restarts that would spin.
func (c *compiler) checkRestart(u *unit, p parts) {
	if u.parent == nil {
		return
	}
	parent := u.parent.value
	if s := u.value.Entry("significant"); s != nil && s.Bool() {
		switch {
		case p.restart.Policy == plan.Always:
			c.errorf("LR234", s.Pos, "a significant actor must be able to end, and %q always restarts; set restart: {policy: on_failure} or never", u.name)
		case parent.At("auto_shutdown").Text() == "never":
			c.errorf("LR234", s.Pos, "significant has no meaning while %q has auto_shutdown: never; set it to any or all", u.parent.name)
		}
	}
	if limit := parent.At("intensity").At("max").Int(); p.restart.Backoff.Initial == 0 && p.restart.Policy != plan.Never && limit >= spinning {
		initial := u.value.At("restart").At("backoff").At("initial")
		c.errorf("LR235", place(initial, u.value.Entry("name")), "initial 0s with an intensity of %d restarts would spin; wait at least 10ms, or lower intensity.max of %q", limit, u.parent.name)
	}
}

func (c *compiler) checkMembers(v *spec.Value, members []string) {
	seen := map[string]bool{}
	for _, path := range members {
		if seen[path] {
			c.errorf("LR202", v.Entry("members").Pos, "member %q stands twice", path)
			return
		}
		seen[path] = true
	}
}

// checkConsensus reports quorums that cannot be, and ones that prove little.
func (c *compiler) checkConsensus(v *spec.Value, s *plan.ConsensusSpec) {
	n := len(s.Members)
	quorum, agreement, liars := v.Entry("quorum"), v.At("agreement"), v.Entry("liars")
	if n == 0 {
		return // unknown members were reported
	}
	if s.Quorum > n {
		c.errorf("LR214", place(quorum, v), "quorum %d is more than the %d members%s", s.Quorum, n, both(quorum, v.Entry("members")))
		return
	}
	if s.Liars > 0 && 2*s.Quorum <= n+s.Liars {
		c.errorf("LR214", place(liars, v), "with %d of %d members lying the quorum must be at least %d, got %d", s.Liars, n, (n+s.Liars)/2+1, s.Quorum)
		return
	}
	if honest := float64(n-s.Liars) / float64(n); s.Liars > 0 && s.Agreement > honest {
		c.errorf("LR214", place(agreement, v), "agreement %v cannot be reached: without the liars at most %.2f of the answers agree", s.Agreement, honest)
	}
	if total := weightOf(s); total <= 0 {
		c.errorf("LR214", place(v.Entry("weights"), v), "agreement %v cannot be reached: no member has any weight", s.Agreement)
	}
	if 2*s.Quorum <= n {
		c.warnf("LR215", place(quorum, v), "quorum %d is no majority of %d members, so two groups may both have it; %d is", s.Quorum, n, n/2+1)
	}
}

// weightOf sums the members' weights; those not listed weigh 1.
func weightOf(s *plan.ConsensusSpec) float64 {
	total := float64(len(s.Members) - len(s.Weights))
	for _, w := range s.Weights {
		total += w.Value
	}
	return total
}
