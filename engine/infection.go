package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Bounds and thresholds of contagion.
const (
	maxSetbacks   = 256         // remembered at one time
	infectedFor   = time.Minute // until an infection of 1 has decayed
	infectedFrom  = 0.5         // from this score on an actor counts as infected
	troubledRate  = 0.5         // share of failed calls from which on an actor is in trouble
	troubledCalls = 5           // calls before its rate says so
)

// contagion follows failures from actor to actor: along the causation of the failure itself (whose it was, and of which
// incident) and along the calls that the plan's definitions make. It is kept while the plan looks for cascades.
type contagion struct {
	spec  *plan.Pattern // of cascades; nil: nothing is followed
	calls []ID          // whom the actors call, those of one actor side by side and sorted
	from  []uint32      // by actor index: where its own begin in calls; they end where the next one's begin
	ring  []setback     // oldest first from head
	known []int16       // how many of the ring's incidents have a hash: most failures belong to none of them
	head  int
	sick  []sickness // by ID
}

// setback is one failure, or the moment in which an actor's calls began to fail.
type setback struct {
	actor, from ID // from: whose trouble reached it; 0 when it began here
	incident    uint64
	at          time.Duration
	depth       int // actors in its chain
}

// sickness is how infected an actor is. The score falls linearly.
type sickness struct {
	id    ID
	score float64 // at the time below
	at    time.Duration
}

// adopt takes a plan over: what is remembered of actors stays.
func (c *contagion) adopt(p *plan.Plan, roster *roster) {
	c.spec, c.calls, c.from = nil, nil, make([]uint32, len(p.Actors)+1)
	for i := range p.Patterns {
		if p.Patterns[i].Name == "cascade" && !p.Patterns[i].Custom {
			c.spec = &p.Patterns[i]
		}
	}
	for i := range p.Actors {
		for _, at := range calleesOf(p, i) {
			c.calls = append(c.calls, roster.byIndex[at].id)
		}
		slices.Sort(c.calls[c.from[i]:])
		c.from[i+1] = uint32(len(c.calls))
	}
}

// callees are those that an actor's definition calls.
func (c *contagion) callees(a *actor) []ID { return c.calls[c.from[a.index]:c.from[a.index+1]] }

// calleesOf are the indexes of those that an actor's definition calls, each once, without itself.
func calleesOf(p *plan.Plan, index int) []int {
	var paths []string
	a := &p.Actors[index]
	if a.Script != nil {
		for i := range a.Script.Handlers {
			for j := range a.Script.Handlers[i].Calls {
				paths = append(paths, a.Script.Handlers[i].Calls[j].To)
			}
		}
	}
	if a.Consensus != nil {
		paths = append(paths, a.Consensus.Members...)
	}
	var out []int
	for _, path := range paths {
		members := []string{path}
		if g := p.Group(path); g != nil {
			members = g.Members
		}
		for _, member := range members {
			if at := p.Index(member); at >= 0 && at != index {
				out = append(out, at)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// each visits the setbacks that are not older than within, newest first, until visit says that it is enough.
func (c *contagion) each(now, within time.Duration, visit func(*setback) (more bool)) {
	at := c.head
	for range c.ring {
		if at == 0 {
			at = len(c.ring)
		}
		at--
		if s := &c.ring[at]; now-s.at > within || !visit(s) {
			return
		}
	}
}

// kinds is how many incidents are told apart by knows, a power of two so far above maxSetbacks that a stranger is seldom taken for known.
const kinds = 32 * maxSetbacks

func (c *contagion) add(s setback) {
	if c.known == nil {
		c.known = make([]int16, kinds)
	}
	c.count(s.incident, 1)
	if len(c.ring) < maxSetbacks {
		c.ring = append(c.ring, s)
		return
	}
	c.count(c.ring[c.head].incident, -1)
	c.ring[c.head] = s
	c.head = (c.head + 1) % maxSetbacks
}

// count adds to the two places that an incident has in known.
func (c *contagion) count(incident uint64, by int16) {
	one, two := places(incident)
	c.known[one] += by
	c.known[two] += by
}

// places are where an incident is counted: by the lower bits of its hash, and by all of them mixed.
func places(incident uint64) (one, two uint64) {
	return incident % kinds, incident * 0x9e3779b97f4a7c15 >> 32 % kinds
}

// knows tells whether a setback that is remembered may belong to an incident: a false no never happens. A false yes costs a look
// at all of them, so there are two places for each incident: one is taken by others once in 16 times, both once in 250.
func (c *contagion) knows(incident uint64) bool {
	if incident == 0 || c.known == nil {
		return false
	}
	one, two := places(incident)
	return c.known[one] > 0 && c.known[two] > 0
}

// suffer notes an actor's failure and follows it back to where it came from.
func (m *Machine) suffer(a *actor, f *Failure) {
	if m.contagion.spec == nil || m.mode != alive || f == nil || m.roster.planned(a.id) == nil {
		return
	}
	s := setback{actor: a.id, at: m.now, incident: hashed(f.Correlation)}
	if f.By != "" && f.By != a.def.Path {
		s.from = m.idOf(f.By, a)
	}
	m.spread(a, s)
}

// worsen notes that an actor's calls have begun to fail, as a sample shows.
func (m *Machine) worsen(a *actor) {
	if m.contagion.spec != nil {
		m.spread(a, setback{actor: a.id, at: m.now})
	}
}

// idOf finds the actor that an error names: by its path, its name, or the guard in front of it.
func (m *Machine) idOf(by string, not *actor) ID {
	at := m.plan.Index(by)
	if at < 0 {
		found, err := m.plan.Resolve(by)
		if err != nil || len(found) == 0 {
			return 0
		}
		at = found[0]
	}
	if found := m.roster.byIndex[at]; found != not {
		return found.id
	}
	return 0
}

// spread adds a setback to its chain, infects whom it reaches and looks for a cascade.
func (m *Machine) spread(a *actor, s setback) {
	c := &m.contagion
	before := m.traced(a, &s)
	c.add(s)
	if s.from == 0 {
		return
	}
	origin := m.roster.planned(s.from)
	share := 1 / float64(max(c.spec.Failures, 1))
	switch {
	case c.spec.MaxDepth > 0 && s.depth > c.spec.MaxDepth:
		m.infect(a, 1, fmt.Sprintf("a chain of %d failures, allowed are %d", s.depth, c.spec.MaxDepth), append(before, a.def.Path))
	case origin != nil:
		m.infect(a, share, "failures of others reach it", []string{origin.def.Path, a.def.Path})
		m.infect(origin, share, "failures of others begin here", []string{origin.def.Path, a.def.Path})
	}
	m.judgeCascade()
}

// traced fills in where a setback came from and how deep its chain is, and gives the paths of those before it.
func (m *Machine) traced(a *actor, s *setback) (before []string) {
	c, near := &m.contagion, setback{}
	callees := c.callees(a)
	if s.from == 0 && len(callees) == 0 && !c.knows(s.incident) {
		s.depth = 1
		return nil
	}
	var seen []ID // of the same incident
	c.each(m.now, c.spec.Within, func(old *setback) bool {
		same := s.incident != 0 && old.incident == s.incident
		if !same && old.actor != s.from && !isAmong(callees, old.actor) || old.actor == a.id || slices.Contains(seen, old.actor) {
			return true
		}
		other := m.roster.planned(old.actor)
		if other == nil {
			return true
		}
		if old.depth >= near.depth {
			near = *old
		}
		if same {
			seen = append(seen, old.actor)
			before = append(before, other.def.Path)
		}
		return true
	})
	if s.from == 0 {
		s.from = near.actor
	}
	slices.Reverse(before)
	s.depth = max(near.depth, len(seen)) + 1
	if s.from != 0 {
		s.depth = max(s.depth, 2)
	}
	return before
}

// isAmong searches a sorted list that is mostly empty.
func isAmong(list []ID, id ID) bool {
	if len(list) == 0 {
		return false
	}
	_, found := slices.BinarySearch(list, id)
	return found
}

// hashed is FNV-1a of a correlation; 0 of none.
func hashed(text string) uint64 {
	if text == "" {
		return 0
	}
	sum := uint64(14695981039346656037)
	for i := range len(text) {
		sum = (sum ^ uint64(text[i])) * 1099511628211
	}
	return sum
}

// infect raises an actor's score and tells when it begins to count as infected.
func (m *Machine) infect(a *actor, by float64, reason string, chain []string) {
	c := &m.contagion
	at, found := slices.BinarySearchFunc(c.sick, a.id, func(s sickness, id ID) int { return cmp.Compare(s.id, id) })
	if !found {
		c.sick = slices.Insert(c.sick, at, sickness{id: a.id, at: m.now})
	}
	s := &c.sick[at]
	before := s.now(m.now)
	s.score, s.at = min(1, before+by), m.now
	if before < infectedFrom && s.score >= infectedFrom {
		m.tell(a.def.Path, &journal.Infected{Score: percent(s.score), Reason: reason, Chain: chain})
	}
}

// percent rounds a score for readers.
func percent(x float64) journal.Number { return journal.Number(math.Round(float64(x*100)) / 100) }

// now is the score after it has decayed.
func (s *sickness) now(now time.Duration) float64 {
	return max(0, s.score-float64(now-s.at)/float64(infectedFor))
}

// infection is an actor's score now.
func (m *Machine) infection(a *actor) float64 {
	c := &m.contagion
	at, found := slices.BinarySearchFunc(c.sick, a.id, func(s sickness, id ID) int { return cmp.Compare(s.id, id) })
	if !found {
		return 0
	}
	return c.sick[at].now(m.now)
}

// recover forgets who is well again and makes the rules look at who is not: a score changes without a measurement.
func (m *Machine) recover() {
	c := &m.contagion
	c.sick = slices.DeleteFunc(c.sick, func(s sickness) bool {
		a := m.roster.planned(s.id)
		if a != nil {
			m.rulebook.actors = append(m.rulebook.actors, a)
		}
		return a == nil || s.now(m.now) == 0
	})
}

// troubled tells whether an actor is in trouble: it failed lately, or its calls fail.
func (m *Machine) troubled(a *actor, within time.Duration) bool {
	if a.ailing() {
		return true
	}
	failed := false
	m.contagion.each(m.now, within, func(s *setback) bool {
		failed = s.actor == a.id
		return !failed
	})
	return failed
}

// ailing tells whether an actor's calls fail, by its last measurements.
func (a *actor) ailing() bool {
	return a.sup == nil && a.sample != nil && a.sample.Calls >= troubledCalls && a.sample.ErrorRate >= troubledRate
}

// rootOf is the likely cause: going from an actor to those it calls that are in trouble themselves, as far as there are
// any. Of several the one in trouble for longest.
func (m *Machine) rootOf(a *actor, within time.Duration) *actor {
	seen := []ID{a.id}
	for {
		var next *actor
		var since time.Duration
		for _, id := range m.contagion.callees(a) {
			callee := m.roster.planned(id)
			if callee == nil || slices.Contains(seen, callee.id) || !m.troubled(callee, within) {
				continue
			}
			if at := m.firstSetback(callee, within); next == nil || at < since {
				next, since = callee, at
			}
		}
		if next == nil {
			return a
		}
		a = next
		seen = append(seen, a.id)
	}
}

// firstSetback is when an actor's oldest setback within a span was; now when it has none.
func (m *Machine) firstSetback(a *actor, within time.Duration) time.Duration {
	first := m.now
	m.contagion.each(m.now, within, func(s *setback) bool {
		if s.actor == a.id {
			first = s.at
		}
		return true
	})
	return first
}
