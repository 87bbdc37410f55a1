package scenario

import (
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// maxPast is how many events are kept for telling what led to a failure.
const maxPast = 4096

// past is the last stretch of a run, for people.
type past struct {
	run   *run
	lines []happened // a ring
	next  int
	last  uint64 // sequence number of the newest event
	count uint64
	onUp  []func()
}

// happened is an event, or a step of the timeline.
type happened struct {
	at    time.Duration
	event journal.Event
	text  string // of a step
}

// Line is one thing that happened before a failure.
type Line struct {
	At   time.Duration `json:"at_ns"`
	Text string        `json:"text"`
}

func (p *past) keep(h happened) {
	if len(p.lines) < maxPast {
		p.lines = append(p.lines, h)
		return
	}
	p.lines[p.next] = h
	p.next = (p.next + 1) % maxPast
}

func (p *past) add(e journal.Event) {
	if e.Seq > 0 {
		p.last = e.Seq
		p.count++
	}
	var now time.Duration
	if p.run.eng != nil {
		now = p.run.eng.Now()
	}
	p.keep(happened{at: now, event: e})
}

func (p *past) say(at time.Duration, text string) { p.keep(happened{at: at, text: text}) }

// newest visits what is kept, newest first, until visit says stop.
func (p *past) newest(visit func(*happened) bool) {
	for i := range p.lines {
		at := (p.next - 1 - i + 2*len(p.lines)) % len(p.lines)
		if !visit(&p.lines[at]) {
			return
		}
	}
}

// Bounds of what is shown of the past.
const (
	maxChain = 8
	maxSteps = 4
)

// chain is what led to a failure: the last event about what the expectation names, what caused that, and so on, and the
// last steps of the timeline before it, oldest first.
func (p *past) chain(m *monitor) []Line {
	var picked []*happened
	want, steps := uint64(0), 0
	p.newest(func(h *happened) bool {
		switch {
		case h.text != "":
			if steps < maxSteps {
				steps++
				picked = append(picked, h)
			}
		case want == 0 && len(picked) == steps && h.event.Type != journal.TypeInput && p.concerns(m, h.event):
			picked = append(picked, h)
			want = h.event.Causation
		case want != 0 && h.event.Seq == want:
			if h.event.Type != journal.TypeInput {
				picked = append(picked, h)
			}
			want = h.event.Causation
		}
		return len(picked) < maxChain+maxSteps
	})
	slices.Reverse(picked)
	slices.SortStableFunc(picked, func(a, b *happened) int { return int(a.at - b.at) })
	var out []Line
	for _, h := range picked {
		text := h.text
		if text == "" {
			text = journal.Describe(h.event)
		}
		out = append(out, Line{h.at, text})
	}
	return out
}

// concerns tells whether an event is about something that the expectation names by a literal. One that names nothing is
// about everything.
func (p *past) concerns(m *monitor, e journal.Event) bool {
	names := m.spec.Cond.Names()
	if len(names) == 0 {
		return true
	}
	who := e.Actor
	if e.Type == journal.TypeBreakerChanged {
		if body, err := e.Body(); err == nil {
			if b, ok := body.(journal.BreakerChanged); ok {
				who = b.Breaker
			}
		}
	}
	return slices.ContainsFunc(names, func(n rules.NamedSubject) bool {
		return n.Function != "load" && (who == n.Name || strings.HasSuffix(who, "/"+n.Name) || strings.Contains(who, "/"+n.Name+"-"))
	}) || !slices.ContainsFunc(names, func(n rules.NamedSubject) bool { return n.Function != "load" })
}

// values reads what the expectation read, as it is now.
func (r *run) values(m *monitor) []Seen {
	call, event := r.scratch.Call, r.scratch.Event // what it was judged on, and what others are being judged on
	env := r.env()
	env.Call, env.Event = call, event
	var fields []rules.Field
	for _, p := range r.eng.Plan().Params {
		fields = append(fields, rules.Field{Name: p.Name})
	}
	out := []Seen{}
	for _, path := range m.spec.Cond.Reads() {
		p, _ := rules.Compile(path, rules.Any, rules.Scope{Place: rules.AtExpect, Params: fields})
		if p == nil {
			continue
		}
		if v, err := p.Value(env); err == nil {
			out = append(out, Seen{path, v})
		}
	}
	return out
}
