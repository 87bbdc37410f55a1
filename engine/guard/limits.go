package guard

import (
	"math"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
)

// bulkhead wakes those whose ticket is called. A ticket may be called before its owner has prepared to wait.
type bulkhead struct {
	*breaker.Bulkhead
	mu      sync.Mutex
	waiting map[breaker.Ticket]Waking
	called  map[breaker.Ticket]struct{}
}

// leave gives a place back, to the next in the queue if there is one.
func (b *bulkhead) leave() {
	if t := b.Leave(); t != 0 {
		b.call(t)
	}
}

func (b *bulkhead) setPolicy(p breaker.BulkheadPolicy) {
	tickets, _ := b.SetPolicy(p) // the policy was validated
	for _, t := range tickets {
		b.call(t)
	}
}

func (b *bulkhead) call(t breaker.Ticket) {
	b.mu.Lock()
	w := b.waiting[t]
	delete(b.waiting, t)
	if w == nil {
		if b.called == nil {
			b.called = map[breaker.Ticket]struct{}{}
		}
		b.called[t] = struct{}{}
	}
	b.mu.Unlock()
	if w != nil {
		w.Wake()
	}
}

// park registers who waits with a ticket, and wakes it at once when the ticket has been called already.
func (b *bulkhead) park(t breaker.Ticket, w Waking) {
	b.mu.Lock()
	_, called := b.called[t]
	delete(b.called, t)
	if !called {
		if b.waiting == nil {
			b.waiting = map[breaker.Ticket]Waking{}
		}
		b.waiting[t] = w
	}
	b.mu.Unlock()
	if called {
		w.Wake()
	}
}

// enter gets a call a place, for which it may have to wait, at most until the call's deadline.
func (b *bulkhead) enter(p *pass) (string, error) {
	entry, t, until := b.Enter(int64(p.now()))
	switch entry {
	case breaker.Entered:
		return "", nil
	case breaker.Refused:
		return "bulkhead full", nil
	}
	end := time.Duration(until)
	if until == breaker.Never {
		end = 0
	}
	if p.deadline > 0 && (end == 0 || p.deadline < end) {
		end = p.deadline
	}
	p.waited = true
	b.park(t, p.env.Begin(end))
	err := p.env.Await()
	if err == nil || !b.Abandon(t) {
		// The place is ours, even if we stopped waiting at the same moment.
		b.forget(t)
		if err != nil && err != ErrTooLate {
			b.leave()
			return "", err
		}
		return "", nil
	}
	b.forget(t)
	if err == ErrTooLate {
		return "bulkhead full, waited too long in its queue", nil
	}
	return "", err
}

func (b *bulkhead) forget(t breaker.Ticket) {
	b.mu.Lock()
	delete(b.waiting, t)
	delete(b.called, t)
	b.mu.Unlock()
}

// rates is a rate limit, with a bucket for each key when the policy has a key.
type rates struct {
	single *breaker.Rate
	keyed  *recent[*breaker.Rate]
	limit  int // of keys; 0 without
	mu     sync.Mutex
	policy breaker.RatePolicy
}

// maxRateKeys bounds the buckets of a keyed rate limit that names no bound. A key that was not used for that many
// others starts again with a full bucket.
const maxRateKeys = 10_000

// ratePolicy turns calls a second, which may be a fraction, into whole calls in a stretch of time.
func ratePolicy(perSecond float64, burst int) breaker.RatePolicy {
	p := breaker.RatePolicy{Calls: int(math.Round(perSecond)), Per: time.Second, Burst: burst}
	if perSecond != math.Trunc(perSecond) || perSecond < 1 {
		p.Calls = 1000
		p.Per = time.Duration(float64(1000*time.Second) / perSecond)
		if p.Per > 24*time.Hour {
			p.Calls, p.Per = 1, min(time.Duration(float64(time.Second)/perSecond), 24*time.Hour)
		}
		if p.Burst == 0 {
			p.Burst = max(int(math.Ceil(perSecond)), 1)
		}
	}
	return p
}

func buildRate(next, old *layers, now time.Duration) (func(), error) {
	s := next.spec.Rate
	if s == nil {
		return nil, nil
	}
	p := ratePolicy(s.PerSecond, s.Burst)
	if err := p.Validate(); err != nil {
		return nil, err
	}
	limit := 0
	if s.Key != nil {
		if limit = s.MaxKeys; limit <= 0 {
			limit = maxRateKeys
		}
	}
	if old.rates != nil && old.rates.limit == limit {
		next.rates = old.rates
		return func() { next.rates.setPolicy(now, p) }, nil
	}
	r := &rates{policy: p, limit: limit}
	if limit > 0 {
		r.keyed = newRecent[*breaker.Rate](limit)
	}
	single, err := breaker.NewRate(p, int64(now))
	r.single = single
	next.rates = r
	return nil, err
}

func (r *rates) setPolicy(now time.Duration, p breaker.RatePolicy) {
	r.mu.Lock()
	r.policy = p
	r.mu.Unlock()
	_ = r.single.SetPolicy(int64(now), p)
	if r.keyed != nil {
		r.keyed.each(func(_ string, bucket *breaker.Rate) { _ = bucket.SetPolicy(int64(now), p) })
	}
}

// of is the bucket of a key.
func (r *rates) of(key string, now time.Duration) *breaker.Rate {
	if r.keyed == nil {
		return r.single
	}
	return r.keyed.get(key, func() *breaker.Rate {
		r.mu.Lock()
		p := r.policy
		r.mu.Unlock()
		bucket, _ := breaker.NewRate(p, int64(now)) // validated before
		return bucket
	})
}

func (r *rates) refused() uint64 {
	n := r.single.Refused()
	if r.keyed != nil {
		r.keyed.each(func(_ string, bucket *breaker.Rate) { n += bucket.Refused() })
	}
	return n
}

// recent keeps a value for each key that was used lately. It holds at most limit values: when half of that are young,
// the young become old and the old that nobody asked for meanwhile are dropped. Safe for concurrent use.
type recent[T any] struct {
	mu         sync.Mutex
	limit      int
	young, old map[string]T
}

func newRecent[T any](limit int) *recent[T] {
	return &recent[T]{limit: max(limit, 2), young: map[string]T{}, old: map[string]T{}}
}

func (r *recent[T]) get(key string, make func() T) T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.young[key]; ok {
		return v
	}
	v, ok := r.old[key]
	if !ok {
		v = make()
	}
	delete(r.old, key)
	if len(r.young) >= r.limit/2 {
		r.old, r.young = r.young, map[string]T{}
	}
	r.young[key] = v
	return v
}

// peek finds a value without counting as use.
func (r *recent[T]) peek(key string) (v T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok = r.young[key]; ok {
		return v, true
	}
	v, ok = r.old[key]
	return v, ok
}

// each visits all values, in no order.
func (r *recent[T]) each(visit func(string, T)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range []map[string]T{r.young, r.old} {
		for k, v := range m {
			visit(k, v)
		}
	}
}
