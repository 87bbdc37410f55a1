package engine

import (
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// truth is whether a condition is true, and for how long it has been.
type truth struct {
	true  bool
	since time.Duration // true since then
	spans []stretch     // earlier times of truth, for a hold with `of`
}

type stretch struct{ from, to time.Duration }

// turn notes what the condition is now.
func (t *truth) turn(is bool, now time.Duration, hold plan.Hold) {
	if t.true && !is && hold.Of > 0 {
		t.spans = append(t.spans, stretch{t.since, now})
	}
	if is && !t.true {
		t.since = now
	}
	t.true = is
	t.spans = slices.DeleteFunc(t.spans, func(s stretch) bool { return s.to <= now-hold.Of })
}

// held tells whether the condition has been true long enough: without a break, or for so much of the last `of`.
func (t *truth) held(now time.Duration, hold plan.Hold) bool {
	if !t.true {
		return false
	}
	if hold.Of <= 0 {
		return now-t.since >= hold.For
	}
	begin := now - hold.Of
	sum := now - max(t.since, begin)
	for _, s := range t.spans {
		sum += s.to - max(s.from, begin)
	}
	return sum >= hold.For
}
