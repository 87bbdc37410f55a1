package host

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// recording is a recorder on a journal of its own, and what it told the engine to stop for.
func recording(t *testing.T, o journal.Options) (*recorder, *error) {
	t.Helper()
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	stopped := new(error)
	r := &recorder{journal: j, stream: observe.NewStream(64), overflow: "block", stop: func(err error) { *stopped = err }}
	r.secrets.Store(newRedactor(&plan.Plan{}))
	return r, stopped
}

func text(t *testing.T, e journal.Event) string {
	t.Helper()
	b, err := e.Body()
	if err != nil {
		t.Fatal(err)
	}
	l, ok := b.(journal.Logged)
	if !ok {
		t.Fatalf("event %d is %s", e.Seq, e.Type)
	}
	return l.Text
}

func TestAnEventThatIsTooLargeStopsNothing(t *testing.T) {
	r, stopped := recording(t, journal.Options{})
	big := journal.New("root/a", journal.Input{Data: make([]byte, journal.MaxEventBytes+1)})
	big.Correlation = "i-7"
	for _, e := range []journal.Event{big, journal.New(strings.Repeat("a/", journal.MaxActorBytes), journal.ActorReady{})} {
		r.Record(e)
	}
	last := r.Record(journal.New("root/a", journal.ActorReady{}))
	seen := r.stream.Recent(0)
	if *stopped != nil || r.failure() != nil || last != 3 || len(seen) != 3 {
		t.Fatalf("stopped for %v; %d events, the last is %d", *stopped, len(seen), last)
	}
	if got := text(t, seen[0]); !strings.Contains(got, "input of 1048577 bytes") || seen[0].Correlation != "i-7" || seen[0].Actor != "root/a" {
		t.Errorf("%+v: %s", seen[0], got)
	}
	if got := text(t, seen[1]); !strings.Contains(got, "actor path of 2048 bytes") {
		t.Errorf("%s", got)
	}
}

func TestAFailedJournalStopsTheEngineOrNot(t *testing.T) {
	for _, goOn := range []bool{false, true} {
		r, stopped := recording(t, journal.Options{})
		r.goOn = goOn
		r.Record(journal.New("a", journal.ActorReady{}))
		if err := r.journal.Close(); err != nil {
			t.Fatal(err)
		}
		r.Record(journal.New("b", journal.ActorReady{}))
		r.Record(journal.New("c", journal.ActorReady{}))
		if (*stopped == nil) != goOn || (r.failure() == nil) != goOn {
			t.Errorf("go on %t: stopped for %v, failure %v", goOn, *stopped, r.failure())
		}
		var actors []string
		for i, e := range r.stream.Recent(0) {
			if e.Seq != uint64(i+1) {
				t.Errorf("event %d has number %d", i, e.Seq)
			}
			actors = append(actors, e.Actor)
		}
		if got := strings.Join(actors, ","); got != "a,b,,c" { // the note, once
			t.Errorf("go on %t: events about %q", goOn, got)
		}
	}
}

func TestDroppedEventsStopTheEngineOnlyWhereThatIsAsked(t *testing.T) {
	for overflow, want := range map[string]error{"gap": nil, "halt": journal.ErrDropped} {
		r, stopped := recording(t, journal.Options{})
		r.overflow = overflow
		r.lost(journal.New("a", journal.ActorReady{}), journal.ErrDropped)
		if !errors.Is(*stopped, want) {
			t.Errorf("%s: stopped for %v", overflow, *stopped)
		}
	}
}

func TestSegmentsAreSmallEnoughForRetentionToDropSome(t *testing.T) {
	for size, want := range map[int64]int64{0: 64 << 20, 1 << 40: 64 << 20, 2 << 30: 64 << 20, 64 << 20: 8 << 20, 100: 1 << 20} {
		if got := segmentSize(plan.Journal{RetentionSize: size}); got != want {
			t.Errorf("%d: %d, want %d", size, got, want)
		}
	}
}
