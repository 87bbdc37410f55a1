package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// swap makes a plan the running one: the prepared generation, or a variant of it or of the one in force.
func (e *Engine) swap(x *engine.Swap) {
	v := e.next
	if v != nil {
		v.Taken = true
	}
	if v == nil || v.Plan != x.Plan {
		v = e.variant(x.Plan)
	}
	v.Generation = x.Generation
	e.next = v
	if e.options.Swapped != nil {
		e.options.Swapped(v.Plan)
	}
	e.view.Store(v)
	v.Commit()
	e.detail.Store(uint32(detailOf(v.Plan.Observe.Level)))
	for i := range v.Plan.Actors {
		spec := &v.Plan.Actors[i]
		if a := e.byPath(spec.Path); a != nil {
			a.mu.Lock()
			a.box = newBox(spec.Mailbox)
			if a.rare.crowd() > 0 {
				a.admit()
				a.rouse()
			}
			a.mu.Unlock()
		}
	}
}

// variant prepares a plan that differs from a prepared one in what cannot fail. Should it fail all the same, the guards
// stay as they are, and that is told.
func (e *Engine) variant(p *plan.Plan) *kernel.View {
	v := kernel.NewView(p, 0)
	commit, err := e.prepareGuards(p)
	if err != nil {
		cause := e.control.cause
		e.scribe.record("", journal.Logged{Level: "error", Text: "guards stay as they are: " + err.Error()}, &cause)
		return v
	}
	v.Commit = commit
	return v
}

// Reload makes a plan the running generation, by whom and why as the journal shows it. Everything that can fail is
// prepared first; an error means that nothing has changed.
func (e *Engine) Reload(in engine.Reloaded) error {
	if in.Plan == nil {
		return errors.New("live: no plan to reload")
	}
	e.reloading.Lock()
	defer e.reloading.Unlock()
	return e.reload(in, engine.Cause{})
}

// reload needs the reloading lock.
func (e *Engine) reload(in engine.Reloaded, cause engine.Cause) error {
	v := kernel.NewView(in.Plan, in.Generation)
	commit, err := e.prepareGuards(in.Plan)
	if err != nil {
		return err
	}
	v.Commit = commit
	in.Before = e.trial.before(e)
	e.happen(happening{in: in, cause: cause, next: v})
	if err := v.Verdict(); err != nil {
		return err
	}
	e.trial.begin(e, in.Generation)
	return nil
}

// trial measures generations on probation. Its mutex is held while guards and actors are looked at, which may lead into the
// control plane; that in turn only ever sets probation.
type trial struct {
	mu        sync.Mutex
	figures   kernel.Trial
	probation atomic.Bool // the generation in force is on it
}

func (t *trial) before(e *Engine) engine.Figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.figures.Before(e.now(), e.view.Load().Plan, e)
}

func (t *trial) begin(e *Engine, generation uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.figures.Begin(e.now(), generation, t.probation.Load(), e.view.Load().Plan, e)
}

// heard follows the generation in force.
func (t *trial) heard(body journal.Body) {
	switch b := body.(type) {
	case *journal.ReloadCommitted:
		t.probation.Store(b.Probation > 0)
	case *journal.ReloadVerified, *journal.ReloadRolledBack:
		t.probation.Store(false)
	}
}

// Since gives what was measured since the commit of the generation on probation, for the Sampled at hand. It wants to be
// asked for each: it also remembers what a later generation is compared with.
func (e *Engine) Since() engine.Figures {
	t := &e.trial
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.probation.Load() {
		t.figures.End()
	}
	return t.figures.Sample(e.now(), e.view.Load().Plan, e)
}

// takeBack has a generation rolled back: by whoever runs the engine, when that is wanted, else here and now.
func (e *Engine) takeBack(x *engine.RollBack) {
	r := *x
	if e.options.RollBack != nil {
		e.options.RollBack(r)
		return
	}
	cause := e.control.causeFor("")
	e.pool.spawn(func() {
		e.reloading.Lock()
		defer e.reloading.Unlock()
		if e.view.Load().Generation != r.Generation {
			return // another reload was faster
		}
		in := engine.Reloaded{Plan: r.Plan, Generation: r.Generation + 1, By: engine.ByVerification, Why: r.Why}
		if err := e.reload(in, cause); err != nil {
			e.Submit(engine.RollBackFailed{Generation: r.Generation, Why: err.Error()})
		}
	})
}

// webhookTimeout bounds a post that names no bound.
const webhookTimeout = 10 * time.Second

// webhook posts on a worker; a failure is only reported.
func (e *Engine) webhook(x *engine.Webhook) {
	url, headers, body, limit, post := x.URL, x.Headers, x.Body, x.Timeout, e.options.Webhook
	if limit <= 0 {
		limit = webhookTimeout
	}
	cause := e.control.cause
	if post == nil {
		post = postJSON
	}
	e.pool.spawn(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		t := e.clock.AfterFunc(limit, cancel)
		defer t.Stop()
		if err := post(ctx, url, headers, body); err != nil {
			e.scribe.record("", journal.Logged{Level: "error", Text: "webhook " + url + ": " + err.Error()}, &cause)
		}
	})
}

func postJSON(ctx context.Context, url string, headers []plan.Label, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		r.Header.Set(h.Key, h.Value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}
