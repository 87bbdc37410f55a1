package guard

import (
	"errors"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine"
)

// pass is one call on its way through the layers.
type pass struct {
	layers   *layers
	env      Env
	call     *Call
	work     Work
	began    time.Duration
	deadline time.Duration // of all attempts; 0 is none
	waited   bool          // time has passed since began
	soured   bool          // an answer was let through that counts as a failure
}

// now is the time before an attempt. It is read anew only after a wait.
func (p *pass) now() time.Duration {
	if p.waited {
		return p.env.Now()
	}
	return p.began
}

// Call takes one call through all layers and answers with what the callee, or a fallback, answered. Errors of the guard
// are *engine.Error of kind refused, by the guard's name, undelivered, and say what refused and for how long.
func (g *Guard) Call(env Env, c *Call, w Work) (any, error) {
	p := c.begin(g, env, w)
	return p.finish(p.limits())
}

// begin readies a call for the guard.
func (c *Call) begin(g *Guard, env Env, w Work) *pass {
	p := &c.pass
	*p = pass{layers: g.layers.Load(), env: env, call: c, work: w, began: env.Now()}
	p.deadline = p.bound()
	return p
}

// finish is what follows the layers that make attempts.
func (p *pass) finish(v any, err error) (any, error) {
	p.count(err)
	if err == nil || !p.fallible(err) {
		return v, err
	}
	return p.fallback(err)
}

// fallible tells whether a fallback may answer in an error's place.
func (p *pass) fallible(err error) bool { return len(p.layers.spec.Fallback) > 0 && !over(err) }

// count counts a call that has ended, before a fallback makes the best of it.
func (p *pass) count(err error) {
	failed := err != nil || p.soured
	if failed && over(err) {
		return
	}
	p.layers.counts.calls.Add(1)
	if failed {
		p.layers.counts.failed.Add(1)
	}
}

// Admit asks the layers that can say no without a call: the rate limit, and an open breaker. It is for messages that
// nobody waits for.
func (g *Guard) Admit(env Env, c *Call) error {
	p := &c.pass
	*p = pass{layers: g.layers.Load(), env: env, call: c, began: env.Now()}
	if err := p.rate(); err != nil {
		return err
	}
	k := p.layers.circuit
	if k == nil || k.single == nil {
		return nil
	}
	now := int64(p.began)
	k.single.Tick(now)
	s := k.single.Snapshot(now)
	if s.Mode == breaker.ForcedOpen || s.Mode == breaker.Normal && s.State == breaker.Open {
		v := breaker.Verdict{RetryAfter: s.OpenFor(now)}
		return p.refuseFor(v.RetryAfter, "breaker "+refusal(k.single, p.began, v))
	}
	return nil
}

// over tells the errors that end a call for good: nobody waits for an answer any more.
func over(err error) bool {
	var e *engine.Error
	return errors.Is(err, engine.ErrStopped) || errors.As(err, &e) && e.Kind == engine.KindCanceled
}

// bound is the earliest of the deadlines there are.
func (p *pass) bound() time.Duration {
	end := p.call.Deadline
	for _, d := range []time.Duration{p.layers.spec.Deadline, p.call.Timeout} {
		if at := p.began + d; d > 0 && (end == 0 || at < end) {
			end = at
		}
	}
	return end
}

// refuse is the guard's own error.
func (p *pass) refuse(why string) *engine.Error {
	return &engine.Error{Kind: engine.KindRefused, Message: why, By: p.layers.spec.Name}
}

// refuseFor is refuse for a reason that passes by itself after some time.
func (p *pass) refuseFor(wait time.Duration, why string) *engine.Error {
	e := p.refuse(why)
	e.RetryAfter = wait
	return e
}

// rate asks the rate limit.
func (p *pass) rate() error {
	r := p.layers.rates
	if r == nil {
		return nil
	}
	key := ""
	if k := p.layers.spec.Rate.Key; k != nil {
		text, err := k.Text(p.before())
		if err != nil {
			return &engine.Error{Kind: engine.KindExpression, Message: "rate_limit.key: " + err.Error(), By: p.layers.spec.Name}
		}
		key = text
	}
	now := p.now()
	ok, wait := r.of(key, now).Allow(int64(now))
	switch {
	case ok:
		return nil
	case wait > 0:
		return p.refuseFor(wait, "rate limit reached, room in "+round(wait).String())
	}
	return p.refuse("rate limit reached")
}

// limits are the layers that a call passes once.
func (p *pass) limits() (any, error) {
	if err := p.rate(); err != nil {
		return nil, p.rejected(&Attempt{N: 1}, "rate_limit", err)
	}
	if b := p.layers.bulkhead; b != nil {
		why, err := b.enter(p)
		if err != nil {
			return nil, err
		}
		if why != "" {
			return nil, p.rejected(&Attempt{N: 1}, "bulkhead", p.refuse(why))
		}
		defer b.leave()
	}
	if p.layers.adaptive == nil {
		return p.attempts()
	}
	return p.adapt()
}

// adapt holds a place of the adaptive limit and teaches it how long the call took.
func (p *pass) adapt() (any, error) {
	l := p.layers.adaptive
	if !l.Enter() {
		return nil, p.rejected(&Attempt{N: 1}, "adaptive", p.refuse("adaptive limit reached"))
	}
	start, outcome, ended := p.now(), breaker.Ignored, false
	defer func() {
		if !ended {
			outcome = p.broken()
		}
		l.Leave(int64(p.env.Now()), int64(start), outcome)
	}()
	v, err := p.attempts()
	ended = true
	outcome = p.classify(&Attempt{}, v, err, 0)
	return v, err
}

// attempts tries, and tries again while that is safe, within the budget, and of use.
func (p *pass) attempts() (any, error) {
	p.budget()
	a := &p.call.first
	*a = Attempt{N: 1, pass: p}
	v, err := p.round(a)
	return p.retry(a, v, err)
}

// budget counts the call for the budget of retries.
func (p *pass) budget() {
	if b := p.layers.retries; b != nil {
		b.Call(int64(p.now()))
	}
}

// retry goes on after an attempt that ended so.
func (p *pass) retry(a *Attempt, v any, err error) (any, error) {
	for err != nil && p.again(a, err) {
		wait := p.layers.backoff.Wait(a.N-1, p.env.Rand(uint64(a.N)))
		if p.deadline > 0 && p.env.Now()+wait >= p.deadline {
			break
		}
		if stop := p.env.Sleep(wait); stop != nil {
			return nil, stop
		}
		p.layers.counts.retried.Add(1)
		a = &Attempt{N: a.N + 1, pass: p}
		v, err = p.round(a)
	}
	return v, err
}

// round is one attempt, or several at once when there is a hedge.
func (p *pass) round(a *Attempt) (any, error) {
	h := p.layers.spec.Hedge
	if h == nil || h.After <= 0 || !p.call.Idempotent || p.call.Raw {
		return p.attempt(a)
	}
	if b := p.layers.hedges; b != nil {
		b.Call(int64(p.now()))
	}
	p.waited = true
	more := func() bool { return p.layers.hedges == nil || p.layers.hedges.Retry(int64(p.env.Now())) }
	return p.env.Hedge(h.After, 1+max(h.Max, 1), more, func(i int) (any, error) {
		return p.attempt(&Attempt{N: a.N, Hedge: i, pass: p, again: no})
	})
}

// enter takes an attempt up to the callee: route, deadline, breaker.
func (p *pass) enter(a *Attempt) error {
	var shut func(string) bool
	if p.layers.circuit != nil && p.layers.spec.Breaker.PerReplica {
		shut = p.open
	}
	replica, err := p.work.Route(a.N, shut)
	if err != nil {
		return p.rejected(a, "replica", err)
	}
	a.Replica, a.Began = replica, p.now()
	if a.Timeout = p.layers.spec.Timeout; p.deadline > 0 {
		left := p.deadline - a.Began
		if left <= 0 {
			return p.rejected(a, "deadline", p.refuse("deadline passed before the attempt"))
		}
		if a.Timeout <= 0 || left < a.Timeout {
			a.Timeout = left
		}
	}
	if err := p.admit(a); err != nil {
		return p.rejected(a, "breaker", err)
	}
	return nil
}

// attempt is one delivery.
func (p *pass) attempt(a *Attempt) (any, error) {
	if err := p.enter(a); err != nil {
		return nil, err
	}
	ended := false
	defer func() {
		if !ended { // a panic or the end of the goroutine passes through
			p.end(a, p.env.Now(), p.broken())
		}
	}()
	v, err := p.work.Try(a)
	ended = true
	if a.Hedge == 0 {
		p.waited = true
	}
	p.settle(a, v, err)
	return v, err
}

// broken is the outcome of an attempt that a panic, or the end of its goroutine, has ended: the callee's crash, unless the
// answer broke off because nobody takes it any more.
func (p *pass) broken() breaker.Outcome {
	if x, ok := p.work.(Exchange); ok && x.Left() {
		return breaker.Ignored
	}
	return breaker.Failure(engine.KindCrash)
}

// settle tells the breaker and the witness how an attempt ended, unless they know.
func (p *pass) settle(a *Attempt, v any, err error) {
	if a.permit.breaker == nil && (p.call.Witness == nil || a.told) {
		return
	}
	now := p.env.Now()
	p.end(a, now, p.classify(a, v, err, now-a.Began))
}

func (p *pass) end(a *Attempt, now time.Duration, o breaker.Outcome) {
	a.permit.done(now, o)
	p.ended(a, now-a.Began, o)
}

// again decides whether a failed attempt is followed by another.
func (p *pass) again(a *Attempt, err error) bool {
	if a.again == undecided {
		a.again = no
		if p.wantsAgain(a, err) {
			a.again = yes
		}
	}
	return a.again == yes
}

func (p *pass) wantsAgain(a *Attempt, err error) bool {
	s := p.layers.spec.Retry
	if s == nil || a.N >= s.Attempts || over(err) {
		return false
	}
	e := engine.ErrorOf(err, p.call.To)
	if e.Kind == engine.KindRefused || e.Delivered && !p.call.Idempotent {
		return false
	}
	if x, ok := p.work.(Exchange); ok && !x.Repeatable() {
		return false
	}
	if p.deadline > 0 && p.env.Now() >= p.deadline {
		return false
	}
	if s.When != nil {
		if ok, bad := s.When.Condition(p.after(a, nil, e, p.env.Now()-p.began)); bad != nil || !ok {
			return false
		}
	}
	return p.layers.retries == nil || p.layers.retries.Retry(int64(p.env.Now()))
}
