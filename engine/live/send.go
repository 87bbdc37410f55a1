package live

import (
	"context"
	"sync"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// CallOptions say how a message from outside travels.
type CallOptions = engine.CallOptions

// Ask sends a message to an actor or group, by path, unique name or edge, and waits for the answer. It ends early when
// ctx does. Errors of the call are *engine.Error; an unknown name wraps engine.ErrUnknownActor.
func (e *Engine) Ask(ctx context.Context, name string, m engine.Msg, o CallOptions) (any, error) {
	to, err := e.Ref(name)
	if err != nil {
		return nil, err
	}
	return e.AskRef(ctx, to, m, o)
}

// AskRef is Ask to a resolved name.
func (e *Engine) AskRef(ctx context.Context, to engine.Ref, m engine.Msg, o CallOptions) (any, error) {
	r, err := e.Request(ctx, to, m, o)
	return r.Payload, err
}

// Request is AskRef that also tells which HTTP status a fallback wants that answered.
func (e *Engine) Request(ctx context.Context, to engine.Ref, m engine.Msg, o CallOptions) (Reply, error) {
	c := e.outside.take()
	defer e.outside.put(c)
	defer c.endsWith(ctx)()
	return e.request(c, &kernel.Question{To: to, Msg: m, Meta: o.Meta(), Timeout: o.Timeout})
}

// Tell puts a message into an actor's mailbox, by path, unique name or edge. It blocks only where the mailbox's policy
// is to block, and at most until ctx ends.
func (e *Engine) Tell(ctx context.Context, name string, m engine.Msg, o CallOptions) error {
	to, err := e.Ref(name)
	if err != nil {
		return err
	}
	c := e.outside.take()
	defer e.outside.put(c)
	defer c.endsWith(ctx)()
	meta := o.Meta()
	var env envelope
	c.enclose(&env, &m, &meta)
	return e.tell(c, to, &env)
}

// callers are used again by one outside call after another.
type callers struct {
	eng    *Engine
	mu     sync.Mutex
	free   []*caller
	closed bool
}

// maxCallers bounds the callers that are kept.
const maxCallers = 1024

func (p *callers) take() *caller {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		c := p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		c.view, c.told = nil, false
		return c
	}
	c := &caller{}
	c.init(p.eng)
	return c
}

func (p *callers) put(c *caller) {
	p.mu.Lock()
	keep := !c.spoiled.Load() && !p.closed && len(p.free) < maxCallers
	if keep {
		p.free = append(p.free, c)
	}
	p.mu.Unlock()
	if !keep {
		c.rest()
	}
}

func (p *callers) close() {
	p.mu.Lock()
	free := p.free
	p.free, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range free {
		c.rest()
	}
}

// request is the way of every ask: straight to an actor that has nothing in its way, else the kernel's.
func (e *Engine) request(c *caller, q *kernel.Question) (Reply, error) {
	if q.Msg.Type == "" {
		return Reply{}, kernel.Untyped()
	}
	c.enter(e)
	if a := e.direct(q.To); a != nil {
		v, err := c.ask(a, &q.Msg, &q.Meta, q.Timeout)
		return Reply{Payload: v}, err
	}
	return kernel.Request(c, q)
}

// direct is the actor that a message reaches with nothing in its way: no guard, group, quarantine or emergency. nil:
// the long way decides.
func (e *Engine) direct(to engine.Ref) *actor {
	if to.Edge != 0 || to.ID&kernel.GroupBit != 0 || e.emergency.Load() {
		return nil
	}
	a := e.actor(to.ID)
	if a == nil || a.group != nil || a.kind == plan.Supervisor || a.unfit.Load()&(kernel.UnfitQuarantined|markGuarded) != 0 {
		return nil
	}
	return a
}

// tell is the way of every tell, as request is of every ask.
func (e *Engine) tell(c *caller, to engine.Ref, env *envelope) error {
	if env.msg.Type == "" {
		return kernel.Untyped()
	}
	c.enter(e)
	if a := e.direct(to); a != nil {
		return a.offer(env, c)
	}
	return e.tellFar(c, to, env)
}

// tellFar is tell along the kernel's way. It stands apart for its stack.
func (e *Engine) tellFar(c *caller, to engine.Ref, env *envelope) error {
	q := kernel.Question{To: to, Msg: env.msg, Meta: env.meta()}
	key := q.Meta.Key
	return kernel.Tell(c, &q, e.letters, func(a kernel.Actor) error {
		if q.Meta.Key != key { // the route has given it one
			key, *env = q.Meta.Key, envelope{}
			c.enclose(env, &q.Msg, &q.Meta)
		}
		return a.(*actor).offer(env, c)
	})
}

// enter readies an outside caller; a handler's generation was pinned when its message was taken.
func (c *caller) enter(e *Engine) {
	if c.view == nil {
		c.view = e.view.Load()
	}
}
