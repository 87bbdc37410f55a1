package observe

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/rules"
)

// Reading is what an actor's counters say at one moment. Counts only grow; the actor's rates are filled by Windows.
type Reading struct {
	Actor           rules.Actor
	Calls, Failures uint64
	Retries         uint64   // of its callers
	Latency         []uint32 // calls by duration: bucket i ends at the Limit of its number; nil when not measured
}

// Windows turns growing counts into rates over the last Span, for actors, for the groups of their replicas and for every
// supervisor above them. It is pure: the time is an argument. Not safe for concurrent use.
type Windows struct {
	// Span is observe.window. It may be changed between calls.
	Span time.Duration
	// Limit is where a Reading's latency bucket ends.
	Limit func(bucket int) time.Duration

	past map[string]*history // by path
	took [2][]uint32         // of the reading at hand, used again: within the window, and since the last reading
	last map[string]rules.Actor
	next map[string]rules.Actor // what last is to be, used again
	mean float64                // anomaly of the actors in the last sample
}

// moment is one set of counts.
type moment struct {
	at              time.Duration
	calls, failures uint64
	retries         uint64
	latency         []uint32
}

// history holds moments, oldest first: one that is at least Span old and all younger ones.
type history struct {
	moments []moment
	seen    bool // in the current sample
	watch   watch
}

// delta is what happened within the window, of one actor or several.
type delta struct {
	calls, failures uint64
	retries         uint64
	latency         []uint32
}

// NewWindows makes windows over span.
func NewWindows(span time.Duration, limit func(int) time.Duration) *Windows {
	return &Windows{Span: span, Limit: limit, past: map[string]*history{}, last: map[string]rules.Actor{}, next: map[string]rules.Actor{}}
}

// Sample takes the readings of now and gives what rules see, sorted by path: actors, groups and supervisors whose values
// differ from those of the sample before. An actor without a reading is forgotten.
func (w *Windows) Sample(now time.Duration, readings []Reading) []rules.Actor {
	sums := map[string]*sum{}
	for _, h := range w.past {
		h.seen = false
	}
	out := make([]rules.Actor, 0, len(readings)+len(readings)/2+4)
	w.mean = 0
	for _, r := range readings {
		h := w.historyOf(now, r.Actor.Path)
		d, fresh := h.advance(now, w.Span, r, &w.took)
		a := w.rated(r.Actor, d)
		a.Anomaly = h.watch.observe(now, a, fresh, rules.MeanOf(fresh.latency, w.Limit))
		w.mean += a.Anomaly / float64(len(readings))
		out = append(out, a)
		for _, above := range ancestors(a) {
			if sums[above] == nil {
				sums[above] = &sum{actor: rules.Actor{Path: above, Name: above[strings.LastIndexByte(above, '/')+1:], Ready: true}}
			}
			sums[above].add(a, d)
		}
	}
	maps.DeleteFunc(w.past, func(_ string, h *history) bool { return !h.seen })
	for _, s := range sums {
		out = append(out, w.rated(s.actor, s.delta))
	}
	slices.SortFunc(out, func(a, b rules.Actor) int { return strings.Compare(a.Path, b.Path) })
	return w.changed(out)
}

// Anomaly is the mean of all actors' anomaly in the last sample, 0 to 1.
func (w *Windows) Anomaly() float64 { return min(w.mean, 1) }

// historyOf finds an actor's history or begins one.
func (w *Windows) historyOf(now time.Duration, path string) *history {
	h := w.past[path]
	if h == nil {
		h = &history{moments: []moment{{at: now}}} // what was counted before the first look falls into the window
		w.past[path] = h
	}
	h.seen = true
	return h
}

// advance adds the reading to the actor's history and gives what happened within the window, and since the last reading.
// Their latencies lie in took.
func (h *history) advance(now, span time.Duration, r Reading, took *[2][]uint32) (window, fresh delta) {
	for len(h.moments) > 1 && h.moments[1].at <= now-span {
		h.moments = slices.Delete(h.moments, 0, 1)
	}
	if h.moments[len(h.moments)-1].outlives(r) {
		h.moments = append(h.moments[:0], moment{at: h.moments[len(h.moments)-1].at})
	}
	newest := h.moments[len(h.moments)-1]
	next := moment{at: now, calls: r.Calls, failures: r.Failures, retries: r.Retries, latency: newest.latency}
	if newest.calls != r.Calls {
		next.latency = slices.Clone(r.Latency) // shared by all moments without a call between them
	}
	h.moments = append(h.moments, next)
	return next.since(h.moments[0], &took[0]), next.since(newest, &took[1])
}

// outlives tells that a reading is of another actor at the same path, one removed and added again between two readings:
// counts only grow, and these have begun anew.
func (m moment) outlives(r Reading) bool {
	if r.Calls < m.calls || r.Failures < m.failures || r.Calls > m.calls && len(r.Latency) < len(m.latency) {
		return true
	}
	for i, n := range m.latency {
		if i < len(r.Latency) && r.Latency[i] < n {
			return true
		}
	}
	return false
}

// since is what happened between two moments. Its latency lies in took.
func (m moment) since(old moment, took *[]uint32) delta {
	d := delta{calls: m.calls - old.calls, failures: m.failures - old.failures}
	if m.retries > old.retries { // a guard that a reload took away takes its count with it
		d.retries = m.retries - old.retries
	}
	if d.calls > 0 {
		*took = append((*took)[:0], m.latency...)
		d.latency = *took
		for i, n := range old.latency {
			d.latency[i] -= n
		}
	}
	return d
}

// rated gives the actor with its rates.
func (w *Windows) rated(a rules.Actor, d delta) rules.Actor {
	a.Calls, a.Retries = float64(d.calls), float64(d.retries)
	if d.calls > 0 {
		a.ErrorRate = float64(d.failures) / float64(d.calls)
		a.Latency = rules.LatencyOf(d.latency, w.Limit)
	}
	return a
}

// ancestors are the paths that an actor's counts are part of: its group and every supervisor above it.
func ancestors(a rules.Actor) []string {
	var out []string
	if a.Group != "" {
		out = append(out, a.Group)
	}
	for i := strings.LastIndexByte(a.Path, '/'); i > 0; i = strings.LastIndexByte(a.Path[:i], '/') {
		out = append(out, a.Path[:i])
	}
	return out
}

// sum is a group or supervisor: all of its members together.
type sum struct {
	actor rules.Actor
	delta delta
}

func (s *sum) add(a rules.Actor, d delta) {
	s.actor.Ready = s.actor.Ready && a.Ready
	s.actor.Mailbox += a.Mailbox
	s.actor.Capacity += a.Capacity
	s.actor.InFlight += a.InFlight
	s.actor.Restarts += a.Restarts
	s.actor.Memory += a.Memory
	s.actor.Anomaly = max(s.actor.Anomaly, a.Anomaly)
	s.delta.calls += d.calls
	s.delta.failures += d.failures
	s.delta.retries += d.retries
	if len(s.delta.latency) < len(d.latency) {
		s.delta.latency = append(s.delta.latency, make([]uint32, len(d.latency)-len(s.delta.latency))...)
	}
	for i, n := range d.latency {
		s.delta.latency[i] += n
	}
}

// changed keeps what differs from the last sample. Uptime is left out of the comparison: the Machine knows it.
func (w *Windows) changed(all []rules.Actor) []rules.Actor {
	now := w.next
	clear(now)
	out := all[:0]
	for _, a := range all {
		now[a.Path] = a
		if was, known := w.last[a.Path]; !known || !same(was, a) {
			out = append(out, a)
		}
	}
	w.last, w.next = now, w.last
	return out
}

func same(a, b rules.Actor) bool {
	if !maps.Equal(a.Labels, b.Labels) || !maps.Equal(a.Metrics, b.Metrics) {
		return false
	}
	return scalars(a) == scalars(b)
}

// scalars is what can be compared at once.
type scalarsOf struct {
	name, group, state                                                                       string
	replica                                                                                  int
	ready, quarantined                                                                       bool
	infected, anomaly, mailbox, capacity, calls, retries, errors, inFlight, restarts, memory float64
	latency                                                                                  rules.Latency
}

func scalars(a rules.Actor) scalarsOf {
	return scalarsOf{a.Name, a.Group, a.State, a.Replica, a.Ready, a.Quarantined, a.Infected, a.Anomaly, a.Mailbox, a.Capacity,
		a.Calls, a.Retries, a.ErrorRate, a.InFlight, a.Restarts, a.Memory, a.Latency}
}
