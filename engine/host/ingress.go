package host

import (
	"context"
	"net/http"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/gateway"
	"github.com/lukhasai/lukhas-run/engine/live"
)

// ingress lets the gateway's requests into the runtime.
type ingress struct{ engine *live.Engine }

// Ask implements gateway.Engine.
func (i ingress) Ask(ctx context.Context, to string, m engine.Msg, meta engine.Meta) (gateway.Answer, error) {
	ref, err := i.engine.Ref(to)
	if err != nil {
		return gateway.Answer{}, engine.ErrorOf(err, to)
	}
	reply, err := i.engine.Request(ctx, ref, m, options(meta))
	if err != nil {
		return gateway.Answer{}, engine.ErrorOf(err, to)
	}
	return gateway.Answer{Payload: reply.Payload, Status: reply.Status}, nil
}

// Proxy implements gateway.Engine.
func (i ingress) Proxy(w http.ResponseWriter, r *http.Request, to string, meta engine.Meta) (*gateway.Answer, error) {
	ref, err := i.engine.Ref(to)
	if err != nil {
		return nil, engine.ErrorOf(err, to)
	}
	reply, err := i.engine.Proxy(ref, w, r, options(meta))
	if err != nil {
		return nil, engine.ErrorOf(err, to)
	}
	if reply == nil {
		return nil, nil
	}
	return &gateway.Answer{Payload: reply.Payload, Status: reply.Status}, nil
}

func options(m engine.Meta) live.CallOptions {
	o := live.CallOptions{Correlation: m.Correlation, Causation: m.Causation, From: m.From, Key: m.Key, Priority: m.Priority,
		Idempotent: m.Idempotent, Probe: m.Probe, Timeout: m.Deadline}
	if m.Priority == 0 {
		o.Priority = -1 // there 0 means usual
	}
	return o
}
