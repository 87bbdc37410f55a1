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

// Reload makes a plan the running generation, by whom and why as the journal shows it. Everything that can fail is
// prepared first; an error means that nothing has changed. The cause is what it goes back to, the zero Cause when it is the
// beginning.
func (e *Engine) Reload(in engine.Reloaded, cause engine.Cause) error {
	if in.Plan == nil {
		return errors.New("live: no plan to reload")
	}
	e.reloading.Lock()
	defer e.reloading.Unlock()
	return e.reload(in, cause)
}

// reload needs the reloading lock.
func (e *Engine) reload(in engine.Reloaded, cause engine.Cause) error {
	v := kernel.NewView(in.Plan, in.Generation)
	commit, err := e.guards.Prepare(in.Plan, e.now())
	if err != nil {
		return err
	}
	v.Commit = commit
	in.Before = e.trial.before(e)
	e.happen(kernel.Happening{In: in, Cause: cause, Next: v})
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

// RollBack has a generation rolled back: by whoever runs the engine, when that is wanted, else here and now.
func (e hands) RollBack(x *engine.RollBack) {
	r, cause := *x, e.control.helm.CauseFor("")
	if e.options.RollBack != nil {
		e.options.RollBack(r, cause)
		return
	}
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

// Webhook posts on a worker; a failure is only reported.
func (e hands) Webhook(x *engine.Webhook) {
	url, headers, body, limit, post := x.URL, x.Headers, x.Body, x.Timeout, e.options.Webhook
	if limit <= 0 {
		limit = webhookTimeout
	}
	cause := e.control.helm.Cause()
	if post == nil {
		post = postJSON
	}
	e.pool.spawn(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		t := e.clock.AfterFunc(limit, cancel)
		defer t.Stop()
		if err := post(ctx, url, headers, body); err != nil {
			e.scribe.Complain("", "webhook "+url+": "+err.Error(), cause)
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
