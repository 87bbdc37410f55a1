package plan

import (
	"fmt"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/rules"
)

// Scenario is the compiled form of a scripted test: a plan, who calls it, what goes wrong when, and what must hold. It is
// immutable, so runs with several seeds may share it.
type Scenario struct {
	Name     string
	Place    Place // of the document
	Seed     uint64
	Duration time.Duration // virtual, > 0
	Clock    time.Time     // the date at the start
	Plan     *Plan         // the topology with the scenario's override

	Loads  []Load        // in the author's order
	World  []World       // patterns first, then exact paths: the last that matches counts
	Steps  []Step        // the timeline, in the author's order
	Expect []Expectation // in the author's order

	Explore Explore
}

// Place is where something stands in a file. Line and Col count from 1; the zero Place is nowhere.
type Place struct {
	File      string
	Line, Col int
}

// String gives file:line:col.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Whole is a Moment's Step when it hangs on the scenario itself: its start, or its end.
const Whole = -1

// Moment is a time that may not be known before it comes: the beginning or end of a step, or of the whole scenario.
type Moment struct {
	Step   int  // index in Scenario.Steps, or Whole
	End    bool // when the step is over, instead of when it begins
	Offset time.Duration
}

// Fixed gives the moment's time when it is known beforehand. A step that lasts no time ends when it begins.
func (s *Scenario) Fixed(m Moment) (time.Duration, bool) {
	at := m.Offset
	for range len(s.Steps) + 1 {
		if m.Step == Whole {
			if m.End {
				at += s.Duration
			}
			return at, true
		}
		step := &s.Steps[m.Step]
		if step.At == nil {
			return 0, false
		}
		if m.End {
			at += step.For
		}
		m = *step.At
		at += m.Offset
	}
	return 0, false
}

// Load is a stream of calls from outside.
type Load struct {
	Name  string
	Place Place

	To       string // path of an actor or group; "" with Route
	Message  string
	Payload  *rules.Template // nil: no payload
	Route    *RouteCall      // through the gateway instead
	Recorded []Arrival       // as they once came, by At; instead of a rate

	Rate     []Ramp // by At; the last goes on
	Arrival  string // constant, poisson, burst (each second's calls at its beginning)
	Priority int    // 0..9
	Key      *rules.Program
	From     Moment
	For      time.Duration // 0: to the end
	Timeout  time.Duration // the caller's patience for one attempt; 0 is the guard's
	Retry    *Retry        // the caller's own; nil: it does not
}

// Arrival is one recorded call from outside.
type Arrival struct {
	At      time.Duration // since the load begins
	To      string        // path of an actor or group
	From    string        // who called; "" when that is not known
	Message string
	Payload any // JSON-like, as expressions have it
	Key     string
}

// Ramp is a rate from a moment on: From per second at At, To at At+Over, evenly between and constant after.
type Ramp struct {
	At       time.Duration // since the load began
	From, To float64       // per second
	Over     time.Duration // 0: From at once
}

// RouteCall is a request to a route of the gateway.
type RouteCall struct {
	Listener string
	Route    *HTTPRoute // of Scenario.Plan
	Method   string
	Path     *rules.Program // nil: the route's own
	Headers  []Built        // by name
	Body     *rules.Template
}

// World says what stands in for actors that are outside in production.
type World struct {
	Target string // path of an actor or group, or a pattern over paths
	Model  WorldModel
}

// WorldModel is how something outside behaves: how long a call takes, how many it serves at once, how often it fails.
type WorldModel struct {
	Latency     Quantiles
	Concurrency int     // calls served at once; 0 is without bound
	Served      bool    // work whose caller gave up is done all the same
	ErrorRate   float64 // 0..1
	Kind        string  // of those errors
	Status      int     // of those errors, 0 without HTTP
	Startup     time.Duration
	Memory      MemoryModel
	Reply       []Built // by message
}

// Quantiles is a distribution of durations by the points that were given; 0 was not.
type Quantiles struct {
	P50, P90, P95, P99, P999 time.Duration
}

// MemoryModel is how memory grows, in bytes.
type MemoryModel struct {
	Start, PerCall int64
	Limit          int64 // beyond it the actor crashes; 0 is without limit
}

// Step is one thing that happens, or, without a verb, a moment that is named.
type Step struct {
	ID    string
	Place Place

	At    *Moment        // when; exactly one of At, When and Every is set
	When  *rules.Program // when this first is true
	Every time.Duration

	For  time.Duration // undone after it; 0: never
	Verb string        // of a fault or action, world, reload or "" (marks the moment)

	Fault  *Fault
	Action *Action
	World  []World
	Reload *Reloading
}

// Fault is something that goes wrong.
type Fault struct {
	Target   string // name, path or pattern; "" is everybody
	From, To string // of messages
	Rate     float64
	By       time.Duration
	Factor   float64
	Kind     string
	Status   int
	Between  [][]string // sides of a partition
	What     string     // reply, state or snapshot
	Value    *rules.Template
	Resource string
	Where    *rules.Program
}

// Reloading is a reload of the topology. Plan is nil when the new one does not compile, which the engine refuses.
type Reloading struct {
	Set      string // what it sets, as YAML; only of one that random faults may draw
	Plan     *Plan
	Code     string   // of the first problem, LR211
	Problems []string // one line each
}

// Expectation is one property of a run. Exactly one Cond is judged, as its Kind says.
type Expectation struct {
	Name  string
	Place Place
	Kind  string // always, never, sometimes, eventually, holds, finally
	Cond  *rules.Program

	After, Until *Moment       // nil: from the start, to the end
	Within       time.Duration // of eventually, from After on
	At           *Moment       // of holds
}

// Explore says which random faults may be tried.
type Explore struct {
	Runs    int
	Most    int      // faults in one run
	Verbs   []string // in the author's order
	Targets []string
	Reloads []Reloading // that may be drawn, all of plans that compile
	Shrink  bool
}

// Wait is the n-th wait, counting from 0; the seed draws its jitter.
func (b Backoff) Wait(n int, seed uint64) time.Duration {
	return breaker.Backoff{Initial: b.Initial, Factor: b.Factor, Max: b.Max, Jitter: b.Jitter}.Wait(n, seed)
}
