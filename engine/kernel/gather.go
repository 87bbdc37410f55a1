package kernel

import (
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
)

// Many are several questions that are asked at once.
type Many struct {
	To      []engine.Ref
	Msgs    []engine.Msg // as many as To
	Meta    engine.Meta  // of each
	Timeout time.Duration
}

// gathering is the answers to several questions. Each is asked by a caller of its own, so that guards can make them wait and try
// again apart from one another.
type gathering struct {
	answers []any
	errs    []error

	mu     sync.Mutex
	subs   []Caller // who asks; nil once it has its answer
	come   []int    // whose answers have come, in that order
	needed int      // how many the asker waits for
	wait   guard.Waking
}

// gather asks all; needed tells that the caller wants each answer.
func gather(c Caller, q *Many, needed bool) *gathering {
	n := len(q.To)
	g := &gathering{answers: make([]any, n), errs: make([]error, n), subs: make([]Caller, n)}
	for i := range n {
		g.subs[i] = c.Another(needed)
	}
	for i, sub := range g.subs {
		question := Question{To: q.To[i], Msg: q.Msgs[i], Meta: q.Meta, Timeout: q.Timeout}
		c.Go(func() {
			r, err := sub.Request(question)
			g.arrive(i, r.Payload, err)
			sub.Dismiss()
		})
	}
	return g
}

// arrive takes an answer. From here on its caller is not cancelled any more.
func (g *gathering) arrive(i int, answer any, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answers[i], g.errs[i], g.subs[i] = answer, err, nil
	g.come = append(g.come, i)
	if g.wait != nil && len(g.come) >= g.needed {
		g.wait.Wake()
		g.wait = nil
	}
}

// await waits until n answers have come. An error says that the asker must stop.
func (g *gathering) await(c Caller, n int) error {
	for {
		g.mu.Lock()
		if g.needed = n; len(g.come) >= n {
			g.mu.Unlock()
			return nil
		}
		g.wait = c.Begin(0)
		g.mu.Unlock()
		if err := c.Await(); err != nil {
			return err
		}
	}
}

// giveUp lets those stop who still ask.
func (g *gathering) giveUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, sub := range g.subs {
		if sub != nil {
			sub.Cancel()
		}
	}
}

// AskAll asks all at once and waits for all answers. A caller that must stop gets that as the answer of each.
func AskAll(c Caller, q *Many) ([]any, []error) {
	err := c.Blocks()
	if err == nil {
		g := gather(c, q, true)
		if err = g.await(c, len(q.To)); err == nil {
			return g.answers, g.errs
		}
		g.giveUp() // what the others still write is theirs
	}
	errs := make([]error, len(q.To))
	for i := range errs {
		errs[i] = err
	}
	return make([]any, len(q.To)), errs
}

// AskUntil asks all at once and shows the answers as they come; see engine.EarlyAsker.
func AskUntil(c Caller, q *Many, seen func(i int, value any, err error) bool) {
	if err := c.Blocks(); err != nil {
		seen(0, nil, err)
		return
	}
	g := gather(c, q, false)
	for n := range q.To {
		if err := g.await(c, n+1); err != nil {
			seen(0, nil, err)
			break
		}
		g.mu.Lock()
		i := g.come[n]
		value, err := g.answers[i], g.errs[i]
		g.mu.Unlock()
		if !seen(i, value, err) {
			break
		}
	}
	g.giveUp()
}
