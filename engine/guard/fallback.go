package guard

import (
	"net/http"
	"strconv"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// Instead answers for a call that was refused before it came to the guard, by a quarantine or the emergency mode, with the
// first fallback that applies and works. Without one the result is err.
func (g *Guard) Instead(env Env, c *Call, err error) (any, error) {
	p := &c.pass
	*p = pass{layers: g.layers.Load(), env: env, call: c, began: env.Now()}
	if len(p.layers.spec.Fallback) == 0 || over(err) {
		return nil, err
	}
	return p.fallback(err)
}

// fallback answers for a call that was refused or failed, with the first fallback that applies and works. When none
// does, the call's own error stands.
func (p *pass) fallback(err error) (any, error) {
	env := p.failed(err)
	for i := range p.layers.spec.Fallback {
		f := &p.layers.spec.Fallback[i]
		if !applies(f, env) {
			continue
		}
		if v, failed := p.instead(f, env); failed == nil {
			p.call.Degraded, p.call.FallbackStatus = true, f.Status
			p.fellBack()
			return v, nil
		}
	}
	return nil, err
}

// failed is what fallbacks see.
func (p *pass) failed(err error) *rules.Env {
	e := engine.ErrorOf(err, p.call.To)
	return p.after(&Attempt{Status: e.Status}, nil, e, p.env.Now()-p.began)
}

func applies(f *plan.Fallback, env *rules.Env) bool {
	if f.When == nil {
		return true
	}
	ok, err := f.When.Condition(env)
	return err == nil && ok
}

// instead carries one fallback out.
func (p *pass) instead(f *plan.Fallback, env *rules.Env) (any, error) {
	if f.To == "" {
		if f.Reply == nil {
			return nil, nil
		}
		return f.Reply.Build(env)
	}
	m := engine.Msg{Type: p.call.Message, Payload: p.call.Payload}
	if f.Message != "" {
		m.Type = f.Message
	}
	if f.With != nil {
		payload, err := f.With.Build(env)
		if err != nil {
			return nil, err
		}
		m.Payload = payload
	}
	return p.env.Ask(f.To, m, p.layers.spec.Timeout)
}

// Judge decides about a proxied answer before anything of it is written: nil lets it through, an error gives it up,
// because another attempt or a fallback will answer instead. An answer let through whose end is not in sight (a stream,
// an upgrade, a long download) settles with the breaker here: it is not slow because its reader stays.
func (a *Attempt) Judge(status int, header http.Header) error {
	p := a.pass
	a.Status = status
	now := p.env.Now()
	if p.classify(a, nil, nil, now-a.Began).IsFailure() {
		err := &engine.Error{Kind: engine.KindStatus, Message: http.StatusText(status), By: p.call.To, Status: status, Delivered: true}
		if p.again(a, err) || p.willFallBack(err) {
			return err
		}
		p.soured = true
	}
	if status == http.StatusSwitchingProtocols || !endInSight(header) {
		p.settle(a, nil, nil)
	}
	return nil
}

// inSight is how long an answer may be whose reader cannot make it look slow: buffers on the way take it.
const inSight = 64 << 10

func endInSight(h http.Header) bool {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	return err == nil && n <= inSight
}

// willFallBack tells whether some fallback applies to an error.
func (p *pass) willFallBack(err error) bool {
	if len(p.layers.spec.Fallback) == 0 {
		return false
	}
	env := p.failed(err)
	for i := range p.layers.spec.Fallback {
		if applies(&p.layers.spec.Fallback[i], env) {
			return true
		}
	}
	return false
}

// Force overrides the breaker, all of them where there is one for each key, or only that of one key. Mode is
// forced_open, forced_closed, disabled, shadow, normal or reset. at is the engine's time. It reports whether the guard has such a breaker.
func (g *Guard) Force(at time.Duration, name, mode string) bool {
	c := g.layers.Load().circuit
	if c == nil {
		return false
	}
	now := int64(at)
	act := func(b *breaker.Breaker) { b.Reset(now) }
	m, known := breaker.ParseMode(mode)
	if known {
		act = func(b *breaker.Breaker) { b.Force(now, m) }
	}
	found := name == c.name
	if found && known && c.many != nil {
		c.mu.Lock()
		c.mode = m // for those yet to come
		c.mu.Unlock()
	}
	c.each(func(key string, b *breaker.Breaker) {
		if name == c.name || name == label(c.name, key) {
			act(b)
			found = true
		}
	})
	return found
}
