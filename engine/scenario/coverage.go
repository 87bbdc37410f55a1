package scenario

import (
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// Point is one thing that a scenario can show of a plan at work.
type Point struct {
	What string `json:"what"` // breaker database
	Way  string `json:"way"`  // opens
	Path string `json:"path"` // the field that it is about: root/database.guard.breaker.trip.consecutive_failures
}

// Points lists what scenarios can show of a plan, in its order: breakers in each state and each of their thresholds from
// both sides, what every other layer of a guard does, rules firing and clearing with each of their conditions true and
// false, what supervisors do by their strategy and intensity, the levels of health, the emergency.
func Points(p *plan.Plan) []Point {
	l := &lister{plan: p}
	for _, g := range guardsOf(p) {
		l.guard(g)
	}
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Enabled && r.When != nil {
			l.add("rule "+r.Name, "rules."+r.Name+".when", "fires", "clears")
			for _, leaf := range leavesOf(p, r.When, rules.AtRule, r.Subject) {
				l.add("rule "+r.Name, "rules."+r.Name+".when", ways(leaf)...)
			}
		}
	}
	for i := range p.Actors {
		if p.Actors[i].Supervisor != nil {
			l.supervisor(&p.Actors[i])
		}
	}
	if p.Health != nil {
		l.add("health", "health.degraded", "falls to degraded")
		l.add("health", "health.critical", "falls to critical")
	}
	if e := p.Emergency; e != nil {
		l.add("emergency", "emergency.enter", "is entered")
		l.add("emergency", "emergency.leave", "is left")
		for _, leaf := range leavesOf(p, e.Enter, rules.AtEmergency, rules.SystemSubject) {
			l.add("emergency", "emergency.enter", ways(leaf)...)
		}
	}
	return l.out
}

// lister gathers points; one that is there already is not added again.
type lister struct {
	plan *plan.Plan
	out  []Point
}

func (l *lister) add(what, path string, ways ...string) {
	for _, way := range ways {
		if !slices.ContainsFunc(l.out, func(p Point) bool { return p.What == what && p.Way == way }) {
			l.out = append(l.out, Point{what, way, path})
		}
	}
}

// ways are a condition's both sides.
func ways(leaf *rules.Program) []string {
	return []string{leaf.Source() + " is true", leaf.Source() + " is false"}
}

// leavesOf are the conditions that an expression joins.
func leavesOf(p *plan.Plan, of *rules.Program, place rules.Place, subject rules.Subject) []*rules.Program {
	if of == nil {
		return nil
	}
	return rules.Leaves(of.Source(), rules.Scope{Place: place, Subject: subject, Params: paramFields(p)})
}

// The sides of a threshold.
const (
	reached = " is reached"
	below   = " is not reached"
)

func (l *lister) guard(g placedGuard) {
	what, at := "guard "+g.Name, g.path
	if b := g.Breaker; b != nil {
		l.breaker(b, at+".breaker")
	}
	if g.Rate != nil {
		l.add(what, at+".rate_limit", "refuses a call over its rate")
	}
	if g.Bulkhead != nil {
		l.add(what, at+".bulkhead.concurrent", "refuses a call for want of room")
	}
	if g.Adaptive != nil {
		l.add(what, at+".adaptive", "refuses a call over its adaptive limit")
	}
	if g.Timeout > 0 {
		l.add(what, at+".timeout", "timeout"+reached, "timeout"+below)
	}
	if g.Deadline > 0 {
		l.add(what, at+".deadline", "deadline"+reached)
	}
	if g.Retry != nil && g.Retry.Attempts > 1 {
		l.add(what, at+".retry.attempts", "tries again", "has tried as often as it may")
	}
	if g.Hedge != nil {
		l.add(what, at+".hedge.after", "hedges")
	}
	if len(g.Fallback) > 0 {
		l.add(what, at+".fallback", "falls back")
	}
}

func (l *lister) breaker(b *plan.Breaker, at string) {
	what, trip := "breaker "+b.Name, b.Policy.Trip
	l.add(what, at, "opens")
	l.add(what, at+".open.for", "half-opens")
	l.add(what, at+".half_open.successes", "closes again")
	l.add(what, at+".half_open", "opens again from half-open")
	for _, t := range trips(b) {
		if t.name == "consecutive_failures" && trip.ConsecutiveFailures == 1 {
			l.add(what, at+".trip."+t.name, "trip."+t.name+reached) // there is nothing below it
			continue
		}
		l.add(what, at+".trip."+t.name, "trip."+t.name+reached, "trip."+t.name+below)
	}
}

// trip is one threshold of a breaker.
type trip struct {
	name string // as the journal names it
	over func(s *rules.Breaker) bool
}

// trips lists the thresholds of a breaker, with what is seen of them from outside.
func trips(b *plan.Breaker) []trip {
	t, enough := b.Policy.Trip, float64(b.Policy.MinCalls)
	var out []trip
	if n := t.ConsecutiveFailures; n > 0 {
		out = append(out, trip{"consecutive_failures", func(s *rules.Breaker) bool { return s.Consecutive >= float64(n) }})
	}
	if n := t.Failures; n > 0 {
		out = append(out, trip{"failures", func(s *rules.Breaker) bool { return s.ErrorRate*s.Calls >= float64(n) }})
	}
	if r := t.ErrorRate; r > 0 {
		out = append(out, trip{"error_rate", func(s *rules.Breaker) bool { return s.Calls >= enough && s.ErrorRate >= r }})
	}
	if r := t.Slow.Rate; r > 0 {
		out = append(out, trip{"slow_calls", func(s *rules.Breaker) bool { return s.Calls >= enough && s.SlowRate >= r }})
	}
	if b.TripWhen != nil {
		out = append(out, trip{"when", func(*rules.Breaker) bool { return false }})
	}
	return out
}

func (l *lister) supervisor(a *plan.Actor) {
	s := a.Supervisor
	strategy := [...]string{plan.OneForOne: "one_for_one", plan.AllForOne: "all_for_one", plan.RestForOne: "rest_for_one"}[s.Strategy]
	what := "supervisor " + a.Path + " (" + strategy + ")"
	l.add(what, a.Path+".strategy", "restarts a child")
	if s.Strategy != plan.OneForOne && len(s.Children) > 1 {
		l.add(what, a.Path+".strategy", "restarts siblings with it")
	}
	l.add(what, a.Path+".intensity.max", "gives up")
	if b := s.RestartBreaker; b != nil {
		l.breaker(b, a.Path+".restart_breaker")
	}
}

// placedGuard is a guard and the path of the field that it stands in.
type placedGuard struct {
	*plan.Guard
	path string
}

// guardsOf lists the guards of a plan in its order: those on actors and edges, on groups, on routes.
func guardsOf(p *plan.Plan) []placedGuard {
	var out []placedGuard
	add := func(g *plan.Guard, path string) {
		if g != nil {
			out = append(out, placedGuard{g, path})
		}
	}
	for i := range p.Actors {
		a := &p.Actors[i]
		add(a.Guard, a.Path+".guard")
		if a.Script == nil {
			continue
		}
		for _, h := range a.Script.Handlers {
			for _, c := range h.Calls {
				add(c.Guard, a.Path+".script.handlers."+h.Message+".calls")
			}
		}
	}
	for i := range p.Groups {
		add(p.Groups[i].Guard, p.Groups[i].Path+".guard")
	}
	for i := range p.Gateway {
		for j := range p.Gateway[i].Routes {
			r := &p.Gateway[i].Routes[j]
			add(r.Guard, "gateway."+p.Gateway[i].Name+".routes."+r.Name+".guard")
		}
	}
	return out
}

// Breakers lists the breakers of a plan: those of its guards in its order, then supervisors' against restart storms.
func Breakers(p *plan.Plan) []*plan.Breaker {
	var out []*plan.Breaker
	add := func(b *plan.Breaker) {
		if b != nil && !slices.ContainsFunc(out, func(have *plan.Breaker) bool { return have.Name == b.Name }) {
			out = append(out, b)
		}
	}
	for _, g := range guardsOf(p) {
		add(g.Breaker)
	}
	for i := range p.Actors {
		if s := p.Actors[i].Supervisor; s != nil {
			add(s.RestartBreaker)
		}
	}
	return out
}

// Written finds where the field stands that a point is about, or the nearest field around it that somebody wrote.
func (p Point) Written(settings []compiler.Setting) (plan.Place, bool) {
	for path := p.Path; path != ""; {
		if place, ok := written(settings, path); ok {
			return place, true
		}
		at := strings.LastIndexByte(path, '.')
		if at < 0 {
			break
		}
		path = path[:at]
	}
	return plan.Place{}, false
}

// written finds where a field, or something within it, was written.
func written(settings []compiler.Setting, path string) (plan.Place, bool) {
	for _, s := range settings {
		if (s.Path == path || strings.HasPrefix(s.Path, path+".")) && !s.Pos.IsZero() {
			return plan.Place{File: s.Pos.File, Line: s.Pos.Line, Col: s.Pos.Col}, true
		}
	}
	return plan.Place{}, false
}

// coverage notes what a run shows of its plan.
type coverage struct {
	run     *run
	points  []Point
	at      map[[2]string]int
	seen    []bool
	guards  map[string]*plan.Guard // by name
	trips   map[string][]trip      // by the breaker's name
	leaves  [][]*rules.Program     // of each rule of the plan
	entered []*rules.Program       // leaves of emergency.enter
}

func newCoverage(r *run) *coverage {
	p := r.spec.Plan
	c := &coverage{run: r, points: Points(p), at: map[[2]string]int{}, guards: map[string]*plan.Guard{}, trips: map[string][]trip{}}
	c.seen = make([]bool, len(c.points))
	for i, point := range c.points {
		c.at[[2]string{point.What, point.Way}] = i
	}
	for _, g := range guardsOf(p) {
		c.guards[g.Name] = g.Guard
	}
	for _, b := range Breakers(p) {
		c.trips[b.Name] = trips(b)
	}
	for i := range p.Rules {
		r := &p.Rules[i]
		c.leaves = append(c.leaves, leavesOf(p, r.When, rules.AtRule, r.Subject))
	}
	if p.Emergency != nil {
		c.entered = leavesOf(p, p.Emergency.Enter, rules.AtEmergency, rules.SystemSubject)
	}
	return c
}

// shown lists the points that were seen, in the plan's order.
func (c *coverage) shown() []Point {
	var out []Point
	for i, ok := range c.seen {
		if ok {
			out = append(out, c.points[i])
		}
	}
	return out
}

// see notes a point, unless the plan has none of that name.
func (c *coverage) see(what, way string) {
	if i, ok := c.at[[2]string{what, way}]; ok {
		c.seen[i] = true
	}
}

// event takes in what the engine recorded.
func (c *coverage) event(e journal.Event) {
	switch e.Type {
	case journal.TypeBreakerChanged, journal.TypeRuleFired, journal.TypeRuleCleared, journal.TypeActorRestarting, journal.TypeActorStopping, journal.TypeSupervisorGaveUp,
		journal.TypeEmergencyChanged, journal.TypeHealthChanged:
	default:
		return
	}
	body, err := e.Body()
	if err != nil {
		return
	}
	switch b := body.(type) {
	case journal.BreakerChanged:
		c.breaker(b)
	case journal.RuleFired:
		c.see("rule "+b.Rule, "fires")
		c.look()
	case journal.RuleCleared:
		c.see("rule "+b.Rule, "clears")
		c.look()
	case journal.ActorRestarting:
		if b.Directive == "restart" {
			c.supervisor(above(e.Actor), "restarts a child")
		}
	case journal.ActorStopping:
		if b.Why == engine.SiblingFailed {
			c.supervisor(above(e.Actor), "restarts siblings with it")
		}
	case journal.SupervisorGaveUp:
		c.supervisor(e.Actor, "gives up")
	case journal.HealthChanged:
		c.see("health", "falls to "+b.To)
		if b.To == "critical" {
			c.see("health", "falls to degraded")
		}
	case journal.EmergencyChanged:
		c.look()
		c.see("emergency", map[bool]string{true: "is entered", false: "is left"}[b.On])
	}
}

func (c *coverage) breaker(b journal.BreakerChanged) {
	name := b.Breaker
	if _, known := c.trips[name]; !known { // it has keys, or is one of several replicas'
		name = name[:max(strings.LastIndexByte(name, '/'), 0)]
	}
	what := "breaker " + name
	switch {
	case b.To == "open" && b.From == "half_open":
		c.see(what, "opens again from half-open")
	case b.To == "open":
		c.see(what, "opens")
		by, _, _ := strings.Cut(b.Reason, ":")
		c.see(what, "trip."+by+reached)
	case b.To == "half_open":
		c.see(what, "half-opens")
	case b.To == "closed":
		c.see(what, "closes again")
	}
}

// above is the path of an actor's supervisor.
func above(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

// supervisor notes what a supervisor did; the strategy stands in its points' name.
func (c *coverage) supervisor(path, way string) {
	for _, p := range c.points {
		if strings.HasPrefix(p.What, "supervisor "+path+" (") {
			c.see(p.What, way)
			return
		}
	}
}

// call takes in how an attempt of a guarded call ended.
func (c *coverage) call(b journal.Call) {
	g := c.guards[b.Breaker]
	if g == nil {
		return
	}
	what := "guard " + b.Breaker
	switch b.Outcome {
	case "rejected":
		c.see(what, map[string]string{"rate_limit": "refuses a call over its rate", "bulkhead": "refuses a call for want of room",
			"adaptive": "refuses a call over its adaptive limit", "deadline": "deadline" + reached}[b.Class])
		return
	case "fallback":
		c.see(what, "falls back")
		return
	}
	if b.Class == "timeout" && b.Duration >= g.Timeout {
		c.see(what, "timeout"+reached)
	} else {
		c.see(what, "timeout"+below)
	}
	if b.Hedge > 1 {
		c.see(what, "hedges")
	}
	if b.Attempt > 1 {
		c.see(what, "tries again")
		if g.Retry != nil && b.Attempt >= g.Retry.Attempts && b.Outcome == "failure" {
			c.see(what, "has tried as often as it may")
		}
	}
}

// look evaluates the conditions of rules for everybody as things are now. It is called on each sample, once the rules have
// decided, and when one of them has.
func (c *coverage) look() {
	e := c.run.eng
	for i := range c.run.spec.Plan.Rules {
		r := &c.run.spec.Plan.Rules[i]
		if r.Enabled && r.When != nil {
			e.Look(r.Subject, func(env *rules.Env) {
				if r.Where != nil {
					if ok, err := r.Where.Condition(env); !ok || err != nil {
						return
					}
				}
				c.both("rule "+r.Name, c.leaves[i], env)
			})
		}
	}
	if len(c.entered) > 0 {
		e.Look(rules.SystemSubject, func(env *rules.Env) { c.both("emergency", c.entered, env) })
	}
}

// both notes on which sides conditions are.
func (c *coverage) both(what string, leaves []*rules.Program, env *rules.Env) {
	for _, leaf := range leaves {
		if ok, err := leaf.Condition(env); err == nil {
			c.see(what, leaf.Source()+map[bool]string{true: " is true", false: " is false"}[ok])
		}
	}
}

// sample takes in the breakers as they are measured.
func (c *coverage) sample(breakers []rules.Breaker) {
	for i := range breakers {
		b := &breakers[i]
		if b.State != "closed" || b.Calls == 0 {
			continue
		}
		for _, t := range c.trips[b.Name] {
			c.see("breaker "+b.Name, "trip."+t.name+map[bool]string{true: reached, false: below}[t.over(b)])
		}
	}
	c.look()
}
