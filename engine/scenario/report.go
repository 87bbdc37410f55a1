package scenario

import (
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/sim"
)

// Report is how a run ended.
type Report struct {
	Name     string        `json:"name"`
	Place    plan.Place    `json:"place"`
	Seed     uint64        `json:"seed"`
	Virtual  time.Duration `json:"virtual_ns"`
	Results  []Result      `json:"expectations"`
	Digest   string        `json:"digest"` // equal for equal runs
	Messages uint64        `json:"messages"`
	Events   uint64        `json:"events"`
	Moves    uint64        `json:"-"` // things done: messages handled, timers run out, answers heard
	Loads    []LoadReport  `json:"loads,omitempty"`
	Ended    string        `json:"ended,omitempty"`   // why the engine stopped by itself, "" when it did not
	Problem  string        `json:"problem,omitempty"` // why the scenario could not be played as it is written
	Shown    []Point       `json:"shown,omitempty"`   // of the plan's Points, with Options.Cover
	Marks    []sim.Mark    `json:"-"`
	Tape     *Tape         `json:"-"` // with Options.Record
}

// Result is the verdict on one expectation.
type Result struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"`
	Source  string        `json:"source"`
	Place   plan.Place    `json:"place"`
	Verdict Verdict       `json:"verdict"`
	Since   time.Duration `json:"since_ns"` // when it began to count; At when it never did
	At      time.Duration `json:"at_ns"`    // when it was decided
	Why     string        `json:"why,omitempty"`
	Parts   []Part        `json:"parts,omitempty"` // of a failure whose condition joins several
	Seen    []Seen        `json:"seen,omitempty"`
	Chain   []Line        `json:"chain,omitempty"`
	Judged  int           `json:"judged"`
}

// LoadReport sums one load up.
type LoadReport struct {
	Name     string  `json:"name"`
	Sent     float64 `json:"sent"`
	OK       float64 `json:"ok"`
	Failed   float64 `json:"failed"`
	Degraded float64 `json:"degraded"`
	Retries  float64 `json:"retries"`
}

// Passed tells whether every expectation passed and the scenario was played as it is written.
func (r *Report) Passed() bool {
	if r.Problem != "" {
		return false
	}
	for i := range r.Results {
		if r.Results[i].Verdict != Pass {
			return false
		}
	}
	return true
}

func (r *run) report() *Report {
	out := &Report{
		Name: r.spec.Name, Place: r.spec.Place, Seed: r.seed, Virtual: r.spec.Duration, Digest: r.eng.Digest(), Messages: r.eng.Messages(), Moves: r.eng.Moves(),
		Events: r.past.count, Marks: r.eng.Marks(),
	}
	if over, _, why := r.eng.Done(); over {
		out.Ended = why
	}
	if r.problem != nil {
		out.Problem = r.problem.Error()
	}
	for _, m := range r.monitors {
		since := m.at
		if m.open && m.spec.Kind != "finally" {
			since = m.since
		}
		out.Results = append(out.Results, Result{
			Name: m.spec.Name, Kind: m.spec.Kind, Source: m.spec.Cond.Source(), Place: m.spec.Place, Verdict: m.verdict, Since: since, At: m.at, Why: m.why,
			Parts: m.parts, Seen: m.seen, Chain: m.chain, Judged: m.judged,
		})
	}
	if r.cover != nil {
		out.Shown = r.cover.shown()
	}
	for _, l := range r.loads {
		out.Loads = append(out.Loads, LoadReport{l.spec.Name, l.sent, l.ok, l.failed, l.degraded, l.retries})
	}
	return out
}
