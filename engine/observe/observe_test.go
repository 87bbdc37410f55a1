package observe_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

func limit(bucket int) time.Duration { return time.Duration(bucket+1) * time.Millisecond }

func find(t *testing.T, list []rules.Actor, path string) rules.Actor {
	t.Helper()
	for _, a := range list {
		if a.Path == path {
			return a
		}
	}
	t.Fatalf("no %q in %v", path, list)
	return rules.Actor{}
}

func TestRatesCoverTheWindowAndNoMore(t *testing.T) {
	w := observe.NewWindows(2*time.Second, limit)
	at := func(second int, calls, failures uint64, latency ...uint32) []rules.Actor {
		return w.Sample(time.Duration(second)*time.Second, []observe.Reading{{
			Actor: rules.Actor{Path: "root/pool/w-0", Group: "root/pool/w"}, Calls: calls, Failures: failures, Latency: latency}})
	}
	at(0, 0, 0)
	got := find(t, at(1, 10, 5, 10, 0), "root/pool/w-0")
	if got.Calls != 10 || got.ErrorRate != 0.5 || got.Latency.P99 != 0.001 {
		t.Errorf("after the first second: %+v", got)
	}
	at(2, 10, 5, 10, 0)
	got = find(t, at(3, 14, 5, 10, 4), "root/pool/w-0")
	if got.Calls != 4 || got.ErrorRate != 0 || got.Latency.P50 != 0.002 {
		t.Errorf("what is older than the window still counts: %+v", got)
	}
	at(4, 14, 5, 10, 4)
	got = find(t, at(5, 14, 5, 10, 4), "root/pool/w-0")
	if got.Calls != 0 || got.ErrorRate != 0 || got.Latency.P50 != 0 {
		t.Errorf("an idle window has rates: %+v", got)
	}
}

func TestGroupsAndSupervisorsAreSums(t *testing.T) {
	w := observe.NewWindows(time.Minute, limit)
	got := w.Sample(time.Second, []observe.Reading{
		{Actor: rules.Actor{Path: "root/pool/w-0", Group: "root/pool/w", Mailbox: 1, Ready: true}, Calls: 30, Retries: 6, Failures: 0, Latency: []uint32{30}},
		{Actor: rules.Actor{Path: "root/pool/w-1", Group: "root/pool/w", Mailbox: 2}, Calls: 10, Failures: 10, Latency: []uint32{0, 10}},
		{Actor: rules.Actor{Path: "root/api", Mailbox: 4, Ready: true}, Calls: 60},
	})
	for path, want := range map[string]struct{ calls, errors, mailbox float64 }{
		"root/pool/w": {40, 0.25, 3}, "root/pool": {40, 0.25, 3}, "root": {100, 0.1, 7},
	} {
		a := find(t, got, path)
		if a.Calls != want.calls || math.Abs(a.ErrorRate-want.errors) > 1e-12 || a.Mailbox != want.mailbox || a.Ready {
			t.Errorf("%s: %+v, want %+v", path, a, want)
		}
	}
	if a := find(t, got, "root"); a.Retries != 6 {
		t.Errorf("%v retries below the root, want 6", a.Retries)
	}
	if a := find(t, got, "root/pool/w"); a.Latency.P50 != 0.001 || a.Latency.P90 != 0.002 || a.Name != "w" {
		t.Errorf("group: %+v", a)
	}
}

func TestOnlyChangesAreGiven(t *testing.T) {
	w := observe.NewWindows(time.Minute, limit)
	readings := []observe.Reading{{Actor: rules.Actor{Path: "root/a", Uptime: 1}}, {Actor: rules.Actor{Path: "root/b"}}}
	if got := w.Sample(0, readings); len(got) != 3 {
		t.Fatalf("first sample: %v", got)
	}
	readings[0].Actor.Uptime = 2
	if got := w.Sample(1, readings); len(got) != 0 {
		t.Fatalf("nothing changed but time: %v", got)
	}
	readings[1].Actor.Quarantined = true
	if got := w.Sample(2, readings); len(got) != 1 || got[0].Path != "root/b" {
		t.Fatalf("one changed: %v", got)
	}
}

// Rates equal those of a model that keeps every call with its time.
func TestWindowsAgreeWithAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.IntRange(1, 5).Draw(t, "span")
		w := observe.NewWindows(time.Duration(span)*time.Second, limit)
		var calls, failures []uint64 // in each second
		var total, failed uint64
		for second := range rapid.IntRange(1, 20).Draw(t, "seconds") {
			c := rapid.Uint64Range(0, 9).Draw(t, "calls")
			f := rapid.Uint64Range(0, c).Draw(t, "failures")
			calls, failures = append(calls, c), append(failures, f)
			total, failed = total+c, failed+f
			w.Sample(time.Duration(second)*time.Second, []observe.Reading{{Actor: rules.Actor{Path: "root/x", Uptime: float64(second)}, Calls: total, Failures: failed}})
		}
		var wantCalls, wantFailures float64
		for i := max(0, len(calls)-span); i < len(calls); i++ {
			wantCalls, wantFailures = wantCalls+float64(calls[i]), wantFailures+float64(failures[i])
		}
		// One more look at the same moment with a changed state shows the rates.
		got := w.Sample(time.Duration(len(calls)-1)*time.Second, []observe.Reading{{Actor: rules.Actor{Path: "root/x", State: "seen"}, Calls: total, Failures: failed}})
		for _, a := range got {
			if a.Path != "root/x" {
				continue
			}
			if a.Calls != wantCalls || wantCalls > 0 && a.ErrorRate != wantFailures/wantCalls {
				t.Fatalf("got %v calls at %v, want %v with %v failures", a.Calls, a.ErrorRate, wantCalls, wantFailures)
			}
			return
		}
		t.Fatal("not sampled")
	})
}

func event(seq uint64) journal.Event {
	e := journal.New("root/a", journal.Paused{})
	e.Seq = seq
	return e
}

func TestASlowSubscriberLosesItsOldestAndIsTold(t *testing.T) {
	s := observe.NewStream(4)
	sub := s.Subscribe(3, 0)
	for i := uint64(1); i <= 5; i++ {
		s.Publish(event(i))
	}
	got, dropped, more := sub.Take()
	if len(got) != 3 || got[0].Seq != 3 || got[2].Seq != 5 || dropped != 2 || !more {
		t.Fatalf("got %v, dropped %d, more %t", got, dropped, more)
	}
	s.Close()
	<-sub.Wake()
	if _, _, more := sub.Take(); more {
		t.Fatal("the stream is closed and there is more")
	}
}

func TestALateSubscriberGetsWhatIsKept(t *testing.T) {
	s := observe.NewStream(3)
	for i := uint64(1); i <= 5; i++ {
		s.Publish(event(i))
	}
	if got := s.Recent(0); len(got) != 3 || got[0].Seq != 3 {
		t.Fatalf("kept: %v", got)
	}
	got, _, _ := s.Subscribe(10, 3).Take()
	if len(got) != 2 || got[0].Seq != 4 {
		t.Fatalf("after 3: %v", got)
	}
}

func TestLogSaysWhatMattersAtItsLevel(t *testing.T) {
	var b bytes.Buffer
	l := observe.NewLog(&b, observe.LogOptions{Format: "json", Level: "warn"})
	l.Write(journal.New("root/a", journal.Paused{}))
	l.Write(journal.New("db", journal.BreakerChanged{Breaker: "db", From: "closed", To: "open", Reason: "consecutive_failures"}))
	if got := b.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"type":"breaker_changed"`) || !strings.Contains(got, `"level":"warn"`) {
		t.Fatalf("got %s", got)
	}
}

func TestConsoleHasNoColourUnlessAsked(t *testing.T) {
	for _, color := range []bool{false, true} {
		var b bytes.Buffer
		l := observe.NewLog(&b, observe.LogOptions{Format: "console", Level: "info", Color: color})
		l.Write(journal.New("root/a", journal.ActorFailed{Kind: "exit", Message: "boom"}))
		if strings.Contains(b.String(), "\x1b[") != color || !strings.Contains(b.String(), "root/a") {
			t.Errorf("colour %t: %q", color, b.String())
		}
	}
}

func TestOnATerminalTheActorAndWhatMattersStandOut(t *testing.T) {
	for _, c := range []struct {
		color bool
		event journal.Event
		want  string
	}{
		{true, journal.New("root/a", journal.ActorReady{}), "\x1b[36mroot/a\x1b[0m ready"},
		{true, journal.New("root/a", journal.ActorFailed{Kind: "exit"}), "\x1b[36mroot/a\x1b[0m\x1b[33m failed"},
		{true, journal.New("", journal.Logged{Level: "error", Text: "oh"}), "\x1b[31m"},
		{false, journal.New("root/a", journal.ActorFailed{Kind: "exit"}), "WRN root/a failed"},
	} {
		var out bytes.Buffer
		observe.NewLog(&out, observe.LogOptions{Format: "console", Level: "info", Color: c.color}).Write(c.event)
		if !strings.Contains(out.String(), c.want) || strings.Contains(out.String(), "\x1b[1m") || !c.color && strings.Contains(out.String(), "\x1b") {
			t.Errorf("%q, want %q", out.String(), c.want)
		}
	}
}
