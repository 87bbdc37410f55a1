package breaker

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// traceStep is a line of the recording: either the head of a trace or one operation.
type traceStep struct {
	Trace    *int    `json:"trace"`
	Window   string  `json:"window"`
	Size     int     `json:"size"`
	MinCalls int     `json:"min_calls"`
	Failure  float64 `json:"failure_rate"`
	Slow     float64 `json:"slow_rate"`
	SlowMS   int64   `json:"slow_ms"`
	OpenMS   int64   `json:"open_ms"`
	Probes   int     `json:"half_open_calls"`

	Op    string  `json:"op"`
	Res   string  `json:"res"`
	State string  `json:"state"`
	N     int     `json:"n"`
	Fail  int     `json:"fail"`
	NSlow int     `json:"slow"`
	FR    float64 `json:"fr"`
	SR    float64 `json:"sr"`
}

// resilience drives a Compat breaker as the recording's breaker was driven.
type resilience struct {
	b       *Breaker
	now     int64
	permits []Permit
	min     int
	verdict int
}

func newResilience(t *testing.T, head traceStep) *resilience {
	t.Helper()
	p := Policy{
		MinCalls: head.MinCalls,
		Trip:     Trip{ErrorRate: head.Failure / 100, Slow: Slow{Over: time.Duration(head.SlowMS) * time.Millisecond, Rate: head.Slow / 100}},
		Open:     OpenPolicy{For: time.Duration(head.OpenMS) * time.Millisecond},
		HalfOpen: HalfOpenPolicy{Probes: head.Probes},
		Compat:   true,
	}
	if head.Window == "count" {
		p.Window.Calls = head.Size
	} else {
		p.Window = Window{Span: time.Duration(head.Size) * time.Second, Buckets: head.Size}
	}
	r := &resilience{now: 1700000000000 * int64(time.Millisecond), min: head.MinCalls}
	if head.Window == "count" {
		r.min = min(head.MinCalls, head.Size)
	}
	r.verdict = min(r.min, head.Probes)
	b, err := New(p, 1, r.now)
	if err != nil {
		t.Fatal(err)
	}
	r.b = b
	return r
}

// apply does one operation and returns what it answered.
func (r *resilience) apply(op string) string {
	name, arg, _ := strings.Cut(op, ":")
	ms, _ := strconv.ParseInt(arg, 10, 64)
	switch name {
	case "acq":
		permit, verdict := r.b.Allow(r.now)
		if !verdict.Admitted {
			return "0"
		}
		r.permits = append(r.permits, permit)
		return "1"
	case "ok", "err", "rel":
		r.finish(name, ms*int64(time.Millisecond))
	case "adv":
		r.now += ms * int64(time.Millisecond)
	case "reset", "close":
		r.b.Force(r.now, Normal)
		r.b.Reset(r.now)
	case "forced_open":
		r.force(ForcedOpen)
	case "disabled":
		r.force(Disabled)
	case "metrics_only":
		r.force(ForcedClosed)
	}
	return ""
}

// force overrides the breaker. There each override begins with an empty window, also one that is already in force.
func (r *resilience) force(m Mode) {
	r.b.Force(r.now, m)
	r.b.Reset(r.now)
}

// finish ends the oldest call of the state. The recording's breaker has no permits: an outcome counts where it
// arrives, also after a reset that left the state as it was, and says itself how long the call took.
func (r *resilience) finish(how string, took int64) {
	current := r.b.machine.stamp()
	permit := Permit{id: uint64(current) << genShift}
	for len(r.permits) > 0 {
		oldest := r.permits[0]
		r.permits = r.permits[1:]
		if r.b.machine.state == HalfOpen && oldest.gen() == current {
			permit = oldest
			break
		}
	}
	permit.start = r.now - took
	r.b.Done(r.now, permit, map[string]Outcome{"ok": Success, "err": Failed, "rel": Ignored}[how])
}

// seen prints the breaker as the recording does.
func (r *resilience) seen() string {
	s := r.b.Snapshot(r.now)
	state := map[State]string{Closed: "CLOSED", Open: "OPEN", HalfOpen: "HALF_OPEN"}[s.State]
	switch s.Mode {
	case ForcedOpen:
		state = "FORCED_OPEN"
	case Disabled:
		state = "DISABLED"
	case ForcedClosed:
		state = "METRICS_ONLY"
	}
	least := r.min
	if s.State == HalfOpen {
		least = r.verdict
	}
	fr, sr := -1.0, -1.0
	if s.Calls >= least {
		fr, sr = s.ErrorRate*100, s.SlowRate*100
	}
	return describe(state, s.Calls, s.Failures, s.Slow, fr, sr)
}

func describe(state string, n, fail, slow int, fr, sr float64) string {
	return fmt.Sprintf("%s n=%d fail=%d slow=%d fr=%.2f sr=%.2f", state, n, fail, slow, fr, sr)
}

// near compares two descriptions, allowing for the recording's single precision in the rates.
func near(step traceStep, got string) bool {
	var state string
	var n, fail, slow int
	var fr, sr float64
	fields := strings.NewReplacer("n=", "", "fail=", "", "slow=", "", "fr=", "", "sr=", "").Replace(got)
	if _, err := fmt.Sscan(fields, &state, &n, &fail, &slow, &fr, &sr); err != nil {
		return false
	}
	return state == step.State && n == step.N && fail == step.Fail && slow == step.NSlow &&
		math.Abs(fr-step.FR) < 0.02 && math.Abs(sr-step.SR) < 0.02
}

// The recording is of resilience4j's state machine under a mock clock: 300 random configurations with 250 operations each.
func TestCompatAgreesWithTheResilience4jRecording(t *testing.T) {
	f, err := os.Open("testdata/resilience4j-breaker.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var r *resilience
	lines, steps, wrong, trace := bufio.NewScanner(z), 0, 0, 0
	for lines.Scan() {
		var step traceStep
		if err := json.Unmarshal(lines.Bytes(), &step); err != nil {
			t.Fatal(err)
		}
		if step.Trace != nil {
			trace, r = *step.Trace, newResilience(t, step)
			continue
		}
		steps++
		res := r.apply(step.Op)
		if got := r.seen(); res != step.Res || !near(step, got) {
			if wrong++; wrong <= 10 {
				t.Errorf("trace %d step %d, %s: answered %q, saw %s\nrecorded %q, %s",
					trace, steps, step.Op, res, got, step.Res, describe(step.State, step.N, step.Fail, step.NSlow, step.FR, step.SR))
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d steps agree", steps-wrong, steps)
	if steps < 70000 {
		t.Errorf("only %d steps read, want the whole recording", steps)
	}
}
