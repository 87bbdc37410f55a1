package lanes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/journal"
)

// teller follows a run and keeps each lane's states.
type teller struct {
	actors, breakers, rules, system *band
	lives                           map[string]*life
	reloads                         []moment
	level                           string // of health
	emergency                       bool
}

// life is what is true of an actor; what is shown of it is one state.
type life struct {
	lane                      *lane
	base                      string // starting, ready, restarting, stopping, stopped, failed; "" before its first start
	quarantined, paused, sick bool
}

// shown is the state that says most.
func (l *life) shown() string {
	switch {
	case l.base != "ready":
		return l.base
	case l.quarantined:
		return "quarantined"
	case l.paused:
		return "paused"
	case l.sick:
		return "unhealthy"
	}
	return l.base
}

func newTeller(t *scenario.Tape) *teller {
	x := &teller{actors: newBand("actors", maxActors), breakers: newBand("breakers", maxBreakers), rules: newBand("rules", maxRules),
		system: newBand("system", 1), lives: map[string]*life{}, level: "healthy"}
	if len(t.Plan.Actors) > 0 {
		x.plant(t.Plan, 0, 0)
	}
	for _, b := range scenario.Breakers(t.Plan) {
		x.breakers.lane(b.Name).enter(0, initial(b), "")
	}
	for i := range t.Plan.Rules {
		if r := &t.Plan.Rules[i]; r.Enabled && r.When != nil {
			x.rules.lane(r.Name)
		}
	}
	if t.Plan.Health != nil || t.Plan.Emergency != nil {
		x.system.lane("health").enter(0, "healthy", "")
	}
	return x
}

// initial is the state that a breaker begins in.
func initial(b *plan.Breaker) string {
	switch mode := b.Policy.Mode.String(); mode {
	case "forced_open", "forced_closed", "disabled":
		return mode
	}
	return "closed"
}

// plant gives an actor and all below it their lanes.
func (x *teller) plant(p *plan.Plan, at, depth int) {
	a := &p.Actors[at]
	l := x.actors.lane(a.Path)
	l.depth, l.member, l.group = depth, a.Group, a.Kind == plan.Supervisor
	x.lives[a.Path] = &life{lane: l}
	if a.Supervisor == nil {
		return
	}
	for _, child := range a.Supervisor.Children {
		x.plant(p, child, depth+1)
	}
}

// life finds an actor; one that a reload brought gets a lane of its own.
func (x *teller) life(path string) *life {
	l := x.lives[path]
	if l == nil {
		l = &life{lane: x.actors.lane(path)}
		l.lane.depth = strings.Count(path, "/")
		x.lives[path] = l
	}
	return l
}

// tell takes in what happened next.
func (x *teller) tell(e *scenario.Entry) {
	if e.Step != nil {
		return
	}
	body, err := e.Event.Body()
	if err != nil {
		return
	}
	note := journal.Describe(e.Event)
	switch b := body.(type) {
	case journal.BreakerChanged:
		x.breaker(e.At, b, note)
	case journal.RuleFired:
		x.rule(e.At, b.Rule, true, note)
	case journal.RuleCleared:
		x.rule(e.At, b.Rule, false, note)
	case journal.HealthChanged:
		x.level = b.To
		x.health(e.At, note)
	case journal.EmergencyChanged:
		x.emergency = b.On
		x.health(e.At, note)
	case journal.ReloadCommitted:
		x.reloads = append(x.reloads, moment{e.At, fmt.Sprintf("generation %d", b.Generation), note})
	case journal.ReloadRejected:
		x.reloads = append(x.reloads, moment{e.At, "reload rejected", note})
	default:
		if e.Event.Actor != "" {
			x.actor(e.At, e.Event.Actor, body, note)
		}
	}
}

// actor takes in what befell an actor.
func (x *teller) actor(at time.Duration, path string, body journal.Body, note string) {
	l := x.life(path)
	switch b := body.(type) {
	case journal.ActorStarting, journal.ActorStarted:
		l.base = "starting"
	case journal.ActorReady:
		l.base = "ready"
	case journal.ActorFailed:
		l.base = "failed"
		l.lane.mark(at, "failed", note)
	case journal.ActorRestarting:
		l.base = "restarting"
	case journal.ActorStopping:
		l.leave("stopping")
	case journal.ActorStopped:
		l.leave("stopped")
	case journal.SupervisorGaveUp:
		l.lane.mark(at, "gave up", note)
	case journal.Quarantined:
		l.quarantined = true
	case journal.Released:
		l.quarantined = false
	case journal.Paused:
		l.paused = true
	case journal.Resumed:
		l.paused = false
	case journal.Probe:
		l.sick = !b.Healthy
	case journal.ActionDone:
		if b.Verb == "resume" && b.By == "on_failure" {
			l.base = "ready"
		}
	}
	if s := l.shown(); s != "" {
		l.lane.enter(at, s, note)
	}
}

// leave says that an actor goes, unless that is a part of its restart.
func (l *life) leave(how string) {
	if l.base != "restarting" {
		l.base = how
	}
}

func (x *teller) breaker(at time.Duration, b journal.BreakerChanged, note string) {
	l := x.breakers.lane(b.Breaker)
	if len(l.states) == 0 {
		l.enter(0, "closed", "")
	}
	if b.To == "would_open" {
		l.mark(at, "would open", note)
		return
	}
	l.enter(at, b.To, note)
}

func (x *teller) rule(at time.Duration, name string, fired bool, note string) {
	l := x.rules.lane(name)
	if fired {
		l.mark(at, "fired", note)
		l.enter(at, "fired", note)
		return
	}
	l.enter(at, "", note)
}

func (x *teller) health(at time.Duration, note string) {
	l := x.system.lane("health")
	if x.emergency {
		l.enter(at, "emergency", note)
		return
	}
	l.enter(at, x.level, note)
}

// band gathers the lanes of a section.
type band struct {
	title  string
	most   int
	lanes  []*lane
	byPath map[string]*lane
}

func newBand(title string, most int) *band {
	return &band{title: title, most: most, byPath: map[string]*lane{}}
}

// lane finds a lane, or makes one at the end.
func (b *band) lane(path string) *lane {
	l := b.byPath[path]
	if l == nil {
		l = &lane{path: path, label: path[strings.LastIndexByte(path, '/')+1:]}
		if b.title != "actors" {
			l.label = path
		}
		b.lanes, b.byPath[path] = append(b.lanes, l), l
	}
	return l
}

// section chooses the lanes that are drawn: those in which most happened, in the order they have.
func (b *band) section() section {
	rank := make([]int, len(b.lanes))
	kept := make([]bool, len(b.lanes))
	inGroup := map[string]int{}
	left := 0
	for i := range rank {
		rank[i] = i
	}
	slices.SortStableFunc(rank, func(i, j int) int { return b.lanes[j].events() - b.lanes[i].events() })
	shown := 0
	for _, i := range rank {
		l := b.lanes[i]
		if shown >= b.most || l.member != "" && inGroup[l.member] >= maxReplicas {
			left++
			continue
		}
		shown++
		kept[i] = true
		inGroup[l.member]++
	}
	s := section{title: b.title}
	for i, l := range b.lanes {
		if kept[i] {
			s.lanes = append(s.lanes, l)
		}
	}
	if left > 0 {
		s.more = fmt.Sprintf("and %d more, in which less happened", left)
	}
	return s
}
