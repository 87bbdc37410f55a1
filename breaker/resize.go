package breaker

// A window that a reload resizes keeps its newest calls. A bucket goes where its beginning falls, so that no call
// counts for longer than the new span; the newest bucket always stays.

func (t *timeRing) adopt(old window, now int64) {
	t.begin(now)
	head := t.head()
	oldest := head - int64(len(t.buckets)) + 1
	newest := Never
	if from, ok := old.(*timeRing); ok {
		newest = from.head() * from.width
	}
	old.each(func(since int64, c counts, ignored uint32) {
		number := head
		if since != Never && since != newest {
			number = min(floorDiv(since, t.width), head)
		}
		if number < oldest {
			return
		}
		b := &t.buckets[t.slot(number)]
		t.merge(b, c)
		b.ignored += ignored
	})
	t.adoptDetail(old, oldest)
}

// adoptDetail keeps latencies and classes where both windows are of time; the steps line up with the buckets.
func (t *timeRing) adoptDetail(old window, oldest int64) {
	from, ok := old.(*timeRing)
	if !ok || t.detail == nil || from.detail == nil {
		return
	}
	head, newest := t.head(), from.head()
	for number := newest - int64(len(from.buckets)) + 1; number <= newest; number++ {
		to := head
		if number != newest {
			to = min(floorDiv(number*from.width, t.width), head)
		}
		if to >= oldest {
			t.detail.merge(t.slot(to), from.detail, from.slot(number))
		}
	}
}

func (c *callRing) adopt(old window, _ int64) {
	c.left = old.ignored()
	if from, ok := old.(*callRing); ok {
		for i := range int(from.total.calls) {
			s, at := from.call(i)
			c.add(from.detail.recall(at, s, c.detail))
		}
		return
	}
	old.each(func(_ int64, run counts, _ uint32) { c.spread(run) })
}

// spread adds a bucket's calls, whose order nobody knows, evenly mixed; the newest remain if there are too many.
func (c *callRing) spread(run counts) {
	for i := range uint64(run.calls) {
		c.add(sample{failed: dealt(i, run.failures, run.calls), slow: dealt(i, run.slow, run.calls)})
	}
}

// dealt reports whether the i-th of n places gets one of k evenly dealt marks.
func dealt(i uint64, k, n uint32) bool {
	return (i+1)*uint64(k)/uint64(n) > i*uint64(k)/uint64(n)
}
