package live

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

func guarded(name string, change func(*plan.Guard)) func(*plan.Actor) {
	return func(a *plan.Actor) {
		a.Guard = &plan.Guard{Name: name}
		change(a.Guard)
	}
}

func opensAfter(n int) *plan.Breaker {
	return &plan.Breaker{Name: "a", Policy: breaker.Policy{
		Trip: breaker.Trip{ConsecutiveFailures: n}, Open: breaker.OpenPolicy{For: 5 * time.Second}}}
}

func text(t *testing.T, source string, place rules.Place) *rules.Template {
	t.Helper()
	p, problems := rules.Compile(source, rules.Any, rules.Scope{Place: place})
	if p == nil {
		t.Fatal(problems)
	}
	return rules.Expression(p)
}

// A fallback answers what never came to the guard as well: quarantine and emergency stand before it.
func TestAFallbackAnswersWhatAQuarantineRefuses(t *testing.T) {
	instead := func(g *plan.Guard) {
		g.Fallback = []plan.Fallback{{Reply: text(t, `"instead"`, rules.AtFallback), Status: 203}}
	}
	a := leaf("a", guarded("a", instead))
	run(t, tree(t, a), making{"a": simple(echo)}, func(t *testing.T, r rig) {
		if err := r.Command(t.Context(), engine.Steer{Verb: "quarantine", Target: "a"}, "me"); err != nil {
			t.Fatal(err)
		}
		ref, _ := r.Ref("a")
		if got, err := r.Request(t.Context(), ref, engine.Msg{Type: "n", Payload: 1}, CallOptions{}); err != nil || got.Payload != "instead" || got.Status != 203 {
			t.Errorf("ask: %+v, %v", got, err)
		}
		w := httptest.NewRecorder()
		if got, err := r.Proxy(ref, w, httptest.NewRequest("GET", "/", nil), CallOptions{}); err != nil || got == nil || got.Status != 203 {
			t.Errorf("proxy: %+v, %v", got, err)
		}
		if err := r.Tell(t.Context(), "a", engine.Msg{Type: "n"}, CallOptions{}); kindOf(err) != engine.KindRefused {
			t.Errorf("tell: %v", err)
		}
	})
}

func TestABreakerOpensFallsBackProbesAndCloses(t *testing.T) {
	var broken atomic.Bool
	flaky := simple(func(ctx engine.Context, m engine.Msg) error {
		if broken.Load() {
			ctx.Fail(&engine.Error{Kind: "sick", Delivered: true})
			return nil
		}
		return echo(ctx, m)
	})
	a := leaf("a", guarded("a", func(g *plan.Guard) {
		g.Breaker = opensAfter(3)
		g.Fallback = []plan.Fallback{{Reply: text(t, `"instead"`, rules.AtFallback)}}
	}))
	run(t, tree(t, a), making{"a": flaky}, func(t *testing.T, r rig) {
		broken.Store(true)
		for range 4 {
			if got := r.ask(t, "a", "n", 1); got != "instead" {
				t.Fatalf("got %v", got)
			}
		}
		synctest.Wait() // a call is counted when its activation has a moment for it
		if st := r.Status(); st.Guards[0].Breakers[0].State != breaker.Open || st.Actors[1].Calls != 3 {
			t.Errorf("breaker %v after %d calls", st.Guards[0].Breakers[0].State, st.Actors[1].Calls)
		}
		broken.Store(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := r.ask(t, "a", "n", 1); got != 1 {
			t.Errorf("the probe got %v", got)
		}
		var states []string
		for _, e := range r.book.of(journal.TypeBreakerChanged, "") {
			b, _ := e.Body()
			states = append(states, b.(journal.BreakerChanged).To)
		}
		if got := strings.Join(states, " "); got != "open half_open closed" {
			t.Errorf("told: %s", got)
		}
	})
}

// The state moves on without traffic, and steering reaches the breaker.
func TestABreakerMovesOnByTimerAndBySteering(t *testing.T) {
	a := leaf("a", guarded("a", func(g *plan.Guard) { g.Breaker = opensAfter(1) }))
	run(t, tree(t, a), making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		if m.Type == "fail" {
			ctx.Fail(&engine.Error{Kind: "sick", Delivered: true})
		}
		return nil
	})}, func(t *testing.T, r rig) {
		state := func() breaker.State {
			synctest.Wait()
			return r.Status().Guards[0].Breakers[0].State
		}
		_, _ = r.Ask(context.Background(), "a", engine.Msg{Type: "fail"}, CallOptions{})
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if n := len(r.book.of(journal.TypeBreakerChanged, "")); n != 2 {
			t.Errorf("%d transitions told after the open time", n)
		}
		for _, verb := range []string{"force_open", "reset"} {
			if err := r.Command(context.Background(), engine.Steer{Verb: verb, Target: "a"}, "ana"); err != nil {
				t.Fatal(err)
			}
			_, err := r.Ask(context.Background(), "a", engine.Msg{Type: "n"}, CallOptions{})
			if refused := kindOf(err) == engine.KindRefused; refused != (verb == "force_open") {
				t.Errorf("after %s: %v (%v)", verb, err, state())
			}
		}
	})
}

func TestTheBulkheadQueuesAndRetriesWait(t *testing.T) {
	a := leaf("a", func(a *plan.Actor) { a.Concurrency = 0 }, guarded("a", func(g *plan.Guard) {
		g.Bulkhead = &plan.Bulkhead{Concurrent: 2, Queue: 2, Wait: 1500 * time.Millisecond}
	}))
	run(t, tree(t, a), making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		_ = ctx.Sleep(time.Second)
		return echo(ctx, m)
	})}, func(t *testing.T, r rig) {
		var asking sync.WaitGroup
		var mu sync.Mutex
		took := map[string]int{}
		start := time.Now()
		for i := range 6 {
			asking.Go(func() {
				_, err := r.Ask(context.Background(), "a", engine.Msg{Type: "n", Payload: i}, CallOptions{})
				mu.Lock()
				defer mu.Unlock()
				took[fmt.Sprint(time.Since(start), " ", kindOf(err))]++
			})
			synctest.Wait()
		}
		asking.Wait()
		if took["1s "] != 2 || took["2s "] != 2 || took["0s refused"] != 2 {
			t.Errorf("answers: %v", took)
		}
	})
}

func replicas(n int, change ...func(*plan.Actor)) []plan.Actor {
	var all []plan.Actor
	for i := range n {
		a := leaf(fmt.Sprintf("r-%d", i), append([]func(*plan.Actor){func(a *plan.Actor) {
			a.Group, a.Replica, a.Go = "root/r", i, &plan.GoSpec{Behaviour: "r"}
		}}, change...)...)
		all = append(all, a)
	}
	return all
}

func path(ctx engine.Context, m engine.Msg) error {
	if m.Type == "slow" {
		_ = ctx.Sleep(time.Second)
	}
	ctx.Reply(ctx.Path()[len("root/"):])
	return nil
}

func TestGroupsRouteToTheFit(t *testing.T) {
	for _, c := range []struct {
		pick string
		want string // of six asks, r-1 being quarantined
	}{
		{"least_loaded", "r-0 r-0 r-0 r-0 r-0 r-0"},
		{"round_robin", "r-0 r-2 r-0 r-2 r-0 r-2"},
	} {
		p := tree(t, replicas(3)...)
		p.Groups[0].Route.Pick = c.pick
		run(t, p, making{"r": simple(path)}, func(t *testing.T, r rig) {
			if err := r.Command(context.Background(), engine.Steer{Verb: "quarantine", Target: "r-1"}, "ana"); err != nil {
				t.Fatal(err)
			}
			var got []string
			for range 6 {
				got = append(got, r.ask(t, "r", "n", nil).(string))
				synctest.Wait() // who has answered may still be at work
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%s: %s", c.pick, s)
			}
			_, err := r.Ask(context.Background(), "r-1", engine.Msg{Type: "n"}, CallOptions{})
			refusedBy(t, err)
			if v, err := r.Ask(context.Background(), "r-1", engine.Msg{Type: "n"}, CallOptions{Probe: true}); v != "r-1" || err != nil {
				t.Errorf("a probe got %v, %v", v, err)
			}
		})
	}
}

func TestHashStaysAndLeastLoadedSpreads(t *testing.T) {
	p := tree(t, replicas(5)...)
	p.Groups[0].Route.Pick = "hash"
	run(t, p, making{"r": simple(path)}, func(t *testing.T, r rig) {
		homes := map[string]string{}
		used := map[string]bool{}
		ask := func(key string) string {
			v, err := r.Ask(context.Background(), "r", engine.Msg{Type: "n"}, CallOptions{Key: key})
			if err != nil {
				t.Fatal(err)
			}
			return v.(string)
		}
		for i := range 50 {
			key := fmt.Sprint(i)
			homes[key] = ask(key)
			used[homes[key]] = true
		}
		if err := r.Command(context.Background(), engine.Steer{Verb: "pause", Target: "r-2"}, "ana"); err != nil {
			t.Fatal(err)
		}
		for key, home := range homes {
			if now := ask(key); home != "r-2" && now != home || now == "r-2" {
				t.Errorf("key %s moved from %s to %s", key, home, now)
			}
		}
		if len(used) != 5 {
			t.Errorf("%d replicas used", len(used))
		}
	})
	run(t, tree(t, replicas(3)...), making{"r": simple(path)}, func(t *testing.T, r rig) {
		var asking sync.WaitGroup
		got := make([]string, 6)
		for i := range got {
			asking.Go(func() {
				v, _ := r.Ask(context.Background(), "r", engine.Msg{Type: "slow"}, CallOptions{})
				got[i], _ = v.(string)
			})
			synctest.Wait()
		}
		asking.Wait()
		if s := strings.Join(got, " "); s != "r-0 r-1 r-2 r-0 r-1 r-2" {
			t.Errorf("six at once went to %s", s)
		}
		for i := range 3 {
			if err := r.Command(context.Background(), engine.Steer{Verb: "pause", Target: fmt.Sprintf("r-%d", i)}, "ana"); err != nil {
				t.Fatal(err)
			}
		}
		_, err := r.Ask(context.Background(), "r", engine.Msg{Type: "n"}, CallOptions{})
		refusedBy(t, err)
	})
}

func TestAllTellsEveryReplica(t *testing.T) {
	s := &seen{}
	p := tree(t, replicas(3)...)
	p.Groups[0].Route.Pick = "all"
	run(t, p, making{"r": simple(func(ctx engine.Context, m engine.Msg) error { s.add(ctx.Path()); return nil })}, func(t *testing.T, r rig) {
		r.tellOK(t, "r", "n", nil)
		synctest.Wait()
		if got := len(s.list()); got != 3 {
			t.Errorf("%d told", got)
		}
		if _, err := r.Ask(context.Background(), "r", engine.Msg{Type: "n"}, CallOptions{}); kindOf(err) != engine.KindInvalid {
			t.Errorf("an ask to all: %v", err)
		}
	})
}

func TestReplicasPassOneGuardWithBreakersOfTheirOwn(t *testing.T) {
	p := tree(t, replicas(2)...)
	b := opensAfter(2)
	b.Name, b.PerReplica = "r", true
	p.Groups[0].Guard = &plan.Guard{Name: "r", Breaker: b}
	run(t, p, making{"r": simple(func(ctx engine.Context, m engine.Msg) error {
		if ctx.Path() == "root/r-0" {
			ctx.Fail(&engine.Error{Kind: "sick", Delivered: true})
			return nil
		}
		return path(ctx, m)
	})}, func(t *testing.T, r rig) {
		for i := range 4 {
			v, err := r.Ask(context.Background(), "r", engine.Msg{Type: "n"}, CallOptions{})
			if i < 2 && kindOf(err) != "sick" || i >= 2 && v != "r-1" {
				t.Errorf("ask %d: %v, %v", i, v, err)
			}
			synctest.Wait()
		}
		_, err := r.Ask(context.Background(), "r-0", engine.Msg{Type: "n"}, CallOptions{})
		if e := refusedBy(t, err); !strings.Contains(e.Message, "open") {
			t.Errorf("the sick one itself: %v", err)
		}
	})
}

func edgePlan(t *testing.T) *plan.Plan {
	t.Helper()
	api := leaf("api")
	p := tree(t, leaf("db", guarded("db", func(g *plan.Guard) { g.Timeout = time.Second })), api)
	p.Gateway = []plan.Listener{{Name: "public", Routes: []plan.HTTPRoute{{Name: "orders", To: "root/db", Guard: &plan.Guard{
		Name: "public/orders", Rate: &plan.RateLimit{PerSecond: 1, Burst: 1},
	}}}}}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAnEdgeHasAGuardOfItsOwnOutsideTheCallees(t *testing.T) {
	run(t, edgePlan(t), making{"api": simple(echo), "db": simple(func(ctx engine.Context, m engine.Msg) error {
		if m.Type == "slow" {
			return ctx.Sleep(time.Hour)
		}
		return echo(ctx, m)
	})}, func(t *testing.T, r rig) {
		for i := range 2 {
			_, err := r.Ask(context.Background(), "public/orders", engine.Msg{Type: "n", Payload: 1}, CallOptions{})
			if i == 1 {
				if e := refusedBy(t, err); e.By != "public/orders" {
					t.Errorf("refused by %s", e.By)
				}
			} else if err != nil {
				t.Error(err)
			}
		}
		r.ask(t, "db", "n", 1)
		time.Sleep(time.Second)
		start := time.Now()
		if _, err := r.Ask(context.Background(), "public/orders", engine.Msg{Type: "slow"}, CallOptions{}); kindOf(err) != engine.KindTimeout || time.Since(start) != time.Second {
			t.Errorf("the callee's own guard: %v after %v", err, time.Since(start))
		}
	})
}

func TestEmergencyAdmitsByPriority(t *testing.T) {
	p := tree(t, leaf("a"))
	admit, problems := rules.Compile("call.priority >= 5", rules.Condition, rules.Scope{Place: rules.AtAdmit})
	if admit == nil {
		t.Fatal(problems)
	}
	p.Emergency = &plan.Emergency{Admit: admit}
	run(t, p, making{"a": simple(echo)}, func(t *testing.T, r rig) {
		r.emergency.Store(true)
		for priority, refused := range map[int]bool{3: true, 9: false, 0: false} {
			_, err := r.Ask(context.Background(), "a", engine.Msg{Type: "n"}, CallOptions{Priority: priority})
			if (kindOf(err) == engine.KindRefused) != refused {
				t.Errorf("priority %d: %v", priority, err)
			}
		}
	})
}

// Reloads under load: no call is lost, each sees one generation, and the breaker keeps its counts.
func TestReloadsUnderLoadLoseNothing(t *testing.T) {
	gen := func(n int) *plan.Plan {
		a := leaf("a", func(a *plan.Actor) { a.Labels = []plan.Label{{Key: "gen", Value: fmt.Sprint(n)}} },
			guarded("a", func(g *plan.Guard) { g.Breaker, g.Timeout = opensAfter(100+n), time.Minute }))
		p := tree(t, a)
		p.Params = []plan.Param{{Name: "gen", Value: float64(n)}}
		if err := p.Seal(); err != nil {
			t.Fatal(err)
		}
		return p
	}
	r := newRig(t, gen(0), making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		before, label := ctx.Plan().Params[0].Value, ctx.Actor().Labels[0].Value
		_ = ctx.Sleep(time.Microsecond)
		after := ctx.Plan().Params[0].Value
		if before != after || fmt.Sprint(before) != label {
			t.Errorf("one message saw generations %v, %v and %s", before, after, label)
		}
		if m.Type == "fail" {
			ctx.Fail(&engine.Error{Kind: "sick", Delivered: true})
			return nil
		}
		ctx.Reply(m.Payload)
		return nil
	})})
	r.Start()
	<-r.Up()
	for range 50 {
		_, _ = r.Ask(context.Background(), "a", engine.Msg{Type: "fail"}, CallOptions{})
	}
	stop := make(chan struct{})
	var asking sync.WaitGroup
	var done atomic.Int64
	for range 4 {
		asking.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				v, err := r.Ask(context.Background(), "a", engine.Msg{Type: "fail", Payload: i}, CallOptions{})
				if kindOf(err) != "sick" {
					return // the breaker may trip in the end
				}
				_ = v
				done.Add(1)
				if done.Load() > 40 {
					return
				}
			}
		})
	}
	for n := 1; n <= 20; n++ {
		if err := r.Reload(engine.Reloaded{Plan: gen(n), Generation: uint64(n + 1), By: "test", Why: "load"}, engine.Cause{}); err != nil {
			t.Fatal(err)
		}
	}
	asking.Wait()
	close(stop)
	calm.Until(t, "all calls to be counted, which an activation does when it has a moment", func() bool {
		return r.actorStatus("root/a").Calls == uint64(50+done.Load())
	})
	s := r.Status()
	if s.Generation != 21 || s.Actors[1].Incarnation != 1 {
		t.Errorf("generation %d, incarnation %d", s.Generation, s.Actors[1].Incarnation)
	}
	if c := s.Guards[0].Breakers[0].Consecutive; c != 50+int(done.Load()) {
		t.Errorf("%d failures in a row are known", c)
	}
	bad := gen(22)
	bad.Actors[1].Guard.Breaker.Policy.Trip.ErrorRate = 7
	if err := r.Reload(engine.Reloaded{Plan: bad, Generation: 22, By: "test", Why: "bad"}, engine.Cause{}); !errors.Is(err, breaker.ErrPolicy) || r.Status().Generation != 21 {
		t.Errorf("a bad policy: %v, generation %d", err, r.Status().Generation)
	}
	r.Shutdown("over")
	<-r.Done()
}

func TestAReloadAddsAndRemovesActors(t *testing.T) {
	m := making{"a": simple(echo), "b": simple(echo), "r": simple(path)}
	run(t, tree(t, append(replicas(2), leaf("a"))...), m, func(t *testing.T, r rig) {
		if err := r.Reload(engine.Reloaded{Plan: tree(t, append(replicas(3), leaf("b"))...), Generation: 2, By: "test", Why: "grow"}, engine.Cause{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := r.ask(t, "b", "n", 1); got != 1 {
			t.Errorf("b answered %v", got)
		}
		if _, err := r.Ask(context.Background(), "a", engine.Msg{Type: "n"}, CallOptions{}); !errors.Is(err, engine.ErrUnknownActor) {
			t.Errorf("a, which is gone: %v", err)
		}
		st := r.Status()
		if len(st.Actors) != 5 || len(st.Groups[0].Replicas) != 3 || st.Groups[0].Fit != 3 || r.actorStatus("root/r-0").Incarnation != 1 {
			t.Errorf("%+v", st.Groups)
		}
	})
}

// pipe is a Proxy that answers from a function.
type pipe struct {
	handler
	serve func(w http.ResponseWriter, r *http.Request) error
}

func (p pipe) ServeProxy(w http.ResponseWriter, r *http.Request) error { return p.serve(w, r) }

func TestProxiedRequestsPassTheGuards(t *testing.T) {
	var status atomic.Int32
	var calls atomic.Int32
	up := func(*plan.Actor) (engine.Behavior, error) {
		return pipe{handler(echo), func(w http.ResponseWriter, r *http.Request) error {
			calls.Add(1)
			if status.Load() == 0 {
				<-r.Context().Done()
				return r.Context().Err()
			}
			header := http.Header{"Content-Length": {"2"}}
			if err := engine.JudgeOf(r.Context())(int(status.Load()), header); err != nil {
				return err
			}
			w.WriteHeader(int(status.Load()))
			_, _ = w.Write([]byte("ok"))
			return nil
		}}, nil
	}
	a := leaf("a", func(a *plan.Actor) { a.Concurrency = 0 }, guarded("a", func(g *plan.Guard) {
		g.Breaker, g.Timeout = opensAfter(4), time.Second
		g.Retry = &plan.Retry{Attempts: 2}
		g.Fallback = []plan.Fallback{{When: rulesCondition(t, "status == 503"), Reply: text(t, `{"late": true}`, rules.AtFallback), Status: 202}}
	}))
	run(t, tree(t, a), making{"a": up}, func(t *testing.T, r rig) {
		ref, _ := r.Ref("a")
		exchange := func(method string) (*httptest.ResponseRecorder, *Reply, error) {
			w := httptest.NewRecorder()
			reply, err := r.Proxy(ref, w, httptest.NewRequest(method, "/x", nil), CallOptions{Idempotent: method == "GET"})
			return w, reply, err
		}
		status.Store(200)
		if w, reply, err := exchange("POST"); w.Code != 200 || w.Body.String() != "ok" || reply != nil || err != nil {
			t.Errorf("good: %d %s, %v, %v", w.Code, w.Body, reply, err)
		}
		status.Store(500)
		calls.Store(0)
		if w, reply, err := exchange("GET"); w.Code != 500 || reply != nil || err != nil || calls.Load() != 2 {
			t.Errorf("a 500 without a fallback passes after a retry: %d, %v, %v, %d calls", w.Code, reply, err, calls.Load())
		}
		status.Store(503)
		if w, reply, err := exchange("POST"); reply == nil || reply.Status != 202 || w.Body.Len() != 0 || err != nil {
			t.Errorf("a 503 falls back: %v, %v, wrote %q", reply, err, w.Body)
		}
		status.Store(0)
		start := time.Now()
		if _, _, err := exchange("POST"); kindOf(err) != engine.KindTimeout || time.Since(start) != time.Second {
			t.Errorf("no answer: %v after %v", err, time.Since(start))
		}
		calls.Store(0)
		_, _, err := exchange("POST")
		if e := refusedBy(t, err); calls.Load() != 0 || e.By != "a" {
			t.Errorf("four failures in a row: %v", err)
		}
	})
}

func rulesCondition(t *testing.T, source string) *rules.Program {
	t.Helper()
	p, problems := rules.Compile(source, rules.Condition, rules.Scope{Place: rules.AtFallback})
	if p == nil {
		t.Fatal(problems)
	}
	return p
}

func TestAStopWaitsForProxiedRequestsThenCancelsThem(t *testing.T) {
	up := func(*plan.Actor) (engine.Behavior, error) {
		return pipe{handler(echo), func(w http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		}}, nil
	}
	run(t, tree(t, leaf("a", func(a *plan.Actor) { a.Concurrency = 0 })), making{"a": up}, func(t *testing.T, r rig) {
		ref, _ := r.Ref("a")
		got := make(chan error, 1)
		go func() {
			_, err := r.Proxy(ref, httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), CallOptions{})
			got <- err
		}()
		synctest.Wait()
		start := time.Now()
		r.Shutdown("over")
		<-r.Done()
		if err := <-got; kindOf(err) != engine.KindUnreachable || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestHedgedAsksTakeTheFirstAnswer(t *testing.T) {
	p := tree(t, replicas(2)...)
	p.Groups[0].Route.Pick = "round_robin"
	p.Groups[0].Guard = &plan.Guard{Name: "r", Hedge: &plan.Hedge{After: 50 * time.Millisecond, Max: 1}}
	s := &seen{}
	run(t, p, making{"r": simple(func(ctx engine.Context, m engine.Msg) error {
		s.add(ctx.Path())
		if ctx.Path() == "root/r-0" {
			_ = ctx.Sleep(10 * time.Second)
		}
		return path(ctx, m)
	})}, func(t *testing.T, r rig) {
		start := time.Now()
		v, err := r.Ask(context.Background(), "r", engine.Msg{Type: "n"}, CallOptions{Idempotent: true})
		if v != "r-1" || err != nil || time.Since(start) != 50*time.Millisecond {
			t.Errorf("got %v, %v after %v", v, err, time.Since(start))
		}
		if got := s.list(); !slices.Equal(got, []any{"root/r-0", "root/r-1"}) {
			t.Errorf("tried %v", got)
		}
	})
}
