package live

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// The tests here look at moments between two instructions, which no story reaches on purpose.

func TestNobodyOvertakesThoseWhoWaitForRoom(t *testing.T) {
	a := &actor{box: kernel.Box{Capacity: 4, Overflow: kernel.OverflowBlock}, rare: &rare{parked: []parked{{}}}}
	if !a.full() {
		t.Error("a free place is open to newcomers while others wait for it")
	}
}

func TestAnInterruptBetweenTwoMessagesIsNotLost(t *testing.T) {
	e := &Engine{clock: clock.NewVirtual(time.Time{})}
	f := newFrame(e)
	f.inc = &incarnation{a: &actor{eng: e}}
	f.inc.cut.Store(true)
	f.interrupt(kernel.LeaveStopped)
	f.ready()
	if f.stopped() != engine.ErrStopped {
		t.Error("a handler that begins after the cut may block")
	}
}

func TestAnEndedWaitIsNoPartOfACircle(t *testing.T) {
	a, b := &actor{path: "a"}, &actor{path: "b"}
	a.alone.Store(true)
	w := newWaiter(clock.NewVirtual(time.Time{}))
	a.activity().asking.Store(w)
	ticket := w.begin(kernel.ForAnswer, a, b, 0)
	h := hand{&caller{w: w}, a}
	if waits := h.Waits(); a.ready() || len(waits) != 1 || waits[0].On != b || !waits[0].Holds() {
		t.Errorf("a wait is not seen: %v", waits)
	}
	ticket.settle(nil, nil)
	if !a.ready() || h.Waits() != nil {
		t.Error("an answered wait is still seen")
	}
	w.begin(kernel.ForTime, a, nil, 0)
	if h.Waits() != nil {
		t.Error("a sleep is taken for the wait before it")
	}
	w.begin(kernel.ForAnswer, b, a, 0)
	if !a.ready() || h.Waits() != nil {
		t.Error("a wait of another actor on the same worker is taken for one's own")
	}
}

func TestAnArmedTimerServesLaterWaits(t *testing.T) {
	c := clock.NewVirtual(time.Time{})
	w := newWaiter(c)
	target := &actor{path: "b"}
	first := w.begin(kernel.ForAnswer, nil, target, 10)
	first.settle("early", nil)
	if v, err := w.wait(); v != "early" || err != nil {
		t.Fatal(v, err)
	}
	second := w.begin(kernel.ForAnswer, nil, target, 25)
	c.Advance(24)
	if !second.waits() {
		t.Fatal("the first wait's timer ended the second")
	}
	c.Advance(25)
	if _, err := w.wait(); kindOf(err) != engine.KindTimeout {
		t.Errorf("got %v", err)
	}
	third := w.begin(kernel.ForAnswer, nil, target, 100)
	third.settle(nil, nil)
	_, _ = w.wait()
	w.begin(kernel.ForAnswer, nil, target, 50) // earlier than what is armed
	c.Advance(50)
	if _, err := w.wait(); kindOf(err) != engine.KindTimeout {
		t.Errorf("an earlier deadline gave %v", err)
	}
	w.begin(kernel.ForAnswer, nil, target, 60).settle(nil, nil)
	_, _ = w.wait()
	c.Advance(70) // it fires, and nobody waits
	w.begin(kernel.ForTurn, nil, nil, 80)
	c.Advance(80)
	if _, err := w.wait(); err != guard.ErrTooLate {
		t.Errorf("a wait after the timer has fired gave %v", err)
	}
}

func TestATimerOfAnIncarnationEndsWithIt(t *testing.T) {
	s := &seen{}
	run(t, tree(t, leaf("a")), making{"a": simple(func(ctx engine.Context, m engine.Msg) error {
		switch m.Type {
		case "arm":
			ctx.After(time.Second, engine.Msg{Type: "tick", Payload: m.Payload})
			cancel := ctx.After(time.Second, engine.Msg{Type: "tick", Payload: "cancelled"})
			if !cancel() {
				t.Error("a timer that is armed cannot be cancelled")
			}
		default:
			s.add(m.Payload)
		}
		return nil
	})}, func(t *testing.T, r rig) {
		r.tellOK(t, "a", "arm", "first life")
		synctest.Wait()
		if err := r.Command(context.Background(), engine.Steer{Verb: "restart", Target: "a"}, "ana"); err != nil {
			t.Fatal(err)
		}
		r.tellOK(t, "a", "arm", "second life")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := s.list(); !slices.Equal(got, []any{"second life"}) {
			t.Errorf("ticks of %v", got)
		}
	})
}

// The timeout bounds the wait for an answer, not the reading of a long one.
func TestALongAnswerOutlastsTheTimeout(t *testing.T) {
	up := func(*plan.Actor) (engine.Behavior, error) {
		return pipe{handler(echo), func(w http.ResponseWriter, r *http.Request) error {
			if err := engine.JudgeOf(r.Context())(200, http.Header{}); err != nil {
				return err
			}
			time.Sleep(10 * time.Second)
			if r.Context().Err() == nil {
				_, _ = w.Write([]byte("all of it"))
			}
			return nil
		}}, nil
	}
	a := leaf("a", func(a *plan.Actor) { a.Concurrency = 0 }, guarded("a", func(g *plan.Guard) {
		g.Timeout, g.Breaker = time.Second, opensAfter(1)
		g.Breaker.Policy.Trip.ConsecutiveFailures = 1
	}))
	run(t, tree(t, a), making{"a": up}, func(t *testing.T, r rig) {
		ref, _ := r.Ref("a")
		w := httptest.NewRecorder()
		if _, err := r.Proxy(ref, w, httptest.NewRequest("GET", "/", nil), CallOptions{}); err != nil || w.Body.String() != "all of it" {
			t.Errorf("got %q, %v", w.Body, err)
		}
		if s := r.Status().Guards[0].Breakers[0]; s.Totals.Failures != 0 {
			t.Errorf("the breaker counted %+v", s.Totals)
		}
	})
}
