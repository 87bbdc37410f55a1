package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/kernel"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// swap makes the prepared generation the running one.
func (e *Engine) swap(x *engine.Swap) {
	v := e.next
	if v == nil || v.Plan != x.Plan {
		return // only a prepared generation can be put in force
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

// Reload makes p the running generation, by whom and why as the journal shows it. Everything that can fail is prepared
// first; an error means that nothing has changed.
func (e *Engine) Reload(p *plan.Plan, generation uint64, by, why string) error {
	if p == nil {
		return errors.New("live: no plan to reload")
	}
	e.reloading.Lock()
	defer e.reloading.Unlock()
	v := kernel.NewView(p, generation)
	commit, err := e.prepareGuards(p)
	if err != nil {
		return err
	}
	v.Commit = commit
	e.happen(happening{in: engine.Reloaded{Plan: p, Generation: generation, By: by, Why: why}, next: v})
	if e.view.Load() != v {
		return errors.New("the engine took no new plan: it is stopping")
	}
	return nil
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
