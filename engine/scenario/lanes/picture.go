// Package lanes draws a run of a scenario: what befell each actor and breaker over virtual time, what went wrong when, and
// where each expectation was decided. The same run gives the same bytes.
package lanes

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/scenario"
)

// Bounds of a picture. What finds no place is counted.
const (
	maxActors   = 40
	maxReplicas = 4 // of one group
	maxBreakers = 24
	maxRules    = 12
	maxSteps    = 24
)

// picture is a run as it is drawn: sections of lanes over one axis of time.
type picture struct {
	report   *scenario.Report
	duration time.Duration
	steps    []stage
	more     int // steps without a place
	sections []section
	reloads  []moment
	curves   []scenario.Curve
}

// section is a number of lanes under one heading.
type section struct {
	title string
	lanes []*lane
	more  string // about those that have no place: and 17 more actors, always ready
}

// lane is one actor, breaker or rule.
type lane struct {
	path   string
	label  string
	depth  int  // of indentation
	group  bool // supervisors and groups: only what they decide is shown
	states []state
	marks  []moment
	member string // path of the group
}

// state is how long a lane was in a state.
type state struct {
	from, to time.Duration
	name     string // a key of looks
	note     string
}

// moment is something at one time.
type moment struct {
	at   time.Duration
	name string // failed, gave up, fired
	note string
}

// stage is one step of the timeline, with each time that it came.
type stage struct {
	step  *plan.Step
	spans []span
	label string
	kind  string // fault, action, reload, world, moment
}

// span is one time that a step came. It lasts no time when from is to.
type span struct {
	from, to time.Duration
	note     string
}

// enter ends the state that a lane is in and begins another.
func (l *lane) enter(at time.Duration, name, note string) {
	if n := len(l.states); n > 0 {
		last := &l.states[n-1]
		if last.name == name {
			return
		}
		last.to = at
		if last.from == at { // it lasted no time
			l.states = l.states[:n-1]
			if n > 1 && l.states[n-2].name == name {
				return
			}
		}
	}
	l.states = append(l.states, state{from: at, name: name, note: note})
}

// end closes the last state.
func (l *lane) end(at time.Duration) {
	if n := len(l.states); n > 0 {
		l.states[n-1].to = at
	}
}

func (l *lane) mark(at time.Duration, name, note string) {
	l.marks = append(l.marks, moment{at, name, note})
}

// events tells how much there is to see in a lane.
func (l *lane) events() int { return len(l.states) + len(l.marks) }

// compose arranges a run.
func compose(r *scenario.Report) *picture {
	t := newTeller(r.Tape)
	for i := range r.Tape.Entries {
		t.tell(&r.Tape.Entries[i])
	}
	p := &picture{report: r, duration: r.Virtual, reloads: t.reloads, curves: r.Tape.Curves}
	p.steps, p.more = stages(r)
	for _, s := range []section{t.actors.section(), t.breakers.section(), t.rules.section(), t.system.section()} {
		if len(s.lanes) == 0 {
			continue
		}
		for _, l := range s.lanes {
			l.end(r.Virtual)
		}
		p.sections = append(p.sections, s)
	}
	return p
}

// stages lists what the timeline did, by each step's first time.
func stages(r *scenario.Report) (out []stage, more int) {
	left := map[*plan.Step]bool{}
	for i := range r.Tape.Entries {
		e := &r.Tape.Entries[i]
		if e.Step == nil {
			continue
		}
		at := slices.IndexFunc(out, func(s stage) bool { return s.step == e.Step })
		switch {
		case at >= 0:
			out[at].again(e, r.Virtual)
		case len(out) < maxSteps:
			s := staged(e)
			s.again(e, r.Virtual)
			out = append(out, s)
		case !left[e.Step]:
			left[e.Step] = true
			more++
		}
	}
	return out, more
}

// again takes in what a step did next.
func (s *stage) again(e *scenario.Entry, end time.Duration) {
	n := len(s.spans)
	switch {
	case e.Over && n > 0:
		s.spans[n-1].to = e.At
	case strings.Contains(e.Text, " refused: ") && n > 0:
		s.spans[n-1].note = e.Text
	default:
		sp := span{e.At, e.At, e.Text}
		if e.Step.For > 0 {
			sp.to = min(e.At+e.Step.For, end)
		} else if s.kind == "world" || s.kind == "fault" && !slices.Contains([]string{"crash", "fill_mailbox"}, e.Step.Verb) {
			sp.to = end
		}
		s.spans = append(s.spans, sp)
	}
}

// staged is a step as it is named.
func staged(e *scenario.Entry) stage {
	s := stage{step: e.Step, label: e.Step.Verb, kind: "moment"}
	switch {
	case e.Step.Fault != nil:
		s.kind = "fault"
	case e.Step.Action != nil:
		s.kind = "action"
	case e.Step.Reload != nil:
		s.kind = "reload"
	case e.Step.World != nil:
		s.kind = "world"
	}
	if _, whom, ok := strings.Cut(e.Text, " on "); ok {
		if !plan.IsGlob(whom) {
			whom = whom[strings.LastIndexByte(whom, '/')+1:]
		}
		s.label += " " + whom
	}
	switch {
	case e.Step.ID != "" && e.Step.Verb != "":
		s.label = e.Step.ID + ": " + s.label
	case e.Step.ID != "":
		s.label = e.Step.ID
	}
	return s
}

// faulty are the spans in which something was wrong, joined where they touch.
func (p *picture) faulty() []span {
	var all, out []span
	for _, s := range p.steps {
		for _, sp := range s.spans {
			if s.kind == "fault" && sp.to > sp.from {
				all = append(all, sp)
			}
		}
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for _, sp := range all {
		if n := len(out); n > 0 && sp.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, sp.to)
			continue
		}
		out = append(out, sp)
	}
	return out
}
