package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/internal/fake"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

func TestMain(m *testing.M) { calm.Main(m) }

// subject is a behaviour that can be asked in every way; nil fields refuse.
type subject struct {
	handle  func(ctx engine.Context, m engine.Msg) error
	probe   func() error
	line    func(context.Context) error
	started bool
	stopped bool
	inited  bool
}

func (s *subject) Handle(ctx engine.Context, m engine.Msg) error {
	if s.handle == nil {
		ctx.Reply(nil)
		return nil
	}
	return s.handle(ctx, m)
}
func (s *subject) Start(engine.Life) error                        { s.started = true; return nil }
func (s *subject) Stop(context.Context) error                     { s.stopped = true; return nil }
func (s *subject) Init(engine.Context) error                      { s.inited = true; return nil }
func (s *subject) AwaitLine(ctx context.Context) error            { return s.line(ctx) }
func (s *subject) AwaitExit(ctx context.Context) error            { return s.line(ctx) }
func (s *subject) CheckHTTP(_ context.Context, path string) error { return s.probe() }
func (s *subject) State() any                                     { return 7 }
func (s *subject) SetState(any) error                             { return nil }

// direct can also be asked by a message past its mailbox.
type direct struct{ *subject }

func (d direct) Probe(context.Context, engine.Msg) error { return d.probe() }

// definedLife is a life whose actor's definition changes.
type definedLife struct {
	*fake.Life
	def atomic.Pointer[plan.Actor]
}

func (l *definedLife) Actor() *plan.Actor { return l.def.Load() }

func wrap(t *testing.T, b engine.Behavior, a *plan.Actor, c clock.Clock, exec Exec) (*probed, *fake.Context) {
	t.Helper()
	a.Path = "root/a"
	made, err := Wrap(func(*plan.Actor, *plan.Plan) (engine.Behavior, error) { return b, nil }, c, exec)(a, &plan.Plan{Dir: "/spec"})
	if err != nil {
		t.Fatal(err)
	}
	p := made.(*probed)
	t.Cleanup(func() { _ = p.Stop(context.Background()) })
	return p, fake.New(a)
}

func TestABehaviourWithoutProbesIsLeftAlone(t *testing.T) {
	inner := &subject{}
	factory := Wrap(func(*plan.Actor, *plan.Plan) (engine.Behavior, error) { return inner, nil }, clock.System(), nil)
	if b, _ := factory(&plan.Actor{Definition: &plan.Definition{Kind: plan.Script}}, &plan.Plan{}); b != engine.Behavior(inner) {
		t.Errorf("wrapped as %T", b)
	}
	b, _ := factory(&plan.Actor{Definition: &plan.Definition{Kind: plan.Process}}, &plan.Plan{})
	if s, ok := engine.As[engine.Stateful](b); !ok || s.State() != 7 {
		t.Error("what the behaviour can do is hidden")
	}
	if _, ok := engine.As[engine.Proxy](b); ok {
		t.Error("what the behaviour cannot do is offered")
	}
	broken := errors.New("broken")
	factory = Wrap(func(*plan.Actor, *plan.Plan) (engine.Behavior, error) { return nil, broken }, nil, nil)
	if _, err := factory(&plan.Actor{Definition: &plan.Definition{}}, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestReadyHoldsTheStartBack(t *testing.T) {
	tries := 0
	inner := direct{&subject{probe: func() error {
		if tries++; tries < 3 {
			return errors.New("not yet")
		}
		return nil
	}}}
	p, ctx := wrap(t, inner, &plan.Actor{Definition: &plan.Definition{Ready: &plan.Probe{HTTP: "/healthz", Interval: time.Millisecond, Within: calm.Long}}}, clock.System(), nil)
	if err := p.Start(fake.NewLife("a")); err != nil {
		t.Fatal(err)
	}
	if err := p.Init(ctx); err != nil || tries != 3 || !inner.started || !inner.inited {
		t.Errorf("%v after %d tries", err, tries)
	}
	_ = p.Stop(context.Background())
	if !inner.stopped {
		t.Error("the behaviour was not stopped")
	}
}

func TestNotReadySaysWhy(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return errors.New("no line contains READY") }
	for name, c := range map[string]struct {
		inner engine.Behavior
		spec  plan.Probe
		says  string
	}{
		"http":    {direct{&subject{probe: func() error { return errors.New("503") }}}, plan.Probe{HTTP: "/x", Interval: time.Millisecond}, "503"},
		"line":    {&subject{line: hang}, plan.Probe{Line: "READY"}, "no line contains READY"},
		"exit":    {&subject{line: func(context.Context) error { return errors.New("code 4") }}, plan.Probe{Exit: true}, "code 4"},
		"no host": {consider{}, plan.Probe{HTTP: "/x"}, "no host here"},
		"no line": {consider{}, plan.Probe{Line: "x"}, "cannot be probed so"},
		"message": {consider{}, plan.Probe{Message: "ping", Interval: time.Millisecond}, "refused: no"},
		"empty":   {consider{}, plan.Probe{}, "empty probe"},
	} {
		calm.Slower(t, 30*time.Millisecond, func(within time.Duration) error {
			c.spec.Within = within
			p, ctx := wrap(t, c.inner, &plan.Actor{Definition: &plan.Definition{Ready: &c.spec}}, clock.System(), nil)
			_ = p.Start(fake.NewLife("a"))
			err := p.Init(ctx)
			var failed *engine.Error
			if !errors.As(err, &failed) || failed.Kind != engine.KindStart || !strings.HasPrefix(failed.Message, fmt.Sprintf("not ready within %s: ", within)) || !strings.Contains(failed.Message, c.says) {
				return fmt.Errorf("%s: %v", name, err)
			}
			return nil
		})
	}
}

// consider can nothing but refuse.
type consider struct{}

func (consider) Handle(ctx engine.Context, m engine.Msg) error {
	ctx.Fail(&engine.Error{Kind: engine.KindRefused, Message: "no"})
	return nil
}

func TestEachWayOfAsking(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer s.Close()
	address := s.Listener.Addr().String()
	nobody := calm.Address(t)
	var ran []string
	a := asker{inner: &subject{}, base: "/spec", exec: func(_ context.Context, command []string, base string, _ []plan.EnvVar) error {
		ran = append(ran, base+" "+strings.Join(command, " "))
		if command[0] == "false" {
			return errors.New("code 1")
		}
		return nil
	}}
	for _, c := range []struct {
		spec plan.Probe
		ok   bool
	}{
		{plan.Probe{HTTP: s.URL + "/x"}, true}, {plan.Probe{HTTP: "http://" + nobody}, false}, {plan.Probe{HTTP: "http://\x00"}, false},
		{plan.Probe{TCP: address}, true}, {plan.Probe{TCP: address[strings.LastIndexByte(address, ':'):]}, true}, {plan.Probe{TCP: nobody}, false},
		{plan.Probe{Exec: []string{"true", "x"}}, true}, {plan.Probe{Exec: []string{"false"}}, false},
	} {
		if err := a.ask(t.Context(), &c.spec); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.spec, err)
		}
	}
	for _, status = range []int{301, 404, 500} {
		if err := a.ask(t.Context(), &plan.Probe{HTTP: s.URL}); err == nil {
			t.Errorf("%d passed", status)
		}
	}
	if len(ran) != 2 || ran[0] != "/spec true x" {
		t.Errorf("ran %v", ran)
	}
}

func TestHealthChangesAreReportedOnce(t *testing.T) {
	var reports []fake.Report
	j := judge{report: func(ok bool, why string) { reports = append(reports, fake.Report{OK: ok, Why: why}) }}
	spec := &plan.Probe{Fail: 2, Pass: 3}
	bad := errors.New("503")
	for _, err := range []error{nil, bad, nil, bad, bad, bad, nil, nil, bad, nil, nil, nil, nil} {
		j.take(spec, err)
	}
	want := []fake.Report{{OK: false, Why: "503"}, {OK: true}}
	if len(reports) != 2 || reports[0] != want[0] || reports[1] != want[1] {
		t.Errorf("reported %v", reports)
	}
}

func TestHealthIsAskedUntilTheStop(t *testing.T) {
	var sick atomic.Bool
	inner := direct{&subject{probe: func() error {
		if sick.Load() {
			return errors.New("ill")
		}
		return nil
	}}}
	life := fake.NewLife("a")
	p, ctx := wrap(t, inner, &plan.Actor{Definition: &plan.Definition{Health: &plan.Probe{Message: "ping", Interval: time.Millisecond, Fail: 2, Pass: 2}}}, clock.System(), nil)
	_ = p.Start(life)
	if err := p.Init(ctx); err != nil {
		t.Fatal(err)
	}
	for _, ill := range []bool{true, false, true} {
		sick.Store(ill)
		if r := calm.Await(t, "a report", life.Reports); r.OK == ill || ill && r.Why != "ill" {
			t.Errorf("reported %+v", r)
		}
	}
}

// A probe that hangs is cut off by its timeout, and a stop does not wait for it.
func TestAHangingProbeFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	life := fake.NewLife("a")
	p, ctx := wrap(t, &subject{}, &plan.Actor{Definition: &plan.Definition{Health: &plan.Probe{HTTP: "http://" + l.Addr().String(), Interval: time.Millisecond, Timeout: 5 * time.Millisecond, Fail: 1}, Kind: plan.Process}}, clock.System(), nil)
	_ = p.Start(life)
	_ = p.Init(ctx)
	if r := calm.Await(t, "a report", life.Reports); r.OK {
		t.Errorf("reported %+v", r)
	}
}

func TestAReloadBringsAndTakesAHealthProbe(t *testing.T) {
	c := clock.NewVirtual(time.Unix(0, 0))
	inner := direct{&subject{probe: func() error { return errors.New("ill") }}}
	life := &definedLife{Life: fake.NewLife("a")}
	without, with := &plan.Actor{Definition: &plan.Definition{}}, &plan.Actor{Definition: &plan.Definition{Health: &plan.Probe{Message: "ping", Interval: time.Second, Fail: 1}}}
	life.def.Store(without)
	p, ctx := wrap(t, inner, &plan.Actor{Definition: &plan.Definition{Kind: plan.Process}}, c, nil)
	_ = p.Start(life)
	_ = p.Init(ctx)
	life.def.Store(with)
	for len(life.Reports) == 0 {
		forward(c, time.Second)
	}
	if r := <-life.Reports; r.OK || r.Why != "ill" {
		t.Errorf("reported %+v", r)
	}
	life.def.Store(without)
	for len(life.Reports) == 0 {
		forward(c, time.Second)
	}
	if r := <-life.Reports; !r.OK {
		t.Errorf("a probe that is gone still counts: %+v", r)
	}
}

func TestAShorterIntervalDoesNotWaitForTheLongOne(t *testing.T) {
	c := clock.NewVirtual(time.Unix(0, 0))
	inner := direct{&subject{probe: func() error { return errors.New("ill") }}}
	life := &definedLife{Life: fake.NewLife("a")}
	probe := func(interval time.Duration) *plan.Actor {
		return &plan.Actor{Definition: &plan.Definition{Health: &plan.Probe{Message: "ping", Interval: interval, Fail: 1}}}
	}
	life.def.Store(probe(time.Hour))
	p, ctx := wrap(t, inner, &plan.Actor{Definition: &plan.Definition{Kind: plan.Process}}, c, nil)
	_ = p.Start(life)
	_ = p.Init(ctx)
	next := func() { // to the loop's next step, once it has said when that is
		for {
			if at, ok := c.Next(); ok {
				c.Advance(at)
				return
			}
			runtime.Gosched()
		}
	}
	for range 5 {
		next()
	}
	life.def.Store(probe(2 * time.Second))
	for len(life.Reports) == 0 && c.Now() < int64(2*time.Hour) {
		next()
	}
	if at := time.Duration(c.Now()); at > time.Minute {
		t.Errorf("not asked until %s, by an interval that was 2s from the sixth second on", at)
	}
}

// A script or Go actor is asked through its mailbox, and found by the alarm when it is stuck.
func TestMessageProbesThroughTheMailbox(t *testing.T) {
	c := clock.NewVirtual(time.Unix(0, 0))
	var answer *engine.Error
	seen := 0
	inner := &subject{handle: func(ctx engine.Context, m engine.Msg) error {
		if m.Payload != nil || !ctx.Meta().Probe || m.Type != "ping" {
			t.Errorf("handled %+v", m)
		}
		seen++
		if answer != nil {
			ctx.Fail(answer)
		}
		return nil
	}}
	life := fake.NewLife("a")
	p, ctx := wrap(t, inner, &plan.Actor{Definition: &plan.Definition{Kind: plan.Script, Health: &plan.Probe{Message: "ping", Interval: time.Second, Timeout: time.Second, Fail: 2, Pass: 1}}}, c, nil)
	_ = p.Start(life)
	if err := p.Init(ctx); err != nil || len(ctx.Timers) != 1 || ctx.Timers[0].After != time.Second {
		t.Fatal(err, ctx.Timers)
	}
	next := func() { forward(c, time.Second); _ = p.Handle(ctx, ctx.Timers[len(ctx.Timers)-1].M) }
	next()
	next()
	if seen != 2 || len(life.Reports) != 0 || len(ctx.Replied)+len(ctx.Failed) != 0 {
		t.Errorf("seen %d, reports %d, leaked %v %v", seen, len(life.Reports), ctx.Replied, ctx.Failed)
	}
	answer = &engine.Error{Kind: engine.KindInvalid, Message: "unwell"}
	next()
	next()
	if r := <-life.Reports; r.OK || !strings.Contains(r.Why, "unwell") {
		t.Errorf("reported %+v", r)
	}
	answer = nil
	next()
	if r := <-life.Reports; !r.OK {
		t.Errorf("reported %+v", r)
	}
	forward(c, 10*time.Second) // stuck: nothing takes the message
	if r := <-life.Reports; r.OK || !strings.Contains(r.Why, `"ping" was not answered within 1s`) {
		t.Errorf("reported %+v", r)
	}
	_ = p.Handle(ctx, ctx.Timers[len(ctx.Timers)-1].M) // comes round, late
	if len(life.Reports) != 0 {
		t.Error("a late answer counts")
	}
	next()
	if r := <-life.Reports; !r.OK {
		t.Errorf("reported %+v", r)
	}
	if err := p.Handle(ctx, ctx.Timers[0].M); err != nil || len(life.Reports) != 0 {
		t.Error("an old probe counts")
	}
}

func TestAProbeThatTheMailboxRefusedIsSentAgain(t *testing.T) {
	c := clock.NewVirtual(time.Unix(0, 0))
	life := fake.NewLife("a")
	p, ctx := wrap(t, &subject{}, &plan.Actor{Definition: &plan.Definition{Kind: plan.Script, Health: &plan.Probe{Message: "ping", Interval: time.Second, Timeout: time.Second, Fail: 1, Pass: 1}}}, c, nil)
	_ = p.Start(life)
	_ = p.Init(ctx)
	forward(c, lostAfter*time.Second)
	_ = p.Handle(ctx, engine.Msg{Type: "other"})
	if len(ctx.Timers) != 1 || (<-life.Reports).OK {
		t.Error("given up for lost too early")
	}
	forward(c, time.Second)
	_ = p.Handle(ctx, engine.Msg{Type: "other"})
	if len(ctx.Timers) != 2 {
		t.Fatal("the probe is gone for good")
	}
	forward(c, time.Second)
	_ = p.Handle(ctx, ctx.Timers[1].M)
	if r := <-life.Reports; !r.OK {
		t.Errorf("reported %+v", r)
	}
}

func TestAFailureOfTheProbedHandlerIsOne(t *testing.T) {
	broken := errors.New("broken")
	inner := &subject{handle: func(engine.Context, engine.Msg) error { return broken }}
	life := fake.NewLife("a")
	p, ctx := wrap(t, inner, &plan.Actor{Definition: &plan.Definition{Kind: plan.Go, Health: &plan.Probe{Message: "ping", Fail: 1}}}, clock.NewVirtual(time.Unix(0, 0)), nil)
	_ = p.Start(life)
	_ = p.Init(ctx)
	if err := p.Handle(ctx, ctx.Timers[0].M); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if r := <-life.Reports; r.OK || len(ctx.Timers) != 2 {
		t.Errorf("reported %+v, timers %d", r, len(ctx.Timers))
	}
}

func forward(c *clock.Virtual, d time.Duration) { c.Advance(c.Now() + int64(d)) }
