package scenario

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// maxTape bounds the entries of a Tape; the oldest go first.
const maxTape = 1 << 18

// Tape is what a run did, for those who draw it or write it down. It is kept when Options.Record asks for it.
type Tape struct {
	Plan    *plan.Plan   // at the start
	Steps   []*plan.Step // the timeline, with what was added to it
	Entries []Entry      // in the order they happened
	Dropped uint64       // older entries that found no room
	Curves  []Curve      // one for each load
}

// Entry is an event of the engine, or a step of the timeline.
type Entry struct {
	At    time.Duration
	Event journal.Event // of the engine; without a type for a step
	Step  *plan.Step    // nil for an event
	Text  string        // of a step: fail outage on root/database
	Over  bool          // the step has been taken back
}

// Curve is how the calls of a load ended, over time.
type Curve struct {
	Name     string
	Every    time.Duration // what one element of the lists stands for
	OK       []uint32      // answered, not degraded
	Degraded []uint32      // answered by a fallback
	Failed   []uint32
}

// curvePoints is how many elements the lists of a Curve have at most.
const curvePoints = 240

// newCurve gives a curve over a whole run. Its elements stand for whole milliseconds.
func newCurve(name string, whole time.Duration) *Curve {
	every := max((whole / curvePoints).Round(time.Millisecond), time.Millisecond)
	n := int(whole/every) + 1
	return &Curve{Name: name, Every: every, OK: make([]uint32, n), Degraded: make([]uint32, n), Failed: make([]uint32, n)}
}

// count takes in an answer.
func (c *Curve) count(at time.Duration, failed, degraded bool) {
	i := min(int(at/c.Every), len(c.OK)-1)
	switch {
	case failed:
		c.Failed[i]++
	case degraded:
		c.Degraded[i]++
	default:
		c.OK[i]++
	}
}

// tape gives what was kept of the run.
func (r *run) tape() *Tape {
	out := &Tape{Plan: r.spec.Plan, Dropped: r.past.dropped}
	for i := range r.steps {
		out.Steps = append(out.Steps, r.steps[i].spec)
	}
	for i := range r.past.lines {
		out.Entries = append(out.Entries, r.past.lines[(r.past.next+i)%len(r.past.lines)])
	}
	for _, l := range r.loads {
		out.Curves = append(out.Curves, *l.curve)
	}
	return out
}
