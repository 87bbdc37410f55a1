package breaker

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func ringOf(calls int) *callRing {
	return newCallRing(&rules{Policy: Policy{Window: Window{Calls: calls}}})
}

func timeOf(span time.Duration, buckets int, now int64) *timeRing {
	return newTimeRing(&rules{Policy: Policy{Window: Window{Span: span, Buckets: buckets}}}, now)
}

// TestCallRingHoldsTheLastCalls compares the bits with a slice, runs of successes included.
func TestCallRingHoldsTheLastCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 200).Draw(t, "size")
		ring := ringOf(size)
		var calls []sample
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if n := rapid.IntRange(0, 250).Draw(t, "run"); n > 150 {
				ring.good(uint64(n - 150))
				calls = append(calls, make([]sample, n-150)...)
			} else {
				s := sample{failed: n%2 == 0, slow: n%3 == 0}
				ring.add(s)
				calls = append(calls, s)
			}
			calls = calls[max(0, len(calls)-size):]
			var want counts
			for _, s := range calls {
				c := s.counts()
				want.calls, want.failures, want.slow = want.calls+c.calls, want.failures+c.failures, want.slow+c.slow
			}
			if ring.sum() != want {
				t.Fatalf("the ring holds %+v, want %+v", ring.sum(), want)
			}
			for i, s := range calls {
				if got, _ := ring.call(i); got != s {
					t.Fatalf("call %d is %+v, want %+v", i, got, s)
				}
			}
		}
	})
}

func TestCallRingKeepsItsNewestCallsWhenResized(t *testing.T) {
	old := ringOf(6)
	for i := range 9 {
		old.add(sample{failed: i%2 == 0}) // the newest of the nine failed, and every second before it
	}
	for size, want := range map[int]counts{2: {2, 1, 0}, 3: {3, 2, 0}, 6: {6, 3, 0}, 100: {6, 3, 0}} {
		ring := ringOf(size)
		ring.adopt(old, 0)
		if ring.sum() != want {
			t.Errorf("resized to %d: %+v, want %+v", size, ring.sum(), want)
		}
	}
}

func TestTimeRingKeepsItsNewestBucketsWhenResized(t *testing.T) {
	const second = int64(time.Second)
	old := timeOf(60*time.Second, 10, 0) // buckets of 6s
	for _, at := range []int64{1, 7, 50, 55} {
		old.rotate(at * second)
		old.add(sample{failed: true})
	}
	for span, want := range map[time.Duration]uint32{
		60 * time.Second: 4,
		20 * time.Second: 2, // buckets that begin at 48s and 54s
		8 * time.Second:  2,
		5 * time.Second:  1, // only the newest bucket, which always stays
		time.Second:      1,
		time.Hour:        4,
	} {
		ring := timeOf(span, 4, 0)
		ring.adopt(old, 55*second)
		if got := ring.sum(); got.calls != want || got.failures != want {
			t.Errorf("resized to %v: %+v, want %d calls", span, got, want)
		}
	}
}

func TestWindowsOfCallsAndOfTimeTakeOverFromEachOther(t *testing.T) {
	calls := ringOf(10)
	for i := range 10 {
		calls.add(sample{failed: i < 3, slow: i == 9})
	}
	calls.ignore()
	span := timeOf(time.Second, 10, 0)
	span.adopt(calls, 500*ms)
	if got := span.sum(); got != (counts{10, 3, 1}) || span.ignored() != 1 {
		t.Errorf("time from calls: %+v, %d ignored", got, span.ignored())
	}
	again := ringOf(100)
	again.adopt(span, 500*ms)
	if got := again.sum(); got != (counts{10, 3, 1}) || again.ignored() != 1 {
		t.Errorf("calls from time: %+v, %d ignored", got, again.ignored())
	}
	few := ringOf(5)
	few.adopt(span, 500*ms)
	if got := few.sum(); got.calls != 5 || got.failures < 1 || got.failures > 2 {
		t.Errorf("the newest five of ten calls with three failures, evenly dealt: %+v", got)
	}
}

func TestAFullBucketKeepsItsRates(t *testing.T) {
	ring := timeOf(time.Second, 1, 0)
	ring.merge(ring.newest(), counts{calls: maxBucketCalls, failures: maxBucketCalls / 4, slow: maxBucketCalls / 2})
	ring.good(maxBucketCalls)
	ring.add(sample{failed: true})
	got := ring.sum()
	if got.calls > maxBucketCalls || got.calls < maxBucketCalls/2 || got != ring.newest().counts {
		t.Errorf("after more calls than fit: %+v in the bucket, %+v in sum", ring.newest(), got)
	}
	if rate := rateOf(got.failures, got.calls); rate < 0.124 || rate > 0.126 {
		t.Errorf("an eighth of the calls failed, the bucket says %v", rate)
	}
}

func TestSlotsOfTheHistogramAreWithinASixteenth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		took := rapid.Int64Range(0, 1<<41).Draw(t, "took")
		slot := slotOf(took)
		top := slotTop(slot)
		if top < took || top > took+took/16+1<<unitBits {
			t.Fatalf("%d lies in slot %d, whose top is %d", took, slot, top)
		}
		if slotOf(top) != slot || slotOf(top+1) != min(slot+1, histSlots-1) {
			t.Fatalf("slot %d ends at %d, but the next begins elsewhere", slot, top)
		}
	})
	if slotOf(1<<62) != histSlots-1 || slotOf(-5) != 0 {
		t.Error("durations beyond the ends must share the end slots")
	}
}
