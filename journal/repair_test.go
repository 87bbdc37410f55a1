package journal

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lukhasai/lukhas-run/internal/clock"
)

// sealedImage returns a closed journal of several segments and its events.
func sealedImage(t *testing.T) (*memFS, []Event) {
	t.Helper()
	files := newMemFS()
	j, err := Open("j", small(files))
	if err != nil {
		t.Fatal(err)
	}
	events := fill(t, j, 20)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return files, events
}

// repaired repairs the files and checks that the result is whole: it verifies,
// opens, goes on without using a number again, and what it serves is original.
// It returns the numbers that are gone.
func repaired(t *testing.T, files *memFS, events []Event, context string) (gone []uint64, done Repaired) {
	t.Helper()
	done, err := Repair("j", small(files))
	if err != nil {
		t.Fatalf("%s: %v", context, err)
	}
	j, err := Open("j", small(files))
	if err != nil {
		t.Fatalf("%s: after repair: %v", context, err)
	}
	defer j.Close()
	if first := put(t, j, note(777)); first <= events[len(events)-1].Seq && done.Cut == "" {
		t.Fatalf("%s: number %d is used again", context, first)
	}
	report, err := j.Verify()
	if err != nil || !report.Intact() {
		t.Fatalf("%s: after repair: %+v, %v", context, report, err)
	}
	got, errs := collect(j.Scan(Query{}))
	if len(errs) > 0 {
		t.Fatalf("%s: after repair: %v", context, errs)
	}
	if err := j.Missing(1); errors.Is(err, ErrDamaged) != (report.Lost > 0) {
		t.Fatalf("%s: %d events are lost, and missing is %v", context, report.Lost, err)
	}
	kept, holes := map[uint64]Event{}, uint64(0)
	for _, e := range got {
		if e.Type == TypeGap {
			b, _ := e.Body()
			holes += b.(Gap).Dropped
			continue
		}
		kept[e.Seq] = e
	}
	for _, e := range events {
		if k, ok := kept[e.Seq]; !ok {
			gone = append(gone, e.Seq)
		} else if done.Cut == "" && !same([]Event{k}, []Event{e}) {
			t.Fatalf("%s: event %d changed: %s", context, e.Seq, cmp.Diff(e, k))
		}
	}
	if holes != report.Lost || done.Cut == "" && done.Lost > 0 && uint64(len(gone)) != done.Lost {
		t.Fatalf("%s: %d gone, gaps name %d, repair says %d lost", context, len(gone), holes, done.Lost)
	}
	return gone, done
}

func TestRepairKeepsAllThatIsIntact(t *testing.T) {
	image, events := sealedImage(t)
	for file, i := range image.copy().names {
		for at := 0; at < len(i.data); at += 7 {
			files := image.copy()
			files.names[file].data[at] ^= 1 << (at % 8)
			where := fmt.Sprintf("%s byte %d", file, at)
			gone, done := repaired(t, files, events, where)
			if len(gone) > 1 {
				t.Fatalf("%s: one bit cost events %v", where, gone)
			}
			if strings.HasSuffix(file, manifestName) != done.Manifest || done.Manifest && len(gone) > 0 {
				t.Fatalf("%s: %+v", where, done)
			}
		}
	}
}

func TestRepairOfAMissingSegmentAndManifest(t *testing.T) {
	image, events := sealedImage(t)
	for name, remove := range map[string][]string{
		"first": {"j/00000001.seg"}, "middle": {"j/00000002.seg"}, "newest": {"j/00000004.seg"},
		"manifest": {"j/MANIFEST"}, "manifest and middle": {"j/MANIFEST", "j/00000003.seg"},
	} {
		files := image.copy()
		for _, file := range remove {
			if _, ok := files.names[file]; !ok {
				t.Fatalf("no %s", file)
			}
			delete(files.names, file)
		}
		if name == "first" || name == "newest" {
			done, err := Repair("j", small(files))
			if err != nil || done.Lost == 0 {
				t.Errorf("%s: %+v, %v", name, done, err)
			}
			r, err := openReader("j", files, clock.System())
			if err != nil {
				t.Fatal(err)
			}
			if report, err := r.Verify(); err != nil || !report.Intact() {
				t.Errorf("%s: %+v, %v", name, report, err)
			}
			continue
		}
		repaired(t, files, events, name)
	}
}

func TestRepairOfTheOpenSegmentAllowsOpening(t *testing.T) {
	image, ends, events := unsealed(t, 8)
	image.names["j/00000001.seg"].data[ends[3]+50] ^= 4
	if _, err := Open("j", small(image)); !errors.Is(err, ErrDamaged) {
		t.Fatalf("open says %v", err)
	}
	damaged := string(image.names["j/00000001.seg"].data)
	gone, done := repaired(t, image, events, "open segment")
	if len(gone) != 1 || gone[0] != 5 || len(done.Segments) != 1 {
		t.Errorf("gone %v, %+v", gone, done)
	}
	if string(image.names["j/aside/00000001-0.bytes"].data) != damaged {
		t.Error("the damaged bytes were not kept aside")
	}
	if done, err := Repair("j", small(image)); err != nil || len(done.Damage) > 0 || len(done.Segments) > 0 {
		t.Errorf("a second repair finds %+v, %v", done, err)
	}
}

func TestALaterRepairKeepsEarlierHoles(t *testing.T) {
	image, events := sealedImage(t)
	for i, name := range []string{"j/00000001.seg", "j/00000001.seg", "j/00000003.seg"} {
		data := image.names[name].data
		data[segmentHeaderSize+frameHeaderSize+10] ^= 1 // in the first frame that is left
		done, err := Repair("j", small(image))
		if err != nil || done.Lost != 1 || len(done.Segments) != 1 {
			t.Fatalf("repair %d: %+v, %v", i+1, done, err)
		}
	}
	gone, _ := repaired(t, image, events[2:], "after three repairs")
	if len(gone) != 1 {
		t.Errorf("gone from 3 on: %v", gone)
	}
}

func TestRepairNeedsTheLock(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{})
	if _, err := Repair(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("repair of a journal in use: %v", err)
	}
}
