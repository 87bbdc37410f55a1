package kernel

import (
	"errors"

	"github.com/lukhasai/lukhas-run/engine"
)

// Tell is the way of a message without an answer: gates, what of the guards can say no without a call, route, and put, which puts
// it into an actor's mailbox. One that gets nowhere is a dead letter. Of a group that routes to all every replica gets it that is
// not quarantined; the first refusal is the answer then. Runtimes have a shorter way to an actor that has nothing before it.
func Tell(c Caller, q *Question, letters *Letters, put func(to Actor) error) error {
	var t target
	err := t.find(c, q)
	if err == nil && t.guarded() {
		p := take(c, &t, q)
		err = p.admit()
		c.Kept().put(p)
	}
	if err == nil && t.all() {
		return tellAll(t.group, q.Meta.Probe, put)
	}
	var to Actor
	if err == nil {
		to, err = t.pick(&q.Meta, nil)
	}
	if err == nil {
		return put(to)
	}
	var refused *engine.Error
	if errors.As(err, &refused) {
		letters.Add(t.name(), refused.Message, q.Msg.Type, &q.Meta)
	}
	return err
}

func tellAll(g Group, probe bool, put func(Actor) error) (first error) {
	for _, a := range g.Actors() {
		err := error(Refuse(a.Path(), Refused))
		if probe || !a.Stand().Quarantined {
			err = put(a)
		}
		if first == nil {
			first = err
		}
	}
	return first
}
