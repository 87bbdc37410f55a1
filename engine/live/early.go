package live

import (
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
)

// arrivals are the answers of one AskUntil that have come and were not looked at yet.
type arrivals struct {
	mu      sync.Mutex
	come    []int
	waiting ticket // of the asker, when it waits for the next
}

// arrive wakes the asker; what it needs to know was written before.
func (a *arrivals) arrive(i int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.come = append(a.come, i)
	a.waiting.settle(nil, nil)
	a.waiting = ticket{}
}

// next waits for an answer and gives its number.
func (a *arrivals) next(c *caller) (int, error) {
	for {
		a.mu.Lock()
		if len(a.come) > 0 {
			i := a.come[0]
			a.come = a.come[1:]
			a.mu.Unlock()
			return i, nil
		}
		a.waiting = c.begin(forTurn, nil, 0)
		a.mu.Unlock()
		if _, err := c.wait(); err != nil {
			return 0, c.tell(err)
		}
	}
}

// AskUntil asks each on a caller of its own and shows the answers as they come; see engine.EarlyAsker.
func (f *frame) AskUntil(to []engine.Ref, m []engine.Msg, timeout time.Duration, seen func(i int, value any, err error) bool) {
	f.flush()
	if err := f.Blocks(); err != nil {
		seen(0, nil, err)
		return
	}
	members := make([]*caller, len(to))
	answers, errs := make([]any, len(to)), make([]error, len(to))
	a, meta := &arrivals{}, engine.Meta{}
	f.next(&meta)
	for i := range to {
		members[i] = f.eng.outside.take()
		members[i].view = f.caller.view
		f.eng.pool.spawn(func() {
			r, err := f.eng.request(members[i], &kernel.Question{To: to[i], Msg: m[i], Meta: meta, Timeout: timeout})
			answers[i], errs[i] = r.Payload, err
			a.arrive(i)
		})
	}
	for range to {
		i, err := a.next(&f.caller)
		f.fresh = false
		if err == nil {
			f.eng.outside.put(members[i])
			members[i] = nil
			if seen(i, answers[i], errs[i]) {
				continue
			}
		} else {
			seen(0, nil, err)
		}
		break
	}
	for _, left := range members {
		if left != nil {
			left.interrupt(stopCanceled) // it is not used again: its answer may still be on its way
		}
	}
}
