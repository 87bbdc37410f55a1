package engine

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A histogram counts each duration in the bucket that it falls into, in whichever page that is. It gives those up to the last page
// that has any.
func TestHistogramCountsInPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h Histogram
		want := make([]uint32, histBuckets)
		for _, exp := range rapid.SliceOfN(rapid.IntRange(0, 50), 0, 50).Draw(t, "exponents") {
			d := time.Duration(1)<<exp + time.Duration(rapid.IntRange(0, 1000).Draw(t, "more"))
			h.Add(d)
			want[bucketOf(d)]++
		}
		got := h.Counts([]uint32{1, 2, 3})
		used := histBuckets
		for used > 0 && want[used-1] == 0 {
			used--
		}
		if pages := (used + histPage - 1) / histPage; len(got) != pages*histPage {
			t.Fatalf("%d buckets, want the %d of %d pages", len(got), pages*histPage, pages)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("bucket %d (up to %s) has %d, want %d", i, BucketLimit(i), got[i], want[i])
			}
		}
	})
}
