package guard

import (
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Guard defends one callee or one edge. It is safe for concurrent use. Its policy is one pointer: a call that is under
// way ends under the policy it began with, on the same counters.
type Guard struct {
	options Options
	layers  atomic.Pointer[layers]
}

// Options are what a guard is made with.
type Options struct {
	Seed uint64        // of breakers' jitter
	Now  time.Duration // engine time
	// Listen is told of each transition of a breaker, after its lock, in order. The name is the breaker's, for one of
	// many with its key: "llm/tenant-7". It may be nil.
	Listen func(name string, b *breaker.Breaker, t breaker.Transition)
}

// layers are one policy on the counters that outlive it. Immutable; nil layers are absent.
type layers struct {
	spec     *plan.Guard
	rates    *rates
	bulkhead *bulkhead
	adaptive *breaker.Adaptive
	circuit  *circuit
	backoff  breaker.Backoff
	retries  *breaker.RetryBudget
	hedges   *breaker.RetryBudget
	counts   *counts
}

// counts are a guard's since it was made.
type counts struct {
	calls   atomic.Uint64 // that ended while somebody waited for their answer
	failed  atomic.Uint64 // of them, those that failed or were refused, whether or not a fallback answered
	retried atomic.Uint64 // attempts after the first
}

// New makes the guard of a spec. The error names what in the spec is impossible.
func New(spec *plan.Guard, o Options) (*Guard, error) {
	g := &Guard{options: o}
	next, _, err := g.build(&layers{counts: new(counts)}, spec, o.Now)
	if err != nil {
		return nil, err
	}
	g.layers.Store(next)
	return g, nil
}

// Prepare checks another spec. The commit that it returns makes the guard follow it: counters, windows and states are
// kept, calls under way are not disturbed. Commit at most once, and before the next Prepare.
func (g *Guard) Prepare(now time.Duration, spec *plan.Guard) (commit func(), err error) {
	next, changes, err := g.build(g.layers.Load(), spec, now)
	if err != nil {
		return nil, err
	}
	return func() {
		for _, change := range changes {
			change()
		}
		g.layers.Store(next)
	}, nil
}

// Update makes the guard follow another spec at once. An error means that nothing has changed. Updates must not overlap.
func (g *Guard) Update(now time.Duration, spec *plan.Guard) error {
	commit, err := g.Prepare(now, spec)
	if err != nil {
		return err
	}
	commit()
	return nil
}

// Check reports what in a spec is impossible, without a guard.
func Check(spec *plan.Guard) error {
	_, err := New(spec, Options{})
	return err
}

// Spec is the policy in force.
func (g *Guard) Spec() *plan.Guard { return g.layers.Load().spec }

// Name is the guard's name.
func (g *Guard) Name() string { return g.Spec().Name }

// build makes the layers of spec, taking over what old has. What changes old's counters is returned as commits, to be
// carried out when nothing can fail any more.
func (g *Guard) build(old *layers, spec *plan.Guard, now time.Duration) (*layers, []func(), error) {
	next := &layers{spec: spec, counts: old.counts}
	var commits []func()
	for _, step := range []func(*layers, *layers, time.Duration) (func(), error){
		buildRate, buildBulkhead, buildAdaptive, buildRetry, buildHedge, g.buildCircuit,
	} {
		commit, err := step(next, old, now)
		if err != nil {
			return nil, nil, err
		}
		if commit != nil {
			commits = append(commits, commit)
		}
	}
	return next, commits, nil
}

func buildBulkhead(next, old *layers, _ time.Duration) (func(), error) {
	s := next.spec.Bulkhead
	if s == nil {
		return nil, nil
	}
	p := breaker.BulkheadPolicy{Concurrent: s.Concurrent, Queue: s.Queue, Wait: s.Wait}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if next.bulkhead = old.bulkhead; next.bulkhead != nil {
		return func() { next.bulkhead.setPolicy(p) }, nil
	}
	b, err := breaker.NewBulkhead(p)
	next.bulkhead = &bulkhead{Bulkhead: b}
	return nil, err
}

func buildAdaptive(next, old *layers, now time.Duration) (func(), error) {
	s := next.spec.Adaptive
	if s == nil {
		return nil, nil
	}
	p := breaker.AdaptivePolicy{Min: s.Min, Max: s.Max}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if next.adaptive = old.adaptive; next.adaptive != nil {
		return func() { _ = next.adaptive.SetPolicy(p) }, nil
	}
	a, err := breaker.NewAdaptive(p, int64(now))
	next.adaptive = a
	return nil, err
}

func buildRetry(next, old *layers, now time.Duration) (func(), error) {
	s := next.spec.Retry
	if s == nil {
		return nil, nil
	}
	next.backoff = breaker.Backoff{Initial: s.Backoff.Initial, Factor: s.Backoff.Factor, Max: s.Backoff.Max, Jitter: s.Backoff.Jitter}
	if err := next.backoff.Validate(); err != nil {
		return nil, err
	}
	var commit func()
	var err error
	next.retries, commit, err = buildBudget(old.retries, s.Budget, now)
	return commit, err
}

func buildHedge(next, old *layers, now time.Duration) (func(), error) {
	if next.spec.Hedge == nil {
		return nil, nil
	}
	var commit func()
	var err error
	next.hedges, commit, err = buildBudget(old.hedges, next.spec.Hedge.Budget, now)
	return commit, err
}

// buildBudget makes or keeps a budget; a share of 0 is no budget: only the attempts bound the retries.
func buildBudget(old *breaker.RetryBudget, share float64, now time.Duration) (*breaker.RetryBudget, func(), error) {
	if share == 0 {
		return nil, nil, nil
	}
	p := breaker.RetryBudgetPolicy{Ratio: share}
	if err := p.Validate(); err != nil {
		return nil, nil, err
	}
	if old != nil {
		return old, func() { _ = old.SetPolicy(int64(now), p) }, nil
	}
	b, err := breaker.NewRetryBudget(p, int64(now))
	return b, nil, err
}
