package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Mutation is one way to weaken a topology, as an override.
type Mutation struct {
	What     string // for people: without the breaker of root/database
	Override string // {actors.root/database.guard.breaker.mode: disabled}
}

// Mutations lists how a topology can be weakened: each guard's layers, rules, limits of supervisors and mailboxes, one at a
// time, in the plan's order.
func Mutations(p *plan.Plan) []Mutation {
	k := &weakener{}
	for i := range p.Actors {
		a := &p.Actors[i]
		if a.Group == "" || a.Replica == 0 {
			k.actor(a)
		}
	}
	for i := range p.Groups {
		k.guard(p.Groups[i].Path, p.Groups[i].Guard)
	}
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Enabled && r.When != nil {
			k.add("without the rule "+r.Name, "rules."+r.Name+".enabled", "false")
		}
	}
	if p.Emergency != nil {
		k.add("without the emergency mode", "emergency.enabled", "false")
	}
	return k.out
}

type weakener struct{ out []Mutation }

func (k *weakener) add(what, path, value string) {
	k.out = append(k.out, Mutation{what, fmt.Sprintf("{%s: %s}", path, value)})
}

func (k *weakener) actor(a *plan.Actor) {
	path := a.Path
	if a.Group != "" {
		path = a.Group
	}
	at := "actors." + path + "."
	if s := a.Supervisor; s != nil {
		if a.Parent >= 0 || s.Intensity.Max > 0 {
			k.add(fmt.Sprintf("%s allows 10 times the restarts", path), at+"intensity.max", fmt.Sprint(10*max(s.Intensity.Max, 1)))
		}
		other := "all_for_one"
		if s.Strategy == plan.AllForOne {
			other = "one_for_one"
		}
		k.add(fmt.Sprintf("%s restarts its children %s", path, strings.ReplaceAll(other, "_", " ")), at+"strategy", other)
		return
	}
	k.guard(path, a.Guard)
	if a.Restart.Policy != plan.Never {
		k.add(path+" is never restarted", at+"restart.policy", "never")
	}
	if a.Mailbox.Attempts > 0 {
		k.add(path+" gets a message that kills it again and again", at+"mailbox.attempts", "1000")
	}
	if a.Consensus != nil && a.Consensus.Quorum > 1 {
		k.add(path+" believes the first answer", at+"consensus.quorum", "1")
	}
}

func (k *weakener) guard(path string, g *plan.Guard) {
	if g == nil {
		return
	}
	at := "actors." + path + ".guard."
	if g.Breaker != nil {
		k.add("without the breaker of "+path, at+"breaker.mode", "disabled")
	}
	if g.Bulkhead != nil {
		k.add("without the bulkhead of "+path, at+"bulkhead.concurrent", "1000000")
	}
	if g.Rate != nil {
		k.add("without the rate limit of "+path, at+"rate_limit.enabled", "false")
	}
	if g.Retry != nil {
		k.add("without the retries of "+path, at+"retry.enabled", "false")
		k.add("without the retry budget of "+path, at+"retry.budget", "100%")
	}
	if g.Timeout > 0 {
		k.add("with 10 times the timeout of "+path, at+"timeout", (10 * g.Timeout).Round(time.Millisecond).String())
	}
	if len(g.Fallback) > 0 {
		k.add("without the fallback of "+path, at+"fallback", "[]")
	}
}
