package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		appendForEver(os.Getenv(childDir))
		return
	}
	calm.Main(m)
}

func open(t testing.TB, dir string, o Options) *Journal {
	t.Helper()
	j, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// note returns an event that is told apart by n.
func note(n int) Event {
	e := New(fmt.Sprintf("shop/w%d", n%3), Logged{Level: "info", Text: fmt.Sprint("note ", n)})
	e.Correlation = fmt.Sprintf("request-%d", n/4)
	e.Time = int64(n+1) * int64(time.Second)
	return e
}

func put(t testing.TB, j *Journal, events ...Event) uint64 {
	t.Helper()
	first, ack := j.Append(events...)
	if _, err := ack.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return first
}

// collect returns the events and the errors of a scan.
func collect(seq iter.Seq2[Event, error]) (events []Event, errs []error) {
	for e, err := range seq {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		events = append(events, e)
	}
	return events, errs
}

func all(t testing.TB, seq iter.Seq2[Event, error]) []Event {
	t.Helper()
	events, errs := collect(seq)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return events
}

// same is cmp.Equal for events, fast enough to be asked a hundred thousand times.
func same(a, b []Event) bool {
	return slices.EqualFunc(a, b, func(x, y Event) bool {
		payloads := bytes.Equal(x.Payload, y.Payload)
		x.Payload, y.Payload = nil, nil
		return payloads && reflect.DeepEqual(x, y)
	})
}

func texts(t testing.TB, events []Event) string {
	t.Helper()
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%d %s\n", e.Seq, Describe(e))
	}
	return b.String()
}

func TestEventsComeBackAsTheyWentIn(t *testing.T) {
	for _, d := range []Durability{Group, Each, Interval, Async, Memory} {
		t.Run(d.String(), func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, dir, Options{Durability: d, SegmentBytes: 600})
			var want []Event
			for i := range 50 {
				e := note(i)
				if i > 0 {
					e.Causation = uint64(i)
				}
				first := put(t, j, e)
				e.Seq = first
				want = append(want, e)
			}
			if diff := cmp.Diff(want, all(t, j.Scan(Query{}))); diff != "" {
				t.Errorf("read back while open (-in +out):\n%s", diff)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := OpenReader(dir)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, all(t, r.Scan(Query{}))); diff != "" {
				t.Errorf("read back after closing (-in +out):\n%s", diff)
			}
			report, err := r.Verify()
			if err != nil || !report.Intact() || report.Events != 50 || (d != Memory && report.Segments < 2) {
				t.Errorf("verify: %+v, %v", report, err)
			}
		})
	}
}

func TestNumbersGoOnAfterReopening(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		j := open(t, dir, Options{})
		if first := put(t, j, note(0), note(1)); first != uint64(2*round+1) {
			t.Fatalf("round %d starts at %d", round, first)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestQueriesChooseTheSameWithAndWithoutIndex(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentBytes: 4000})
	var everything []Event
	for i := range 400 {
		put(t, j, note(i))
	}
	everything = all(t, j.Scan(Query{}))
	queries := []Query{
		{Actor: "shop/w1"}, {Actors: map[string]uint64{"shop/w1": 390, "shop/w2": 200, "nobody": 0}}, {Actors: map[string]uint64{}}, {Correlation: "request-33"}, {Types: []Type{TypeLogged}}, {Types: []Type{TypeCall}},
		{From: 100, To: 110}, {From: 399}, {To: 3}, {Actor: "nobody"}, {Correlation: "request-33", Actor: "shop/w0"},
		{Since: time.Unix(200, 0), Until: time.Unix(205, 0)},
	}
	check := func(when string, scan func(Query) iter.Seq2[Event, error]) {
		for _, q := range queries {
			var want []Event
			for _, e := range everything {
				if q.matches(&e) {
					want = append(want, e)
				}
			}
			if diff := cmp.Diff(texts(t, want), texts(t, all(t, scan(q)))); diff != "" {
				t.Errorf("%s, %+v (-want +got):\n%s", when, q, diff)
			}
		}
	}
	check("open", j.Scan)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	r, _ := OpenReader(dir)
	check("sealed", r.Scan)
	names, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
	for _, name := range names {
		data, _ := os.ReadFile(name)
		data[len(data)-1] ^= 1
		os.WriteFile(name, data, 0o600)
	}
	check("index lost", r.Scan)
	report, err := r.Verify()
	if err != nil || report.Events != 400 || len(report.Damage) != len(names) {
		t.Errorf("verify without footers: %d events, %d damages of %d, %v", report.Events, len(report.Damage), len(names), err)
	}
}

// A query for one actor of a journal that is being written reads the frames that hold its events, and no others.
func TestAQueryReadsOnlyItsFramesOfTheOpenSegment(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	for i := range 9 {
		put(t, j, note(i))
	}
	name := filepath.Join(dir, "00000001.seg")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	data[segmentHeaderSize+frameHeaderSize] ^= 1 // the first event is of shop/w0
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	events := all(t, j.Scan(Query{Actor: "shop/w1"}))
	if len(events) != 3 || events[0].Seq != 2 {
		t.Errorf("%s", texts(t, events))
	}
	if _, errs := collect(j.Scan(Query{Actor: "shop/w0"})); len(errs) == 0 {
		t.Error("the damaged frame is not noticed by who needs it")
	}
	followed := 0
	for e, err := range j.Follow(t.Context(), Query{Actor: "shop/w1", To: 11}) {
		if followed++; err != nil || followed > 4 {
			t.Fatal(e.Seq, err)
		}
		if followed == 3 {
			put(t, j, note(9), note(10))
		}
	}
	if followed != 4 {
		t.Errorf("a follower saw %d events, want 4", followed)
	}
}

func TestCausesWithinABatch(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	put(t, j, note(0))
	a, b, c := note(1), note(2), note(3)
	b.Causation, c.Causation = CauseInBatch(0), 1
	put(t, j, a, b, c)
	events := all(t, j.Scan(Query{}))
	if events[2].Causation != 2 || events[3].Causation != 1 {
		t.Errorf("causes %d and %d, want 2 and 1", events[2].Causation, events[3].Causation)
	}
	b.Causation = CauseInBatch(1)
	if _, ack := j.Append(a, b); !errors.Is(ack.Err(), ErrCausation) {
		t.Errorf("an event that causes itself gave %v", ack.Err())
	}
	b.Causation = 99
	if _, ack := j.Append(b); !errors.Is(ack.Err(), ErrCausation) {
		t.Errorf("a cause in the future gave %v", ack.Err())
	}
}

func TestOversizeIsRefusedAndHarmless(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	for name, e := range map[string]Event{
		"payload":     {Type: TypeInput, Payload: make([]byte, MaxEventBytes+1)},
		"actor":       {Actor: strings.Repeat("a", MaxActorBytes+1)},
		"correlation": {Correlation: strings.Repeat("c", MaxCorrelationBytes+1)},
	} {
		first, ack := j.Append(note(1), e)
		if reach, err := ack.Wait(t.Context()); first != 0 || reach != Refused || !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %d, %v, %v", name, first, reach, err)
		}
	}
	big := Event{Type: TypeInput, Content: ContentBinary, Version: 1, Payload: make([]byte, MaxEventBytes)}
	if _, ack := j.Append(big, big, big, big); !errors.Is(ack.Err(), ErrTooLarge) {
		t.Errorf("batch of 4 MiB and more: %v", ack.Err())
	}
	if first := put(t, j, big, big); first != 1 {
		t.Errorf("first accepted event is %d", first)
	}
	if events := all(t, j.Scan(Query{})); len(events) != 2 || len(events[1].Payload) != MaxEventBytes {
		t.Errorf("%d events came back", len(events))
	}
}

func TestTheCallerKeepsItsMemory(t *testing.T) {
	j := open(t, t.TempDir(), Options{Durability: Memory, Clock: clock.NewVirtual(time.Unix(1, 0))})
	e := Event{Type: TypeInput, Content: ContentBinary, Version: 1, Payload: []byte("abc")}
	j.Append(e)
	copy(e.Payload, "xyz")
	if got := all(t, j.Scan(Query{})); string(got[0].Payload) != "abc" || got[0].Time != int64(time.Second) {
		t.Errorf("journalled %q at %d", got[0].Payload, got[0].Time)
	}
}

func TestASecondWriterIsRefusedAtOnce(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, Options{})
	_, err := Open(dir, Options{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
		t.Errorf("second writer got %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Options{})
}

func TestAfterClose(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	put(t, j, note(0))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ack := j.Append(note(1)); !errors.Is(ack.Err(), ErrClosed) {
		t.Errorf("append after close: %v", ack.Err())
	}
	if err := j.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("second close: %v", err)
	}
	if events := all(t, j.Scan(Query{})); len(events) != 1 {
		t.Errorf("%d events after close", len(events))
	}
}

func TestFollowSeesPastAndFutureAcrossRotation(t *testing.T) {
	const n = 300
	dir := t.TempDir()
	j := open(t, dir, Options{SegmentBytes: 2000, Linger: time.Microsecond})
	for i := range n / 3 {
		put(t, j, note(i))
	}
	r, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for name, follow := range map[string]func(context.Context, Query) iter.Seq2[Event, error]{"journal": j.Follow, "reader": r.Follow} {
		wait.Go(func() {
			next := uint64(1)
			for e, err := range follow(t.Context(), Query{}) {
				if err != nil || e.Seq != next || Describe(e) != Describe(note(int(next-1))) {
					t.Errorf("%s: want %d, got %d %s, %v", name, next, e.Seq, Describe(e), err)
					return
				}
				if next++; next > n {
					return
				}
			}
			t.Errorf("%s ended after %d", name, next-1)
		})
	}
	for i := n / 3; i < n; i++ {
		j.Append(note(i))
		if i%7 == 0 {
			j.Sync(t.Context())
		}
	}
	wait.Wait()
}

func TestFollowEndsWithItsContextAndItsJournal(t *testing.T) {
	j := open(t, t.TempDir(), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan []error, 2)
	follow := func(ctx context.Context) {
		_, errs := collect(j.Follow(ctx, Query{}))
		ended <- errs
	}
	go follow(ctx)
	cancel()
	if errs := <-ended; len(errs) > 0 {
		t.Errorf("cancelled follow gave %v", errs)
	}
	go follow(t.Context())
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if errs := <-ended; len(errs) > 0 {
		t.Errorf("follow of a closed journal gave %v", errs)
	}
}

func TestRetentionDropsWholeOldSegments(t *testing.T) {
	dir := t.TempDir()
	v := clock.NewVirtual(time.Unix(401, 0))
	j := open(t, dir, Options{SegmentBytes: 3000, Retain: Retention{Age: 100 * time.Second}, Clock: v})
	for i := range 400 {
		put(t, j, note(i))
	}
	events := all(t, j.Scan(Query{}))
	first := int(events[0].Seq)
	if first < 200 || first > 301 || len(events) != 400-first+1 {
		t.Errorf("kept %d events from %d", len(events), first)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	n, err := Prune(dir, Retention{Bytes: 1}, Options{})
	if err != nil || n == 0 {
		t.Fatalf("pruned %d, %v", n, err)
	}
	r, _ := OpenReader(dir)
	report, err := r.Verify()
	if err != nil || !report.Intact() || report.Segments != 1 || report.Last != 400 {
		t.Errorf("after pruning: %+v, %v", report, err)
	}
	j = open(t, dir, Options{})
	if first := put(t, j, note(0)); first != 401 {
		t.Errorf("numbers go on at %d", first)
	}
}

// What somebody needs stays, whatever retention says, and the journal tells that it does.
func TestRetentionKeepsWhatIsNeeded(t *testing.T) {
	dir := t.TempDir()
	r := Retention{Bytes: 6000, Need: 100}
	j := open(t, dir, Options{SegmentBytes: 3000, Retain: r})
	if err := j.Missing(1); err != nil {
		t.Error("of an empty journal:", err)
	}
	for i := range 400 {
		put(t, j, note(i))
	}
	s := j.Stats()
	if s.First > 100 || s.First == 1 || s.Held < 200 || s.Held >= 400 {
		t.Errorf("the journal begins at %d, and %d is only kept because it is needed", s.First, s.Held)
	}
	if err := j.Missing(100); err != nil {
		t.Error(err)
	}
	if err := j.Missing(1); !errors.Is(err, ErrPruned) || !strings.Contains(err.Error(), fmt.Sprintf("events 1 to %d", s.First-1)) {
		t.Error(err)
	}
	r.Need = 390
	j.Retain(r)
	for i := range 100 {
		put(t, j, note(i))
	}
	if s := j.Stats(); s.First < 300 || s.First > 390 {
		t.Errorf("the journal begins at %d", s.First)
	}
}

// slowDisk is a file system whose syncs last as long as the test holds them.
type slowDisk struct {
	*memFS
	hold *sync.Mutex
}

func (d slowDisk) Create(name string) (File, error) {
	f, err := d.memFS.Create(name)
	return slowFile{f, d.hold}, err
}

type slowFile struct {
	File
	hold *sync.Mutex
}

func (f slowFile) Sync() error {
	f.hold.Lock()
	defer f.hold.Unlock()
	return f.File.Sync()
}

// Whoever writes while a sync is under way is served by the next one, together with all others.
func TestManyWritersShareSyncs(t *testing.T) {
	const writers, rounds = 16, 20
	disk := slowDisk{newMemFS(), new(sync.Mutex)}
	j := open(t, "j", Options{FS: disk})
	put(t, j, note(0)) // so that there is a segment
	for round := range rounds {
		disk.hold.Lock()
		var wait sync.WaitGroup
		for w := range writers {
			wait.Go(func() {
				_, ack := j.Append(note(round*writers + w + 1))
				if reach, err := ack.Wait(t.Context()); reach != Durable || err != nil {
					t.Errorf("reached %v, %v", reach, err)
				}
			})
		}
		calm.Until(t, "all to have written", func() bool { return j.Stats().Appended == uint64((round+1)*writers+1) })
		disk.hold.Unlock()
		wait.Wait()
	}
	s := j.Stats()
	if s.Durable != writers*rounds+1 || s.Syncs > 2*rounds+1 {
		t.Errorf("%+v", s)
	}
	if got := len(all(t, j.Scan(Query{}))); got != writers*rounds+1 {
		t.Errorf("%d events", got)
	}
}
