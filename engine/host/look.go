package host

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// Actor shows one actor, by path or by name where that is unique, and what it holds: a script's state, or that of a Go behaviour that is
// an engine.Stateful. The state is read and encoded in a turn of the actor, paused or not, and shown without the topology's
// secrets; that it was not read, and why, stands in the detail and is no error. An error says that the name means no actor
// (engine.ErrUnknownActor) or several. It blocks for the request's time at most, and until ctx ends; a handler must not ask
// for its own actor.
func (h *Host) Actor(ctx context.Context, r admin.ActorRequest) (admin.ActorDetail, error) {
	p := h.plan()
	spec, err := one(p, r.Actor)
	if err != nil {
		return admin.ActorDetail{}, err
	}
	now, known := h.engine.Actor(spec.Path)
	if !known {
		return admin.ActorDetail{}, fmt.Errorf("%w %q: it is not started yet", engine.ErrUnknownActor, r.Actor)
	}
	out := admin.ActorDetail{Actor: actorStatus(now, h.sampler.last()[spec.Path]), Group: spec.Group, Labels: h.labels(spec)}
	policies := breakersOf{}
	policies.addActor(spec)
	g := spec.Guard
	if group := p.Group(spec.Group); group != nil {
		g = group.Guard
	}
	if policies.add(g); g != nil {
		out.Guard = g.Name
	}
	out.Breakers = breakerStatuses(h.engine.Guards(), h.engine.Now(), policies, false)
	within := r.Timeout
	if within <= 0 {
		within = admin.DefaultLook
	}
	state, err := h.engine.State(ctx, spec.Path, within)
	if err != nil {
		out.Unread = h.unread(err)
		return out, nil
	}
	out.State = h.record.secrets.Load().payload(state)
	return out, nil
}

// one is the actor that a name means.
func one(p *plan.Plan, name string) (*plan.Actor, error) {
	found, err := p.Resolve(name)
	switch {
	case errors.Is(err, plan.ErrUnknown):
		return nil, fmt.Errorf("%w%s", engine.ErrUnknownActor, strings.TrimPrefix(err.Error(), plan.ErrUnknown.Error()))
	case err != nil:
		return nil, &engine.Error{Kind: engine.KindInvalid, Message: err.Error()}
	case len(found) != 1:
		return nil, &engine.Error{Kind: engine.KindInvalid, Message: fmt.Sprintf("%q is a group of %d replicas: ask for one, such as %s",
			name, len(found), p.Actors[found[0]].Path)}
	}
	return &p.Actors[found[0]], nil
}

func (h *Host) labels(spec *plan.Actor) map[string]string {
	if len(spec.Labels) == 0 {
		return nil
	}
	secrets, out := h.record.secrets.Load(), make(map[string]string, len(spec.Labels))
	for _, l := range spec.Labels {
		out[l.Key] = secrets.text(l.Value)
	}
	return out
}

// unread says why a state is not shown.
func (h *Host) unread(err error) *admin.Unread {
	if errors.Is(err, engine.ErrNoState) {
		return &admin.Unread{Kind: admin.UnreadStateless, Message: err.Error()}
	}
	e := engine.ErrorOf(err, "")
	return &admin.Unread{Kind: e.Kind, Message: h.record.secrets.Load().text(e.Message)}
}
