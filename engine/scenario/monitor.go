package scenario

import (
	"fmt"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// Verdict is how an expectation ended. Only Pass passes.
type Verdict string

// The verdicts.
const (
	Pass      Verdict = "pass"
	Fail      Verdict = "fail"
	Undecided Verdict = "undecided" // the end came before its bound
	Vacuous   Verdict = "vacuous"   // it never had a chance to matter
)

// kindOf says what an expectation is judged on.
type sight uint8

const (
	seesState sight = 1 << iota // when what it reads may have changed
	seesSent                    // each call that sets out
	seesEnded                   // each call that has ended
	seesEvent                   // each event
)

// monitor judges one expectation as a run goes on. It keeps a few words, whatever happens.
type monitor struct {
	spec  *plan.Expectation
	sight sight
	busy  bool // reads what changes with every call: a load's counts, an actor's mailbox
	calls bool
	relevance

	open    bool          // after has come; without one, everything is up
	since   time.Duration // when
	closed  bool          // until has come
	judged  int
	verdict Verdict // "" while it can still go either way
	at      time.Duration
	seq     uint64 // of the last event before the verdict
	why     string
	parts   []Part
	seen    []Seen
	chain   []Line
}

// Seen is a value that an expectation read when it was judged.
type Seen struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// Part is one of the conditions that an expectation joins, as it was when the expectation failed.
type Part struct {
	Source string `json:"source"`
	Holds  bool   `json:"holds"`
}

func newMonitor(e *plan.Expectation, params []rules.Field) *monitor {
	m := &monitor{spec: e, sight: seesState, relevance: relevanceOf(e, params)}
	for _, path := range e.Cond.Reads() {
		switch {
		case strings.HasPrefix(path, "event."):
			m.sight = m.sight&^seesState | seesEvent
		case strings.HasPrefix(path, "call."):
			m.calls = true
			m.sight &^= seesState
			if afterwards(path) {
				m.sight |= seesEnded
			}
		case strings.HasPrefix(path, "load("), strings.HasSuffix(path, ".in_flight"), strings.HasSuffix(path, ".mailbox"):
			m.busy = true
		}
	}
	if m.calls && m.sight&seesEnded == 0 {
		m.sight |= seesSent
	}
	return m
}

// afterwards tells the fields of a call that are known when it has ended.
func afterwards(path string) bool {
	for _, f := range [...]string{"call.error", "call.status", "call.took", "call.degraded"} {
		if strings.HasPrefix(path, f) {
			return true
		}
	}
	return false
}

// begin is told that the moment after which the expectation counts has come.
func (m *monitor) begin(now time.Duration) {
	if !m.open && m.verdict == "" {
		m.open, m.since = true, now
	}
}

// judge evaluates the expectation once. It reports whether that decided it.
func (m *monitor) judge(now time.Duration, env *rules.Env) bool {
	if m.verdict != "" || !m.open || m.closed {
		return false
	}
	m.judged++
	m.relevance.look(env)
	ok, err := m.spec.Cond.Condition(env)
	switch {
	case err != nil:
		m.decide(Fail, now, "it cannot be evaluated: "+err.Error())
	case m.spec.Kind == "always" && !ok:
		m.decide(Fail, now, "it was false")
	case m.spec.Kind == "never" && ok:
		m.decide(Fail, now, "it was true")
	case m.spec.Kind == "sometimes" && ok:
		m.decide(Pass, now, "")
	case m.spec.Kind == "eventually" && ok:
		m.decide(Pass, now, "")
	case m.spec.Kind == "holds" || m.spec.Kind == "finally":
		if ok {
			m.hold(now)
		} else {
			m.decide(Fail, now, "it was false")
		}
	}
	return m.verdict != ""
}

func (m *monitor) decide(v Verdict, now time.Duration, why string) {
	m.verdict, m.at, m.why = v, now, why
}

// shut is told that the moment has come until which the expectation counts.
func (m *monitor) shut(now time.Duration) bool {
	if m.verdict != "" || m.closed {
		return false
	}
	m.closed = true
	switch {
	case !m.open:
		m.decide(Vacuous, now, "it was over before it began")
	default:
		m.conclude(now)
	}
	return m.verdict == Fail
}

// conclude decides at the end of the time in which the expectation counts.
func (m *monitor) conclude(now time.Duration) {
	switch {
	case m.judged == 0 && m.sight&(seesSent|seesEnded) != 0:
		m.decide(Vacuous, now, "there was no call that it could be judged on")
	case m.judged == 0 && m.sight == seesState: // that no event came can be just what is meant
		m.decide(Vacuous, now, "it was never judged")
	case m.spec.Kind == "sometimes":
		m.decide(Fail, now, "it was never true")
	case m.judged == 0:
		m.decide(Pass, now, "")
	default:
		m.hold(now)
	}
}

// hold is told that the expectation holds. Whether it could have been otherwise is another matter.
func (m *monitor) hold(now time.Duration) {
	if why := m.vacuous(); why != "" {
		m.decide(Vacuous, now, why)
		return
	}
	m.decide(Pass, now, "")
}

// expire is told that an `eventually` has had its time.
func (m *monitor) expire(now time.Duration) bool {
	if m.verdict != "" {
		return false
	}
	m.decide(Fail, now, fmt.Sprintf("it was not true within %s", m.spec.Within))
	return true
}

// end is told that the scenario is over. It reports whether that is a failure.
func (m *monitor) end(now time.Duration) bool {
	if m.verdict != "" {
		return false
	}
	switch {
	case m.spec.Kind == "holds":
		m.decide(Vacuous, now, "its moment never came")
	case !m.open && m.spec.After == nil:
		m.decide(Vacuous, now, "not everything was ever up")
	case !m.open:
		m.decide(Vacuous, now, "the moment after which it counts never came")
	case m.spec.Kind == "eventually":
		m.decide(Undecided, now, fmt.Sprintf("the scenario ended before %s had passed", m.spec.Within))
	case m.spec.Until != nil && m.spec.Kind != "finally":
		m.decide(Undecided, now, "the scenario ended before the moment until which it counts")
	default:
		m.conclude(now)
	}
	return m.verdict == Fail
}
