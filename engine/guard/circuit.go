package guard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// circuit is a guard's breaker, or one breaker for each key or replica.
type circuit struct {
	options Options
	name    string
	single  *breaker.Breaker // nil when there are many
	many    *recent[*breaker.Breaker]
	limit   int

	mu     sync.Mutex
	policy breaker.Policy
	mode   breaker.Mode // forced on all; what the policy says when Normal
}

// defaultMaxKeys bounds the breakers of a spec that names no bound.
const defaultMaxKeys = 10_000

func split(s *plan.Breaker) bool { return s.PerReplica || s.Key != nil }

func (g *Guard) buildCircuit(next, old *layers, now time.Duration) (func(), error) {
	s := next.spec.Breaker
	if s == nil {
		return nil, nil
	}
	if err := s.Policy.Validate(); err != nil {
		return nil, err
	}
	limit := s.MaxKeys
	if limit <= 0 {
		limit = defaultMaxKeys
	}
	if c := old.circuit; c != nil && (c.single == nil) == split(s) && c.limit == limit {
		next.circuit = c
		return func() { c.setPolicy(now, s.Policy) }, nil
	}
	c := &circuit{options: g.options, name: s.Name, policy: s.Policy, limit: limit}
	if c.name == "" {
		c.name = next.spec.Name
	}
	next.circuit = c
	if split(s) {
		c.many = newRecent[*breaker.Breaker](limit)
		return nil, nil
	}
	b, err := c.make("", now)
	c.single = b
	return nil, err
}

// label is a breaker's name among all of the engine.
func label(name, key string) string {
	if key == "" {
		return name
	}
	return name + "/" + key
}

func (c *circuit) make(key string, now time.Duration) (*breaker.Breaker, error) {
	c.mu.Lock()
	policy, mode := c.policy, c.mode
	c.mu.Unlock()
	name := label(c.name, key)
	b, err := breaker.New(policy, c.options.Seed^Hash(name), int64(now))
	if err != nil {
		return nil, err
	}
	if listen := c.options.Listen; listen != nil {
		b.Listen(func(t breaker.Transition) { listen(name, b, t) })
	}
	if mode != breaker.Normal {
		b.Force(int64(now), mode)
	}
	return b, nil
}

func (c *circuit) of(key string, now time.Duration) *breaker.Breaker {
	if c.many == nil {
		return c.single
	}
	return c.many.get(key, func() *breaker.Breaker {
		b, _ := c.make(key, now) // the policy was validated when it was set
		return b
	})
}

func (c *circuit) each(visit func(key string, b *breaker.Breaker)) {
	if c.many == nil {
		visit("", c.single)
		return
	}
	type entry struct {
		key string
		b   *breaker.Breaker
	}
	var all []entry
	c.many.each(func(key string, b *breaker.Breaker) { all = append(all, entry{key, b}) })
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.key, b.key) }) // what a visit causes has one order
	for _, e := range all {
		visit(e.key, e.b)
	}
}

func (c *circuit) setPolicy(now time.Duration, p breaker.Policy) {
	c.mu.Lock()
	c.policy = p
	c.mu.Unlock()
	c.each(func(_ string, b *breaker.Breaker) { _ = b.SetPolicy(int64(now), p) })
}

// permit is what an attempt holds of a breaker until it has ended.
type permit struct {
	breaker *breaker.Breaker
	permit  breaker.Permit
}

// done tells the breaker how the attempt ended, once.
func (p *permit) done(now time.Duration, o breaker.Outcome) {
	if p.breaker != nil {
		p.breaker.Done(int64(now), p.permit, o)
		p.breaker = nil
	}
}

// admit asks the breaker of an attempt.
func (p *pass) admit(a *Attempt) error {
	c, now := p.layers.circuit, a.Began
	if c == nil {
		return nil
	}
	b := c.of(p.key(a.Replica), now)
	permitted, verdict := b.Allow(int64(now))
	if !verdict.Admitted {
		return p.refuseFor(verdict.RetryAfter, "breaker "+refusal(b, now, verdict))
	}
	a.permit.breaker, a.permit.permit = b, permitted
	return nil
}

// refusal says why a breaker did not admit, and when it may.
func refusal(b *breaker.Breaker, now time.Duration, v breaker.Verdict) string {
	s := b.Snapshot(int64(now))
	switch {
	case s.Mode == breaker.ForcedOpen:
		return "forced open"
	case s.State == breaker.HalfOpen:
		return "half open, its probes are under way"
	case s.State == breaker.Recovering:
		return "recovering, not all calls pass yet"
	case v.RetryAfter > 0:
		return fmt.Sprintf("open, next probe in %s", round(v.RetryAfter))
	}
	return "open"
}

// round keeps what people read of a duration.
func round(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second)
	case d >= time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d
}

// key is the key of the breaker that an attempt passes.
func (p *pass) key(replica string) string {
	s := p.layers.spec.Breaker
	switch {
	case s.PerReplica:
		return replica
	case s.Key != nil:
		key, err := s.Key.Text(p.before())
		if err != nil {
			return ""
		}
		return key
	}
	return ""
}

// open tells whether a replica's own breaker refuses calls just now, for the choice of a replica. It is for guards with a
// breaker for each replica.
func (p *pass) open(replica string) bool {
	b, ok := p.layers.circuit.many.peek(replica)
	if !ok {
		return false
	}
	now := int64(p.env.Now())
	b.Tick(now)
	s := b.Snapshot(now)
	return s.Mode == breaker.ForcedOpen || s.Mode == breaker.Normal && s.State == breaker.Open
}

// classify says how an attempt ended. What was refused further down and what its caller gave up say nothing about the
// callee. The policy's outcome expression decides about the rest; one that fails makes a failure.
func (p *pass) classify(a *Attempt, v any, err error, took time.Duration) breaker.Outcome {
	e := engine.ErrorOf(err, p.call.To)
	if e != nil && (e.Kind == engine.KindRefused || e.Kind == engine.KindCanceled || errors.Is(err, engine.ErrStopped)) {
		return breaker.Ignored
	}
	if s := p.layers.spec.Breaker; s != nil && s.Outcome != nil {
		env := p.after(a, v, e, took)
		text, failed := s.Outcome.Text(env)
		if failed != nil {
			return breaker.Failed
		}
		return breaker.Outcome(text)
	}
	switch {
	case e != nil:
		return breaker.Failure(e.Kind)
	case a.Status >= 500:
		return breaker.Failure(engine.KindStatus)
	}
	return breaker.Success
}

// before is what expressions see of a call that has not been made.
func (p *pass) before() *rules.Env {
	return &rules.Env{
		Params: p.call.Params, Now: p.env.Now().Seconds(), Call: &p.call.Call, Msg: p.call.Payload, Caller: p.call.From,
	}
}

// after is what expressions see of an attempt that has ended.
func (p *pass) after(a *Attempt, v any, e *engine.Error, took time.Duration) *rules.Env {
	call := p.call.Call
	call.Attempt, call.Replica, call.Status, call.Took = a.N, a.Replica, a.Status, took.Seconds()
	env := p.before()
	if e != nil {
		env.Error = &rules.Error{Kind: e.Kind, Message: e.Message, By: e.By}
		call.Error = env.Error
		if call.Status == 0 {
			call.Status = e.Status
		}
	}
	env.Call, env.Reply, env.Status, env.Took = &call, v, call.Status, took.Seconds()
	return env
}
