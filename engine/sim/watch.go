package sim

import (
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Watch implements engine.Context.
func (f *frame) Watch(of engine.Ref) error {
	f.check()
	a, inc, target := f.actor, f.inc, f.eng.actor(of.ID)
	if err := kernel.Watchable(a.id, of.ID, a.path, target != nil && target.kind == plan.Supervisor); err != nil {
		return err
	}
	if a.watching == nil {
		a.watching = new(kernel.Watching)
	}
	w := a.watching.Begin(of.ID, func(n *kernel.Notice) {
		a.insist(&envelope{msg: n.Message(), meta: engine.Meta{From: n.Path, Priority: engine.UsualPriority, Attempt: 1}, only: inc.epoch})
	})
	switch {
	case w == nil:
	case target == nil:
		w.Tell(&kernel.Notice{Watch: w, Terminated: kernel.Unknown(engine.Ref{ID: of.ID})})
	default:
		target.watchedBy(w)
	}
	return nil
}

// Unwatch implements engine.Context.
func (f *frame) Unwatch(of engine.Ref) {
	f.check()
	f.eng.unwatch(f.actor.watching.End(of.ID))
}

// insist puts a message into the mailbox, whatever room that has; there is at most one for each watch.
func (a *actor) insist(env *envelope) {
	if a.phase.Closed(a.path) == nil {
		a.back.push(env)
		a.enlist()
	}
}

// watchedBy adds a watch of this actor, or tells at once that the actor has stopped.
func (a *actor) watchedBy(w *kernel.Watch) {
	if why := a.phase.Closed(a.path); why != nil {
		w.Tell(&kernel.Notice{Watch: w, Terminated: a.obituary(why.Message)})
		return
	}
	a.watchers.Add(w)
}

// obituary is what watchers are told of this actor's end.
func (a *actor) obituary(why string) engine.Terminated {
	var last kernel.Gone
	epoch := engine.Epoch(0)
	if inc := a.inc; inc != nil {
		epoch, last = inc.epoch, inc.end.Last(inc.ending)
	}
	return kernel.Obituary(a.id, a.path, epoch, a.phase, why, last)
}

// unwatch takes a watch back that its watcher has given up; nil is none.
func (e *Engine) unwatch(w *kernel.Watch) {
	if w == nil {
		return
	}
	w.Off()
	if target := e.actor(w.Of); target != nil {
		target.watchers.Drop(w)
	}
}

// unwatchAll ends what the latest incarnation watches, at its end.
func (a *actor) unwatchAll() {
	for _, w := range a.watching.All() {
		a.eng.unwatch(w)
	}
	a.watching = nil
}

// heard tells whether a message is to be handled: a notice only while its watch stands, and then as its behaviour sees it.
func (f *frame) heard() bool {
	n := kernel.NoticeOf(&f.env.msg)
	if n == nil {
		return true
	}
	f.env.msg.Payload = n.Terminated
	return f.actor.watching.Heard(n)
}
