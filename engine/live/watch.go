package live

import (
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Watch implements engine.Context.
func (f *frame) Watch(of engine.Ref) error {
	a, target := f.inc.a, f.eng.actor(of.ID)
	if err := kernel.Watchable(a.id, of.ID, a.Path(), target != nil && target.kind == plan.Supervisor); err != nil {
		return err
	}
	w, err := a.watch(f.inc, of.ID)
	if w == nil {
		return err
	}
	if target == nil {
		w.Tell(&kernel.Notice{Watch: w, Terminated: kernel.Unknown(engine.Ref{ID: of.ID})})
	} else {
		target.watchedBy(w)
	}
	return nil
}

// Unwatch implements engine.Context.
func (f *frame) Unwatch(of engine.Ref) {
	a := f.inc.a
	a.mu.Lock()
	var w *kernel.Watch
	if a.inc == f.inc && a.rare != nil {
		w = a.rare.watching.End(of.ID)
	}
	a.mu.Unlock()
	f.eng.unwatch(w)
}

// watch begins a watch of an incarnation: nil when there is one already, and ErrStopped when the incarnation is over.
func (a *actor) watch(inc *incarnation, of engine.ID) (*kernel.Watch, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inc != inc || inc.stage() == kernel.StageGone {
		return nil, engine.ErrStopped
	}
	r := a.unusual()
	if r.watching == nil {
		r.watching = new(kernel.Watching)
	}
	later := &slip{only: inc.epoch}
	return r.watching.Begin(of, func(n *kernel.Notice) {
		a.insist(&envelope{msg: n.Message(), from: a.eng.actor(of), slip: later, priority: engine.UsualPriority, attempt: 1})
	}), nil
}

// insist puts a message into the mailbox, whatever room that has; there is at most one for each watch.
func (a *actor) insist(env *envelope) {
	a.mu.Lock()
	if a.phase.Closed(a.Path()) != nil {
		a.mu.Unlock()
		return
	}
	a.accept(env)
	run := a.enlist()
	a.mu.Unlock()
	if run != nil {
		a.eng.pool.run(run)
	}
}

// watchedBy adds a watch of this actor, or tells at once that the actor has stopped.
func (a *actor) watchedBy(w *kernel.Watch) {
	a.mu.Lock()
	why := a.phase.Closed(a.Path())
	if why == nil {
		a.unusual().watchers.Add(w)
		a.mu.Unlock()
		return
	}
	t := a.obituary(why.Message)
	a.mu.Unlock()
	w.Tell(&kernel.Notice{Watch: w, Terminated: t})
}

// obituary is what watchers are told of this actor's end. It needs the lock.
func (a *actor) obituary(why string) engine.Terminated {
	var last kernel.Gone
	epoch := engine.Epoch(0)
	if inc := a.inc; inc != nil {
		epoch, last.Ending = inc.epoch, inc.ending
		if inc.last != nil {
			last = inc.last.Last(inc.ending)
		}
	}
	return kernel.Obituary(a.id, a.Path(), epoch, a.phase, why, last)
}

// unwatch takes a watch back that its watcher has given up; nil is none.
func (e *Engine) unwatch(w *kernel.Watch) {
	if w == nil {
		return
	}
	w.Off()
	if target := e.actor(w.Of); target != nil {
		target.mu.Lock()
		defer target.mu.Unlock()
		if target.rare != nil {
			target.rare.watchers.Drop(w)
		}
	}
}

// watches takes what the latest incarnation watches from it, at its end. It needs the lock.
func (a *actor) watches() []*kernel.Watch {
	if a.rare == nil || a.rare.watching == nil {
		return nil
	}
	all := a.rare.watching.All()
	a.rare.watching = nil
	return all
}

// heard tells whether a message is to be handled: a notice only while its watch stands, and then as its behaviour sees it.
func (f *frame) heard() bool {
	n := kernel.NoticeOf(&f.env.msg)
	if n == nil {
		return true
	}
	a := f.inc.a
	a.mu.Lock()
	defer a.mu.Unlock()
	f.env.msg.Payload = n.Terminated
	return a.rare != nil && a.rare.watching.Heard(n)
}
