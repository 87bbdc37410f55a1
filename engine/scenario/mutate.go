package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// Mutation is one way to weaken a topology, as an override.
type Mutation struct {
	Of       string `json:"of"`       // root/database, rule bad-worker
	What     string `json:"what"`     // without the breaker
	Path     string `json:"path"`     // of what says it: root/database.guard.breaker
	Override string `json:"override"` // {actors.root/database.guard.breaker.mode: disabled}
	Removes  bool   `json:"removes"`  // it takes a guard away; else one is still there, and weaker
}

// Written finds where the author wrote what is weakened; false when it is as it is by default.
func (m Mutation) Written(settings []compiler.Setting) (plan.Place, bool) {
	return written(settings, m.Path)
}

// Mutations lists how a topology can be weakened, one thing at a time, in the plan's order: each guard taken away (layers
// of guards, and what else keeps trouble small: restarts and their waits, intensity, bounds of mailboxes, rules, quorums,
// probations), each threshold doubled, strategies swapped. What provably changes nothing, such as another strategy for a
// single child, is not in it.
func Mutations(p *plan.Plan) []Mutation {
	k := &weakener{plan: p}
	for i := range p.Actors {
		a := &p.Actors[i]
		if a.Group == "" || a.Replica == 0 {
			k.actor(a)
		}
	}
	for i := range p.Groups {
		k.at(p.Groups[i].Path, "actors."+p.Groups[i].Path+".", p.Groups[i].Path+".")
		k.guard(p.Groups[i].Guard)
	}
	for i := range p.Gateway {
		for j := range p.Gateway[i].Routes {
			r := &p.Gateway[i].Routes[j]
			at := "gateway." + p.Gateway[i].Name + ".routes." + r.Name + "."
			k.at("route "+p.Gateway[i].Name+"/"+r.Name, at, at)
			k.guard(r.Guard)
		}
	}
	for i := range p.Rules {
		k.rule(&p.Rules[i])
	}
	k.system(p)
	return k.out
}

// weakener gathers mutations of one owner after the other.
type weakener struct {
	plan         *plan.Plan
	of, key, set string // owner, and what its fields begin with in an override and among the settings
	out          []Mutation
}

func (k *weakener) at(of, key, set string) { k.of, k.key, k.set = of, key, set }

// weaker adds what makes a guard weaker: another value of one of its fields.
func (k *weakener) weaker(what, field, value string) {
	k.out = append(k.out, Mutation{Of: k.of, What: what, Path: k.set + field, Override: k.override(field, value)})
}

// without adds what takes a guard away, by a value of some field of it.
func (k *weakener) without(what, guard, field, value string) {
	k.out = append(k.out, Mutation{Of: k.of, What: what, Path: strings.TrimSuffix(k.set+guard, "."), Override: k.override(field, value), Removes: true})
}

func (k *weakener) override(field, value string) string {
	return fmt.Sprintf("{%s%s: %s}", k.key, field, value)
}

// double adds a threshold that is twice what it is.
func (k *weakener) double(name, field string, n int) {
	if n > 0 {
		k.weaker(fmt.Sprintf("%s %d instead of %d", name, 2*n, n), field, strconv.Itoa(2*n))
	}
}

// share adds a threshold that is a share, and at most all.
func (k *weakener) share(name, field string, r float64) {
	if next := min(2*r, 1); r > 0 && next > r {
		k.weaker(fmt.Sprintf("%s %s instead of %s", name, percent(next), percent(r)), field, percent(next))
	}
}

func percent(r float64) string { return strconv.FormatFloat(float64(r*100), 'g', 6, 64) + "%" }

func (k *weakener) span(name, field string, d time.Duration) {
	if d > 0 {
		k.weaker(fmt.Sprintf("%s %s instead of %s", name, 2*d, d), field, (2 * d).String())
	}
}

func (k *weakener) actor(a *plan.Actor) {
	path := a.Path
	if a.Group != "" {
		path = a.Group
	}
	k.at(path, "actors."+path+".", path+".")
	if s := a.Supervisor; s != nil {
		k.supervisor(s)
		return
	}
	k.guard(a.Guard)
	k.kept(a)
	if a.Persist.Mode == "events" || a.Persist.Mode == "state" {
		k.without("remembers nothing", "persist", "persist.mode", "none")
	}
	if c := a.Consensus; c != nil {
		if c.Quorum > 1 {
			k.without("believes the first answer", "consensus.quorum", "consensus.quorum", "1")
		}
		k.without("believes a minority", "consensus.agreement", "consensus.agreement", "1%")
	}
}

// endless is a count that nothing reaches, atOnce a wait that nobody notices.
const (
	endless = "1000000"
	atOnce  = "1ms"
)

// kept is about what brings an actor back and what it is spared.
func (k *weakener) kept(a *plan.Actor) {
	if a.Restart.Policy != plan.Never {
		k.without("never restarted", "restart.policy", "restart.policy", "never")
		k.without("restarted at once", "restart.backoff", "restart.backoff", "{initial: "+atOnce+", max: "+atOnce+"}")
	}
	k.without("gets a message that kills it again and again", "mailbox.attempts", "mailbox.attempts", "1000")
	k.without("with a mailbox that is never full", "mailbox.capacity", "mailbox.capacity", endless)
	k.double("mailbox of", "mailbox.capacity", a.Mailbox.Capacity)
}

func (k *weakener) supervisor(s *plan.SupervisorSpec) {
	k.without("never gives up", "intensity", "intensity.max", endless)
	k.double("restarts allowed", "intensity.max", s.Intensity.Max)
	if len(s.Children) > 1 { // with one child all strategies are the same
		other := "all_for_one"
		if s.Strategy == plan.AllForOne {
			other = "one_for_one"
		}
		k.weaker("restarts its children "+other, "strategy", other)
	}
	if b := s.RestartBreaker; b != nil {
		k.breaker(b, "restart_breaker")
	}
}

// silent is a fallback that never answers: a list of fallbacks cannot be empty.
const silent = `[{when: "1 > 2", reply: {}}]`

// ages is a timeout that is none.
const ages = "24h"

func (k *weakener) guard(g *plan.Guard) {
	if g == nil {
		return
	}
	if g.Breaker != nil {
		k.breaker(g.Breaker, "guard.breaker")
	}
	if g.Bulkhead != nil {
		k.without("without its bulkhead", "guard.bulkhead", "guard.bulkhead.enabled", "false")
		k.double("calls at once", "guard.bulkhead.concurrent", g.Bulkhead.Concurrent)
	}
	if g.Adaptive != nil {
		k.without("without its adaptive limit", "guard.adaptive", "guard.adaptive.enabled", "false")
	}
	if g.Rate != nil {
		k.without("without its rate limit", "guard.rate_limit", "guard.rate_limit.enabled", "false")
	}
	if r := g.Retry; r != nil {
		k.without("without retries", "guard.retry", "guard.retry.enabled", "false")
		if r.Budget > 0 && r.Budget < 1 {
			k.without("retries without a budget", "guard.retry.budget", "guard.retry.budget", "100%")
		}
	}
	if g.Hedge != nil {
		k.without("without hedging", "guard.hedge", "guard.hedge.enabled", "false")
	}
	if g.Timeout > 0 {
		k.span("timeout", "guard.timeout", g.Timeout)
		k.without("without its timeout", "guard.timeout", "guard.timeout", ages)
	}
	if g.Deadline > 0 {
		k.without("without its deadline", "guard.deadline", "guard.deadline", ages)
	}
	if len(g.Fallback) > 0 {
		k.without("without its fallback", "guard.fallback", "guard.fallback", silent)
	}
}

func (k *weakener) breaker(b *plan.Breaker, field string) {
	if b.Policy.Mode.String() != "disabled" {
		k.without("without its breaker", field, field+".mode", "disabled")
	}
	t, at := b.Policy.Trip, field+".trip."
	k.double("consecutive failures", at+"consecutive_failures", t.ConsecutiveFailures)
	k.double("failures", at+"failures", t.Failures)
	k.share("error rate", at+"error_rate", t.ErrorRate)
	k.share("share of slow calls", at+"slow_calls.rate", t.Slow.Rate)
	k.span("slow means over", at+"slow_calls.over", t.Slow.Over)
	if b.TripWhen != nil {
		k.condition("trips", at+"when", b.TripWhen, rules.Scope{Place: rules.AtTripWhen})
	}
	if b.Policy.MinCalls > 1 && (t.ErrorRate > 0 || t.Slow.Rate > 0) {
		k.double("calls before rates count", field+".min_calls", b.Policy.MinCalls)
	}
	k.recovery(b, field)
}

// recovery is about how a breaker finds back, and whom it is about.
func (k *weakener) recovery(b *plan.Breaker, field string) {
	if b.Policy.Open.Factor > 1 {
		k.without("stays open no longer each time", field+".open.factor", field+".open.factor", "1")
	}
	if b.Policy.HalfOpen.Successes > 1 || b.Policy.HalfOpen.Probes > 1 && b.Policy.HalfOpen.Successes == 0 {
		k.weaker("closes after one success", field+".half_open.successes", "1")
	}
	if b.Policy.Ramp > 0 {
		k.without("lets everybody in at once", field+".recover", field+".recover.enabled", "false")
	}
	if b.PerReplica {
		k.without("one breaker for the whole group", field+".per", field+".per", "group")
	}
}

// condition doubles each number that an expression compares with, one at a time.
func (k *weakener) condition(what, field string, of *rules.Program, scope rules.Scope) {
	if of == nil {
		return
	}
	scope.Params = paramFields(k.plan)
	for _, d := range rules.Doubled(of.Source(), scope) {
		k.weaker(fmt.Sprintf("%s at %s instead of %s", what, d.To, d.From), field, strconv.Quote(d.Text))
	}
}

func (k *weakener) rule(r *plan.Rule) {
	if !r.Enabled || r.When == nil {
		return
	}
	at := "rules." + r.Name + "."
	k.at("rule "+r.Name, at, at)
	k.without("dropped", "", "enabled", "false")
	k.condition("fires", "when", r.When, rules.Scope{Place: rules.AtRule, Subject: r.Subject})
	if r.Hold.For > 0 && r.Hold.Of == 0 {
		k.span("holds for", "hold", r.Hold.For)
	}
	if r.Cooldown > 0 {
		k.without("acts again at once", "cooldown", "cooldown", atOnce)
	}
	if r.Limit.Max > 0 {
		k.without("acts without limit", "limit", "limit.max", endless)
	}
	for i := range r.Then {
		if a := &r.Then[i]; a.Verb == "quarantine" && a.MaxShare > 0 && a.MaxShare < 1 && a.Where == nil && len(r.Then) == 1 {
			k.without("may quarantine all", "then", "then", "["+strings.TrimSuffix("{quarantine: {"+target(a), ", ")+", max_share: 100%}}]")
		}
	}
}

// target writes whom an action is for, and how long it lasts.
func target(a *plan.Action) string {
	out := ""
	if a.Target != "" {
		out += "target: " + strconv.Quote(a.Target) + ", "
	}
	if a.For > 0 {
		out += "for: " + a.For.String() + ", "
	}
	return out
}

func (k *weakener) system(p *plan.Plan) {
	k.at("reload", "reload.", "reload.")
	if p.Reload.AbortIf != nil {
		k.without("taken back by nothing but crashes", "abort_if", "abort_if", `"false"`)
		k.condition("taken back", "abort_if", p.Reload.AbortIf, rules.Scope{Place: rules.AtAbortIf})
	}
	if p.Reload.VerifyFor > 0 {
		k.without("not on probation", "verify_for", "verify_for", atOnce)
	}
	if p.Emergency == nil {
		return
	}
	k.at("emergency", "emergency.", "emergency.")
	k.without("without the emergency mode", "", "enabled", "false")
	k.condition("entered", "enter", p.Emergency.Enter, rules.Scope{Place: rules.AtEmergency})
	if p.Emergency.Hold.For > 0 && p.Emergency.Hold.Of == 0 {
		k.span("holds for", "hold", p.Emergency.Hold.For)
	}
	if p.Emergency.Admit != nil {
		k.without("admits everybody", "admit", "admit", "1 < 2")
	}
}
