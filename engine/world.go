package engine

import (
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// sampled takes measurements in and decides on them: health first, then emergency, then the rules, so that a rule sees
// the level that its sample gives.
func (m *Machine) sampled(in Sampled) {
	if m.mode != alive {
		return
	}
	m.system, m.node = in.System, in.Node
	for i := range in.Actors {
		m.measure(&in.Actors[i])
	}
	for i := range in.Breakers {
		m.measureBreaker(&in.Breakers[i])
	}
	m.remember()
	m.judgePatterns()
	m.judgeHealth()
	m.judgeEmergency()
	m.judgeRules()
	m.judgeProbation(in.Since)
}

// measure keeps an actor's measurements; those of groups are kept by path. Measurements of what the plan does not have
// are dropped.
func (m *Machine) measure(sample *rules.Actor) {
	if at := m.plan.Index(sample.Path); at >= 0 {
		a := m.roster.byIndex[at]
		if a.sample == nil {
			a.sample = &rules.Actor{}
		}
		*a.sample = *sample
		a.introduce()
		m.rulebook.actors = append(m.rulebook.actors, a)
		return
	}
	if m.plan.Group(sample.Path) != nil {
		copied := *sample
		m.groups[sample.Path] = &copied
	}
}

func (m *Machine) measureBreaker(sample *rules.Breaker) {
	id := (&circuit{view: *sample}).id()
	c := m.circuits.find(id)
	if c == nil {
		c = m.circuits.know(sample.Name, sample.Key)
	}
	c.view = *sample
	m.rulebook.touchBreaker(c)
}

// envOf is what an expression about a subject may read.
func (m *Machine) envOf(s subject) *rules.Env {
	m.system.Health, m.system.Level = m.health.score, m.health.level
	m.system.Emergency, m.system.Generation = m.emergency.on, float64(m.generation)
	if m.system.Reload.Status != ReloadRejected {
		m.system.Reload = m.Reload()
	}
	env := &m.scratch
	*env = rules.Env{Params: m.params, Now: m.now.Seconds(), World: (*world)(m), System: &m.system, Node: &m.node}
	m.about(env, s)
	return env
}

// about points an environment at a subject.
func (m *Machine) about(env *rules.Env, s subject) {
	env.Actor, env.Supervisor, env.Breaker = nil, nil, nil
	switch {
	case s.breaker != nil:
		env.Breaker = &s.breaker.view
	case s.actor != nil && s.actor.sup != nil:
		env.Supervisor, env.Actor = m.viewSupervisor(s.actor.sup), m.view(s.actor)
	case s.actor != nil:
		env.Actor = m.view(s.actor)
	}
}

// view is an actor as expressions see it: its last measurements, and what the Machine itself knows better.
func (m *Machine) view(a *actor) *rules.Actor {
	if a.sample == nil {
		a.sample = &rules.Actor{}
		a.introduce()
	}
	v := a.sample
	v.State, v.Ready, v.Quarantined = a.state(), a.life == running, a.fenced
	v.Restarts = float64(max(a.epoch, 1) - 1)
	v.Infected = m.infection(a)
	return v
}

// introduce writes into an actor's measurements what its definition says of it.
func (a *actor) introduce() {
	v := a.sample
	v.Name, v.Path, v.Group, v.Replica = a.def.Name, a.def.Path, a.def.Group, a.def.Replica
	v.Labels = labelsOf(a.def)
}

func labelsOf(def *plan.Actor) map[string]string {
	if len(def.Labels) == 0 {
		return nil
	}
	labels := make(map[string]string, len(def.Labels))
	for i := range len(def.Labels) {
		labels[def.Labels[i].Key] = def.Labels[i].Value
	}
	return labels
}

// viewSupervisor is a supervisor's own decisions as expressions see them.
func (m *Machine) viewSupervisor(s *supervisor) *rules.Supervisor {
	return &rules.Supervisor{
		Name: s.self.def.Name, Path: s.self.def.Path, Restarts: float64(s.restarts), GaveUp: float64(s.gaveUp),
	}
}

// world answers what expressions ask beyond their subject. It is the Machine under another name, so that its methods do
// not stand among the Machine's own.
type world Machine

// Actor finds an actor, supervisor or group by name or path.
func (w *world) Actor(name string) *rules.Actor {
	m := (*Machine)(w)
	if at := m.plan.Index(name); at >= 0 {
		return m.view(m.roster.byIndex[at])
	}
	if g := m.plan.Group(name); g != nil {
		return m.viewGroup(g)
	}
	found, err := m.plan.Resolve(name)
	if err != nil || len(found) == 0 {
		return nil
	}
	first := m.roster.byIndex[found[0]]
	if g := m.plan.Group(first.def.Group); g != nil && first.def.Name != name && first.def.Path != name {
		return m.viewGroup(g)
	}
	return m.view(first)
}

// viewGroup is a group's measurements, or, while there are none, what can be said of its members.
func (m *Machine) viewGroup(g *plan.Group) *rules.Actor {
	if v := m.groups[g.Path]; v != nil {
		return v
	}
	v := &rules.Actor{Name: g.Name, Path: g.Path, Group: g.Path}
	for _, path := range g.Members {
		one := m.view(m.roster.byIndex[m.plan.Index(path)])
		v.Ready = v.Ready || one.Ready
		if calls := v.Calls + one.Calls; calls > 0 {
			v.ErrorRate = (float64(v.ErrorRate*v.Calls) + float64(one.ErrorRate*one.Calls)) / calls
			v.Calls = calls
		}
		v.Mailbox += one.Mailbox
		v.Capacity += one.Capacity
		v.InFlight += one.InFlight
		v.Restarts += one.Restarts
		v.Memory += one.Memory
		v.Anomaly = max(v.Anomaly, one.Anomaly)
	}
	return v
}

// Breaker finds a breaker by name, and by key when it is a keyed one. The name of a replica is that of its own breaker, in a
// group that has one for each.
func (w *world) Breaker(name, key string) *rules.Breaker {
	if c := w.circuits.find((&circuit{view: rules.Breaker{Name: name, Key: key}}).id()); c != nil {
		return &c.view
	}
	m := (*Machine)(w)
	found, err := m.plan.Resolve(name)
	if err != nil || len(found) != 1 || key != "" {
		return nil
	}
	a := &m.plan.Actors[found[0]]
	g := m.plan.Group(a.Group)
	if g == nil || g.Guard == nil || g.Guard.Breaker == nil || !g.Guard.Breaker.PerReplica {
		return nil
	}
	if c := w.circuits.find((&circuit{view: rules.Breaker{Name: g.Guard.Breaker.Name, Key: a.Name}}).id()); c != nil {
		return &c.view
	}
	return &rules.Breaker{Name: g.Guard.Breaker.Name, Key: a.Name, State: "closed"} // nobody has called it yet
}

// Load is nil: loads belong to scenarios.
func (w *world) Load(string) *rules.Load { return nil }

// Share counts breakers in a breaker's state, and actors in any other.
func (w *world) Share(state, target string) float64 {
	m := (*Machine)(w)
	if slices.Contains(rules.BreakerStates(), state) {
		return m.shareOfBreakers(state, target)
	}
	in, all := 0, 0
	for _, a := range m.leaves(m.everywhere(target)) {
		all++
		if a.in(state) {
			in++
		}
	}
	return part(in, all)
}

func (m *Machine) everywhere(target string) []*actor {
	if target == "" {
		return m.roster.byIndex[:1]
	}
	found, err := m.named(target, origin{})
	if err != nil {
		return nil
	}
	return found
}

func (m *Machine) shareOfBreakers(state, target string) float64 {
	found := m.circuits.sorted
	if target != "" {
		found, _ = m.breakerTargets(target, nil, origin{})
	}
	in := 0
	for _, c := range found {
		if c.view.State == state || c.forced == state || state == "open" && c.forced == "forced_open" {
			in++
		}
	}
	return part(in, len(found))
}

func part(in, all int) float64 {
	if all == 0 {
		return 0
	}
	return float64(in) / float64(all)
}

// in tells whether an actor is in a state; a running one may be paused and quarantined too.
func (a *actor) in(state string) bool {
	switch state {
	case "paused":
		return a.paused
	case "quarantined":
		return a.fenced
	case "running":
		return a.life == running
	default:
		return a.state() == state
	}
}

// valuesOf are the numbers that a condition read, for the journal.
func valuesOf(env *rules.Env, condition *rules.Program) journal.Values {
	values := journal.Values{}
	for _, path := range condition.Reads() {
		if v, ok := fieldOf(env, path); ok {
			values[path] = v
		}
	}
	return values
}

// fieldOf reads a field by its path in an expression, for the fields that conditions are mostly made of.
func fieldOf(env *rules.Env, path string) (any, bool) {
	subject, field, _ := strings.Cut(path, ".")
	switch subject {
	case "actor":
		return actorField(env.Actor, field)
	case "breaker":
		return breakerField(env.Breaker, field)
	case "system":
		return systemField(env.System, field)
	case "new":
		return ratesField(env.New, field)
	case "old":
		return ratesField(env.Old, field)
	case "supervisor":
		if env.Supervisor == nil {
			return nil, false
		}
		v, ok := map[string]float64{"restarts": env.Supervisor.Restarts, "gave_up": env.Supervisor.GaveUp}[field]
		return v, ok
	}
	return nil, false
}

func actorField(a *rules.Actor, field string) (any, bool) {
	if a == nil {
		return nil, false
	}
	if name, ok := strings.CutPrefix(field, "metrics."); ok {
		v, ok := a.Metrics[name]
		return v, ok
	}
	v, ok := map[string]any{
		"state": a.State, "ready": a.Ready, "quarantined": a.Quarantined, "infected": a.Infected, "anomaly": a.Anomaly,
		"mailbox": a.Mailbox, "capacity": a.Capacity, "calls": a.Calls, "error_rate": a.ErrorRate, "in_flight": a.InFlight,
		"restarts": a.Restarts, "uptime": a.Uptime, "memory": a.Memory, "latency.p50": a.Latency.P50,
		"latency.p95": a.Latency.P95, "latency.p99": a.Latency.P99, "latency.mean": a.Latency.Mean,
	}[field]
	return v, ok
}

func ratesField(r *rules.Rates, field string) (any, bool) {
	if r == nil {
		return nil, false
	}
	v, ok := map[string]any{
		"calls": r.Calls, "error_rate": r.ErrorRate, "restarts": r.Restarts, "rule_errors": r.RuleErrors,
		"latency.mean": r.Latency.Mean, "latency.p50": r.Latency.P50, "latency.p90": r.Latency.P90, "latency.p95": r.Latency.P95,
		"latency.p99": r.Latency.P99, "latency.p999": r.Latency.P999,
	}[field]
	return v, ok
}

func breakerField(b *rules.Breaker, field string) (any, bool) {
	if b == nil {
		return nil, false
	}
	v, ok := map[string]any{
		"state": b.State, "since": b.Since, "calls": b.Calls, "error_rate": b.ErrorRate, "slow_rate": b.SlowRate,
		"consecutive": b.Consecutive, "rejected": b.Rejected, "opens": b.Opens,
	}[field]
	return v, ok
}

func systemField(s *rules.System, field string) (any, bool) {
	if s == nil {
		return nil, false
	}
	v, ok := map[string]any{
		"health": s.Health, "level": s.Level, "emergency": s.Emergency, "anomaly": s.Anomaly,
		"dead_letters": s.DeadLetters, "generation": s.Generation,
	}[field]
	return v, ok
}

// Env is what an expression about the system may read now, for those who look on from outside: scenarios. It is good until
// the Machine's next Step, and like Step it must not run beside another call.
func (m *Machine) Env() rules.Env { return *m.envOf(subject{}) }

// Look visits every subject of a kind as rules see it now. The environment is good until visit returns.
func (m *Machine) Look(kind rules.Subject, visit func(*rules.Env)) {
	env := m.envOf(subject{})
	switch kind {
	case rules.ActorSubject, rules.SupervisorSubject:
		for _, a := range m.roster.byIndex {
			if (a.sup != nil) == (kind == rules.SupervisorSubject) {
				m.about(env, subject{actor: a})
				visit(env)
			}
		}
	case rules.BreakerSubject:
		for _, c := range m.circuits.sorted {
			m.about(env, subject{breaker: c})
			visit(env)
		}
	default:
		visit(env)
	}
}

// Watch keeps a history for expressions that are not the plan's own, so that over() and predict() in them have something to
// look back on. It decides nothing. It must be called before Boot.
func (m *Machine) Watch(programs []*rules.Program) { m.history.watched = programs }
