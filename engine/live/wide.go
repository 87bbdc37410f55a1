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
	"github.com/lukhasai/lukhas-run/engine/plan"
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
	return e.reloads.Reload(in, cause)
}

// Since gives what was measured since the commit of the generation on probation, for the Sampled at hand. It wants to be
// asked for each: it also remembers what a later generation is compared with.
func (e *Engine) Since() engine.Figures { return e.reloads.Since() }

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
		e.reloads.RollBack(r, cause)
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
