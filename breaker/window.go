package breaker

// counts are finished calls and the bad ones among them.
type counts struct {
	calls, failures, slow uint32
}

func (c *counts) add(o counts) {
	c.calls += o.calls
	c.failures += o.failures
	c.slow += o.slow
}

func (c *counts) sub(o counts) {
	c.calls -= o.calls
	c.failures -= o.failures
	c.slow -= o.slow
}

func (c counts) halved() counts { return counts{c.calls / 2, c.failures / 2, c.slow / 2} }

// sample is one finished call.
type sample struct {
	failed, slow bool
	class        uint8 // index into rules.classes plus one; 0 is none of them
	took         int64 // nanoseconds
}

func (s sample) bad() bool { return s.failed || s.slow }

func (s sample) counts() counts {
	c := counts{calls: 1}
	if s.failed {
		c.failures = 1
	}
	if s.slow {
		c.slow = 1
	}
	return c
}

// window holds recent calls. Not safe for concurrent use: its machine's owner guards it.
type window interface {
	// add counts one call in the newest place.
	add(s sample)
	// good counts n calls that neither failed nor were slow.
	good(n uint64)
	// ignore counts a call that is left out.
	ignore()
	// next is when rotate has something to do, Never if only calls move the window.
	next() int64
	// turned tells that a window of calls has just moved by a tenth, which is its bucket boundary.
	turned() bool
	// rotate moves the window to that time, dropping whole buckets.
	rotate(now int64)
	// sum is what the window holds.
	sum() counts
	ignored() int
	clear(now int64)
	// details is nil unless the rules ask for it.
	details() *detail
	// adopt takes the newest calls of another window into this empty one, as of now.
	adopt(old window, now int64)
	// each calls f with runs of calls, oldest first, and when they began (Never where time is unknown).
	each(f func(since int64, c counts, ignored uint32))
}

// newWindow returns an empty window for the rules, nil if they keep none.
func newWindow(r *rules, now int64) window {
	switch {
	case r.Window.Calls > 0:
		return newCallRing(r)
	case r.Window.Span > 0:
		return newTimeRing(r, now)
	}
	return nil
}

// bucket is one step of a time window.
type bucket struct {
	counts
	ignored uint32
}

// timeRing is a window of time: a ring of buckets that begin at multiples of their width. A call counts for at least
// span - width and at most span.
type timeRing struct {
	buckets []bucket
	width   int64 // nanoseconds a bucket
	end     int64 // when the newest bucket ends
	total   counts
	at      uint32 // where the newest bucket lies: always its number modulo the number of buckets
	detail  *detail
}

func newTimeRing(r *rules, now int64) *timeRing {
	n := r.Window.Buckets
	t := &timeRing{buckets: make([]bucket, n), width: int64(r.Window.Span) / int64(n), detail: newDetail(r, n)}
	t.begin(now)
	return t
}

// begin makes the bucket of that time the newest.
func (t *timeRing) begin(now int64) {
	number := floorDiv(now, t.width)
	t.end = satMul(number+1, t.width)
	t.at = uint32(t.slot(number))
}

// head is the number of the newest bucket: the time it begins divided by the width.
func (t *timeRing) head() int64 { return floorDiv(t.end, t.width) - 1 }

// floorDiv rounds towards minus infinity, so that times before 0 have buckets too. b is positive.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// slot is where the bucket of that number lies.
func (t *timeRing) slot(number int64) int {
	n := int64(len(t.buckets))
	return int(((number % n) + n) % n)
}

func (t *timeRing) newest() *bucket { return &t.buckets[t.at] }

func (t *timeRing) next() int64 { return t.end }

// satMul keeps the boundary of the last bucket before the end of time from wrapping round.
func satMul(number, width int64) int64 {
	if number > Never/width {
		return Never
	}
	return number * width
}

func (t *timeRing) add(s sample) {
	b := t.newest()
	if b.calls == maxBucketCalls {
		t.merge(b, counts{calls: 1}) // makes room
	}
	c := s.counts()
	b.counts.add(c)
	t.total.add(c)
	t.detail.add(int(t.at), s)
}

func (t *timeRing) good(n uint64) {
	t.merge(t.newest(), counts{calls: uint32(min(n, maxBucketCalls))})
}

// maxBucketCalls keeps the sum of MaxBuckets buckets within 32 bits.
const maxBucketCalls = (1<<32 - 1) / MaxBuckets

// merge counts some calls in a bucket. If they would outgrow its counters both are halved: from millions of calls on
// a bucket's rates matter, not its counts.
func (t *timeRing) merge(b *bucket, c counts) {
	for b.calls+c.calls > maxBucketCalls {
		half := b.counts.halved()
		t.total.sub(b.counts)
		t.total.add(half)
		b.counts, c = half, c.halved()
	}
	b.counts.add(c)
	t.total.add(c)
}

func (t *timeRing) ignore() { t.newest().ignored++ }

func (t *timeRing) ignored() int {
	n := 0
	for i := range t.buckets {
		n += int(t.buckets[i].ignored)
	}
	return n
}

func (t *timeRing) rotate(now int64) {
	if now < t.end {
		return
	}
	steps := floorDiv(now, t.width) - t.head()
	if steps >= int64(len(t.buckets)) {
		t.clear(now)
		return
	}
	for range steps {
		if t.at++; int(t.at) == len(t.buckets) {
			t.at = 0
		}
		t.end += t.width
		b := t.newest()
		t.total.sub(b.counts)
		*b = bucket{}
		t.detail.drop(int(t.at))
	}
}

func (t *timeRing) turned() bool { return false }

func (t *timeRing) sum() counts { return t.total }

func (t *timeRing) clear(now int64) {
	clear(t.buckets)
	t.total = counts{}
	t.begin(now)
	t.detail.clear()
}

func (t *timeRing) details() *detail { return t.detail }

func (t *timeRing) each(f func(int64, counts, uint32)) {
	head := t.head()
	for number := head - int64(len(t.buckets)) + 1; number <= head; number++ {
		if b := t.buckets[t.slot(number)]; b.calls > 0 || b.ignored > 0 {
			f(number*t.width, b.counts, b.ignored)
		}
	}
}

// callRing is a window of the last so many calls, two bits a call.
type callRing struct {
	failed, slow []uint64
	size         int // calls the window may hold
	at           int // where the next call goes
	total        counts
	left         int // calls ignored since the window was emptied
	detail       *detail
}

func newCallRing(r *rules) *callRing {
	words := (r.Window.Calls + 63) / 64
	return &callRing{failed: make([]uint64, words), slow: make([]uint64, words), size: r.Window.Calls, detail: newDetail(r, r.Window.Calls)}
}

func (c *callRing) add(s sample) {
	word, bit := c.at/64, uint64(1)<<(c.at%64)
	if int(c.total.calls) == c.size {
		c.total.calls--
		if c.failed[word]&bit != 0 {
			c.total.failures--
		}
		if c.slow[word]&bit != 0 {
			c.total.slow--
		}
		c.detail.drop(c.at)
	}
	c.failed[word] &^= bit
	c.slow[word] &^= bit
	c.total.calls++
	if s.failed {
		c.failed[word] |= bit
		c.total.failures++
	}
	if s.slow {
		c.slow[word] |= bit
		c.total.slow++
	}
	c.detail.add(c.at, s)
	if c.at++; c.at == c.size {
		c.at = 0
	}
}

func (c *callRing) good(n uint64) {
	if n >= uint64(c.size) {
		c.empty()
	}
	if c.total.failures|c.total.slow == 0 {
		// Nothing but successes stand here, so only their number and where the next goes matter.
		c.total.calls = uint32(min(uint64(c.total.calls)+n, uint64(c.size)))
		c.at = int((uint64(c.at) + n) % uint64(c.size))
		return
	}
	for range n {
		c.add(sample{})
	}
}

func (c *callRing) empty() {
	clear(c.failed)
	clear(c.slow)
	c.total, c.at = counts{}, 0
}

func (c *callRing) ignore()          { c.left++ }
func (c *callRing) ignored() int     { return c.left }
func (c *callRing) next() int64      { return Never }
func (c *callRing) turned() bool     { return c.at%max(c.size/DefaultBuckets, 1) == 0 }
func (c *callRing) rotate(int64)     {}
func (c *callRing) sum() counts      { return c.total }
func (c *callRing) details() *detail { return c.detail }

func (c *callRing) clear(int64) {
	c.empty()
	c.left = 0
	c.detail.clear()
}

func (c *callRing) each(f func(int64, counts, uint32)) {
	for i := range int(c.total.calls) {
		s, _ := c.call(i)
		f(Never, s.counts(), 0)
	}
	if c.left > 0 {
		f(Never, counts{}, uint32(c.left))
	}
}

// call is the i-th oldest call.
func (c *callRing) call(i int) (sample, int) {
	at := (c.at - int(c.total.calls) + c.size + i) % c.size
	word, bit := at/64, uint64(1)<<(at%64)
	return sample{failed: c.failed[word]&bit != 0, slow: c.slow[word]&bit != 0}, at
}
