package sim

import (
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
func (c *caller) Now() time.Duration { return c.eng.Now() }

// Emergency tells whether the emergency mode is on.
func (c *caller) Emergency() bool { return c.eng.emergency }

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

// Seed counts the guarded calls to each target: the n-th draws the same in every run, whatever else goes on.
func (c *caller) Seed(a kernel.Actor, g kernel.Group) uint64 {
	if a != nil {
		return a.(*actor).numbers.next()
	}
	return g.(*group).Seed()
}

// numbers gives each guarded call to one target a seed.
type numbers struct{ seed, last uint64 }

func (n *numbers) next() uint64 {
	n.last++
	return n.seed + n.last*guard.Golden
}

// Deliver asks one actor. That it begins now goes without saying here.
func (c *caller) Deliver(to kernel.Actor, p *kernel.Passage, n int, _, until time.Duration) (any, error) {
	return c.askUntil(to.(*actor), p.Msg(), p.Meta(), n, until)
}

// Request asks along the whole way.
func (c *caller) Request(q kernel.Question) (kernel.Reply, error) { return c.eng.request(c, &q) }

// Record adds an event.
func (c *caller) Record(path string, body journal.Body, cause *engine.Cause) {
	if call, ok := body.(journal.Call); ok && c.eng.options.Calls != nil {
		if c.eng.options.Calls(call); !c.eng.view.Records("calls") {
			return // only the scenario wanted it
		}
	}
	c.eng.scribe.Record(path, body, cause)
}

// Begin starts a wait for somebody's Wake.
func (c *caller) Begin(until time.Duration) guard.Waking { return c.begin(kernel.ForTurn, nil, until) }

// Await ends it.
func (c *caller) Await() error {
	_, err := c.w.wait()
	return c.tell(err)
}

// Another is a caller for work beside this one's.
func (c *caller) Another(needed bool) kernel.Caller {
	sub := c.eng.take()
	sub.view = c.view
	if f := c.principal(); f != nil {
		sub.of = f
		f.aides = append(f.aides, aide{sub, needed})
	}
	return sub
}

// Cancel makes the caller stop waiting.
func (c *caller) Cancel() { c.interrupt(kernel.LeaveCanceled) }

// Dismiss gives the caller back.
func (c *caller) Dismiss() {
	if f := c.of; f != nil {
		f.aides = slices.DeleteFunc(f.aides, func(a aide) bool { return a.c == c })
		c.of = nil
	}
	c.eng.put(c)
}

// Go runs a job in a turn of its own.
func (c *caller) Go(job func()) { c.eng.push(task{kind: taskOwn, job: job}) }

// Path is the actor's path.
func (a *actor) Path() string { return a.path }

// Name is the actor's own name, the end of its path.
func (a *actor) Name() string { return a.name }

// Stand is what stands before the actor.
func (a *actor) Stand() kernel.Stand {
	s := kernel.Stand{Kind: a.kind, Guard: a.guard, Quarantined: a.unfit&kernel.UnfitQuarantined != 0}
	if a.group != nil {
		s.Group, s.Guard = a.group, a.group.Guard()
	}
	return s
}
