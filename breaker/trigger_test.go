package breaker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// watch is a trigger that notes each time it is asked.
type watch struct {
	needs Needs
	trips func(Stats) bool
	asked []Stats
}

func (w *watch) Trip(s Stats) (bool, string) {
	w.asked = append(w.asked, s)
	return w.trips != nil && w.trips(s), fmt.Sprintf("asked %d times", len(w.asked))
}

func (w *watch) Name() string { return "watch" }

func (w *watch) Needs() Needs { return w.needs }

func withTrigger(triggers ...Trigger) Policy {
	return Policy{Window: Window{Span: time.Second}, MinCalls: 3, Trip: Trip{Triggers: triggers}}
}

func TestTriggersAreAskedWhereDocumented(t *testing.T) {
	w := &watch{}
	b := mustNew(t, withTrigger(w))
	for i, want := range []int{0, 0, 1, 1, 1} { // not below MinCalls, then not on warm successes
		call(t, b, 0, Success)
		if len(w.asked) != want {
			t.Errorf("after %d successes it was asked %d times, want %d", i+1, len(w.asked), want)
		}
	}
	call(t, b, 0, Failed)
	if len(w.asked) != 2 {
		t.Errorf("after a failure it was asked %d times, want 2", len(w.asked))
	}
	b.Tick(100 * ms)
	if len(w.asked) != 3 || !w.asked[2].Boundary || w.asked[2].Now != 100*ms {
		t.Errorf("at the bucket boundary it was asked %+v", w.asked)
	}
	last := w.asked[2]
	if last.Calls != 6 || last.Failures != 1 || last.Consecutive != 1 || last.SinceClose != 100*time.Millisecond {
		t.Errorf("it read %+v", last)
	}
}

func TestATriggerOpensAndIsNamed(t *testing.T) {
	w := &watch{trips: func(s Stats) bool { return s.Failures >= 2 && s.ErrorRate() > 0.3 && s.SlowRate() == 0 }}
	b := mustNew(t, withTrigger(w))
	told := story(b)
	for _, o := range []Outcome{Success, Success, Failed, Failed} {
		call(t, b, 0, o)
	}
	wantStory(t, told, "0s closed>open #2 watch: asked 2 times")
}

func TestTriggersReadLatencyAndClasses(t *testing.T) {
	for _, window := range []Window{{Span: time.Second}, {Calls: 100}} {
		var read Latency
		var timeouts, others int
		w := &watch{needs: Needs{Latency: true, Classes: []string{"timeout"}}}
		w.trips = func(s Stats) bool {
			read, timeouts, others = s.Latency(), s.Class("timeout"), s.Class("crash")
			return false
		}
		p := withTrigger(w)
		p.Window = window
		b := mustNew(t, p)
		for i := range int64(100) {
			permit, _ := b.Allow(0)
			o := Success
			if i == 99 {
				o = "timeout"
			}
			b.Done((i+1)*ms, permit, o)
		}
		for _, q := range []struct {
			name      string
			got, want time.Duration
		}{{"p50", read.P50, 50}, {"p90", read.P90, 90}, {"p95", read.P95, 95}, {"p99", read.P99, 99}, {"p999", read.P999, 100}, {"mean", read.Mean, 50}} {
			want := q.want * time.Millisecond
			if q.got < want || q.got > want+want/16+time.Millisecond {
				t.Errorf("%+v: %s is %v, want %v and at most a sixteenth more", window, q.name, q.got, want)
			}
		}
		if timeouts != 1 || others != 0 {
			t.Errorf("%+v: %d timeouts and %d crashes, want 1 and 0", window, timeouts, others)
		}
		if s := b.Snapshot(100 * ms); s.Latency != read {
			t.Errorf("%+v: the snapshot says %+v, the trigger read %+v", window, s.Latency, read)
		}
	}
}

func TestDetailsLeaveTheWindowWithTheirCalls(t *testing.T) {
	for _, p := range []Policy{
		{Window: Window{Span: time.Second}, Latency: true},
		{Window: Window{Calls: 4}, Latency: true},
	} {
		b := mustNew(t, p)
		permit, _ := b.Allow(0)
		b.Done(500*ms, permit, Success)
		for range 4 {
			permit, _ := b.Allow(2000 * ms)
			b.Done(2001*ms, permit, Success)
		}
		if l := b.Snapshot(2001 * ms).Latency; l.P999 > 2*time.Millisecond {
			t.Errorf("%+v: the slow call has left, its latency has not: %+v", p.Window, l)
		}
	}
}

func TestDetailsSurviveAReload(t *testing.T) {
	for _, c := range []struct{ before, after Window }{
		{Window{Span: time.Second}, Window{Span: 2 * time.Second, Buckets: 4}},
		{Window{Calls: 10}, Window{Calls: 5}},
	} {
		w := &watch{needs: Needs{Classes: []string{"b", "c"}}}
		p := withTrigger(w)
		p.Latency, p.Window = true, c.before
		b := mustNew(t, p)
		for _, o := range []Outcome{"c", "c", "b"} {
			permit, _ := b.Allow(0)
			b.Done(10*ms, permit, o)
		}
		before := b.Snapshot(10 * ms).Latency
		next := &watch{needs: Needs{Classes: []string{"a", "c"}}}
		p.Window, p.Trip.Triggers = c.after, []Trigger{next}
		if err := b.SetPolicy(10*ms, p); err != nil {
			t.Fatal(err)
		}
		if got := b.Snapshot(10 * ms).Latency; got != before {
			t.Errorf("%+v: latency %+v, want %+v", c.after, got, before)
		}
		if got := next.asked[0].Class("c"); got != 2 {
			t.Errorf("%+v: %d failures of class c, want 2", c.after, got)
		}
	}
}

func TestInFlightIsCountedWhereNeeded(t *testing.T) {
	w := &watch{needs: Needs{InFlight: true}}
	b := mustNew(t, withTrigger(w))
	var permits []Permit
	for range 5 {
		p, _ := b.Allow(0)
		permits = append(permits, p)
	}
	for _, p := range permits[:3] {
		b.Done(0, p, Failed)
	}
	if got := w.asked[0].InFlight; got != 2 {
		t.Errorf("the trigger saw %d calls in flight, want 2", got)
	}
	if got := b.Snapshot(0).InFlight; got != 2 {
		t.Errorf("the snapshot says %d calls in flight, want 2", got)
	}
}

// remembering is a stateful trigger that sees samples.
type remembering struct {
	watch
	samples *int
}

func (r *remembering) Sample(_ int64, took time.Duration, o Outcome) {
	if o == Success && took == time.Millisecond {
		*r.samples++
	}
}

func (r *remembering) Fresh(old Trigger) Trigger {
	fresh := &remembering{samples: new(int)}
	if before, ok := old.(*remembering); ok {
		*fresh.samples = *before.samples
	}
	fresh.trips = func(Stats) bool { return *fresh.samples >= 6 }
	return fresh
}

func TestStatefulTriggersBelongToOneBreakerAndSurviveReloads(t *testing.T) {
	p := withTrigger(&remembering{samples: new(int)})
	c, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	one, other := c.New(1, 0), c.New(2, 0)
	sample := func(b *Breaker, n int) {
		for range n {
			permit, _ := b.Allow(0)
			b.Done(ms, permit, Success)
		}
	}
	sample(one, 5)
	sample(other, 5)
	if err := one.SetPolicy(ms, p); err != nil {
		t.Fatal(err)
	}
	sample(one, 1)
	one.Tick(100 * ms)
	wantState(t, one, 100*ms, Open)
	other.Tick(100 * ms)
	wantState(t, other, 100*ms, Closed)
}

func TestACallWindowIsJudgedEachTenth(t *testing.T) {
	w := &watch{needs: Needs{Latency: true}}
	p := withTrigger(w)
	p.Window, p.MinCalls = Window{Calls: 50}, 1
	b := mustNew(t, p)
	for range 51 {
		call(t, b, 0, Success)
	}
	if got := len(w.asked); got != 11 { // the cold first, then each fifth
		t.Errorf("asked %d times over 51 successes, want 11", got)
	}
}

func TestPolicyErrorsNameFieldValueAndWayOut(t *testing.T) {
	ok := rate()
	for want, change := range map[string]func(*Policy){
		`window.calls is "-1"`:                func(p *Policy) { p.Window = Window{Calls: -1} },
		`window.calls is "5"`:                 func(p *Policy) { p.Window.Calls = 5 },
		`window.span is "-1s"`:                func(p *Policy) { p.Window.Span = -time.Second },
		`window.span is "1ns"`:                func(p *Policy) { p.Window.Span = 1 },
		`window.buckets is "2000"`:            func(p *Policy) { p.Window.Buckets = 2000 },
		`min_calls is "-1"`:                   func(p *Policy) { p.MinCalls = -1 },
		`trip.consecutive_failures is "-1"`:   func(p *Policy) { p.Trip.ConsecutiveFailures = -1 },
		`trip.failures is "-1"`:               func(p *Policy) { p.Trip.Failures = -1 },
		`trip.failures is "9"`:                func(p *Policy) { p.Window = Window{Calls: 8}; p.Trip.Failures = 9 },
		`trip.error_rate is "1.5"`:            func(p *Policy) { p.Trip.ErrorRate = 1.5 },
		`trip.slow_calls.rate is "-1"`:        func(p *Policy) { p.Trip.Slow.Rate = -1 },
		`trip.slow_calls.over is "0s"`:        func(p *Policy) { p.Trip.Slow.Rate = 0.5 },
		`window is "none"`:                    func(p *Policy) { p.Window = Window{} },
		`trip.triggers is "0", want no nil`:   func(p *Policy) { p.Trip.Triggers = []Trigger{nil} },
		`trip.triggers is "65"`:               func(p *Policy) { p.Trip.Triggers = make([]Trigger, 65) },
		`trip.triggers is "17", want at most`: func(p *Policy) { p.Trip.Triggers = []Trigger{&watch{needs: Needs{Classes: manyClasses(17)}}} },
		`open.for is "-1ns"`:                  func(p *Policy) { p.Open.For = -1 },
		`open.factor is "0.5"`:                func(p *Policy) { p.Open.Factor = 0.5 },
		`open.max is "1ns"`:                   func(p *Policy) { p.Open.Max = 1 },
		`open.jitter is "2"`:                  func(p *Policy) { p.Open.Jitter = 2 },
		`half_open.probes is "-1"`:            func(p *Policy) { p.HalfOpen.Probes = -1 },
		`half_open.successes is "-1"`:         func(p *Policy) { p.HalfOpen.Successes = -1 },
		`half_open.lease is "-1ns"`:           func(p *Policy) { p.HalfOpen.Lease = -1 },
		`half_open.judge is "7"`:              func(p *Policy) { p.HalfOpen.Judge = 7 },
		`half_open.judge is "rates"`:          func(p *Policy) { p.HalfOpen.Judge = JudgeRates; p.Trip = Trip{Failures: 1} },
		`ramp is "-1ns"`:                      func(p *Policy) { p.Ramp = -1 },
		`mode is "mode(9)"`:                   func(p *Policy) { p.Mode = 9 },
	} {
		p := ok
		change(&p)
		_, err := New(p, 1, 0)
		if !errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if err := ok.Validate(); err != nil {
		t.Error(err)
	}
}

func manyClasses(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprint("class-", i))
	}
	return names
}
