package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
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
	"github.com/lukhasai/lukhas-run/rules"
)

func TestMain(m *testing.M) { calm.Main(m) }

// wall is the machine's clock, or a bubble's.
type wall struct{ start time.Time }

func (w wall) Now() time.Duration { return time.Since(w.start) }
func (w wall) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

func pipeline(t testing.TB, spec plan.Guard) *Pipeline {
	t.Helper()
	p, err := NewPipeline(spec, wall{time.Now()}, Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// bubble runs a test in which time passes only when all wait.
func bubble(t *testing.T, test func(t *testing.T)) { t.Helper(); synctest.Test(t, test) }

func retries(n int) *plan.Retry {
	return &plan.Retry{Attempts: n, Backoff: plan.Backoff{Initial: time.Second, Factor: 1, Max: time.Second}}
}

func trips(n int) *plan.Breaker {
	return &plan.Breaker{Policy: breaker.Policy{Trip: breaker.Trip{ConsecutiveFailures: n}, Open: breaker.OpenPolicy{For: time.Minute}}}
}

func kindOf(err error) string {
	if e := engine.ErrorOf(err, ""); e != nil {
		return e.Kind
	}
	return ""
}

var errTest = errors.New("it broke")

func TestSpecsThatNeedAnEngineAreRefused(t *testing.T) {
	for text, spec := range map[string]plan.Guard{
		"fallback 0 asks the actor": {Fallback: []plan.Fallback{{To: "root/spare"}}},
		"retry.attempts is 0":       {Retry: &plan.Retry{}},
		"a breaker per replica":     {Breaker: &plan.Breaker{PerReplica: true}},
		"timeout -1ns":              {Timeout: -1},
	} {
		if _, err := NewPipeline(spec, wall{}, Options{}); !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
		p := pipeline(t, plan.Guard{})
		if err := p.Update(spec); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: update: %v", text, err)
		}
	}
	if _, err := NewPipeline(plan.Guard{Bulkhead: &plan.Bulkhead{}}, wall{}, Options{}); err == nil {
		t.Error("a bulkhead without places")
	}
}

func TestDoRefusesOpensAndSaysForHowLong(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := pipeline(t, plan.Guard{Name: "db", Breaker: trips(2)})
		for range 2 {
			if err := p.Do(t.Context(), func(context.Context) error { return errTest }); err != errTest {
				t.Errorf("%v is not fn's own error", err)
			}
		}
		err := p.Do(t.Context(), func(context.Context) error { t.Error("it ran"); return nil })
		if wait, refused := Refused(err); !refused || wait != time.Minute {
			t.Errorf("%v, %v: %v", wait, refused, err)
		}
		if _, refused := Refused(errTest); refused {
			t.Error("another error is no refusal")
		}
		if !p.Force("db", "forced_closed") {
			t.Error("no such breaker")
		}
		if err := p.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Error(err)
		}
		if err := p.Update(plan.Guard{Name: "db"}); err != nil || len(p.Snapshot().Breakers) != 0 {
			t.Errorf("%v, %+v", err, p.Snapshot())
		}
	})
}

func TestCallTriesAgainOnlyWhatIsSafe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := pipeline(t, plan.Guard{Retry: retries(3)})
		for _, c := range []struct {
			about About
			err   error
			want  int
		}{
			{About{}, errTest, 1}, {About{Idempotent: true}, errTest, 3},
			{About{}, &engine.Error{Kind: engine.KindUnreachable}, 3}, {About{Idempotent: true}, &engine.Error{Kind: engine.KindRefused}, 1},
		} {
			ran, began := 0, time.Now()
			_, err := p.Call(t.Context(), c.about, func(context.Context) (any, error) { ran++; return nil, c.err })
			if ran != c.want || !errors.Is(err, c.err) || time.Since(began) != time.Duration(c.want-1)*time.Second {
				t.Errorf("%+v, %v: ran %d times in %v: %v", c.about, c.err, ran, time.Since(began), err)
			}
		}
	})
}

func TestATimeoutEndsTheContextAndIsOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := pipeline(t, plan.Guard{Timeout: time.Second, Deadline: 3 * time.Second, Retry: retries(10)})
		ran, began := 0, time.Now()
		_, err := p.Call(t.Context(), About{Idempotent: true}, func(ctx context.Context) (any, error) {
			ran++
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) || kindOf(err) != engine.KindTimeout || ran != 2 || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %d runs in %v", err, ran, time.Since(began))
		}
		if err := p.Do(t.Context(), func(ctx context.Context) error { time.Sleep(2 * time.Second); return nil }); err != nil {
			t.Errorf("what succeeds late is a success: %v", err)
		}
	})
}

func TestACallerThatLeavesIsNobodysFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := pipeline(t, plan.Guard{Breaker: trips(1), Retry: retries(3), Bulkhead: &plan.Bulkhead{Concurrent: 1, Queue: 1, Wait: time.Hour}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		var waiting sync.WaitGroup
		waiting.Go(func() {
			_, err := p.Call(ctx, About{Idempotent: true}, func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() })
			if kindOf(err) != engine.KindCanceled {
				t.Errorf("at work: %v", err)
			}
		})
		synctest.Wait()
		if err := p.Do(ctx, func(context.Context) error { return nil }); err != nil && kindOf(err) != engine.KindCanceled {
			t.Errorf("in the queue: %v", err)
		}
		waiting.Wait()
		if s := p.Snapshot(); s.Breakers[0].State != breaker.Closed || s.Bulkhead.Running != 0 {
			t.Errorf("%+v", s)
		}
		// Between two attempts.
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		p = pipeline(t, plan.Guard{Retry: retries(3)})
		if _, err := p.Call(ctx, About{Idempotent: true}, func(context.Context) (any, error) { return nil, errTest }); kindOf(err) != engine.KindCanceled {
			t.Errorf("asleep: %v", err)
		}
	})
}

func TestHedgesRaceAndTheLosersEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := pipeline(t, plan.Guard{Hedge: &plan.Hedge{After: time.Second, Max: 2}})
		var runs, ended atomic.Int32
		slowest := func(ctx context.Context) (any, error) {
			n := runs.Add(1)
			if n == 3 {
				return "third", nil
			}
			<-ctx.Done()
			ended.Add(1)
			return nil, ctx.Err()
		}
		began := time.Now()
		v, err := p.Call(t.Context(), About{Idempotent: true}, slowest)
		if v != "third" || err != nil || ended.Load() != 2 || time.Since(began) != 2*time.Second {
			t.Errorf("%v, %v: %d ended in %v", v, err, ended.Load(), time.Since(began))
		}
		runs.Store(0)
		_, err = p.Call(t.Context(), About{Idempotent: true}, func(context.Context) (any, error) { runs.Add(1); return nil, errTest })
		if err != errTest || runs.Load() != 1 {
			t.Errorf("a failure ends the race: %v after %d", err, runs.Load())
		}
		if err := p.Do(t.Context(), func(context.Context) error { time.Sleep(5 * time.Second); runs.Add(1); return nil }); err != nil || runs.Load() != 2 {
			t.Errorf("what must not be repeated is not hedged: %v, %d", err, runs.Load())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := p.Call(ctx, About{Idempotent: true}, func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() }); kindOf(err) != engine.KindTimeout {
			t.Errorf("the caller's own deadline: %v", err)
		}
	})
}

func TestPanicAndGoexitCountFreeAndGoOn(t *testing.T) {
	for name, spec := range map[string]plan.Guard{
		"plain":  {Breaker: trips(1), Bulkhead: &plan.Bulkhead{Concurrent: 1}, Adaptive: &plan.Adaptive{Min: 1, Max: 1}},
		"hedged": {Breaker: trips(1), Bulkhead: &plan.Bulkhead{Concurrent: 1}, Hedge: &plan.Hedge{After: time.Hour, Max: 1}},
	} {
		for what, end := range map[string]func(){"panic": func() { panic("boom") }, "exit": runtime.Goexit} {
			p := pipeline(t, spec)
			var seen any
			returned := false
			var run sync.WaitGroup
			run.Go(func() {
				defer func() { seen = recover() }()
				_, _ = p.Call(t.Context(), About{Idempotent: true}, func(context.Context) (any, error) { end(); return nil, nil })
				returned = true
			})
			run.Wait()
			if returned || what == "panic" && seen != "boom" || what == "exit" && seen != nil {
				t.Errorf("%s, %s: returned %v, recovered %v", name, what, returned, seen)
			}
			if s := p.Snapshot(); s.Breakers[0].State != breaker.Open || s.Bulkhead.Running != 0 {
				t.Errorf("%s, %s: %+v", name, what, s)
			}
		}
	}
}

// trip is a RoundTripper made of a function.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func status(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Length": {fmt.Sprint(len(body))}}, Body: io.NopCloser(strings.NewReader(body))}
}

// noted is a body that tells whether it was closed.
type noted struct {
	io.Reader
	closed bool
}

func (n *noted) Close() error { n.closed = true; return nil }

func TestTransportRetriesOnlyWhatIsSafe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		dial := &net.OpError{Op: "dial", Err: errTest}
		for _, c := range []struct {
			method, key string
			replayable  bool
			status      int
			err         error
			want        int
		}{
			{"GET", "", true, 503, nil, 3}, {"PUT", "", true, 500, nil, 3}, {"PUT", "", false, 500, nil, 1}, {"POST", "", true, 500, nil, 1},
			{"POST", "k", true, 500, nil, 3}, {"GET", "", true, 404, nil, 1}, {"GET", "", true, 0, errTest, 3}, {"POST", "", true, 0, errTest, 1},
			{"POST", "", true, 0, dial, 3}, {"POST", "", false, 0, dial, 1},
		} {
			var bodies []string
			tr := Transport(trip(func(r *http.Request) (*http.Response, error) {
				data, _ := io.ReadAll(r.Body)
				bodies = append(bodies, string(data))
				if c.err != nil {
					return nil, c.err
				}
				return status(c.status, "the last answer"), nil
			}), pipeline(t, plan.Guard{Retry: retries(3)}))
			r, _ := http.NewRequest(c.method, "http://x", strings.NewReader("body"))
			if !c.replayable {
				r.GetBody = nil
			}
			if c.key != "" {
				r.Header.Set("Idempotency-Key", c.key)
			}
			resp, err := tr.RoundTrip(r)
			if len(bodies) != c.want || bodies[c.want-1] != "body" || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("%+v: sent %q, %v", c, bodies, err)
			}
			if c.err == nil {
				if data, _ := io.ReadAll(resp.Body); err != nil || resp.StatusCode != c.status || string(data) != "the last answer" {
					t.Errorf("%+v: %v, %q, %v", c, resp, data, err)
				}
				resp.Body.Close()
			}
		}
	})
}

func TestTransportRefusesAndFallsBack(t *testing.T) {
	failing := trip(func(*http.Request) (*http.Response, error) { return status(500, ""), nil })
	p := pipeline(t, plan.Guard{Breaker: trips(1)})
	body := &noted{Reader: strings.NewReader("x")}
	for _, refused := range []bool{false, true} {
		r, _ := http.NewRequest("POST", "http://x", body)
		resp, err := Transport(failing, p).RoundTrip(r)
		if wait, ok := Refused(err); ok != refused || refused && (wait <= 0 || resp != nil || !body.closed) {
			t.Errorf("%v, %v, closed %v", resp, err, body.closed)
		}
		if resp != nil {
			resp.Body.Close()
		}
	}
	reply, _ := rules.Compile(`{"note": error.kind}`, rules.Any, rules.Scope{Place: rules.AtFallback})
	p = pipeline(t, plan.Guard{Breaker: trips(1), Fallback: []plan.Fallback{{Reply: rules.Expression(reply), Status: 203}}})
	for _, want := range []string{`{"note":"status"}`, `{"note":"refused"}`} {
		resp, err := (&http.Client{Transport: Transport(failing, p)}).Get("http://x")
		if err != nil {
			t.Fatal(err)
		}
		if data, _ := io.ReadAll(resp.Body); resp.StatusCode != 203 || string(data) != want {
			t.Errorf("%d %s, want %s", resp.StatusCode, data, want)
		}
		resp.Body.Close()
	}
}

func TestTransportBoundsTheHeadOfAnAnswerNotItsBody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sent context.Context
		tr := Transport(trip(func(r *http.Request) (*http.Response, error) {
			sent = r.Context()
			if r.URL.Path == "/late" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return status(200, "body"), nil
		}), pipeline(t, plan.Guard{Timeout: time.Second}))
		resp, err := (&http.Client{Transport: tr}).Get("http://x/")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if sent.Err() != nil {
			t.Error("the timeout ended an answer that had begun")
		}
		resp.Body.Close()
		if sent.Err() == nil {
			t.Error("a closed body leaves its context behind")
		}
		var timeout net.Error
		if _, err := (&http.Client{Transport: tr}).Get("http://x/late"); !errors.As(err, &timeout) || !timeout.Timeout() || kindOf(err) != engine.KindTimeout {
			t.Errorf("got %v", err)
		}
	})
}

func TestTransportHedgesCloseWhatLoses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var mu sync.Mutex
		var bodies []*noted
		tr := Transport(trip(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			n := len(bodies)
			bodies = append(bodies, &noted{Reader: strings.NewReader(fmt.Sprint(n))})
			resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: bodies[n]}
			mu.Unlock()
			if n == 0 {
				<-r.Context().Done() // answers although nobody wants it any more
			}
			return resp, nil
		}), pipeline(t, plan.Guard{Hedge: &plan.Hedge{After: time.Second, Max: 1}}))
		resp, err := (&http.Client{Transport: tr}).Get("http://x")
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(resp.Body); string(data) != "1" || err != nil {
			t.Errorf("%q, %v", data, err)
		}
		if !bodies[0].closed || bodies[1].closed {
			t.Error("the loser's answer must be closed, the winner's not")
		}
		resp.Body.Close()
	})
}

func TestTransportDoesNotHedgeABodyThatItHasOnlyOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		sent := 0
		tr := Transport(trip(func(r *http.Request) (*http.Response, error) {
			sent++
			time.Sleep(time.Minute)
			return status(200, ""), nil
		}), pipeline(t, plan.Guard{Hedge: &plan.Hedge{After: time.Second, Max: 1}}))
		r, _ := http.NewRequest("PUT", "http://x", io.MultiReader(strings.NewReader("x")))
		resp, err := tr.RoundTrip(r)
		if err != nil || sent != 1 {
			t.Fatalf("sent %d times, %v", sent, err)
		}
		resp.Body.Close()
	})
}

func TestHandlerBoundsTheWaitForAnAnswerNotTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "begun")
			time.Sleep(time.Minute)
			if r.Context().Err() != nil {
				t.Error("the timeout ended an answer that had begun")
			}
		}), pipeline(t, plan.Guard{Timeout: time.Second}))
		if w := ask(h, "GET", ""); w.Code != 200 || w.Body.String() != "begun" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func ask(h http.Handler, method, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	h.ServeHTTP(w, r)
	return w
}

func TestHandlerTriesAgainOnlyWhatIsSafe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, c := range []struct {
			method, body string
			want         int
		}{{"GET", "", 3}, {"PUT", "x", 1}, {"POST", "", 1}} {
			ran := 0
			h := Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				ran++
				w.Header().Set("X-Run", fmt.Sprint(ran))
				w.Header().Set(fmt.Sprint("X-Run-", ran), "left behind")
				if ran < 3 {
					http.Error(w, "not yet", http.StatusServiceUnavailable)
					return
				}
				fmt.Fprint(w, "done")
			}), pipeline(t, plan.Guard{Retry: retries(3)}))
			w := ask(h, c.method, c.body)
			if ran != c.want || w.Header().Get("X-Run") != fmt.Sprint(c.want) || c.want == 3 && (w.Body.String() != "done" || w.Header().Get("X-Run-1") != "") {
				t.Errorf("%+v: ran %d times: %d %v %q", c, ran, w.Code, w.Header(), w.Body)
			}
		}
	})
}

func TestHandlerRefusesWithRetryAfterAndTimesOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := pipeline(t, plan.Guard{Breaker: trips(2), Timeout: time.Second})
		h := Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), p)
		for _, want := range []struct {
			status int
			wait   string
		}{{504, ""}, {504, ""}, {503, "60"}} {
			if w := ask(h, "POST", "x"); w.Code != want.status || w.Header().Get("Retry-After") != want.wait || !strings.HasPrefix(w.Body.String(), `{"error":{"kind":`) {
				t.Errorf("%d %v %s, want %v", w.Code, w.Header(), w.Body, want)
			}
		}
		reply, _ := rules.Compile(`"try later"`, rules.Any, rules.Scope{Place: rules.AtFallback})
		if err := p.Update(plan.Guard{Breaker: trips(2), Fallback: []plan.Fallback{{Reply: rules.Expression(reply)}}}); err != nil {
			t.Fatal(err)
		}
		if w := ask(h, "GET", ""); w.Code != 200 || w.Body.String() != `"try later"` {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// What stands between handler and connection keeps streams and upgrades working.
func TestHandlerPassesStreamsTrailersAndUpgrades(t *testing.T) {
	next := make(chan struct{})
	s := httptest.NewServer(Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.URL.Path == "/up" {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello")
			rw.Flush()
			return
		}
		h.Set("Trailer", "X-Sum")
		fmt.Fprint(w, "one\n")
		w.(http.Flusher).Flush()
		<-next
		fmt.Fprint(w, "two\n")
		h.Set("X-Sum", "7")
	}), pipeline(t, plan.Guard{Breaker: trips(1), Timeout: time.Minute, Retry: retries(2)})))
	defer s.Close()
	client := s.Client()
	resp, err := client.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(resp.Body)
	if line, err := in.ReadString('\n'); line != "one\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	close(next)
	if rest, err := io.ReadAll(in); string(rest) != "two\n" || err != nil || resp.Trailer.Get("X-Sum") != "7" {
		t.Errorf("%q, %v, %v", rest, err, resp.Trailer)
	}
	resp.Body.Close()
	r, _ := http.NewRequest("GET", s.URL+"/up", nil)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "x")
	up, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := io.ReadAll(up.Body); up.StatusCode != 101 || string(data) != "hello" {
		t.Errorf("%d %q", up.StatusCode, data)
	}
	up.Body.Close()
}

func TestHandlerPanicsPassAndClientsThatLeaveDoNotCount(t *testing.T) {
	p := pipeline(t, plan.Guard{Breaker: trips(1)})
	ctx, cancel := context.WithCancel(t.Context())
	run := func(ctx context.Context) (seen any) {
		defer func() { seen = recover() }()
		Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { cancel(); panic(http.ErrAbortHandler) }), p).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil).WithContext(ctx))
		return nil
	}
	if seen := run(ctx); seen != http.ErrAbortHandler || p.Snapshot().Breakers[0].State != breaker.Closed {
		t.Errorf("recovered %v, %+v", seen, p.Snapshot())
	}
	if seen := run(t.Context()); seen != http.ErrAbortHandler || p.Snapshot().Breakers[0].State != breaker.Open {
		t.Errorf("recovered %v, %+v", seen, p.Snapshot())
	}
}
