package host

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/live"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// plan is the one in force: what the files say, and over it what actions have changed since.
func (h *Host) plan() *plan.Plan { return h.engine.Plan() }

// system is what rules may know of the engine as a whole. Health and emergency are the Machine's own.
func (h *Host) system() rules.System {
	s := rules.System{Generation: float64(h.running.Load().number), DeadLetters: float64(h.engine.DeadLetters())}
	s.Reload = h.lastReload()
	return s
}

// lastReload is how the last reload ended, as rules and people see it.
func (h *Host) lastReload() rules.Reload {
	if d := h.drift.Load(); d != nil && !d.rolledBack {
		return rules.Reload{Status: engine.ReloadRejected, Code: d.code}
	}
	v, _, _ := h.verdicts.now()
	return rules.Reload{Status: v.status, Code: v.code}
}

// Status is what the engine looks like now.
func (h *Host) Status() admin.Status {
	now := h.engine.Status()
	digest := now.Plan.Digest()
	level, score := h.record.health()
	if !h.ready.Load() {
		level = "starting"
	}
	out := admin.Status{
		Name: now.Plan.Name, Generation: now.Generation, Digest: hex.EncodeToString(digest[:]), PID: os.Getpid(),
		Uptime: (now.Now - h.started).Seconds(), Health: level, Score: score, Emergency: now.Emergency, DeadLetters: now.DeadLetters, Listeners: h.listeners(), Patterns: h.record.patterns(),
	}
	out.Overrides = h.overrides(now.Plan)
	if d := h.drift.Load(); d != nil {
		out.Drift = d.text
	}
	out.Reload = admin.ReloadStatus(h.lastReload())
	rates := h.sampler.last()
	byPath := make(map[string]live.ActorStatus, len(now.Actors))
	for _, a := range now.Actors {
		byPath[a.Path] = a
	}
	for i := range now.Plan.Actors {
		spec := &now.Plan.Actors[i]
		if a, ok := byPath[spec.Path]; ok && spec.Kind != plan.Supervisor {
			out.Actors = append(out.Actors, actorStatus(a, rates[a.Path]))
		}
	}
	out.Breakers = breakerStatuses(now.Guards, now.Now, breakers(now.Plan), true)
	return out
}

// overrides are the actions in force, oldest first.
func (h *Host) overrides(p *plan.Plan) []admin.Override {
	var inForce []engine.Override
	var now time.Duration
	h.engine.Consult(func() { inForce, now = h.machine.Overrides(), time.Duration(h.clock.Now()) })
	varied := map[[2]string]plan.Override{}
	for _, o := range p.Overrides() {
		varied[[2]string{o.Verb, o.Target}] = o
	}
	var out []admin.Override
	for _, o := range inForce {
		one := admin.Override{By: o.By, Reason: o.Reason, Since: (now - o.Since).Seconds(), Until: "undone"}
		if v, is := varied[[2]string{o.Verb, o.Target}]; is {
			one.What, one.Value, one.Before = v.What, v.Value, v.Before
		} else {
			one.What, one.Value = lasting(o)
		}
		switch {
		case o.Until > 0:
			one.Until, one.Left = "time", max(0, o.Until-now).Seconds()
		case o.Emergency:
			one.Until = "emergency"
		}
		out = append(out, one)
	}
	return out
}

// lasting names what an action that is no change of the plan has changed.
func lasting(o engine.Override) (what, value string) {
	switch o.Verb {
	case "pause", "stop", "quarantine":
		return o.Target, map[string]string{"pause": "paused", "stop": "stopped", "quarantine": "quarantined"}[o.Verb]
	case "force_open":
		return "breaker " + o.Target, "forced_open"
	case "force_close":
		return "breaker " + o.Target, "forced_closed"
	case "emergency":
		return "the engine", "emergency"
	}
	return o.Target, "as in the files" // an action whose value is what they say by now
}

func (h *Host) listeners() []admin.Listener {
	var out []admin.Listener
	for _, l := range h.gateway.Addresses() {
		out = append(out, admin.Listener{Name: l.Name, Address: l.Address})
	}
	return out
}

func actorStatus(a live.ActorStatus, rates rules.Actor) admin.ActorStatus {
	return admin.ActorStatus{
		Path: a.Path, Kind: a.Kind.String(), State: a.State, Ready: a.Ready, Paused: a.Paused, Quarantined: a.Quarantined, Unhealthy: !a.Healthy,
		Restarts: a.Restarts, Incarnation: uint32(a.Incarnation), Since: a.Up.Seconds(), Mailbox: a.Mailbox, Capacity: a.Capacity, Blocked: a.Blocked,
		InFlight: a.InFlight, Calls: a.Calls, Failures: a.Failures, DeadLetters: a.DeadLetters, ErrorRate: rates.ErrorRate, P99: rates.Latency.P99,
		PID: a.PID, Memory: a.Usage.Memory,
	}
}

// breakerStatuses shows the breakers of guards, by name: those that have a policy here, or all.
func breakerStatuses(guards []guard.Snapshot, now time.Duration, policies map[string]*plan.Breaker, all bool) []admin.BreakerStatus {
	var out []admin.BreakerStatus
	for _, g := range guards {
		for _, b := range g.Breakers {
			if policy := policies[b.Name]; all || policy != nil {
				out = append(out, breakerStatus(b, now, policy))
			}
		}
	}
	return out
}

func breakerStatus(b guard.BreakerSnapshot, now time.Duration, policy *plan.Breaker) admin.BreakerStatus {
	out := admin.BreakerStatus{
		Name: b.Label, State: guard.StateName(b.State, b.Mode), Since: max(0, now-time.Duration(b.Since)).Seconds(), Calls: uint64(b.Calls),
		ErrorRate: b.ErrorRate, SlowRate: b.SlowRate, Consecutive: uint64(b.Consecutive), Rejected: b.Totals.Rejected, Opens: b.Totals.Opens,
	}
	if left := time.Duration(b.Until) - now; out.State == "open" && left > 0 {
		out.Until = left.Seconds()
	}
	if policy != nil {
		out.Thresholds = thresholds(policy)
	}
	return out
}

// thresholds names what trips the breaker, as the topology does.
func thresholds(b *plan.Breaker) map[string]string {
	t := b.Policy.Trip
	out := map[string]string{}
	if t.ConsecutiveFailures > 0 {
		out["consecutive_failures"] = fmt.Sprint(t.ConsecutiveFailures)
	}
	if t.Failures > 0 {
		out["failures"] = fmt.Sprint(t.Failures)
	}
	if t.ErrorRate > 0 {
		out["error_rate"] = fmt.Sprintf("%g%%", t.ErrorRate*100)
	}
	if t.Slow.Rate > 0 {
		out["slow_calls"] = fmt.Sprintf("%g%% over %s", t.Slow.Rate*100, t.Slow.Over)
	}
	if b.TripWhen != nil {
		out["when"] = b.TripWhen.Source()
	}
	return out
}

// breakers are the plan's, by name, wherever they stand.
func breakers(p *plan.Plan) map[string]*plan.Breaker {
	out := breakersOf{}
	for i := range p.Actors {
		out.addActor(&p.Actors[i])
	}
	for i := range p.Groups {
		out.add(p.Groups[i].Guard)
	}
	for _, l := range p.Gateway {
		for _, r := range l.Routes {
			out.add(r.Guard)
		}
	}
	return out
}

// breakersOf are breakers by name.
type breakersOf map[string]*plan.Breaker

func (m breakersOf) add(g *plan.Guard) {
	if g != nil && g.Breaker != nil {
		m[g.Breaker.Name] = g.Breaker
	}
}

// addActor adds those that stand at an actor: its guard's, and those of the calls that it makes.
func (m breakersOf) addActor(a *plan.Actor) {
	m.add(a.Guard)
	if a.Script == nil {
		return
	}
	for _, handler := range a.Script.Handlers {
		for _, c := range handler.Calls {
			m.add(c.Guard)
		}
	}
}

// Steer asks the Machine for an action and waits for its verdict.
func (h *Host) Steer(ctx context.Context, s engine.Steer, by string) error {
	err := h.engine.Command(ctx, s, by)
	h.follow() // a request that comes after the verdict finds it done
	return err
}

// Ask sends a message through the actor's guard and waits for the reply. Errors of the call are *engine.Error; an unknown
// name wraps engine.ErrUnknownActor.
func (h *Host) Ask(ctx context.Context, r admin.AskRequest) (any, error) {
	o := callOptions(r)
	o.Timeout = r.Timeout
	return h.engine.Ask(ctx, r.Actor, engine.Msg{Type: r.Message, Payload: r.Payload}, o)
}

// Tell sends a message without waiting for what it does.
func (h *Host) Tell(ctx context.Context, r admin.AskRequest) error {
	return h.engine.Tell(ctx, r.Actor, engine.Msg{Type: r.Message, Payload: r.Payload}, callOptions(r))
}

func callOptions(r admin.AskRequest) live.CallOptions {
	return live.CallOptions{Correlation: r.Correlation, Idempotent: r.Idempotent}
}
