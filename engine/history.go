package engine

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// Bounds of history: points a series keeps, points a prediction looks at, and how far back one looks.
const (
	maxPoints    = 720
	trendPoints  = 32
	leastPoints  = 5
	trendAtLeast = 30 * time.Second
	trendAtMost  = 10 * time.Minute
)

// history remembers measurements for over() and predict(). It is kept only while some expression of the plan asks, as
// far back as the longest one asks, in at most maxPoints points a subject.
type history struct {
	span   time.Duration // 0: nobody asks
	last   time.Duration // of the newest point
	fields []string      // that predict() asks for, such as actor.mailbox
	series map[string][]point

	watched []*rules.Program // not the plan's: their look back is kept too
}

// point is one moment of one subject.
type point struct {
	at     time.Duration
	rates  rules.Rates
	values []float64 // by history.fields
}

// adopt finds out what a plan's expressions ask for. What is remembered already is kept unless the fields changed.
func (h *history) adopt(p *plan.Plan) {
	var span time.Duration
	var fields []string
	for _, program := range slices.Concat(programsOf(p), h.watched) {
		for _, path := range program.Reads() {
			s, field := asks(path)
			span = max(span, s)
			if field != "" {
				fields = append(fields, field)
			}
		}
	}
	slices.Sort(fields)
	fields = slices.Compact(fields)
	if span == 0 || h.series == nil || !slices.Equal(fields, h.fields) {
		h.series = map[string][]point{}
	}
	h.span, h.fields = span, fields
}

// programsOf are the conditions that may look back.
func programsOf(p *plan.Plan) []*rules.Program {
	var out []*rules.Program
	for i := range p.Rules {
		out = append(out, p.Rules[i].Where, p.Rules[i].When, p.Rules[i].Clear)
	}
	for i := range p.Patterns {
		out = append(out, p.Patterns[i].When)
	}
	if p.Health != nil {
		out = append(out, p.Health.Score)
	}
	if p.Emergency != nil {
		out = append(out, p.Emergency.Enter, p.Emergency.Leave)
	}
	return slices.DeleteFunc(out, func(program *rules.Program) bool { return program == nil })
}

// asks reads what an expression reads: `over(actor, 60).calls` looks back 60 s, `predict(actor.mailbox, 300)` watches
// a field's trend.
func asks(path string) (span time.Duration, field string) {
	inner, isOver := strings.CutPrefix(path, "over(")
	if !isOver {
		var isPredict bool
		if inner, isPredict = strings.CutPrefix(path, "predict("); !isPredict {
			return 0, ""
		}
	}
	comma := strings.LastIndex(inner, ", ")
	end := strings.LastIndex(inner, ")")
	if comma < 0 || end < comma {
		return 0, ""
	}
	seconds, err := strconv.ParseFloat(inner[comma+2:end], 64)
	if err != nil || !(seconds > 0 && seconds < 1e9) {
		return 0, ""
	}
	span = time.Duration(seconds * float64(time.Second))
	if isOver {
		return span, ""
	}
	subject, field := inner[:strings.IndexAny(inner, ".(")], inner[strings.LastIndex(inner[:comma], ")")+1:comma]
	return min(max(span, trendAtLeast), trendAtMost), subject + "." + strings.TrimPrefix(strings.TrimPrefix(field, subject), ".")
}

// remember adds a point for every subject, unless the newest one is too near for maxPoints to reach far enough back.
func (m *Machine) remember() {
	h := &m.history
	if h.span == 0 || h.last > 0 && m.now-h.last < h.span/maxPoints {
		return
	}
	h.last = m.now
	for _, a := range m.roster.byIndex {
		v := m.view(a)
		h.add(m.now, "actor "+a.def.Path, ratesOf(v), func(field string) (any, bool) { return actorField(v, field) })
	}
	for i := range m.plan.Groups {
		v := m.viewGroup(&m.plan.Groups[i])
		h.add(m.now, "actor "+v.Path, ratesOf(v), func(field string) (any, bool) { return actorField(v, field) })
	}
	for _, c := range m.circuits.sorted {
		v := &c.view
		rates := rules.Rates{Calls: v.Calls, ErrorRate: v.ErrorRate, Latency: v.Latency}
		h.add(m.now, "breaker "+c.id(), rates, func(field string) (any, bool) { return breakerField(v, field) })
	}
	all := m.viewAll()
	h.add(m.now, "system ", ratesOf(&all), func(field string) (any, bool) { return systemField(&m.system, field) })
}

func ratesOf(v *rules.Actor) rules.Rates {
	return rules.Rates{Calls: v.Calls, ErrorRate: v.ErrorRate, Latency: v.Latency, Restarts: v.Restarts}
}

// viewAll sums all actors up, as far as rates need it.
func (m *Machine) viewAll() rules.Actor {
	var all rules.Actor
	for _, a := range m.roster.byIndex {
		if v := m.view(a); a.sup == nil {
			if calls := all.Calls + v.Calls; calls > 0 {
				all.ErrorRate = (float64(all.ErrorRate*all.Calls) + float64(v.ErrorRate*v.Calls)) / calls
				all.Calls = calls
			}
			all.Restarts += v.Restarts
		}
	}
	return all
}

func (h *history) add(now time.Duration, name string, rates rules.Rates, read func(string) (any, bool)) {
	p := point{at: now, rates: rates}
	subject, _, _ := strings.Cut(name, " ")
	for _, field := range h.fields {
		value := 0.0
		if own, ok := strings.CutPrefix(field, subject+"."); ok {
			v, _ := read(own)
			value, _ = v.(float64)
		}
		p.values = append(p.values, value)
	}
	points := h.series[name]
	old := 0
	for old < len(points) && (points[old].at < now-h.span || len(points)-old >= maxPoints) {
		old++
	}
	h.series[name] = append(slices.Delete(points, 0, old), p)
}

// of finds the series of a subject.
func (w *world) series(of rules.Reference) (kind string, points []point) {
	switch of.Subject {
	case rules.ActorSubject, rules.SupervisorSubject:
		if v := w.Actor(of.Name); v != nil {
			return "actor", w.history.series["actor "+v.Path]
		}
	case rules.BreakerSubject:
		id := (&circuit{view: rules.Breaker{Name: of.Name, Key: of.Key}}).id()
		return "breaker", w.history.series["breaker "+id]
	case rules.SystemSubject:
		return "system", w.history.series["system "]
	}
	return "", nil
}

// Over gives a subject's rates over the last seconds: those of the samples within, weighted by their calls. Each sample
// covers observe.window, so calls are scaled from it to the span asked for.
func (w *world) Over(of rules.Reference, seconds float64) *rules.Rates {
	_, points := w.series(of)
	begin := w.now - time.Duration(seconds*float64(time.Second))
	var out rules.Rates
	var errors, calls float64
	count := 0
	first, last := -1.0, 0.0
	for _, p := range points {
		if p.at < begin {
			continue
		}
		if first < 0 {
			first = p.rates.Restarts
		}
		last = p.rates.Restarts
		count++
		calls += p.rates.Calls
		errors += float64(p.rates.ErrorRate * p.rates.Calls)
		addLatency(&out.Latency, p.rates.Latency, p.rates.Calls)
	}
	if count == 0 {
		return nil
	}
	if calls > 0 {
		out.ErrorRate = errors / calls
		var mean rules.Latency
		addLatency(&mean, out.Latency, 1/calls)
		out.Latency = mean
	}
	out.Calls = calls / float64(count)
	if window := w.plan.Observe.Window.Seconds(); window > 0 {
		out.Calls = float64(out.Calls*seconds) / window
	}
	out.Restarts = last - first
	return &out
}

func addLatency(sum *rules.Latency, l rules.Latency, weight float64) {
	sum.Mean += float64(l.Mean * weight)
	sum.P50 += float64(l.P50 * weight)
	sum.P90 += float64(l.P90 * weight)
	sum.P95 += float64(l.P95 * weight)
	sum.P99 += float64(l.P99 * weight)
	sum.P999 += float64(l.P999 * weight)
}

// Predict extrapolates a field by the median of the slopes between its points (Theil, 1950, and Sen, 1968), which a few
// outliers do not move.
func (w *world) Predict(of rules.Reference, field string, seconds float64) (float64, bool) {
	kind, points := w.series(of)
	at := slices.Index(w.history.fields, kind+"."+field)
	if at < 0 {
		return 0, false
	}
	slope, known := slopeOf(points, at, (len(points)+trendPoints-1)/trendPoints)
	if !known {
		return 0, false
	}
	return float64(slope*seconds) + points[len(points)-1].values[at], true
}

// slopeOf is the median of the slopes between every step-th of the points, a second; unknown of too few.
func slopeOf(points []point, at, step int) (slope float64, known bool) {
	if len(points) < leastPoints {
		return 0, false
	}
	var slopes []float64
	for i := 0; i < len(points); i += step {
		for j := i + step; j < len(points); j += step {
			if apart := (points[j].at - points[i].at).Seconds(); apart > 0 {
				slopes = append(slopes, (points[j].values[at]-points[i].values[at])/apart)
			}
		}
	}
	if len(slopes) == 0 {
		return 0, false
	}
	slices.Sort(slopes)
	return (slopes[(len(slopes)-1)/2] + slopes[len(slopes)/2]) / 2, true
}
