package sim

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

// cheater makes a simulation whose actor a misbehaves; it is closed by hand, because Close tells.
func cheater(t *testing.T, h handler, change ...func(*Options)) *rig {
	t.Helper()
	quiet := simple(func(engine.Context, engine.Msg) error { return nil })
	r := &rig{t: t}
	o := Options{Plan: compiled(t, two), Seed: 7, Factories: making{"a": simple(h), "b": quiet}.factories, Strict: true}
	for _, c := range change {
		c(&o)
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Engine = e
	e.Start()
	r.run(0)
	return r
}

func TestAContextThatIsUsedTooLateIsNoticed(t *testing.T) {
	var kept engine.Context
	r := cheater(t, func(ctx engine.Context, m engine.Msg) error {
		if kept != nil {
			kept.Reply("late")
		}
		kept = ctx
		return nil
	})
	for range 2 {
		r.ask("a", "x", nil)
	}
	err := r.Close()
	if !errors.Is(err, ErrCheat) || !strings.Contains(err.Error(), "root/a") {
		t.Fatalf("Close said %v", err)
	}
}

func TestAContextThatIsUsedByAnotherGoroutineIsNoticed(t *testing.T) {
	start, done := make(chan struct{}), make(chan struct{})
	r := cheater(t, func(ctx engine.Context, m engine.Msg) error {
		go func() {
			defer close(done)
			<-start
			ctx.Reply("elsewhere")
		}()
		return ctx.Sleep(time.Hour)
	})
	_ = r.Tell("a", engine.Msg{Type: "x"}, engine.CallOptions{})
	r.run(time.Second) // the handler waits and is not at work
	close(start)
	<-done
	if err := r.Close(); !errors.Is(err, ErrCheat) {
		t.Fatalf("Close said %v", err)
	}
}

func TestHonestBehavioursAreNotAccused(t *testing.T) {
	r := cheater(t, func(ctx engine.Context, m engine.Msg) error {
		if err := ctx.Sleep(time.Second); err != nil {
			return err
		}
		ctx.After(time.Second, engine.Msg{Type: "again"})
		to, _ := ctx.Ref("b")
		if _, err := ctx.Ask(to, m, 0); err != nil {
			return err
		}
		ctx.Reply(ctx.Now())
		return ctx.Sleep(time.Second)
	})
	for range 3 {
		r.ask("a", "x", nil)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAHandlerThatBlocksOutsideItsContextIsReported(t *testing.T) {
	block, freed := make(chan struct{}), make(chan struct{})
	r := cheater(t, func(engine.Context, engine.Msg) error {
		defer close(freed)
		<-block
		return nil
	}, func(o *Options) { o.Watchdog = 20 * time.Millisecond })
	_ = r.Tell("a", engine.Msg{Type: "x"}, engine.CallOptions{})
	err := r.Run(r.Now() + time.Second)
	if !errors.Is(err, ErrStuck) || !strings.Contains(err.Error(), "cheat_test.go") {
		t.Fatalf("Run said %v", err)
	}
	if again := r.Run(r.Now() + time.Second); !errors.Is(again, ErrStuck) {
		t.Errorf("then it said %v", again)
	}
	close(block)
	<-freed
	<-r.loop.driver // the baton comes back late
	r.loop.stuck = nil
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestRunInsideRunIsRefused(t *testing.T) {
	r := begin(t, two, making{})
	var err error
	r.At(r.Now(), func() { err = r.Run(time.Hour) })
	r.run(time.Second)
	if !errors.Is(err, ErrNested) {
		t.Fatal(err)
	}
}

func TestRunUntilIdleEndsWhenNothingIsLeft(t *testing.T) {
	r := begin(t, two, making{"a": simple(func(ctx engine.Context, m engine.Msg) error { return ctx.Sleep(3 * time.Second) })},
		func(o *Options) { o.Sample = func(time.Duration) engine.Sampled { return engine.Sampled{} } })
	start := r.Now()
	_ = r.Tell("a", engine.Msg{Type: "x"}, engine.CallOptions{})
	if err := r.RunUntilIdle(start + time.Hour); err != nil {
		t.Fatal(err)
	}
	if r.Now() < start+3*time.Second || r.Now() > start+time.Minute {
		t.Errorf("idle at %s", r.Now())
	}
}

// What is unwound by Close may still run deferred code; its waits do not bring the loop back to life.
func TestCloseUnwindsHandlersThatWait(t *testing.T) {
	var deferred []string
	r := cheater(t, func(ctx engine.Context, m engine.Msg) error {
		defer func() { deferred = append(deferred, "outer") }()
		defer func() {
			defer func() { deferred = append(deferred, "inner") }()
			_ = ctx.Sleep(time.Hour)
		}()
		return ctx.Sleep(time.Hour)
	}, func(o *Options) { o.Strict = false })
	_ = r.Tell("a", engine.Msg{Type: "x"}, engine.CallOptions{})
	r.run(time.Second)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Join(deferred, " ") != "inner outer" {
		t.Errorf("deferred: %v", deferred)
	}
}

func TestAGoroutineThatIsLeftBehindIsNoticed(t *testing.T) {
	end, ended := make(chan struct{}), make(chan struct{})
	r := cheater(t, func(engine.Context, engine.Msg) error {
		go func() {
			defer close(ended)
			<-end
		}()
		return nil
	})
	if a := r.ask("b", "x", nil); a.Err != nil {
		t.Fatal(a.Err)
	}
	if a := r.ask("a", "x", nil); a.Err != nil {
		t.Fatal(a.Err)
	}
	other := cheater(t, func(engine.Context, engine.Msg) error { return nil })
	if a := other.ask("a", "x", nil); a.Err != nil {
		t.Fatal(a.Err)
	}
	if err := other.Close(); err != nil {
		t.Errorf("another simulation is blamed: %v", err)
	}
	err := r.Close()
	close(end)
	<-ended
	if !errors.Is(err, ErrCheat) || !strings.Contains(err.Error(), "root/a: it left a goroutine") {
		t.Errorf("Close said %v", err)
	}
}

func TestAGoroutineOfAFactoryIsNoticed(t *testing.T) {
	end, ended := make(chan struct{}), make(chan struct{})
	r := begin(t, two, making{"a": func() engine.Behavior {
		go func() {
			defer close(ended)
			<-end
		}()
		return handler(func(engine.Context, engine.Msg) error { return nil })
	}, "b": simple(func(engine.Context, engine.Msg) error { return nil })})
	err := r.Close()
	close(end)
	<-ended
	if !errors.Is(err, ErrCheat) || !strings.Contains(err.Error(), "root/a: it left a goroutine") {
		t.Errorf("Close said %v", err)
	}
}
