package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// Mutation is one way to weaken a topology, as an override.
type Mutation struct {
	Of       string `json:"of"`       // root/database, rule bad-worker
	What     string `json:"what"`     // without the breaker
	Path     string `json:"path"`     // of the field: root/database.guard.breaker.mode
	Override string `json:"override"` // {actors.root/database.guard.breaker.mode: disabled}
}

// Mutations lists how a topology can be weakened, one thing at a time, in the plan's order: each layer of a guard taken
// away, each threshold doubled, rules and restarts dropped, strategies swapped. What provably changes nothing, such as
// another strategy for a single child, is not in it.
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

func (k *weakener) add(what, field, value string) {
	k.out = append(k.out, Mutation{Of: k.of, What: what, Path: k.set + field, Override: fmt.Sprintf("{%s%s: %s}", k.key, field, value)})
}

// double adds a threshold that is twice what it is.
func (k *weakener) double(name, field string, n int) {
	if n > 0 {
		k.add(fmt.Sprintf("%s %d instead of %d", name, 2*n, n), field, strconv.Itoa(2*n))
	}
}

// share adds a threshold that is a share, and at most all.
func (k *weakener) share(name, field string, r float64) {
	if next := min(2*r, 1); r > 0 && next > r {
		k.add(fmt.Sprintf("%s %s instead of %s", name, percent(next), percent(r)), field, percent(next))
	}
}

func percent(r float64) string { return strconv.FormatFloat(float64(r*100), 'g', 6, 64) + "%" }

func (k *weakener) span(name, field string, d time.Duration) {
	if d > 0 {
		k.add(fmt.Sprintf("%s %s instead of %s", name, 2*d, d), field, (2 * d).String())
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
	if a.Restart.Policy != plan.Never {
		k.add("never restarted", "restart.policy", "never")
	}
	if a.Mailbox.Attempts > 0 {
		k.add("gets a message that kills it again and again", "mailbox.attempts", "1000")
	}
	if a.Consensus != nil && a.Consensus.Quorum > 1 {
		k.add("believes the first answer", "consensus.quorum", "1")
	}
}

func (k *weakener) supervisor(s *plan.SupervisorSpec) {
	k.double("restarts allowed", "intensity.max", s.Intensity.Max)
	if len(s.Children) > 1 { // with one child all strategies are the same
		other := "all_for_one"
		if s.Strategy == plan.AllForOne {
			other = "one_for_one"
		}
		k.add("restarts its children "+other, "strategy", other)
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
		k.add("without its bulkhead", "guard.bulkhead.enabled", "false")
		k.double("calls at once", "guard.bulkhead.concurrent", g.Bulkhead.Concurrent)
	}
	if g.Adaptive != nil {
		k.add("without its adaptive limit", "guard.adaptive.enabled", "false")
	}
	if g.Rate != nil {
		k.add("without its rate limit", "guard.rate_limit.enabled", "false")
	}
	if r := g.Retry; r != nil {
		k.add("without retries", "guard.retry.enabled", "false")
		if r.Budget > 0 && r.Budget < 1 {
			k.add("retries without a budget", "guard.retry.budget", "100%")
		}
	}
	if g.Hedge != nil {
		k.add("without hedging", "guard.hedge.enabled", "false")
	}
	if g.Timeout > 0 {
		k.span("timeout", "guard.timeout", g.Timeout)
		k.add("without its timeout", "guard.timeout", ages)
	}
	if g.Deadline > 0 {
		k.add("without its deadline", "guard.deadline", ages)
	}
	if len(g.Fallback) > 0 {
		k.add("without its fallback", "guard.fallback", silent)
	}
}

func (k *weakener) breaker(b *plan.Breaker, field string) {
	if b.Policy.Mode.String() != "disabled" {
		k.add("without its breaker", field+".mode", "disabled")
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
}

// condition doubles each number that an expression compares with, one at a time.
func (k *weakener) condition(what, field string, of *rules.Program, scope rules.Scope) {
	if of == nil {
		return
	}
	scope.Params = paramFields(k.plan)
	for _, d := range rules.Doubled(of.Source(), scope) {
		k.add(fmt.Sprintf("%s at %s instead of %s", what, d.To, d.From), field, strconv.Quote(d.Text))
	}
}

func (k *weakener) rule(r *plan.Rule) {
	if !r.Enabled || r.When == nil {
		return
	}
	at := "rules." + r.Name + "."
	k.at("rule "+r.Name, at, at)
	k.add("dropped", "enabled", "false")
	k.condition("fires", "when", r.When, rules.Scope{Place: rules.AtRule, Subject: r.Subject})
	if r.Hold.For > 0 && r.Hold.Of == 0 {
		k.span("holds for", "hold", r.Hold.For)
	}
	for i := range r.Then {
		if a := &r.Then[i]; a.Verb == "quarantine" && a.MaxShare > 0 && a.MaxShare < 1 && a.Where == nil && len(r.Then) == 1 {
			k.add("may quarantine all", "then", "["+strings.TrimSuffix("{quarantine: {"+target(a), ", ")+", max_share: 100%}}]")
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
	if p.Emergency == nil {
		return
	}
	k.at("emergency", "emergency.", "emergency.")
	k.add("without the emergency mode", "enabled", "false")
	k.condition("entered", "enter", p.Emergency.Enter, rules.Scope{Place: rules.AtEmergency})
	if p.Emergency.Admit != nil {
		k.add("admits everybody", "admit", "1 < 2")
	}
}
