package live

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// stats are an actor's counts since the engine started. They are made when the first message is handled, and written
// by activations in batches.
type stats struct {
	calls, failures, refused atomic.Uint64
	restarts                 atomic.Uint64
	hist                     atomic.Pointer[Histogram]
}

// Histogram counts durations in buckets whose width is a quarter of a power of two of a microsecond, so that a quantile
// is exact to one part in four. Counts only grow.
type Histogram struct{ counts [histBuckets]atomic.Uint32 }

// histBuckets reaches 2^36 microseconds, 19 hours.
const histBuckets = 36 * 4

// add counts one duration.
func (h *Histogram) add(d time.Duration) { h.counts[bucketOf(d)].Add(1) }

func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < 4 {
		return int(us)
	}
	exp := bits.Len64(us) - 1 // at least 2
	i := (exp-1)*4 + int(us>>(exp-2)&3)
	return min(i, histBuckets-1)
}

// upper is the largest duration that falls into bucket i, in effect.
func upper(i int) time.Duration {
	if i < 4 {
		return time.Duration(i+1) * time.Microsecond
	}
	exp, quarter := i/4+1, i%4
	return time.Duration(uint64(4+quarter+1)<<(exp-2)) * time.Microsecond
}

// Counts copies the counts to buckets, growing it as needed, and returns it. Bucket i holds durations up to
// BucketLimit(i). A nil Histogram has none.
func (h *Histogram) Counts(buckets []uint32) []uint32 {
	buckets = buckets[:0]
	if h == nil {
		return buckets
	}
	for i := range h.counts {
		buckets = append(buckets, h.counts[i].Load())
	}
	return buckets
}

// BucketLimit is the upper end of a Histogram's bucket.
func BucketLimit(i int) time.Duration { return upper(i) }

// tallySize is how many messages an activation counts for itself before it adds them to the actor's counts.
const tallySize = 64

// tally is what an activation has counted and not yet added.
type tally struct {
	calls, failures uint32
	began           time.Duration // of the call at hand
	clock           time.Duration // when the last call ended, if the next follows at once; 0 otherwise
	took            [tallySize]time.Duration
}

// start starts a call's clock, where durations are wanted. A message taken right after another begins when that ended, so
// the clock is read once a message.
func (f *frame) start() {
	t := &f.tally
	if !f.eng.detailed.Load() {
		t.clock = 0
		return
	}
	if t.clock != 0 {
		f.now, f.fresh = t.clock, true
	}
	t.began = f.Now()
}

// end counts a call.
func (f *frame) end(failed bool) {
	t := &f.tally
	t.took[t.calls] = -1
	if f.eng.detailed.Load() {
		t.clock = f.eng.now()
		t.took[t.calls] = t.clock - t.began
	}
	t.calls++
	if failed {
		t.failures++
	}
	if t.calls == tallySize {
		f.flush()
	}
}

// flush adds what was counted to the actor's counts.
func (f *frame) flush() {
	t := &f.tally
	if t.calls == 0 || f.actor == nil {
		return
	}
	s := f.actor.counts()
	s.calls.Add(uint64(t.calls))
	s.failures.Add(uint64(t.failures))
	for _, d := range t.took[:t.calls] {
		if d >= 0 {
			s.histogram().add(d)
		}
	}
	t.calls, t.failures = 0, 0
}

// counts returns the actor's stats, making them if need be.
func (a *actor) counts() *stats {
	if s := a.stats.Load(); s != nil {
		return s
	}
	a.stats.CompareAndSwap(nil, new(stats))
	return a.stats.Load()
}

func (s *stats) histogram() *Histogram {
	if h := s.hist.Load(); h != nil {
		return h
	}
	s.hist.CompareAndSwap(nil, new(Histogram))
	return s.hist.Load()
}
