package scenario

import (
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// maxPast is how many events are kept for telling what led to a failure.
const maxPast = 4096

// past is the last stretch of a run, for people.
type past struct {
	run     *run
	lines   []Entry // a ring
	next    int
	most    int    // lines
	dropped uint64 // lines
	last    uint64 // sequence number of the newest event
	count   uint64
	onUp    []func()
}

// Line is one thing that happened before a failure.
type Line struct {
	At   time.Duration `json:"at_ns"`
	Text string        `json:"text"`
}

func (p *past) keep(h Entry) {
	if len(p.lines) < p.most {
		p.lines = append(p.lines, h)
		return
	}
	p.lines[p.next] = h
	p.next = (p.next + 1) % p.most
	p.dropped++
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
	p.keep(Entry{At: now, Event: e})
}

// newest visits what is kept, newest first, until visit says stop.
func (p *past) newest(visit func(*Entry) bool) {
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
	var picked []*Entry
	want, steps := uint64(0), 0
	p.newest(func(h *Entry) bool {
		switch {
		case h.Text != "":
			if steps < maxSteps {
				steps++
				picked = append(picked, h)
			}
		case want == 0 && len(picked) == steps && h.Event.Type != journal.TypeInput && p.concerns(m, h.Event):
			picked = append(picked, h)
			want = h.Event.Causation
		case want != 0 && h.Event.Seq == want:
			if h.Event.Type != journal.TypeInput {
				picked = append(picked, h)
			}
			want = h.Event.Causation
		}
		return len(picked) < maxChain+maxSteps
	})
	slices.Reverse(picked)
	slices.SortStableFunc(picked, func(a, b *Entry) int { return int(a.At - b.At) })
	var out []Line
	for _, h := range picked {
		text := h.Text
		if text == "" {
			text = journal.Describe(h.Event)
		}
		out = append(out, Line{h.At, text})
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
	fields := paramFields(r.eng.Plan())
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

// parts tells which of the conditions that an expectation joins hold now; nil when it is a single one.
func (r *run) parts(m *monitor) []Part {
	call, event := r.scratch.Call, r.scratch.Event
	env := r.env()
	env.Call, env.Event = call, event
	leaves := rules.Leaves(m.spec.Cond.Source(), rules.Scope{Place: rules.AtExpect, Params: paramFields(r.eng.Plan())})
	if len(leaves) < 2 {
		return nil
	}
	var out []Part
	for _, leaf := range leaves {
		ok, err := leaf.Condition(env)
		out = append(out, Part{leaf.Source(), ok && err == nil})
	}
	return out
}

// paramFields are a plan's params as expressions are checked against them.
func paramFields(p *plan.Plan) []rules.Field {
	var out []rules.Field
	for i := range p.Params {
		out = append(out, rules.Field{Name: p.Params[i].Name})
	}
	return out
}
