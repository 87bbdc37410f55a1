package live

import (
	"strings"

	"net/http"
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/journal"
)

// A caller takes its messages along the kernel's way.
var _ kernel.Caller = (*caller)(nil)

// View is the generation in force for what the caller does.
func (c *caller) View() *kernel.View { return c.view }

// Now is the engine's time.
func (c *caller) Now() time.Duration { return c.eng.now() }

// Emergency tells whether the emergency mode is on.
func (c *caller) Emergency() bool { return c.eng.emergency.Load() }

// Actor is the actor with that ID, nil when there is none.
func (c *caller) Actor(id engine.ID) kernel.Actor {
	if a := c.eng.actor(id); a != nil {
		return a
	}
	return nil
}

// Group is the group with that ID, nil when there is none.
func (c *caller) Group(id engine.ID) kernel.Group {
	if g := c.eng.roster.groups.Numbered(id); g != nil {
		return g
	}
	return nil
}

// Edge is the guard of an edge, nil when it has none any more.
func (c *caller) Edge(number uint32) *guard.Guard { return c.eng.guards.Edge(number) }

// Ref resolves a name.
func (c *caller) Ref(name string) (engine.Ref, error) { return c.eng.Ref(name) }

// Seed gives each guarded call another.
func (c *caller) Seed(kernel.Actor, kernel.Group) uint64 {
	return c.eng.options.Seed + c.eng.calls.Add(1)*guard.Golden
}

// Deliver asks one actor.
func (c *caller) Deliver(to kernel.Actor, p *kernel.Passage, n int, now, until time.Duration) (any, error) {
	return c.askUntil(to.(*actor), p.Msg(), p.Meta(), n, now, until)
}

// Request asks along the whole way.
func (c *caller) Request(q kernel.Question) (kernel.Reply, error) { return c.eng.request(c, &q) }

// Record adds an event.
func (c *caller) Record(path string, body journal.Body, cause *engine.Cause) {
	c.eng.scribe.Record(path, body, cause)
}

// Unsent and Passed are for those who watch; here the journal does.
func (c *caller) Unsent(string, kernel.Question, error) {}

// Passed is as Unsent.
func (c *caller) Passed(*kernel.Passage, error) {}

// Begin starts a wait for somebody's Wake.
func (c *caller) Begin(until time.Duration) guard.Waking { return c.begin(kernel.ForTurn, nil, until) }

// Await ends it.
func (c *caller) Await() error {
	_, err := c.wait()
	return c.tell(err)
}

// Another is a caller for work beside this one's.
func (c *caller) Another(needed bool) kernel.Caller {
	sub := c.eng.outside.take()
	sub.view = c.view
	if p, at := c.principal(); p != nil {
		sub.of, sub.at = p, at
		p.asks(at)
		p.mu.Lock()
		p.aides = append(p.aides, aide{sub, needed})
		p.mu.Unlock()
		if needed {
			p.w.needs.Add(1)
		}
	}
	return sub
}

// Cancel makes the caller stop waiting. It is not used again: who cancels may be late.
func (c *caller) Cancel() {
	c.spoiled.Store(true)
	c.interrupt(kernel.LeaveCanceled)
}

// Dismiss gives the caller back.
func (c *caller) Dismiss() {
	if p := c.of; p != nil {
		p.mu.Lock()
		at := slices.IndexFunc(p.aides, func(a aide) bool { return a.c == c })
		if p.aides[at].needed {
			p.w.needs.Add(-1)
		}
		p.aides = slices.Delete(p.aides, at, at+1)
		p.mu.Unlock()
		c.of, c.at = nil, nil
	}
	c.eng.outside.put(c)
}

// Go runs a job on a worker.
func (c *caller) Go(job func()) { c.eng.pool.spawn(job) }

// Path is the actor's path.
func (a *actor) Path() string {
	if a.unfit.Load()&markMoved == 0 {
		return a.path
	}
	places := a.places()
	return places[len(places)-1]
}

// Name is the actor's own name, the end of its path.
func (a *actor) Name() string { return a.path[strings.LastIndexByte(a.path, '/')+1:] }

// Stand is what stands before the actor.
func (a *actor) Stand() kernel.Stand {
	s := kernel.Stand{Kind: a.kind, Guard: a.Guard(), Quarantined: a.unfit.Load()&kernel.UnfitQuarantined != 0}
	if a.group != nil {
		s.Group, s.Guard = a.group, a.group.Guard()
	}
	return s
}

// stream is a proxied exchange on its way through the guards.
type stream struct {
	w http.ResponseWriter
	r *http.Request
}

// Pass implements kernel.Exchange.
func (s *stream) Pass(to kernel.Actor, at *guard.Attempt) error {
	return to.(*actor).proxy(s.w, s.r, at)
}

// Left implements kernel.Exchange.
func (s *stream) Left() bool { return s.r.Context().Err() != nil }

// Repeatable implements kernel.Exchange.
func (s *stream) Repeatable() bool {
	if s.r.Body == nil || s.r.Body == http.NoBody {
		return true
	}
	if b, ok := s.r.Body.(interface{ Repeatable() bool }); ok {
		return b.Repeatable()
	}
	return s.r.GetBody != nil
}

// Judged implements kernel.Exchange.
func (s *stream) Judged(by engine.Judge) kernel.Exchange {
	return &stream{s.w, s.r.WithContext(engine.WithJudge(s.r.Context(), by))}
}
