package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// How the last reload ended, as `system.reload.status` says it. The Machine does not know of one that was rejected before
// it was told: that word is the host's.
const (
	ReloadVerifying  = "verifying"   // in force and on probation
	ReloadActive     = "active"      // in force for good
	ReloadRolledBack = "rolled_back" // its predecessor is in force again, or about to be
	ReloadRejected   = "rejected"    // refused: nothing has changed
)

// The codes of what a reload is taken back for, and of what a taken back one runs into.
const (
	CodeCrashLoop   = "LR420"
	CodeRuleErrors  = "LR421"
	CodeAbortIf     = "LR422"
	CodeStays       = "LR423" // it was to be rolled back and could not be
	CodeSameContent = "LR424" // it was rolled back already and has not changed since
)

// Figures are what was measured of the whole engine over a span: its calls, their errors and latency.
type Figures struct {
	Generation uint64 // since whose commit; 0: of the span before one
	Span       time.Duration
	Rates      rules.Rates // without restarts and rule errors, which the Machine counts itself
}

// probation is what becomes of a new generation. Everything that is decided about it is decided here, so that it is the
// same live and simulated. The rules, for as long as `verify_for` of the last generation that passed:
//
//   - crash loop: an actor that was not failing already at the commit has failed loopFailures times since, or such a
//     failure exceeds a supervisor's intensity, or reaches the root to end the engine; under another intensity than
//     before, anybody's failure that exceeds it;
//   - rule errors: at least leastRuleErrors evaluations have failed since the commit, and more than twice as many as in
//     a span of the same length before it;
//   - abort_if of the last generation that passed is true on a sample taken since the commit.
//
// The first that holds condemns the generation: the runtime is asked to commit the last one that passed again. Otherwise
// it passes when the time is over, abort_if has been asked at least once and all that it started is up.
type probation struct {
	status, code string      // of the last reload, "" before the first
	on           bool        // a generation is on probation, or condemned
	doomed       bool        // condemned: the runtime takes it back
	proven       *plan.Plan  // the last that passed: what is rolled back to
	provenAs     uint64      // its generation
	left         moment      // when proven was left
	began        moment      // when the generation on probation was committed
	before       rules.Rates // the figures of the window before proven was left
	beforeSpan   time.Duration
	timer        TimerID
	judged       bool // abort_if has been asked since began
	overdue      bool // its time is over; the next sample decides
	failing      bool // the last evaluation of abort_if failed, and that was told
	suspects
	tallies
}

// moment is a time and what the Machine had counted by then. Counts only grow.
type moment struct {
	at                   time.Duration
	restarts, ruleErrors uint64
}

// tallies remember counts over the last window of samples, for the figures before a commit.
type tallies struct {
	restarts, ruleErrors uint64   // so far
	past                 []moment // oldest first; the first is at least a window old when there is one
}

// suspects are the actors that failed during a probation.
type suspects struct {
	list     []suspect   // in the order of their first failure
	troubled map[ID]bool // those that were failing already when proven was left
}

type suspect struct {
	id       ID
	failures int // since the newest commit
}

// The limits of the rules above.
const (
	loopFailures    = 3
	leastRuleErrors = 3
	mostMoments     = 128
)

// tryOut decides how the generation that is about to be committed begins: with a probation, or active when it needs none.
// It is called while the old generation is still in force.
func (m *Machine) tryOut(in Reloaded) (rolledBack bool) {
	p := &m.probation
	proven, as, doomed := p.proven, p.provenAs, p.doomed
	if !p.on {
		proven, as = m.plan, m.generation
	}
	m.disarm(p.timer)
	now := moment{m.now, p.restarts, p.ruleErrors}
	if span := proven.Reload.VerifyFor; in.Plan.Base().Digest() != proven.Base().Digest() && span > 0 {
		if !p.on {
			p.left, p.troubled = now, m.inTrouble(span)
			p.before, p.beforeSpan = in.Before.Rates, in.Before.Span
			m.countBefore()
		}
		for i := range p.list {
			p.list[i].failures = 0
		}
		p.on, p.doomed, p.proven, p.provenAs, p.began = true, false, proven, as, now
		p.judged, p.overdue, p.failing = false, false, false
		p.status, p.code = ReloadVerifying, ""
		p.timer = m.alarm(timer{purpose: endProbation, at: m.now + span})
		return false
	}
	if p.status = ReloadActive; doomed {
		p.status = ReloadRolledBack
	} else {
		p.code = ""
	}
	return doomed
}

// over ends a probation; its verdict stays.
func (p *probation) over() {
	p.on, p.doomed, p.proven, p.timer = false, false, nil, 0
	p.list, p.troubled = nil, nil
}

// inTrouble are those whose failures are not the new generation's: they wait for a restart, or were restarted after a
// failure less than a span ago.
func (m *Machine) inTrouble(span time.Duration) map[ID]bool {
	found := map[ID]bool{}
	for _, a := range m.roster.byIndex {
		if a.tries > 0 && (a.life != running || m.now-a.since < span) {
			found[a.id] = true
		}
	}
	return found
}

// countBefore adds what the Machine counted in the window before the commit.
func (m *Machine) countBefore() {
	p := &m.probation
	if len(p.past) == 0 {
		return
	}
	first := p.past[0]
	if p.beforeSpan <= 0 {
		p.beforeSpan = m.now - first.at
	}
	if whole := m.now - first.at; whole > 0 {
		share := float64(p.beforeSpan) / float64(whole)
		p.before.Restarts = float64(float64(p.restarts-first.restarts) * share)
		p.before.RuleErrors = float64(float64(p.ruleErrors-first.ruleErrors) * share)
	}
}

// recount notes what has been counted by a sample, as far back as observe.window.
func (m *Machine) recount() {
	p := &m.probation
	for len(p.past) > 1 && p.past[1].at <= m.now-m.plan.Observe.Window {
		p.past = slices.Delete(p.past, 0, 1)
	}
	if n := len(p.past); n > 0 && m.now-p.past[n-1].at < m.plan.Observe.Window/mostMoments {
		return
	}
	p.past = append(p.past, moment{m.now, p.restarts, p.ruleErrors})
}

// ruleErred counts an evaluation that failed.
func (m *Machine) ruleErred() { m.probation.ruleErrors++ }

// suspect notes a failure during a probation and gives how often the actor has failed since the commit, 0 outside one and
// for an actor whose failures are not the new generation's.
func (m *Machine) suspect(a *actor) int {
	p := &m.probation
	if !p.on || p.troubled[a.id] {
		return 0
	}
	at := slices.IndexFunc(p.list, func(s suspect) bool { return s.id == a.id })
	if at < 0 {
		at = len(p.list)
		p.list = append(p.list, suspect{id: a.id})
	}
	p.list[at].failures++
	return p.list[at].failures
}

// loops condemns the generation on probation when a counted failure shows that an actor crashes again and again.
func (m *Machine) loops(a *actor) {
	m.probation.restarts++
	if n := m.suspect(a); n >= loopFailures {
		m.condemn(CodeCrashLoop, fmt.Sprintf("%s has failed %d times since the reload", a.def.Path, n),
			journal.Values{"actor": a.def.Path, "failures": float64(n)})
	}
}

// averts tells whether what would happen because of a failure is the new generation's fault and does not happen, because
// the generation is rolled back instead. Worse tells that the generation has made it worse even for those in trouble.
func (m *Machine) averts(a *actor, worse bool, what string) bool {
	p := &m.probation
	if !p.on || p.troubled[a.id] && !worse || m.mode != alive {
		return false
	}
	m.condemn(CodeCrashLoop, fmt.Sprintf("%s failed and %s", a.def.Path, what), journal.Values{"actor": a.def.Path})
	return true
}

// tightened tells whether the generation on probation has changed a supervisor's intensity.
func (m *Machine) tightened(s *supervisor) bool {
	if !m.probation.on {
		return false
	}
	was := m.probation.proven.Actor(s.self.def.Path)
	return was == nil || was.Supervisor == nil || was.Supervisor.Intensity != s.self.def.Supervisor.Intensity
}

// condemn asks for the last generation that passed.
func (m *Machine) condemn(code, reason string, values journal.Values) {
	p := &m.probation
	if !p.on || p.doomed || m.mode != alive {
		return
	}
	p.doomed, p.status, p.code = true, ReloadRolledBack, code
	m.disarm(p.timer)
	p.timer = 0
	m.tell("", &journal.ReloadRolledBack{
		Generation: m.generation, To: p.provenAs, Code: code, Reason: reason, Values: values, After: m.now - p.began.at,
	})
	m.out = append(m.out, &RollBack{Generation: m.generation, To: p.provenAs, Plan: p.proven.Base(), Why: reason})
}

// rollBackFailed notes that a condemned generation stays, because its predecessor could not be put in force again.
func (m *Machine) rollBackFailed(in RollBackFailed) {
	p := &m.probation
	if !p.doomed || in.Generation != m.generation {
		return
	}
	m.tell("", &journal.ReloadRejected{
		Hash: p.proven.Base().Digest().String(), Who: ByVerification,
		Diagnostics: []string{fmt.Sprintf("%s generation %d cannot be put in force again, %d stays: %s", CodeStays, p.provenAs, m.generation, in.Why)},
	})
	p.status, p.code = ReloadActive, CodeStays
	p.over()
}

// ByVerification is who rolls back, for the journal.
const ByVerification = "verification"

// judgeProbation decides on a sample.
func (m *Machine) judgeProbation(since Figures) {
	m.recount()
	p := &m.probation
	if !p.on || p.doomed {
		return
	}
	old, now := m.compared(since)
	if now.RuleErrors >= leastRuleErrors && now.RuleErrors > 2*old.RuleErrors {
		m.condemn(CodeRuleErrors, fmt.Sprintf("%g evaluations of rules have failed since the reload, %.3g in as long before", now.RuleErrors, old.RuleErrors),
			journal.Values{"new.rule_errors": now.RuleErrors, "old.rule_errors": old.RuleErrors})
		return
	}
	if since.Generation != m.generation {
		return
	}
	p.judged = true
	if m.aborts(old, now); p.overdue {
		p.overdue = false
		m.probationDue()
	}
}

// compared are the figures of abort_if: since the commit, and before it. Counts before are cut to the time since, so that
// both cover the same span.
func (m *Machine) compared(since Figures) (old, now *rules.Rates) {
	p := &m.probation
	before, after := p.before, since.Rates
	after.Restarts, after.RuleErrors = float64(p.restarts-p.began.restarts), float64(p.ruleErrors-p.began.ruleErrors)
	part := 0.0
	if p.beforeSpan > 0 {
		part = float64(m.now-p.began.at) / float64(p.beforeSpan)
	}
	before.Calls, before.Restarts, before.RuleErrors = before.Calls*part, before.Restarts*part, before.RuleErrors*part
	return &before, &after
}

// aborts asks abort_if. An error counts as false, as a rule error, and is told once.
func (m *Machine) aborts(old, now *rules.Rates) {
	p := &m.probation
	condition := p.proven.Reload.AbortIf
	if condition == nil {
		return
	}
	env := m.envOf(subject{})
	env.Params, env.Old, env.New = p.proven.ParamValues(), old, now
	is, err := condition.Condition(env)
	if err != nil {
		m.ruleErred()
		if !p.failing {
			m.tell("", &journal.RuleFailed{Rule: "reload.abort_if", Error: err.Error()})
		}
	}
	if p.failing = err != nil; is {
		m.condemn(CodeAbortIf, "abort_if: "+condition.Source(), valuesOf(env, condition))
	}
}

// probationDue is the end of verify_for: the generation passes, unless it cannot be told yet.
func (m *Machine) probationDue() {
	p := &m.probation
	p.timer = 0
	switch {
	case !p.on || p.doomed || m.mode != alive:
	case p.proven.Reload.AbortIf != nil && !p.judged:
		p.overdue = true
	case m.unsettled():
		p.timer = m.alarm(timer{purpose: endProbation, at: m.now + p.proven.Reload.VerifyFor})
	default:
		p.status = ReloadActive
		m.tell("", &journal.ReloadVerified{Generation: m.generation, Took: m.now - p.began.at})
		p.over()
	}
}

// unsettled tells whether somebody is still on the way up whose failures would be the new generation's.
func (m *Machine) unsettled() bool {
	p, dragging := &m.probation, m.dragging()
	return slices.ContainsFunc(m.roster.byIndex, func(a *actor) bool {
		return m.comes(a) && !p.troubled[a.id] && !(p.spared(a) && a.below(dragging))
	})
}

// dragging are the supervisors that restart or stop children, or are started again themselves, and have somebody below them who was
// failing before the reload: for all that can be told it is for that one's sake.
func (m *Machine) dragging() map[*supervisor]bool {
	found := map[*supervisor]bool{}
	for _, a := range m.roster.byIndex {
		if !m.probation.troubled[a.id] {
			continue
		}
		for up := a.parent; up != nil; up = up.parent {
			if up.sup.phase != steady || up.life != running {
				found[up.sup] = true
			}
		}
	}
	return found
}

// spared tells whether an actor has been up, was not restarted by the reload, and has not failed since.
func (p *probation) spared(a *actor) bool {
	return a.epoch > 0 && a.cause != byReload && !slices.ContainsFunc(p.list, func(s suspect) bool { return s.id == a.id })
}

// below tells whether one of these is a supervisor above the actor, or the actor itself.
func (a *actor) below(these map[*supervisor]bool) bool {
	for up := a; up != nil; up = up.parent {
		if up.sup != nil && these[up.sup] {
			return true
		}
	}
	return false
}

// comes tells whether an incarnation of the actor is on its way up.
func (m *Machine) comes(a *actor) bool {
	switch a.life {
	case starting, waiting:
		return true
	case stopping:
		return m.fate(a, a.after) == back
	case idle:
		return a.parent != nil && a.parent.sup.revives(a)
	default:
		return false
	}
}

// makeGood gives a generation that is in force again what the one before took from it: those that failed start at once,
// and no failure of that time is held against a supervisor.
func (m *Machine) makeGood() {
	p := &m.probation
	for _, a := range m.roster.byIndex {
		if s := a.sup; s != nil {
			s.spell.forget(p.left.at)
			if s.timer != 0 && s.phase == delayed {
				m.disarm(s.timer)
				s.timer = 0
				m.wake(s)
			}
		}
	}
	for _, s := range p.list {
		a := m.roster.planned(s.id)
		if a == nil || a.life == starting || a.life == running || a.held || m.mayStart(a) != nil {
			continue
		}
		_ = m.restart(a, Steer{}, origin{by: ByVerification, cause: byReload}) // it may: that was asked
	}
}

// Reload is how the last reload ended: its status, "" before the first, and why it was rolled back. Like Step it must not
// run beside another call.
func (m *Machine) Reload() rules.Reload {
	return rules.Reload{Status: m.probation.status, Code: m.probation.code}
}
