package engine

import (
	"time"

	"github.com/lukhasai/lukhas-run/journal"
)

// The names of the system's health levels.
const (
	LevelUnknown  = "unknown" // before the first sample, and without a health score
	LevelHealthy  = "healthy"
	LevelDegraded = "degraded"
	LevelCritical = "critical"
)

// health is the system's score and level. A level gets worse at once and better only when the score has been good
// enough for recover_for.
type health struct {
	score   float64
	level   string
	better  time.Duration // the score is good enough for a better level since then
	rising  bool
	failing bool
}

func rank(level string) int {
	switch level {
	case LevelCritical:
		return 2
	case LevelDegraded:
		return 1
	default:
		return 0
	}
}

// judgeHealth computes the score on the samples at hand and moves the level.
func (m *Machine) judgeHealth() {
	spec := m.plan.Health
	if spec == nil || spec.Score == nil {
		m.health = health{score: 1, level: LevelUnknown}
		return
	}
	score, err := spec.Score.Number(m.envOf(subject{}))
	if err != nil {
		m.ruleErred()
		if !m.health.failing {
			m.tell("", &journal.RuleFailed{Rule: "health", Error: err.Error()})
		}
		m.health.failing = true
		return // the level stays what it was
	}
	m.health.failing = false
	m.health.score = min(max(score, 0), 1)
	next := LevelHealthy
	switch {
	case m.health.score < spec.Critical:
		next = LevelCritical
	case m.health.score < spec.Degraded:
		next = LevelDegraded
	}
	m.moveLevel(next, spec.RecoverFor)
}

func (m *Machine) moveLevel(next string, recoverFor time.Duration) {
	h := &m.health
	if h.level == LevelUnknown || rank(next) > rank(h.level) {
		m.setLevel(next)
		return
	}
	if rank(next) == rank(h.level) {
		h.rising = false
		return
	}
	if !h.rising {
		h.rising, h.better = true, m.now
	}
	if m.now-h.better >= recoverFor {
		m.setLevel(next)
	}
}

func (m *Machine) setLevel(next string) {
	h := &m.health
	h.rising = false
	if h.level == next {
		return
	}
	m.tell("", &journal.HealthChanged{Score: journal.Number(h.score), From: h.level, To: next})
	h.level = next
}

// probed does what a health check's `then` says. The check itself is a fact that the runtime has told.
func (m *Machine) probed(in Probed) {
	a := m.roster.incarnation(in.ID, in.Epoch)
	if a != nil {
		m.patterns.note(a, in.Healthy)
	}
	if a == nil || a.def.Health == nil || a.life != running {
		return
	}
	switch a.def.Health.Then {
	case "restart":
		if !in.Healthy {
			m.fell(a, false, &Failure{Kind: KindUnhealthy, Message: in.Why, By: a.def.Path, ExitCode: -1})
		}
	case "open":
		m.openWhileUnhealthy(a, in)
	}
}

// openWhileUnhealthy forces an actor's breakers open until it is healthy; they probe before they close.
func (m *Machine) openWhileUnhealthy(a *actor, in Probed) {
	for _, c := range m.breakersOf(a) {
		switch {
		case !in.Healthy && c.forced == "":
			c.forced = "forced_open"
			m.force(c, c.forced)
		case in.Healthy && c.forced == "forced_open":
			m.unforce(c)
		}
	}
}
