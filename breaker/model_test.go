package breaker

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the breaker written a second time, as plainly as possible: it keeps every call, recounts them at each
// question, and steps through time from one event to the next.
type model struct {
	p      Policy // with defaults
	seed   uint64
	now    int64
	state  State
	mode   Mode
	gen    uint64
	since  int64
	until  int64
	opens  int
	streak int
	credit int
	calls  []modelCall
	probes []modelProbe
	half   []modelCall
	issued int
	given  int // ignored probes
}

type modelCall struct {
	at           int64
	failed, slow bool
}

type modelProbe struct {
	number   int
	deadline int64
}

type modelPermit struct {
	start  int64
	gen    uint64
	number int
	valid  bool
}

func newModel(p Policy, seed uint64, now int64) *model {
	m := &model{p: withDefaults(p), seed: seed, now: now, gen: 1, since: now, until: Never}
	if p.Mode != Normal {
		m.force(p.Mode)
	}
	return m
}

func (m *model) width() int64 { return int64(m.p.Window.Span) / int64(m.p.Window.Buckets) }

func (m *model) timed() bool { return m.p.Window.Span > 0 }

// window returns the calls that count now and forgets the others.
func (m *model) window() []modelCall {
	switch {
	case m.p.Window.Calls > 0:
		m.calls = m.calls[max(0, len(m.calls)-m.p.Window.Calls):]
	case m.timed():
		oldest := floorDiv(m.now, m.width()) - int64(m.p.Window.Buckets)
		m.calls = slices.DeleteFunc(m.calls, func(c modelCall) bool { return floorDiv(c.at, m.width()) <= oldest })
	default:
		m.calls = nil
	}
	return m.calls
}

func tallyModel(calls []modelCall) (n, failed, slow int) {
	for _, c := range calls {
		n++
		if c.failed {
			failed++
		}
		if c.slow {
			slow++
		}
	}
	return n, failed, slow
}

// goTo steps through everything that happens until then.
func (m *model) goTo(now int64) {
	now = max(now, m.now)
	for {
		at, step := Never, func() {}
		if m.timed() {
			at = (floorDiv(m.now, m.width()) + 1) * m.width()
			step = func() {
				if m.state == Closed || m.state == Recovering {
					m.judge()
				}
			}
		}
		if end, leave := m.nextEnd(); end < at {
			at, step = end, leave
		}
		if at > now {
			break
		}
		m.now = max(m.now, at)
		step()
	}
	m.now = now
}

// nextEnd is when the state ends by itself, and how.
func (m *model) nextEnd() (int64, func()) {
	switch {
	case m.state == HalfOpen && len(m.probes) > 0:
		first := slices.MinFunc(m.probes, func(a, b modelProbe) int { return cmp.Compare(a.deadline, b.deadline) })
		return first.deadline, func() {
			m.probes = slices.DeleteFunc(m.probes, func(p modelProbe) bool { return p == first })
			m.half = append(m.half, modelCall{failed: true})
			m.settle()
		}
	case m.mode == Shadow && m.until != Never:
		return m.until, func() { m.until = Never; m.judge() }
	case m.mode == Normal && m.state == Open:
		return m.until, func() { m.enter(HalfOpen, Never) }
	case m.state == Recovering:
		return m.until, func() { m.enter(Closed, Never) }
	}
	return Never, nil
}

func (m *model) enter(s State, until int64) {
	m.state, m.since, m.until = s, m.now, until
	m.gen++
	m.probes = nil
	switch s {
	case HalfOpen:
		m.half, m.issued, m.given = nil, 0, 0
	case Closed:
		m.opens = 0
	case Recovering:
		m.credit = rampUnit
	}
}

func (m *model) rates(calls []modelCall) bool {
	n, failed, slow := tallyModel(calls)
	return m.p.Trip.ErrorRate > 0 && float64(failed)/float64(n) >= m.p.Trip.ErrorRate ||
		m.p.Trip.Slow.Rate > 0 && float64(slow)/float64(n) >= m.p.Trip.Slow.Rate
}

func (m *model) trips() bool {
	calls := m.window()
	n, failed, _ := tallyModel(calls)
	t := m.p.Trip
	return t.ConsecutiveFailures > 0 && m.streak >= t.ConsecutiveFailures ||
		t.Failures > 0 && failed >= t.Failures ||
		n > 0 && n >= m.p.MinCalls && m.rates(calls)
}

func (m *model) judge() {
	switch {
	case m.mode == ForcedClosed || m.mode == Disabled || m.mode == Shadow && m.until != Never:
	case !m.trips():
	case m.mode == Shadow:
		m.until = m.now + m.openTime(m.gen, m.opens)
	default:
		m.trip()
	}
}

func (m *model) trip() {
	m.opens++
	m.enter(Open, 0)
	m.until = m.since + m.openTime(m.gen, m.opens-1)
}

func (m *model) openTime(gen uint64, n int) int64 {
	o := m.p.Open
	return int64(Backoff{Initial: o.For, Factor: o.Factor, Max: o.Max, Jitter: o.Jitter}.Wait(n, mix(m.seed^gen)))
}

func (m *model) settle() {
	n, failed, slow := tallyModel(m.half)
	h := m.p.HalfOpen
	switch {
	case h.Judge == JudgeRates && n < h.Probes:
	case h.Judge == JudgeRates && m.rates(m.half), h.Judge != JudgeRates && (failed > 0 || slow > 0 && m.p.Trip.Slow.Rate > 0):
		m.trip()
	case h.Judge != JudgeRates && n < h.Successes:
	default:
		m.forget()
		if m.p.Ramp > 0 {
			m.enter(Recovering, m.now+int64(m.p.Ramp))
			return
		}
		m.enter(Closed, Never)
	}
}

func (m *model) forget() { m.calls, m.streak, m.half = nil, 0, nil }

func (m *model) allow(now int64) (modelPermit, Verdict) {
	m.goTo(now)
	permit := modelPermit{start: now, gen: m.gen, valid: true}
	admitted := Verdict{Admitted: true}
	refusal := func(until int64) (modelPermit, Verdict) {
		if until == Never {
			return modelPermit{}, Verdict{}
		}
		return modelPermit{}, Verdict{RetryAfter: time.Duration(until - now)}
	}
	switch {
	case m.mode == ForcedOpen:
		return refusal(Never)
	case m.mode != Normal || m.state == Closed:
		return permit, admitted
	case m.state == Open:
		return refusal(m.until)
	case m.state == Recovering:
		share := max(rampFloor, int(float64(m.now-m.since)/float64(m.until-m.since)*rampUnit))
		if m.credit += share; m.credit < rampUnit {
			return refusal(m.until)
		}
		m.credit -= rampUnit
		return permit, admitted
	}
	busy := len(m.probes)
	if m.p.HalfOpen.Judge == JudgeRates {
		busy += len(m.half)
	}
	if busy >= m.p.HalfOpen.Probes {
		end, _ := m.nextEnd()
		return refusal(end)
	}
	m.issued++
	permit.number = m.issued
	m.probes = append(m.probes, modelProbe{m.issued, m.now + int64(m.p.HalfOpen.Lease)})
	return permit, Verdict{Admitted: true, Probe: true}
}

func (m *model) done(now int64, p modelPermit, o Outcome) {
	m.goTo(now)
	if p.gen != m.gen || m.mode == Disabled {
		return
	}
	over := m.p.Trip.Slow.Over
	call := modelCall{at: m.now, failed: o.IsFailure(), slow: over > 0 && now-p.start > int64(over)}
	if p.number == 0 {
		m.record(call, o)
		return
	}
	at := slices.IndexFunc(m.probes, func(x modelProbe) bool { return x.number == p.number })
	if at < 0 {
		return
	}
	m.probes = slices.Delete(m.probes, at, at+1)
	if o == Ignored {
		if m.given++; m.given > 10*max(m.p.HalfOpen.Probes, m.p.HalfOpen.Successes) {
			m.trip()
		}
		return
	}
	m.half = append(m.half, call)
	m.settle()
}

// record judges after every outcome. The breaker does so only after bad ones and while cold, which must not matter.
func (m *model) record(call modelCall, o Outcome) {
	if o == Ignored {
		return
	}
	m.streak++
	if !call.failed {
		m.streak = 0
	}
	m.calls = append(m.calls, call)
	m.judge()
}

func (m *model) force(mode Mode) {
	if mode == m.mode {
		return
	}
	before := m.mode
	m.mode = mode
	switch {
	case mode == ForcedOpen:
		m.forget()
		m.enter(Open, Never)
	case mode == Normal && before == ForcedOpen:
		m.enter(HalfOpen, Never)
	default:
		if m.state != Closed || mode == Disabled {
			m.forget()
		}
		m.enter(Closed, Never)
		m.judge()
	}
}

func (m *model) reset() {
	m.forget()
	if m.mode == ForcedOpen {
		m.opens = 0
		return
	}
	m.enter(Closed, Never)
}

// setPolicy moves the kept calls to the beginning of their old bucket, which is all that a bucket knows of them.
func (m *model) setPolicy(p Policy) {
	kept := m.window()
	if m.timed() && p.Window != m.p.Window {
		for i, c := range kept {
			if number := floorDiv(c.at, m.width()); number < floorDiv(m.now, m.width()) {
				kept[i].at = number * m.width()
			} else {
				kept[i].at = m.now
			}
		}
	}
	before := m.p.Mode
	m.p, m.calls = withDefaults(p), kept
	m.window()
	if p.Mode != before {
		m.force(p.Mode)
	}
	switch {
	case m.state == Open && m.mode == Normal:
		m.until = max(m.now, m.since+m.openTime(m.gen, m.opens-1))
	case m.state == Recovering:
		m.until = max(m.now, m.since+int64(m.p.Ramp))
		m.judge()
	case m.state == HalfOpen:
		m.settle()
	case m.state == Closed:
		m.judge()
	}
	m.goTo(m.now)
}

func (m *model) describe() string {
	n, failed, slow := tallyModel(m.window())
	if m.p.HalfOpen.Judge == JudgeRates && (m.state == HalfOpen || m.state == Open && len(m.half) > 0) {
		n, failed, slow = tallyModel(m.half)
	}
	return fmt.Sprint(m.state, m.mode, m.gen, m.since, m.until, n, failed, slow, m.streak, m.opens)
}

func describeSnapshot(s Snapshot) string {
	return fmt.Sprint(s.State, s.Mode, s.Generation, s.Since, s.Until, s.Calls, s.Failures, s.Slow, s.Consecutive, s.InARow)
}

// drawPolicy draws a small policy, of the same kind of window as like (if any), so that a reload can follow it.
func drawPolicy(t *rapid.T, like *Policy) Policy {
	kind := rapid.SampledFrom([]string{"none", "calls", "span"}).Draw(t, "kind")
	if like != nil {
		kind = map[bool]string{true: "calls", false: "none"}[like.Window.Calls > 0]
		if like.Window.Span > 0 {
			kind = "span"
		}
	}
	ms := func(low, high int, name string) time.Duration {
		return time.Duration(rapid.IntRange(low, high).Draw(t, name)) * time.Millisecond
	}
	p := Policy{
		MinCalls: rapid.IntRange(0, 8).Draw(t, "min"),
		Open: OpenPolicy{For: ms(1, 50, "for"), Factor: rapid.SampledFrom([]float64{0, 1, 2}).Draw(t, "factor"),
			Jitter: rapid.SampledFrom([]float64{0, 0.5}).Draw(t, "jitter")},
		HalfOpen: HalfOpenPolicy{Probes: rapid.IntRange(0, 3).Draw(t, "probes"), Successes: rapid.IntRange(0, 4).Draw(t, "successes"), Lease: ms(0, 40, "lease")},
		Ramp:     ms(0, 30, "ramp"),
	}
	if rapid.Bool().Draw(t, "capped") {
		p.Open.Max = p.Open.For * 3
	}
	if rapid.IntRange(0, 9).Draw(t, "moded") == 0 {
		p.Mode = Mode(rapid.IntRange(0, int(Shadow)).Draw(t, "mode"))
	}
	if rapid.Bool().Draw(t, "consecutive") || kind == "none" {
		p.Trip.ConsecutiveFailures = rapid.IntRange(1, 5).Draw(t, "streak")
	}
	if kind == "none" {
		return p
	}
	if p.Window.Calls = rapid.IntRange(1, 70).Draw(t, "calls"); kind == "span" {
		p.Window = Window{Span: ms(1, 60, "span"), Buckets: rapid.IntRange(1, 6).Draw(t, "buckets")}
	}
	if rapid.Bool().Draw(t, "counted") {
		p.Trip.Failures = rapid.IntRange(1, 6).Draw(t, "failures")
		if p.Window.Calls > 0 {
			p.Trip.Failures = min(p.Trip.Failures, p.Window.Calls)
		}
	}
	p.Trip.ErrorRate = rapid.SampledFrom([]float64{0, 0.07, 0.3, 0.5, 1}).Draw(t, "rate")
	if rapid.Bool().Draw(t, "slow") {
		p.Trip.Slow = Slow{Over: ms(1, 20, "over"), Rate: rapid.SampledFrom([]float64{0.2, 0.5}).Draw(t, "slowRate")}
	}
	if p.Trip.ErrorRate > 0 && rapid.Bool().Draw(t, "judge") {
		p.HalfOpen.Judge = JudgeRates
	}
	return p
}

// pair is a permit of the breaker, of its unobserved twin and of the model.
type pair struct {
	real, twin Permit
	model      modelPermit
}

// TestBreakerBehavesAsTheModel drives a breaker, a twin that nobody ever ticks or looks at, and the model.
func TestBreakerBehavesAsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := drawPolicy(t, nil)
		now := int64(rapid.IntRange(-1e9, 1e9).Draw(t, "start"))
		b, err := New(policy, 7, now)
		if err != nil {
			t.Fatal(err)
		}
		twin, err := New(policy, 7, now)
		if err != nil {
			t.Fatal(err)
		}
		m := newModel(policy, 7, now)
		// Where time runs backwards, what a breaker has seen depends on when it was looked at, so the twin is then too.
		backwards := rapid.Bool().Draw(t, "backwards")
		var out []pair
		finish := func(o Outcome) {
			if len(out) == 0 {
				return
			}
			at := rapid.IntRange(0, len(out)-1).Draw(t, "which")
			p := out[at]
			out = slices.Delete(out, at, at+1)
			b.Done(now, p.real, o)
			twin.Done(now, p.twin, o)
			m.done(now, p.model, o)
		}
		allow := func(t *rapid.T) {
			p, v := b.Allow(now)
			q, w := twin.Allow(now)
			r, want := m.allow(now)
			if v != want || w != want {
				t.Fatalf("verdict %+v, unobserved %+v, model %+v", v, w, want)
			}
			if v.Admitted {
				out = append(out, pair{p, q, r})
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"allow":   allow,
			"allow2":  allow,
			"success": func(*rapid.T) { finish(Success) },
			"failure": func(*rapid.T) { finish("timeout") },
			"failed":  func(*rapid.T) { finish(Failed) },
			"ignored": func(*rapid.T) { finish(Ignored) },
			"pass": func(t *rapid.T) {
				least := map[bool]int{true: -3}[backwards]
				now += int64(rapid.IntRange(least, 30).Draw(t, "ms")) * int64(time.Millisecond) / 2
			},
			"sleep": func(t *rapid.T) { now += int64(rapid.IntRange(0, 300).Draw(t, "ms")) * int64(time.Millisecond) },
			"tick":  func(*rapid.T) { b.Tick(now); m.goTo(now) },
			"force": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
					return
				}
				mode := Mode(rapid.IntRange(0, int(Shadow)).Draw(t, "mode"))
				b.Force(now, mode)
				twin.Force(now, mode)
				m.goTo(now)
				m.force(mode)
			},
			"reset": func(t *rapid.T) {
				if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
					return
				}
				b.Reset(now)
				twin.Reset(now)
				m.goTo(now)
				m.reset()
			},
			"reload": func(t *rapid.T) {
				p := drawPolicy(t, &policy)
				if err := b.SetPolicy(now, p); err != nil {
					t.Fatal(err)
				}
				if err := twin.SetPolicy(now, p); err != nil {
					t.Fatal(err)
				}
				m.goTo(now)
				m.setPolicy(p)
			},
			"": func(t *rapid.T) {
				m.goTo(now)
				if backwards {
					twin.Tick(now)
				}
				if got, want := describeSnapshot(b.Snapshot(now)), m.describe(); got != want {
					t.Fatalf("\nbreaker %s\nmodel   %s", got, want)
				}
			},
		})
		if got, want := describeSnapshot(twin.Snapshot(now)), m.describe(); got != want {
			t.Fatalf("\nunobserved %s\nmodel      %s", got, want)
		}
	})
}

// TestReloadedVerdictsEqualThoseOfTheNewPolicy is the reload property: a breaker whose policy changes answers from
// then on as one that had the new policy all along, on the same counts. The other one counted under ForcedClosed,
// where nothing trips.
func TestReloadedVerdictsEqualThoseOfTheNewPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawPolicy(t, nil)
		after := drawPolicy(t, &before)
		// The same window and the same notion of slow make the same counts; each generation draws its own jitter.
		after.Window, after.Trip.Slow.Over = before.Window, before.Trip.Slow.Over
		if after.Window.Calls > 0 {
			after.Trip.Failures = min(after.Trip.Failures, after.Window.Calls)
		}
		if after.Trip.Slow.Over == 0 {
			after.Trip.Slow.Rate = 0
		}
		before.Mode, after.Mode, after.Open.Jitter = ForcedClosed, Normal, 0
		reloaded, err := New(before, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		other, err := New(after, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		other.Force(0, ForcedClosed)
		now := int64(0)
		both := []*Breaker{reloaded, other}
		calls := func(label string) {
			for range rapid.IntRange(0, 60).Draw(t, label) {
				now += rapid.Int64Range(0, 4).Draw(t, "ms") * ms
				took := rapid.Int64Range(0, 25).Draw(t, "took") * ms
				o := rapid.SampledFrom([]Outcome{Success, Failed, Ignored}).Draw(t, "outcome")
				p, v := reloaded.Allow(now)
				q, w := other.Allow(now)
				if v != w {
					t.Fatalf("at %v the reloaded breaker answers %+v, the other %+v", time.Duration(now), v, w)
				}
				if v.Admitted {
					reloaded.Done(now+took, p, o)
					other.Done(now+took, q, o)
				}
			}
		}
		calls("before")
		if err := reloaded.SetPolicy(now, after); err != nil {
			t.Fatal(err)
		}
		other.Force(now, Normal)
		calls("after")
		var seen []string
		for _, b := range both {
			s := b.Snapshot(now)
			s.Generation, s.Totals = 0, Totals{}
			seen = append(seen, fmt.Sprintf("%+v", s))
		}
		if seen[0] != seen[1] {
			t.Fatalf("\nreloaded %s\nother    %s", seen[0], seen[1])
		}
	})
}
