package sim

import "iter"

// coroutine runs what waits in our own code only: guards, scripts, consensus. Switching to one costs a quarter of a
// carrier's hand-over, but it is no place for code of others: the end of its goroutine would end its caller's too, and a
// handler that has locked its thread would end the process.
type coroutine struct {
	eng   *Engine
	frame *frame
	task  task
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
}

// unwinding is what a coroutine panics with to leave what it runs: by a second wait after ErrStopped, or by Close.
type unwinding struct{}

// own tells whether the task waits in our own code only.
func (t *task) own() bool {
	switch t.kind {
	case taskAsk, taskOwn:
		return true
	case taskActivate:
		return t.inc.own
	case taskResume:
		return t.w.coroutine != nil
	}
	return false
}

// enter runs a task on a coroutine, up to its end or its next wait.
func (e *Engine) enter(t *task) {
	l := &e.loop
	var k *coroutine
	switch n := len(l.idlers); {
	case t.kind == taskResume:
		k = t.w.coroutine
	case n > 0:
		k = l.idlers[n-1]
		l.idlers = l.idlers[:n-1]
		k.task = *t
	default:
		k = &coroutine{eng: e, frame: newFrame(e), task: *t}
		k.next, k.stop = iter.Pull(k.run)
		l.coroutines = append(l.coroutines, k)
	}
	l.inside = k
	k.next()
	l.inside = nil
}

// run is a coroutine's life.
func (k *coroutine) run(yield func(struct{}) bool) {
	defer func() {
		if p := recover(); p != nil && p != (unwinding{}) {
			panic(p)
		}
	}()
	k.yield = yield
	for {
		t := k.task
		k.task = task{}
		k.eng.do(k.frame, &t)
		k.eng.loop.idlers = append(k.eng.loop.idlers, k)
		if !yield(struct{}{}) {
			return
		}
	}
}

// suspend goes back to the loop until the wait is over.
func (k *coroutine) suspend() {
	if k.eng.loop.closing || !k.yield(struct{}{}) {
		panic(unwinding{})
	}
}
