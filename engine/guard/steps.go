package guard

// A call may also be taken in steps, by who cannot wait: Open, the attempt, Close and, if that says so, Rest where waiting is
// possible. The steps are those of Call.

// Prompt tells whether the guard never makes a call wait before its first attempt has been made, so that Open may be used.
func (g *Guard) Prompt() bool {
	l := g.layers.Load()
	return l.bulkhead == nil && l.adaptive == nil && l.spec.Hedge == nil
}

// Open takes a call up to its first attempt. An error says why there is none. Close must follow in either case.
func (g *Guard) Open(env Env, c *Call, w Work) (*Attempt, error) {
	p := c.begin(g, env, w)
	a := &c.first
	*a = Attempt{N: 1, pass: p}
	if err := p.rate(); err != nil {
		a.again = no
		return a, p.rejected(a, "rate_limit", err)
	}
	p.budget()
	return a, p.enter(a)
}

// Close tells how the attempt ended. When the call is not done by that, it is tried again or a fallback answers: Rest does
// that, with what Close was told, and may wait.
func (c *Call) Close(v any, err error) (done bool) {
	p, a := &c.pass, &c.first
	p.waited = true
	p.settle(a, v, err)
	if err != nil && (p.again(a, err) || p.fallible(err)) {
		return false
	}
	p.count(err)
	return true
}

// Rest is what follows a Close that did not end the call.
func (c *Call) Rest(v any, err error) (any, error) {
	p := &c.pass
	return p.finish(p.retry(&c.first, v, err))
}
