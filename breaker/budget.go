package breaker

import (
	"sync"
	"time"
)

// RetryBudgetPolicy bounds retries (or hedges) by a share of the calls, so that retries cannot multiply an overload.
type RetryBudgetPolicy struct {
	// Ratio is how many retries a call allows on average, from above 0 to 1.
	Ratio float64
	// Span is how far back calls count; 0 means 10 seconds.
	Span time.Duration
	// Floor is how many retries within Span are free, so that a quiet caller can retry at all; 0 means 1.
	Floor int
}

// Validate returns an error that wraps ErrPolicy and names the field, its value and the way out.
func (p RetryBudgetPolicy) Validate() error {
	switch {
	case !(p.Ratio > 0 && p.Ratio <= 1):
		return invalid("retry.budget", p.Ratio, "above 0 and at most 1")
	case p.Span < 0 || p.Span > 0 && p.Span < time.Millisecond:
		return invalid("retry.budget.span", p.Span, "0 (10s) or at least a millisecond")
	case p.Floor < 0 || p.Floor > 1<<20:
		return invalid("retry.budget.floor", p.Floor, "0 to 1048576")
	}
	return nil
}

// RetryBudget tells whether one more retry is within the budget: retries within the span stay at most Floor plus
// Ratio of the first attempts within it. All methods are safe for concurrent use.
type RetryBudget struct {
	mu     sync.Mutex
	policy RetryBudgetPolicy
	// ring counts first attempts as calls and retries as failures.
	ring    *timeRing
	last    int64
	refused uint64
}

// NewRetryBudget returns a budget that has seen no calls, or an error that wraps ErrPolicy.
func NewRetryBudget(p RetryBudgetPolicy, now int64) (*RetryBudget, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p = p.withDefaults()
	return &RetryBudget{policy: p, ring: p.ring(now), last: now}, nil
}

func (p RetryBudgetPolicy) withDefaults() RetryBudgetPolicy {
	if p.Span == 0 {
		p.Span = 10 * time.Second
	}
	p.Floor = max(p.Floor, 1)
	return p
}

func (p RetryBudgetPolicy) ring(now int64) *timeRing {
	return newTimeRing(&rules{Policy: Policy{Window: Window{Span: p.Span, Buckets: DefaultBuckets}}}, now)
}

// Call notes a first attempt.
func (b *RetryBudget) Call(now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	b.ring.good(1)
}

// Retry takes one retry from the budget and reports true, or reports false if the budget is spent.
func (b *RetryBudget) Retry(now int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	c := b.ring.sum()
	// A retry is held in the ring as a failed call, so it is taken out of the calls again.
	first, retries := float64(c.calls-c.failures), float64(c.failures)
	if retries+1 > float64(b.policy.Floor)+float64(b.policy.Ratio*first) {
		b.refused++
		return false
	}
	b.ring.add(sample{failed: true})
	return true
}

func (b *RetryBudget) advance(now int64) {
	b.last = max(b.last, now)
	b.ring.rotate(b.last)
}

// SetPolicy changes the budget; the calls and retries seen so far stay.
func (b *RetryBudget) SetPolicy(now int64, p RetryBudgetPolicy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance(now)
	p = p.withDefaults()
	if p.Span != b.policy.Span {
		ring := p.ring(b.last)
		ring.adopt(b.ring, b.last)
		b.ring = ring
	}
	b.policy = p
	return nil
}

// Refused is how many retries were over the budget.
func (b *RetryBudget) Refused() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}
