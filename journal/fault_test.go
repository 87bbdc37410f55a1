package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lukhasai/lukhas-run/internal/clock"
)

// small makes segments of a few frames, without timers that would write at
// moments of their own.
func small(files FS) Options {
	return Options{FS: files, SegmentBytes: 900, Clock: clock.NewVirtual(time.Unix(1000, 0))}
}

// fill appends events one by one, waiting for each, until one is refused, and
// returns those that were acknowledged.
func fill(t *testing.T, j *Journal, n int) (acked []Event) {
	t.Helper()
	failed := false
	for i := range n {
		e := note(i)
		first, ack := j.Append(e)
		reach, err := ack.Wait(t.Context())
		switch {
		case err == nil && failed:
			t.Fatalf("event %d was acknowledged after a failure", first)
		case err == nil && reach == Durable:
			e.Seq = first
			acked = append(acked, e)
		default:
			failed = true
			if !errors.Is(err, ErrFailed) && ack.Err() == nil {
				t.Fatalf("event %d: reached %v, %v", first, reach, err)
			}
		}
	}
	return acked
}

// mustHold checks that the journal opens, holds the acknowledged events
// unaltered and in order and nothing that was never appended, and goes on.
func mustHold(t *testing.T, files *memFS, acked []Event, context string) {
	t.Helper()
	j, err := Open("j", small(files))
	if err != nil {
		t.Fatalf("%s: %v", context, err)
	}
	defer j.Close()
	put(t, j, note(777))
	events := all(t, j.Scan(Query{Types: []Type{TypeLogged}}))
	if len(events) <= len(acked) {
		t.Fatalf("%s: %d events of %d acknowledged", context, len(events)-1, len(acked))
	}
	if diff := cmp.Diff(acked, events[:len(acked)]); len(acked) > 0 && diff != "" {
		t.Fatalf("%s: acknowledged events changed:\n%s", context, diff)
	}
	for i, e := range events[len(acked) : len(events)-1] {
		if Describe(e) != Describe(note(len(acked)+i)) {
			t.Fatalf("%s: event %d was never appended: %s", context, e.Seq, Describe(e))
		}
	}
	report, err := j.Verify()
	if err != nil || !report.Intact() || report.Events != report.Last {
		t.Fatalf("%s: %+v, %v", context, report, err)
	}
}

// operationsOf counts the file operations of a whole life: open, n events, close.
func operationsOf(t *testing.T, n int) int {
	t.Helper()
	files := newMemFS()
	j, err := Open("j", small(files))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, j, n)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return files.operations
}

func TestPowerCutAtEveryOperation(t *testing.T) {
	const events = 12
	r := rand.New(rand.NewPCG(1, 2))
	total := operationsOf(t, events)
	for at := 1; at <= total+4; at++ {
		shares := []float64{0, 0.1, 0.5, 0.5, 0.5, 1}
		if at > total-8 {
			shares = slices.Repeat([]float64{0.8}, 12) // frames and footer may tear apart
		}
		for _, keep := range shares {
			files := newMemFS()
			files.failAt, files.failWith, files.half = at, errPowerOff, at%2 == 0
			var acked []Event
			if j, err := Open("j", small(files)); err == nil {
				acked = fill(t, j, events)
				j.Append(note(events)) // not waited for: Close has frames to sync
				j.Close()
			}
			rebooted := files.afterPowerCut(r, keep)
			// The power fails again somewhere in the recovery.
			rebooted.failAt, rebooted.failWith = 1+r.IntN(8), errPowerOff
			if j, err := Open("j", small(rebooted)); err == nil {
				j.Close()
			}
			again := rebooted.afterPowerCut(r, keep)
			mustHold(t, again, acked, fmt.Sprintf("power cut at operation %d, %v kept", at, keep))
		}
	}
}

func TestDiskErrorAtEveryOperation(t *testing.T) {
	const events = 12
	for at := 1; at <= operationsOf(t, events); at++ {
		for _, failure := range diskErrors() {
			files := newMemFS()
			files.failAt, files.failWith, files.half = at, failure, at%2 == 0
			j, err := Open("j", small(files))
			if err != nil {
				if !errors.Is(err, failure) {
					t.Fatalf("operation %d: open says %v", at, err)
				}
				mustHold(t, files, nil, fmt.Sprint("retry after ", err))
				continue
			}
			acked := fill(t, j, events)
			if got := all(t, j.Scan(Query{})); len(got) < len(acked) || (len(acked) > 0 && !same(got[:len(acked)], acked)) {
				t.Fatalf("operation %d: acknowledged events are not readable after the failure", at)
			}
			err = j.Close()
			if len(acked) < events && !errors.Is(err, failure) {
				t.Fatalf("operation %d: close says %v", at, err)
			}
			mustHold(t, files, acked, fmt.Sprintf("%v at operation %d", failure, at))
		}
	}
}

// unsealed returns the image of a journal whose writer died after n events, and
// the offsets at which the frames of its only segment end.
func unsealed(t *testing.T, n int) (files *memFS, ends []int64, events []Event) {
	t.Helper()
	live := newMemFS()
	o := small(live)
	o.SegmentBytes = 1 << 20
	j, err := Open("j", o)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i := range n {
		events = append(events, fill(t, j, 1)...)
		events[i] = all(t, j.Scan(Query{From: uint64(i + 1)}))[0]
		ends = append(ends, int64(len(live.names["j/00000001.seg"].data)))
	}
	return live.copy(), ends, events
}

func TestTornTailAtEveryByteOfTheLastFrames(t *testing.T) {
	image, ends, events := unsealed(t, 8)
	whole := image.names["j/00000001.seg"].data
	garbage := bytes.Repeat([]byte{0xA5, 'L', 'J', 'F', 'R', 1, 1}, 40)
	for cut := ends[4]; cut <= ends[7]; cut++ {
		for name, filler := range map[string][]byte{"nothing": nil, "zeros": make([]byte, 200), "garbage": garbage} {
			files := image.copy()
			files.names["j/00000001.seg"].data = append(bytes.Clone(whole[:cut]), filler...)
			kept := 0
			for kept < len(ends) && ends[kept] <= cut {
				kept++
			}
			j, err := Open("j", small(files))
			if err != nil {
				t.Fatalf("cut at %d, then %s: %v", cut, name, err)
			}
			got := all(t, j.Scan(Query{}))
			torn := ends[kept-1] != cut || filler != nil
			if torn != (len(got) == kept+1 && got[kept].Type == TypeJournalRecovered) || !same(got[:kept], events[:kept]) {
				t.Fatalf("cut at %d, then %s: %d frames were whole, read\n%s", cut, name, kept, texts(t, got))
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// checkFlip reads a journal with one flipped bit: what it serves must be as it
// was, and what it does not serve must be told.
func checkFlip(t *testing.T, files *memFS, events []Event, where string) {
	t.Helper()
	r, err := openReader("j", files, clock.System())
	if err != nil {
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s: %v", where, err)
		}
		return
	}
	report, err := r.Verify()
	told := err != nil || !report.Intact() || report.Torn != ""
	if !told {
		t.Fatalf("%s: verify finds nothing: %+v", where, report)
	}
	for _, q := range []Query{{}, {Correlation: "request-1"}, {Actor: "shop/w1"}} {
		got, errs := collect(r.Scan(q))
		next := 0
		for _, want := range events {
			if !q.matches(&want) {
				continue
			}
			if next < len(got) && got[next].Seq == want.Seq {
				if !same(got[next:next+1], []Event{want}) {
					t.Fatalf("%s: served an altered event:\n%s", where, cmp.Diff(want, got[next]))
				}
				next++
			} else if len(errs) == 0 && report.Torn == "" {
				t.Fatalf("%s: event %d is missing from %+v without a word", where, want.Seq, q)
			}
		}
		if next != len(got) {
			t.Fatalf("%s: served %d events that never were", where, len(got)-next)
		}
	}
}

func TestOneFlippedBitAnywhere(t *testing.T) {
	sealed := newMemFS()
	j, err := Open("j", small(sealed))
	if err != nil {
		t.Fatal(err)
	}
	events := fill(t, j, 12)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	torn, _, few := unsealed(t, 4)
	for name, c := range map[string]struct {
		files  *memFS
		events []Event
	}{"sealed": {sealed, events}, "open": {torn, few}} {
		flips := 0
		for file, i := range c.files.copy().names {
			for at := range i.data {
				files := c.files.copy()
				files.names[file].data[at] ^= 1 << (at % 8)
				checkFlip(t, files, c.events, fmt.Sprintf("%s, %s byte %d", name, file, at))
				flips++
			}
		}
		if flips < 500 {
			t.Errorf("%s: only %d bytes were flipped", name, flips)
		}
	}
}

func TestDamageUnderTheTailIsNotCutAway(t *testing.T) {
	image, ends, _ := unsealed(t, 8)
	image.names["j/00000001.seg"].data[ends[3]+50] ^= 4
	before := bytes.Clone(image.names["j/00000001.seg"].data)
	_, err := Open("j", small(image))
	var d *Damage
	if !errors.As(err, &d) || d.First != 5 || d.Last != 5 || !strings.Contains(err.Error(), "journal repair") {
		t.Errorf("open says %v", err)
	}
	if !bytes.Equal(before, image.names["j/00000001.seg"].data) {
		t.Error("refusing changed the segment")
	}
}

func TestAForgedFrameBreaksTheChain(t *testing.T) {
	image, ends, events := unsealed(t, 5)
	data := image.names["j/00000001.seg"].data
	forged, err := parseFrame(bytes.Clone(data[ends[1]:ends[2]]))
	if err != nil {
		t.Fatal(err)
	}
	forged.body = bytes.Replace(forged.body, []byte("note 0"), []byte("nope 0"), 1)
	copy(data[ends[1]:], appendFrame(nil, &forged))
	r, err := openReader("j", image, clock.System())
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.Verify()
	if err != nil || len(report.Damage) != 1 || !strings.Contains(report.Damage[0].Reason, "chain") || report.Damage[0].First != events[3].Seq {
		t.Errorf("verify of a forged frame: %+v, %v", report, err)
	}
}

func TestSegmentsThatAreGoneOrForeign(t *testing.T) {
	make3 := func() (*memFS, []Event) {
		files := newMemFS()
		j, err := Open("j", small(files))
		if err != nil {
			t.Fatal(err)
		}
		events := fill(t, j, 12)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		return files, events
	}
	files, events := make3()
	other, _ := make3()
	second := path.Join("j", "00000002.seg")
	for name, change := range map[string]func(*memFS){
		"missing": func(m *memFS) { delete(m.names, second) },
		"foreign": func(m *memFS) { m.names[second] = other.names[second] },
		"twice":   func(m *memFS) { m.names[second] = m.names[path.Join("j", "00000001.seg")] },
	} {
		changed := files.copy()
		change(changed)
		r, err := openReader("j", changed, clock.System())
		if err != nil {
			t.Fatal(err)
		}
		got, errs := collect(r.Scan(Query{}))
		var d *Damage
		if len(errs) != 1 || !errors.As(errs[0], &d) || len(got)+int(d.Last-d.First+1) != len(events) {
			t.Errorf("%s: %d events, errors %v", name, len(got), errs)
		}
		report, err := r.Verify()
		if err == nil && report.Intact() {
			t.Errorf("%s: verify finds nothing", name)
		}
	}
}

func TestAFullBufferBlocksOrCounts(t *testing.T) {
	payload := make([]byte, MaxEventBytes/2)
	big := Event{Type: TypeInput, Content: ContentBinary, Version: 1, Payload: payload}
	files := &gate{memFS: newMemFS(), open: make(chan struct{})}
	j, err := Open("j", Options{FS: files, Full: FullDrop})
	if err != nil {
		t.Fatal(err)
	}
	refused := uint64(0)
	for range 40 {
		if _, ack := j.Append(big); errors.Is(ack.Err(), ErrDropped) {
			refused++
		}
	}
	close(files.open)
	if err := j.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, j, note(0))
	gaps := all(t, j.Scan(Query{Types: []Type{TypeGap}}))
	if len(gaps) != 1 || refused == 0 {
		t.Fatalf("%d gaps, %d refused", len(gaps), refused)
	}
	if b, _ := gaps[0].Body(); b.(Gap).Dropped != refused {
		t.Errorf("gap counts %d of %d", b.(Gap).Dropped, refused)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	files = &gate{memFS: newMemFS(), open: make(chan struct{})}
	if j, err = Open("j", Options{FS: files}); err != nil {
		t.Fatal(err)
	}
	blocked := make(chan struct{})
	go func() {
		defer close(blocked)
		for range 40 {
			j.Append(big)
		}
	}()
	for j.Stats().Buffered < 7<<20 {
		select {
		case <-blocked:
			t.Fatal("40 appends did not block")
		default:
		}
	}
	close(files.open)
	<-blocked
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(all(t, j.Scan(Query{}))); n != 40 {
		t.Errorf("%d of 40 events", n)
	}
}

// gate is a disk on which segments cannot be created until it opens.
type gate struct {
	*memFS
	open chan struct{}
}

func (g *gate) Create(name string) (File, error) {
	if strings.HasSuffix(name, ".seg") {
		<-g.open
	}
	return g.memFS.Create(name)
}

func TestAFrameSeenHalfIsReadAgain(t *testing.T) {
	image, ends, events := unsealed(t, 4)
	i := image.names["j/00000001.seg"]
	whole := i.data
	i.data = append(bytes.Clone(whole[:ends[2]+60]), make([]byte, ends[3]-ends[2]-60)...) // as a reader may see a write under way
	r, err := openReader("j", image, clock.System())
	if err != nil {
		t.Fatal(err)
	}
	var got []Event
	c := newCursor(r, Query{}, func(e Event, err error) bool {
		if err != nil {
			t.Error(err)
		}
		got = append(got, e)
		return true
	})
	defer c.close()
	for want := 3; want <= 4; want++ {
		v, err := r.view(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !c.round(v) || !same(got, events[:want]) {
			t.Fatalf("read\n%s", texts(t, got))
		}
		i.data = whole
	}
}

func TestUnsyncedFramesBehindABadOneAreKeptAside(t *testing.T) {
	files := newMemFS()
	o := small(files)
	o.Durability, o.SegmentBytes = Async, 1<<20
	j, err := Open("j", o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		put(t, j, note(i))
	}
	image := files.copy()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	data := image.names["j/00000001.seg"].data
	at := bytes.Index(data, []byte("note 1"))
	data[at] ^= 1
	if j, err = Open("j", small(image)); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	got := all(t, j.Scan(Query{}))
	if len(got) != 2 || got[1].Type != TypeJournalRecovered {
		t.Errorf("read\n%s", texts(t, got))
	}
	kept := ""
	for name, i := range image.names {
		if strings.HasPrefix(name, "j/aside/") {
			kept += string(i.data)
		}
	}
	if !strings.Contains(kept, "note 2") || !strings.Contains(kept, "note 3") {
		t.Errorf("aside holds %d bytes", len(kept))
	}
}

func TestRowsThatCannotBe(t *testing.T) {
	good := sampleChunk(1).rows
	for name, rows := range map[string][]byte{
		"empty":                 nil,
		"cut":                   good[:len(good)-1],
		"followed by something": append(bytes.Clone(good), 0),
		"caused by itself":      {1, 1, 1, 0, 1, 0, 0, 0},
		"type beyond 16 bits":   {0x80, 0x80, 4, 1, 1, 0, 0, 0, 0, 0},
	} {
		r := rowReader{rest: rows, seq: 1, left: 1}
		var e Event
		more, err := r.next(&e)
		if err == nil && more {
			more, err = r.next(&e)
		}
		if err == nil || more {
			t.Errorf("%s: accepted", name)
		}
	}
}
