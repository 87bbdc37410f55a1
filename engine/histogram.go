package engine

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets whose width is a quarter of a power of two of a microsecond, so that a quantile
// is exact to one part in four. Counts only grow. One actor's durations mostly lie close together, and there may be a
// million actors: buckets are made a page at a time. The zero value works.
type Histogram struct {
	pages [histBuckets / histPage]atomic.Pointer[histCounts]
}

type histCounts [histPage]atomic.Uint32

const (
	histBuckets = 36 * 4 // reaches 2^36 microseconds, 19 hours
	histPage    = 16
)

// Add counts one duration. It is safe for concurrent use.
func (h *Histogram) Add(d time.Duration) {
	i := bucketOf(d)
	at := &h.pages[i/histPage]
	page := at.Load()
	if page == nil {
		at.CompareAndSwap(nil, new(histCounts))
		page = at.Load()
	}
	page[i%histPage].Add(1)
}

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

// Counts copies the counts to buckets, growing it as needed, and returns it: those up to the page of the longest duration, so
// that nobody goes through hours that no call took. Bucket i holds durations up to BucketLimit(i). A nil Histogram has none.
func (h *Histogram) Counts(buckets []uint32) []uint32 {
	buckets = buckets[:0]
	if h == nil {
		return buckets
	}
	used := len(h.pages)
	for used > 0 && h.pages[used-1].Load() == nil {
		used--
	}
	for i := range used {
		page := h.pages[i].Load()
		if page == nil {
			page = new(histCounts)
		}
		for j := range page {
			buckets = append(buckets, page[j].Load())
		}
	}
	return buckets
}

// BucketLimit is the upper end of a Histogram's bucket.
func BucketLimit(i int) time.Duration { return upper(i) }
