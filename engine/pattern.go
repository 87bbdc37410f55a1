package engine

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Thresholds of the patterns that the author does not choose.
const (
	patternLinger  = 10 * time.Second // a pattern not seen for so long is over
	hotspotCalls   = 20               // calls of an actor before its rates are compared
	hotspotHold    = 3 * time.Second
	hotspotErrors  = 0.05 // least standard deviation of error rates
	hotspotBusy    = 0.25 // and of calls, of their mean
	stormCalls     = 20   // attempts before their share of retries counts
	grayCalls      = 10   // calls before their error rate counts
	growthPoints   = 8    // samples of a mailbox that its growth is judged by
	growthFilled   = 0.1  // share of a mailbox in use from which on its growth is watched
	maxFindings    = 64   // of a pattern at one time
	maxOrdered     = 64   // actors that begin to fail at once and are put in the order of their calls
	consumerLeast  = 2    // messages; fewer are no backlog
	surelyRepeated = 3    // as often as needed makes sure
)

// patterns are the shapes of trouble that the plan looks for, and what is seen of them now.
type patterns struct {
	sought   []*sought
	guarded  map[string]ID // breaker name -> the actor behind it
	flips    []flip        // openings of breakers, oldest first
	sick     map[ID]bool   // said so by their health check
	trends   []*trend      // of mailboxes that fill, by ID
	doubtful map[ID]bool   // whose calls fail, as of the last sample
}

// sought is one pattern with its findings, by subject.
type sought struct {
	spec     *plan.Pattern
	findings []*finding
}

// flip is one opening of a breaker.
type flip struct {
	breaker string
	at      time.Duration
}

// trend is the last lengths of a mailbox.
type trend struct {
	id     ID
	points []point
}

// finding is a pattern seen on one subject.
type finding struct {
	sighting
	truth
	first, last time.Duration
	times       int
	told        bool
	tick        uint64
}

// sighting is what one look at the system shows.
type sighting struct {
	key        string   // of the subject: a path, a breaker, or the pattern's own
	about      *actor   // nil for the system
	actors     []*actor // that take part
	root       *actor
	confidence float64
	why        string
}

// adopt takes a plan's patterns over; one that keeps its name keeps its findings.
func (p *patterns) adopt(next *plan.Plan, roster *roster) {
	old := p.sought
	p.sought = nil
	for i := range next.Patterns {
		spec := &next.Patterns[i]
		s := &sought{}
		if at := slices.IndexFunc(old, func(s *sought) bool { return s.spec.Name == spec.Name && s.spec.Custom == spec.Custom }); at >= 0 {
			s = old[at]
		}
		s.spec = spec
		s.findings = slices.DeleteFunc(s.findings, func(f *finding) bool { return f.gone(roster) })
		p.sought = append(p.sought, s)
	}
	p.guarded = map[string]ID{}
	if p.sick == nil {
		p.sick, p.doubtful = map[ID]bool{}, map[ID]bool{}
	}
	for _, a := range roster.byIndex {
		if g := a.def.Guard; g != nil && g.Breaker != nil {
			p.guarded[g.Breaker.Name] = a.id
		}
	}
}

// gone tells whether a finding is about actors that a reload has removed.
func (f *finding) gone(roster *roster) bool {
	removed := func(a *actor) bool { return a != nil && roster.planned(a.id) == nil }
	return removed(f.about) || removed(f.root) || slices.ContainsFunc(f.actors, removed)
}

// note keeps what a health check says.
func (p *patterns) note(a *actor, healthy bool) {
	if healthy {
		delete(p.sick, a.id)
	} else {
		p.sick[a.id] = true
	}
}

// judgePatterns looks for each pattern on the samples at hand.
func (m *Machine) judgePatterns() {
	if len(m.patterns.sought) == 0 {
		return
	}
	m.noteTrouble()
	for _, s := range m.patterns.sought {
		for _, seen := range m.look(s) {
			m.sight(s, seen)
		}
		m.settlePattern(s)
	}
	m.recover()
}

// noteTrouble finds who began to fail since the last sample: one sample shows a whole chain at once, so those who are
// called come before their callers.
func (m *Machine) noteTrouble() {
	var fresh []*actor
	for _, a := range m.rulebook.actors {
		is, was := a.ailing(), m.patterns.doubtful[a.id]
		switch {
		case is && !was:
			m.patterns.doubtful[a.id] = true
			fresh = append(fresh, a)
		case !is && was:
			delete(m.patterns.doubtful, a.id)
		}
	}
	for len(fresh) > 0 {
		next := 0
		if len(fresh) <= maxOrdered {
			next = max(0, slices.IndexFunc(fresh, func(a *actor) bool {
				return !slices.ContainsFunc(fresh, func(b *actor) bool { return a != b && m.calls(a.id, b.id) })
			}))
		}
		m.worsen(fresh[next])
		fresh = slices.Delete(fresh, next, next+1)
	}
}

// look gives what is seen of a pattern now.
func (m *Machine) look(s *sought) []sighting {
	if s.spec.Custom {
		return m.lookCustom(s)
	}
	switch s.spec.Name {
	case "cascade":
		return m.lookCascade(s.spec)
	case "hotspot":
		return m.lookHotspot(s)
	case "flapping":
		return m.lookFlapping(s.spec)
	case "mailbox_growth":
		return m.lookGrowth(s)
	case "slow_consumer", "gray_failure", "retry_storm":
		return m.lookEach(s)
	}
	return nil
}

// sight keeps a sighting as a finding, or adds it to the one of its subject.
func (m *Machine) sight(s *sought, seen sighting) {
	at := slices.IndexFunc(s.findings, func(f *finding) bool { return f.key == seen.key })
	if at < 0 {
		if len(s.findings) >= maxFindings {
			return
		}
		at = len(s.findings)
		s.findings = append(s.findings, &finding{first: m.now})
	}
	f := s.findings[at]
	if f.told {
		seen.root = f.root // what was acted on stays what is shown
	}
	f.sighting, f.last, f.tick = seen, m.now, m.rulebook.tick
	f.times++
	f.turn(true, m.now, holdOf(s.spec))
}

// settlePattern tells findings that have held and ends those that are not seen any more.
func (m *Machine) settlePattern(s *sought) {
	hold := holdOf(s.spec)
	kept := s.findings[:0]
	var fresh []*finding
	for _, f := range s.findings {
		if f.tick != m.rulebook.tick {
			f.turn(false, m.now, hold)
		}
		switch {
		case !f.told && f.held(m.now, hold):
			fresh = append(fresh, f)
		case f.told && m.now-f.last > max(patternLinger, s.spec.Within):
			m.tell(pathOf(f.about), &journal.PatternCleared{Pattern: s.spec.Name, Root: pathOf(f.root), Count: f.times, Lasted: f.last - f.first})
			continue
		case !f.told && !f.true && len(f.spans) == 0:
			continue
		}
		kept = append(kept, f)
	}
	clear(s.findings[len(kept):])
	s.findings = kept
	for _, f := range fresh {
		m.foundPattern(s.spec, f)
	}
}

// foundPattern tells a pattern and does what it says, to the likely root.
func (m *Machine) foundPattern(spec *plan.Pattern, f *finding) {
	f.told = true
	body := &journal.PatternFound{
		Pattern: spec.Name, Root: pathOf(f.root), Confidence: percent(f.confidence), Count: f.times, Why: f.why,
	}
	for _, a := range f.actors {
		body.Actors = append(body.Actors, a.def.Path)
	}
	m.tell(pathOf(f.about), body)
	m.actAll(spec.Then, origin{by: "pattern " + spec.Name, cause: byRule, subject: subject{actor: f.root}})
}

func pathOf(a *actor) string {
	if a == nil {
		return ""
	}
	return a.def.Path
}

// holdOf is how long a pattern must be seen before it is told.
func holdOf(spec *plan.Pattern) plan.Hold {
	switch {
	case spec.Custom:
		return spec.Hold
	case spec.Name == "hotspot":
		return plan.Hold{For: hotspotHold}
	case spec.Name == "slow_consumer", spec.Name == "gray_failure", spec.Name == "retry_storm":
		return plan.Hold{For: spec.Within}
	}
	return plan.Hold{}
}

// judgeCascade looks for a cascade at once, when a failure has reached somebody.
func (m *Machine) judgeCascade() {
	for _, s := range m.patterns.sought {
		if s.spec.Name != "cascade" || s.spec.Custom {
			continue
		}
		for _, seen := range m.lookCascade(s.spec) {
			m.sight(s, seen)
		}
		m.settlePattern(s)
	}
}

// lookCascade groups the setbacks within the span by who called whom. A group of several actors with enough setbacks is a
// cascade; one actor that fails again and again is none.
func (m *Machine) lookCascade(spec *plan.Pattern) []sighting {
	var hit []setback
	m.contagion.each(m.now, spec.Within, func(s *setback) bool {
		if m.roster.planned(s.actor) != nil {
			hit = append(hit, *s)
		}
		return true
	})
	slices.Reverse(hit)
	var out []sighting
	used := make([]bool, len(hit))
	for i := range hit {
		if used[i] {
			continue
		}
		group := m.connected(hit, used, i)
		if seen, is := m.cascadeOf(spec, hit, group); is {
			out = append(out, seen)
		}
	}
	return out
}

// connected gathers the setbacks that hang together with one, and marks them used.
func (m *Machine) connected(hit []setback, used []bool, from int) []int {
	group := []int{from}
	used[from] = true
	for at := 0; at < len(group); at++ {
		for j := range hit {
			if !used[j] && m.linked(hit[group[at]], hit[j]) {
				used[j] = true
				group = append(group, j)
			}
		}
	}
	slices.Sort(group)
	return group
}

// linked tells whether two setbacks belong together: one actor, one incident, a stated cause, or a call.
func (m *Machine) linked(a, b setback) bool {
	if a.actor == b.actor || a.from == b.actor || b.from == a.actor || a.from != 0 && a.from == b.from || a.incident != 0 && a.incident == b.incident {
		return true
	}
	return m.calls(a.actor, b.actor) || m.calls(b.actor, a.actor)
}

func (m *Machine) calls(caller, callee ID) bool {
	a := m.roster.planned(caller)
	return a != nil && isAmong(m.contagion.callees(a), callee)
}

func (m *Machine) cascadeOf(spec *plan.Pattern, hit []setback, group []int) (sighting, bool) {
	var actors []*actor
	deepest := 0
	add := func(id ID) {
		if a := m.roster.planned(id); a != nil && !slices.Contains(actors, a) {
			actors = append(actors, a)
		}
	}
	for _, i := range group {
		add(hit[i].from) // the cause comes before what it caused
		add(hit[i].actor)
		deepest = max(deepest, hit[i].depth)
	}
	if len(group) < spec.Failures || len(actors) < 2 {
		return sighting{}, false
	}
	root := m.causeAmong(actors, hit, group)
	return sighting{
		key: root.def.Path, about: root, actors: actors, root: root,
		confidence: sure(len(group), spec.Failures),
		why:        fmt.Sprintf("%d failures of %d actors within %s, %d deep", len(group), len(actors), spec.Within, deepest),
	}, true
}

// causeAmong is the one that calls nobody of the others; of several the one whose trouble came first, or that others'
// failures name.
func (m *Machine) causeAmong(actors []*actor, hit []setback, group []int) *actor {
	for _, a := range actors { // in the order of their setbacks, causes first
		blames := slices.ContainsFunc(group, func(i int) bool { return hit[i].actor == a.id && hit[i].from != 0 })
		calls := slices.ContainsFunc(actors, func(b *actor) bool { return a != b && m.calls(a.id, b.id) })
		if !blames && !calls {
			return a
		}
	}
	return actors[0]
}

// sure is how confident so many of what was needed make: half when there are just enough.
func sure(have, need int) float64 {
	return min(1, 0.5+float64(0.5*float64(have-need)/float64(max(need*(surelyRepeated-1), 1))))
}

// lookFlapping counts openings of breakers and failures of actors.
func (m *Machine) lookFlapping(spec *plan.Pattern) []sighting {
	p := &m.patterns
	p.flips = slices.DeleteFunc(p.flips, func(f flip) bool { return m.now-f.at > spec.Within })
	var out []sighting
	names := make([]string, len(p.flips))
	for i, f := range p.flips {
		names[i] = f.breaker
	}
	slices.Sort(names)
	for i, count := range runs(names, spec.Changes) {
		a := m.roster.planned(p.guarded[names[i]])
		seen := m.alone(a, spec, sure(count, spec.Changes), fmt.Sprintf("breaker %q opened %d times within %s", names[i], count, spec.Within))
		seen.key = "breaker " + names[i]
		out = append(out, seen)
	}
	var failed []ID
	m.contagion.each(m.now, spec.Within, func(s *setback) bool {
		failed = append(failed, s.actor)
		return true
	})
	slices.Sort(failed)
	for i, count := range runs(failed, spec.Changes) {
		if a := m.roster.planned(failed[i]); a != nil {
			out = append(out, m.alone(a, spec, sure(count, spec.Changes), fmt.Sprintf("%d failures within %s", count, spec.Within)))
		}
	}
	return out
}

// runs gives the runs of at least so many equal values in a sorted list: where each begins, and how long it is.
func runs[T comparable](sorted []T, least int) func(yield func(int, int) bool) {
	return func(yield func(int, int) bool) {
		for i := 0; i < len(sorted); {
			j := i
			for j < len(sorted) && sorted[j] == sorted[i] {
				j++
			}
			if j-i >= max(least, 1) && !yield(i, j-i) {
				return
			}
			i = j
		}
	}
}

// alone is a sighting about one actor.
func (m *Machine) alone(a *actor, spec *plan.Pattern, confidence float64, why string) sighting {
	s := sighting{about: a, root: a, confidence: confidence, why: why}
	if a != nil {
		s.key, s.actors = a.def.Path, []*actor{a}
		s.root = m.rootOf(a, max(spec.Within, patternLinger))
	}
	return s
}

// suspects are the actors worth a look: those whose measurements changed and those of findings.
func (m *Machine) suspects(s *sought) []*actor {
	out := slices.Clone(m.rulebook.actors)
	for _, f := range s.findings {
		if f.about != nil && !slices.Contains(m.rulebook.actors, f.about) {
			out = append(out, f.about)
		}
	}
	return slices.DeleteFunc(out, func(a *actor) bool { return a.sup != nil || a.sample == nil })
}

// lookEach judges the patterns that one actor's measurements show.
func (m *Machine) lookEach(s *sought) []sighting {
	var out []sighting
	for _, a := range m.suspects(s) {
		v, why, strength := m.view(a), "", 0.0
		switch s.spec.Name {
		case "slow_consumer":
			used := v.Mailbox / max(v.Capacity, 1)
			if v.Capacity > 0 && v.Mailbox >= consumerLeast && used >= s.spec.Share && a.life == running && !a.paused {
				why, strength = fmt.Sprintf("%.0f of %.0f messages wait for %s", v.Mailbox, v.Capacity, s.spec.Within), used
			}
		case "gray_failure":
			if a.def.Health != nil && a.life == running && !m.patterns.sick[a.id] && v.Calls >= grayCalls && v.ErrorRate >= s.spec.Share {
				why, strength = fmt.Sprintf("%.0f%% of %.0f calls fail while its health check passes", v.ErrorRate*100, v.Calls), v.ErrorRate
			}
		case "retry_storm":
			if share := v.Retries / max(v.Calls, 1); v.Calls >= stormCalls && share >= s.spec.Share {
				why, strength = fmt.Sprintf("%.0f of %.0f attempts are retries", v.Retries, v.Calls), min(1, share)
			}
		}
		if why != "" {
			out = append(out, m.alone(a, s.spec, strength, why))
		}
	}
	return out
}

// lookGrowth follows the mailboxes that fill and extrapolates them by a robust slope.
func (m *Machine) lookGrowth(s *sought) []sighting {
	p := &m.patterns
	var out []sighting
	kept := p.trends[:0:0]
	for _, a := range m.suspects(s) {
		v := m.view(a)
		if v.Capacity <= 0 || v.Mailbox < growthFilled*v.Capacity {
			continue
		}
		t := &trend{id: a.id}
		if at := slices.IndexFunc(p.trends, func(t *trend) bool { return t.id == a.id }); at >= 0 {
			t = p.trends[at]
		}
		if len(t.points) == growthPoints {
			t.points = slices.Delete(t.points, 0, 1)
		}
		t.points = append(t.points, point{at: m.now, values: []float64{v.Mailbox}})
		kept = append(kept, t)
		slope, known := slopeOf(t.points, 0, 1)
		if !known || slope <= 0 {
			continue
		}
		if left := (v.Capacity - v.Mailbox) / slope; left <= s.spec.Within.Seconds() {
			why := fmt.Sprintf("%.0f of %.0f messages, full in %.0f s", v.Mailbox, v.Capacity, left)
			out = append(out, m.alone(a, s.spec, min(1, 0.5+float64(0.5*v.Mailbox/v.Capacity)), why))
		}
	}
	p.trends = kept
	return out
}

// lookHotspot compares each actor that changed with its peers: its group, or the other actors of its supervisor.
func (m *Machine) lookHotspot(s *sought) []sighting {
	var out []sighting
	type flock struct {
		parent *actor
		group  string
	}
	var looked []flock
	for _, a := range m.suspects(s) {
		here := flock{a.parent, a.def.Group}
		if a.parent == nil || slices.Contains(looked, here) {
			continue
		}
		looked = append(looked, here)
		out = append(out, m.hotAmong(s.spec, flockOf(a))...)
	}
	return out
}

// flockOf are an actor's peers with it, as far as they have measurements.
func flockOf(a *actor) []*actor {
	var out []*actor
	for _, c := range a.parent.sup.children {
		if c.sup == nil && c.sample != nil && c.def.Group == a.def.Group {
			out = append(out, c)
		}
	}
	return out
}

// hotAmong finds who fails more than sigma standard deviations above the mean of the others or, among replicas, which do
// the same work, is busier.
func (m *Machine) hotAmong(spec *plan.Pattern, flock []*actor) []sighting {
	if len(flock) < 3 {
		return nil
	}
	var errors, calls scatter
	for _, a := range flock {
		errors.add(a.sample.ErrorRate)
		calls.add(a.sample.Calls)
	}
	var out []sighting
	for _, a := range flock {
		v := a.sample
		if v.Calls < hotspotCalls {
			continue
		}
		mean, deviation := errors.without(v.ErrorRate)
		if z := (v.ErrorRate - mean) / max(deviation, hotspotErrors); z > spec.Sigma {
			why := fmt.Sprintf("%.0f%% of its calls fail, %.0f%% of its peers'", v.ErrorRate*100, mean*100)
			out = append(out, m.alone(a, spec, min(1, z/float64(2*spec.Sigma)), why))
			continue
		}
		mean, deviation = calls.without(v.Calls)
		if z := (v.Calls - mean) / max(deviation, float64(hotspotBusy*mean), 1); a.def.Group != "" && z > spec.Sigma {
			why := fmt.Sprintf("%.0f calls, its peers have %.0f", v.Calls, mean)
			out = append(out, m.alone(a, spec, min(1, z/float64(2*spec.Sigma)), why))
		}
	}
	return out
}

// scatter sums values up for mean and deviation.
type scatter struct{ n, sum, squares float64 }

func (s *scatter) add(x float64) {
	s.n++
	s.sum += x
	s.squares += float64(x * x)
}

// without gives mean and standard deviation of all but one value.
func (s *scatter) without(x float64) (mean, deviation float64) {
	n := s.n - 1
	mean = (s.sum - x) / n
	return mean, math.Sqrt(max(0, (s.squares-float64(x*x))/n-float64(mean*mean)))
}

// lookCustom evaluates the author's own condition.
func (m *Machine) lookCustom(s *sought) []sighting {
	is, err := s.spec.When.Condition(m.envOf(subject{}))
	if err != nil || !is {
		return nil
	}
	return []sighting{{key: s.spec.Name, confidence: 1, why: strings.TrimSpace(s.spec.When.Source())}}
}

// opened notes an opening for flapping.
func (m *Machine) opened(c *circuit) {
	if len(m.patterns.sought) == 0 {
		return
	}
	if len(m.patterns.flips) >= maxSetbacks {
		m.patterns.flips = slices.Delete(m.patterns.flips, 0, 1)
	}
	m.patterns.flips = append(m.patterns.flips, flip{c.id(), m.now})
}
