package guard

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// bench is an Env with one thread and a clock of its own, and a Work that answers from a script.
type bench struct {
	now    time.Duration
	sleeps []time.Duration
	woken  bool
	asked  []string
	tries  []Attempt
	answer func(n int, a *Attempt) (any, error)
	route  func(open func(string) bool) (string, error)
}

func (b *bench) Now() time.Duration     { return b.now }
func (b *bench) Rand(key uint64) uint64 { return key * 77 }
func (b *bench) Sleep(d time.Duration) error {
	b.sleeps = append(b.sleeps, d)
	b.now += d
	return nil
}

type wake struct{ b *bench }

func (w wake) Wake() { w.b.woken = true }

func (b *bench) Begin(until time.Duration) Waking { b.now = until; return wake{b} }
func (b *bench) Await() error {
	if b.woken {
		return nil
	}
	return ErrTooLate
}

// Hedge runs the tries one after another, as if each of them outlasted after; the first that works wins.
func (b *bench) Hedge(after time.Duration, most int, more func() bool, try func(int) (any, error)) (v any, err error) {
	for i := 1; i <= most && (i == 1 || more()); i++ {
		if v, err = try(i); err == nil {
			return v, nil
		}
		b.now += after
	}
	return v, err
}

func (b *bench) Ask(to string, m engine.Msg, _ time.Duration) (any, error) {
	b.asked = append(b.asked, to+" "+m.Type)
	if strings.HasPrefix(to, "bad") {
		return nil, errors.New("bad")
	}
	return "from " + to, nil
}

func (b *bench) Route(_ int, open func(string) bool) (string, error) {
	if b.route == nil {
		return "", nil
	}
	return b.route(open)
}

func (b *bench) Try(a *Attempt) (any, error) {
	b.tries = append(b.tries, *a)
	if b.answer == nil {
		return "ok", nil
	}
	return b.answer(len(b.tries), a)
}

func mustGuard(t *testing.T, spec *plan.Guard, o Options) *Guard {
	t.Helper()
	spec.Name = "db"
	g, err := New(spec, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func program(t *testing.T, text string, want rules.Want, place rules.Place) *rules.Program {
	t.Helper()
	p, problems := rules.Compile(text, want, rules.Scope{Place: place})
	if p == nil {
		t.Fatal(problems)
	}
	return p
}

func call() *Call { return &Call{Call: rules.Call{To: "db", Message: "query", Priority: 5}} }

func fails(kind string, delivered bool) func(int, *Attempt) (any, error) {
	return func(int, *Attempt) (any, error) {
		return nil, &engine.Error{Kind: kind, Message: "no", By: "db", Delivered: delivered}
	}
}

func wantRefusal(t *testing.T, err error, text string) {
	t.Helper()
	var e *engine.Error
	if !errors.As(err, &e) || e.Kind != engine.KindRefused || e.By != "db" || e.Delivered || !strings.Contains(e.Message, text) {
		t.Fatalf("want an undelivered refusal by db that says %q, got %v", text, err)
	}
}

func consecutive(n int) *plan.Breaker {
	return &plan.Breaker{Name: "db", Policy: breaker.Policy{Trip: breaker.Trip{ConsecutiveFailures: n}, Open: breaker.OpenPolicy{For: 5 * time.Second}}}
}

func TestTheBreakerOpensRefusesProbesAndCloses(t *testing.T) {
	var told []string
	g := mustGuard(t, &plan.Guard{Breaker: consecutive(3)}, Options{Listen: func(name string, _ *breaker.Breaker, tr breaker.Transition) {
		told = append(told, fmt.Sprint(name, " ", tr.From, "->", tr.To))
	}})
	b := &bench{answer: fails(engine.KindTimeout, true)}
	for range 3 {
		if _, err := g.Call(b, call(), b); err == nil {
			t.Fatal("no error")
		}
	}
	b.now += 1800 * time.Millisecond
	_, err := g.Call(b, call(), b)
	wantRefusal(t, err, "breaker open, next probe in 3.2s")
	if len(b.tries) != 3 {
		t.Errorf("%d attempts reached the callee", len(b.tries))
	}
	b.now += 4 * time.Second
	b.answer = nil
	if v, err := g.Call(b, call(), b); v != "ok" || err != nil {
		t.Errorf("the probe gave %v, %v", v, err)
	}
	if got := strings.Join(told, ", "); got != "db closed->open, db open->half_open, db half_open->closed" {
		t.Errorf("told: %s", got)
	}
}

// A refusal, here or further down, is nobody's failure and is not tried again; nor is what the caller gave up.
func TestRefusalsAreNobodysFailureAndNotRetried(t *testing.T) {
	for _, kind := range []string{engine.KindRefused, engine.KindCanceled} {
		g := mustGuard(t, &plan.Guard{Breaker: consecutive(1), Retry: &plan.Retry{Attempts: 3}}, Options{})
		b := &bench{answer: fails(kind, false)}
		c := call()
		c.Idempotent = true
		for range 5 {
			_, _ = g.Call(b, c, b)
		}
		if len(b.tries) != 5 {
			t.Errorf("%s: %d attempts", kind, len(b.tries))
		}
		if s := g.Snapshot(b.now).Breakers[0]; s.State != breaker.Closed || s.Totals.Failures != 0 || s.Totals.Ignored != 5 {
			t.Errorf("%s: breaker %v with %+v", kind, s.State, s.Totals)
		}
	}
}

// A whole call counts once, however often it was tried, and as what it was before a fallback made the best of it; one that
// its caller gave up counts for nothing.
func TestWholeCallsAreCountedBeforeTheirFallback(t *testing.T) {
	spec := &plan.Guard{
		Breaker: consecutive(4), Retry: &plan.Retry{Attempts: 2},
		Fallback: []plan.Fallback{{Reply: rules.Expression(program(t, "1", rules.Any, rules.AtFallback))}},
	}
	g := mustGuard(t, spec, Options{})
	b := &bench{answer: fails(engine.KindCrash, false)}
	ask := func() {
		c := call()
		c.Idempotent = true
		_, _ = g.Call(b, c, b)
	}
	ask() // two attempts
	ask() // two more, and the breaker opens
	ask() // refused
	b.answer = fails(engine.KindCanceled, false)
	g.Force(b.now, "db", "forced_closed")
	ask()
	b.answer = func(int, *Attempt) (any, error) { return "well", nil }
	ask()
	if s := g.Snapshot(b.now); s.Calls != 4 || s.Failures != 3 {
		t.Errorf("%d calls and %d failures are counted, want 4 and 3", s.Calls, s.Failures)
	}
	next := *spec
	next.Timeout = time.Second
	if err := g.Update(b.now, &next); err != nil {
		t.Fatal(err)
	}
	if s := g.Snapshot(b.now); s.Calls != 4 || s.Failures != 3 {
		t.Errorf("after an update %d calls and %d failures are counted", s.Calls, s.Failures)
	}
}

// A proxied answer that is let through although it is a failure counts as one.
func TestAFailureThatIsPassedOnIsCounted(t *testing.T) {
	g := mustGuard(t, &plan.Guard{Breaker: consecutive(9)}, Options{})
	for _, status := range []int{200, 503} {
		b := &bench{answer: func(_ int, a *Attempt) (any, error) { return nil, a.Judge(status, nil) }}
		c := call()
		c.Raw = true
		if _, err := g.Call(b, c, b); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
	if s := g.Snapshot(0); s.Calls != 2 || s.Failures != 1 {
		t.Errorf("%d calls and %d failures are counted, want 2 and 1", s.Calls, s.Failures)
	}
}

func TestRetriesOnlyWhatIsSafeWithinTheBudget(t *testing.T) {
	retry := func(change func(*plan.Retry)) *plan.Guard {
		r := &plan.Retry{Attempts: 3, Backoff: plan.Backoff{Initial: 20 * time.Millisecond, Factor: 2, Max: time.Second}}
		change(r)
		return &plan.Guard{Retry: r}
	}
	for _, c := range []struct {
		name       string
		spec       *plan.Guard
		idempotent bool
		delivered  bool
		want       int
	}{
		{"idempotent", retry(func(*plan.Retry) {}), true, true, 3},
		{"undelivered", retry(func(*plan.Retry) {}), false, false, 3},
		{"delivered and not idempotent", retry(func(*plan.Retry) {}), false, true, 1},
		{"when says no", retry(func(r *plan.Retry) {
			r.When = program(t, `error.kind == "timeout"`, rules.Condition, rules.AtRetryWhen)
		}), true, true, 1},
		{"budget of one", retry(func(r *plan.Retry) { r.Budget = 0.01 }), true, true, 2},
		{"no time left", &plan.Guard{Deadline: 30 * time.Millisecond, Retry: &plan.Retry{Attempts: 9, Backoff: plan.Backoff{Initial: 20 * time.Millisecond}}}, true, true, 2},
	} {
		b := &bench{answer: fails(engine.KindCrash, c.delivered)}
		g := mustGuard(t, c.spec, Options{})
		k := call()
		k.Idempotent = c.idempotent
		_, err := g.Call(b, k, b)
		if len(b.tries) != c.want || engine.ErrorOf(err, "").Kind != engine.KindCrash {
			t.Errorf("%s: %d attempts, %v", c.name, len(b.tries), err)
		}
		if got := g.Snapshot(b.now).Retries; got != uint64(c.want-1) {
			t.Errorf("%s: %d retries counted", c.name, got)
		}
		for i, s := range b.sleeps {
			if s != 20*time.Millisecond<<i && c.name == "idempotent" {
				t.Errorf("wait %d was %v", i, s)
			}
		}
	}
}

// No attempt passes a breaker that opened meanwhile.
func TestARetryStopsAtTheBreakerThatItOpened(t *testing.T) {
	g := mustGuard(t, &plan.Guard{Breaker: consecutive(2), Retry: &plan.Retry{Attempts: 10}}, Options{})
	b := &bench{answer: fails(engine.KindCrash, false)}
	_, err := g.Call(b, call(), b)
	wantRefusal(t, err, "breaker open")
	if len(b.tries) != 2 {
		t.Errorf("%d attempts", len(b.tries))
	}
}

func TestTheTimeoutOfAnAttemptNeverOutlastsTheDeadline(t *testing.T) {
	g := mustGuard(t, &plan.Guard{Timeout: time.Second, Deadline: 1500 * time.Millisecond, Retry: &plan.Retry{Attempts: 3}}, Options{})
	b := &bench{}
	b.answer = func(_ int, a *Attempt) (any, error) { b.now += a.Timeout; return fails(engine.KindTimeout, true)(0, a) }
	c := call()
	c.Idempotent = true
	_, err := g.Call(b, c, b)
	if engine.ErrorOf(err, "").Kind != engine.KindTimeout || len(b.tries) != 2 ||
		b.tries[0].Timeout != time.Second || b.tries[1].Timeout != 500*time.Millisecond || b.now != 1500*time.Millisecond {
		t.Errorf("%v after %v in %+v", err, b.now, b.tries)
	}
}

func TestRateLimitAndItsKeys(t *testing.T) {
	g := mustGuard(t, &plan.Guard{Rate: &plan.RateLimit{PerSecond: 10, Burst: 2, Key: program(t, "msg.tenant", rules.Text, rules.AtKey)}}, Options{})
	b := &bench{}
	ask := func(tenant string) error {
		c := call()
		c.Payload = map[string]any{"tenant": tenant}
		_, err := g.Call(b, c, b)
		return err
	}
	for range 2 {
		if err := ask("a"); err != nil {
			t.Fatal(err)
		}
	}
	wantRefusal(t, ask("a"), "rate limit reached, room in 100ms")
	if err := ask("b"); err != nil {
		t.Errorf("another key: %v", err)
	}
	b.now += 100 * time.Millisecond
	if err := ask("a"); err != nil {
		t.Errorf("a tenth of a second later: %v", err)
	}
	if n := g.Snapshot(b.now).RateRefused; n != 1 {
		t.Errorf("%d refused", n)
	}
}

func TestTheBulkheadQueuesWakesAndGivesUp(t *testing.T) {
	spec := &plan.Guard{Bulkhead: &plan.Bulkhead{Concurrent: 1, Queue: 1, Wait: 100 * time.Millisecond}}
	g := mustGuard(t, spec, Options{})
	outer, second, third := &bench{}, &bench{}, &bench{}
	var fromQueue, refused error
	outer.answer = func(int, *Attempt) (any, error) {
		_, fromQueue = g.Call(second, call(), second)
		return "ok", nil
	}
	if _, err := g.Call(outer, call(), outer); err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, fromQueue, "waited too long")
	if second.now != 100*time.Millisecond {
		t.Errorf("it waited %v", second.now)
	}
	// While the second waits in the queue, a third is refused and the first leaves, which wakes the second.
	l := g.layers.Load()
	entry, _, _ := l.bulkhead.Enter(0)
	if entry != breaker.Entered {
		t.Fatal("a place was lost")
	}
	parked := &hook{bench: second}
	parked.onAwait = func() {
		_, refused = g.Call(third, call(), third)
		l.bulkhead.leave()
	}
	if v, err := g.Call(parked, call(), parked); v != "ok" || err != nil {
		t.Errorf("the woken call gave %v, %v", v, err)
	}
	if began := second.tries[0].Began; began != 200*time.Millisecond {
		t.Errorf("the attempt after the wait began at %v", began)
	}
	wantRefusal(t, refused, "bulkhead full")
	if s := g.Snapshot(0).Bulkhead; s.Running != 0 || s.Waiting != 0 || len(l.bulkhead.waiting)+len(l.bulkhead.called) != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

// looking counts how often the time is asked for.
type looking struct {
	*bench
	looks int
}

func (l *looking) Now() time.Duration {
	l.looks++
	return l.bench.Now()
}

func TestACallThatWaitsForNothingReadsTheClockTwice(t *testing.T) {
	g := mustGuard(t, &plan.Guard{
		Timeout: time.Second, Deadline: time.Minute, Rate: &plan.RateLimit{PerSecond: 10}, Bulkhead: &plan.Bulkhead{Concurrent: 1},
		Breaker: &plan.Breaker{Policy: breaker.Policy{Trip: breaker.Trip{ConsecutiveFailures: 5}}},
		Retry:   &plan.Retry{Attempts: 2, Backoff: plan.Backoff{Initial: time.Second, Factor: 2, Max: time.Minute}, Budget: 0.2},
	}, Options{})
	l := &looking{bench: &bench{}}
	if _, err := g.Call(l, call(), l); err != nil || l.looks != 2 {
		t.Errorf("%d readings, %v", l.looks, err)
	}
}

// hook runs something while its caller waits.
type hook struct {
	*bench
	onAwait func()
}

func (h *hook) Await() error {
	h.onAwait()
	return h.bench.Await()
}

func TestFallbacksAnswerInOrder(t *testing.T) {
	reply := rules.Mapping([]rules.TemplateField{{Name: "why", Value: rules.Expression(program(t, "error.kind", rules.Any, rules.AtFallback))}})
	g := mustGuard(t, &plan.Guard{Fallback: []plan.Fallback{
		{When: program(t, `error.kind == "timeout"`, rules.Condition, rules.AtFallback), To: "bad"},
		{When: program(t, `error.kind == "timeout"`, rules.Condition, rules.AtFallback), To: "cache", Message: "get"},
		{Reply: reply, Status: 203},
	}}, Options{})
	b, c := &bench{answer: fails(engine.KindTimeout, true)}, call()
	if v, err := g.Call(b, c, b); v != "from cache" || err != nil || !c.Degraded || c.FallbackStatus != 0 {
		t.Errorf("timeout: %v, %v, %+v", v, err, c)
	}
	if got := strings.Join(b.asked, ", "); got != "bad query, cache get" {
		t.Errorf("asked %s", got)
	}
	b, c = &bench{answer: fails(engine.KindCrash, true)}, call()
	v, err := g.Call(b, c, b)
	if m, ok := v.(map[string]any); !ok || m["why"] != engine.KindCrash || err != nil || c.FallbackStatus != 203 {
		t.Errorf("crash: %v, %v", v, err)
	}
	b, c = &bench{answer: fails(engine.KindCanceled, true)}, call()
	if _, err := g.Call(b, c, b); err == nil || c.Degraded {
		t.Error("a call that nobody waits for got a fallback")
	}
}

func TestOutcomesAreClassified(t *testing.T) {
	spec := consecutive(1)
	spec.Outcome = program(t, `status == 404 ? "success" : error.kind == "flaky" ? "ignored" : error.kind == "" && reply == "bad" ? "failure" : error.kind == "" ? "success" : "failure"`, rules.Text, rules.AtOutcome)
	for _, c := range []struct {
		answer func(int, *Attempt) (any, error)
		state  breaker.State
	}{
		{func(int, *Attempt) (any, error) {
			return nil, &engine.Error{Kind: engine.KindStatus, Status: 404, Delivered: true}
		}, breaker.Closed},
		{fails("flaky", true), breaker.Closed},
		{func(int, *Attempt) (any, error) { return "bad", nil }, breaker.Open},
		{fails(engine.KindCrash, true), breaker.Open},
	} {
		g := mustGuard(t, &plan.Guard{Breaker: spec}, Options{})
		b := &bench{answer: c.answer}
		_, _ = g.Call(b, call(), b)
		if s := g.Snapshot(0).Breakers[0].State; s != c.state {
			t.Errorf("breaker is %v, want %v", s, c.state)
		}
	}
}

func TestAPanicCountsAndFreesThePlaces(t *testing.T) {
	g := mustGuard(t, &plan.Guard{Breaker: consecutive(1), Bulkhead: &plan.Bulkhead{Concurrent: 1}, Adaptive: &plan.Adaptive{Min: 1, Max: 2}}, Options{})
	b := &bench{answer: func(int, *Attempt) (any, error) { panic("in the callee") }}
	func() {
		defer func() { _ = recover() }()
		_, _ = g.Call(b, call(), b)
	}()
	s := g.Snapshot(0)
	if s.Breakers[0].State != breaker.Open || s.Bulkhead.Running != 0 || s.Adaptive.Running != 0 {
		t.Errorf("after a panic: %v, %+v, %+v", s.Breakers[0].State, s.Bulkhead, s.Adaptive)
	}
}

func TestReplicasHaveBreakersOfTheirOwn(t *testing.T) {
	spec := consecutive(1)
	spec.PerReplica = true
	g := mustGuard(t, &plan.Guard{Breaker: spec}, Options{})
	b := &bench{}
	b.route = func(open func(string) bool) (string, error) {
		for _, name := range []string{"r-0", "r-1"} {
			if !open(name) {
				return name, nil
			}
		}
		return "", &engine.Error{Kind: engine.KindRefused, Message: "none left", By: "db"}
	}
	b.answer = fails(engine.KindCrash, true)
	_, _ = g.Call(b, call(), b)
	_, _ = g.Call(b, call(), b)
	_, err := g.Call(b, call(), b)
	wantRefusal(t, err, "none left")
	if len(b.tries) != 2 || b.tries[0].Replica != "r-0" || b.tries[1].Replica != "r-1" {
		t.Errorf("tried %+v", b.tries)
	}
	if all := g.Snapshot(0).Breakers; len(all) != 2 || all[1].Label != "db/r-1" {
		t.Errorf("breakers: %+v", all)
	}
	if !g.Force(0, "db/r-0", "reset") || g.Force(0, "db/r-9", "reset") {
		t.Error("forcing one by its label")
	}
	b.answer = nil
	if _, err := g.Call(b, call(), b); err != nil || b.tries[2].Replica != "r-0" {
		t.Errorf("after a reset: %v", err)
	}
}

func TestAReloadKeepsCountsAndChangesNothingWhenItFails(t *testing.T) {
	g := mustGuard(t, &plan.Guard{Breaker: consecutive(3), Bulkhead: &plan.Bulkhead{Concurrent: 2}}, Options{})
	b := &bench{answer: fails(engine.KindCrash, true)}
	for range 2 {
		_, _ = g.Call(b, call(), b)
	}
	bad := &plan.Guard{Name: "db", Breaker: consecutive(2), Bulkhead: &plan.Bulkhead{Concurrent: 0}}
	if err := g.Update(b.now, bad); err == nil {
		t.Fatal("an impossible bulkhead was taken")
	}
	if s := g.Snapshot(b.now).Breakers[0]; s.State != breaker.Closed || s.Consecutive != 2 {
		t.Errorf("after the refused update: %+v", s)
	}
	next := &plan.Guard{Name: "db", Breaker: consecutive(2), Bulkhead: &plan.Bulkhead{Concurrent: 2}}
	if err := g.Update(b.now, next); err != nil {
		t.Fatal(err)
	}
	if s := g.Snapshot(b.now).Breakers[0]; s.State != breaker.Open {
		t.Errorf("two failures in a row under a threshold of two: %v", s.State)
	}
	if g.Spec() != next {
		t.Error("another spec is in force")
	}
}

func TestHedgesAreForIdempotentCallsOnly(t *testing.T) {
	g := mustGuard(t, &plan.Guard{Hedge: &plan.Hedge{After: 10 * time.Millisecond, Max: 1}}, Options{})
	for _, idempotent := range []bool{false, true} {
		b, c := &bench{answer: fails(engine.KindTimeout, true)}, call()
		c.Idempotent = idempotent
		_, _ = g.Call(b, c, b)
		if want := map[bool]int{false: 1, true: 2}[idempotent]; len(b.tries) != want {
			t.Errorf("idempotent %v: %d tries", idempotent, len(b.tries))
		}
	}
}

func TestRecentKeepsTheLimit(t *testing.T) {
	r := newRecent[int](8)
	made := 0
	get := func(key string) { r.get(key, func() int { made++; return made }) }
	for i := range 1000 {
		get("busy")
		get(fmt.Sprint(i))
		if n := len(r.young) + len(r.old); n > 8 {
			t.Fatalf("%d keys kept", n)
		}
	}
	if v, ok := r.peek("busy"); !ok || v != 1 {
		t.Errorf("the busy key was made again: %d", v)
	}
}

func TestRatesThatAreNoWholeNumbers(t *testing.T) {
	for perSecond, want := range map[float64]time.Duration{0.5: 2 * time.Second, 2.5: 400 * time.Millisecond, 1.0 / 3600: time.Hour, 7: time.Second / 7} {
		p := ratePolicy(perSecond, 1)
		if err := p.Validate(); err != nil {
			t.Errorf("%v: %v", perSecond, err)
			continue
		}
		r, _ := breaker.NewRate(p, 0)
		r.Allow(0)
		if _, wait := r.Allow(0); wait < want-time.Microsecond || wait > want+time.Microsecond {
			t.Errorf("%v a second: the next after %v, want %v", perSecond, wait, want)
		}
	}
}
