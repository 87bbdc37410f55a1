package breaker

import (
	"fmt"
	"slices"
	"time"
)

// maxClasses bounds the failure classes one breaker counts.
const maxClasses = 16

// Compiled is a validated policy that any number of breakers share. Immutable and safe for concurrent use.
type Compiled struct {
	rules rules
}

// rules is a policy with its defaults filled in and what follows from it worked out. Immutable.
type rules struct {
	Policy
	slowOver int64   // Never if no call is slow
	open     Backoff // the open time
	lease    int64   // nanoseconds; 0 is none
	verdict  int     // probes that must have ended before the rates judge them
	latency  bool    // the window keeps latencies
	inFlight bool    // admitted calls are counted one by one
	sampled  bool    // some trigger sees each call
	classes  []string
}

// Compile validates a policy and fills in its defaults.
func Compile(p Policy) (*Compiled, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	p.Trip.Triggers = slices.Clone(p.Trip.Triggers)
	r := rules{Policy: withDefaults(p), latency: p.Latency, slowOver: Never}
	if p.Trip.Slow.Over > 0 {
		r.slowOver = int64(p.Trip.Slow.Over)
	}
	r.open = Backoff{Initial: r.Open.For, Factor: r.Open.Factor, Max: r.Open.Max, Jitter: r.Open.Jitter}
	r.lease = int64(r.HalfOpen.Lease)
	r.verdict = r.HalfOpen.Probes
	if p.Compat {
		r.verdict = min(r.MinCalls, r.verdict)
		r.open, r.lease, r.Ramp = Backoff{Initial: r.Open.For}, 0, 0
		r.HalfOpen.Judge = JudgeRates
	}
	if err := r.collectNeeds(); err != nil {
		return nil, err
	}
	return &Compiled{rules: r}, nil
}

// Policy returns the policy with its defaults filled in.
func (c *Compiled) Policy() Policy {
	p := c.rules.Policy
	p.Trip.Triggers = slices.Clone(p.Trip.Triggers)
	return p
}

func withDefaults(p Policy) Policy {
	if p.Window.Span > 0 && p.Window.Buckets == 0 {
		p.Window.Buckets = DefaultBuckets
	}
	p.MinCalls = max(p.MinCalls, 1)
	if p.Window.Calls > 0 {
		p.MinCalls = min(p.MinCalls, p.Window.Calls)
	}
	if p.Open.For == 0 {
		p.Open.For = 5 * time.Second
		if p.Open.Max > 0 {
			p.Open.For = min(p.Open.For, p.Open.Max)
		}
	}
	p.Open.Factor = max(p.Open.Factor, 1)
	p.HalfOpen.Probes = max(p.HalfOpen.Probes, 1)
	if p.HalfOpen.Successes == 0 {
		p.HalfOpen.Successes = p.HalfOpen.Probes
	}
	if p.HalfOpen.Lease == 0 {
		p.HalfOpen.Lease = p.Open.For
	}
	return p
}

func (r *rules) collectNeeds() error {
	for _, trigger := range r.Trip.Triggers {
		if _, ok := trigger.(Sampler); ok {
			r.sampled = true
		}
		needing, ok := trigger.(Needing)
		if !ok {
			continue
		}
		needs := needing.Needs()
		r.latency = r.latency || needs.Latency
		r.inFlight = r.inFlight || needs.InFlight
		for _, class := range needs.Classes {
			if !slices.Contains(r.classes, class) {
				r.classes = append(r.classes, class)
			}
		}
	}
	if len(r.classes) > maxClasses {
		return invalid("trip.triggers", len(r.classes), fmt.Sprintf("at most %d failure classes counted", maxClasses))
	}
	slices.Sort(r.classes)
	return nil
}

// detailed tells that each call must be seen with its duration or class, which the lock-free path does not do.
func (r *rules) detailed() bool { return r.latency || r.sampled || len(r.classes) > 0 }

// gated tells that something waits for MinCalls, so that each outcome is judged until then.
func (r *rules) gated() bool {
	t := &r.Trip
	return t.ErrorRate > 0 || t.Slow.Rate > 0 || len(t.Triggers) > 0
}

// shaped tells whether a window made for r also serves o.
func (r *rules) shaped(o *rules) bool {
	return r.Window == o.Window && r.latency == o.latency && slices.Equal(r.classes, o.classes)
}

func (r *rules) sample(o Outcome, took int64) sample {
	s := sample{failed: o != Success, slow: took > r.slowOver, took: took}
	if s.failed && len(r.classes) > 0 {
		s.class = uint8(slices.Index(r.classes, string(o)) + 1)
	}
	return s
}
