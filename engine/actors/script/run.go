package script

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// refusal is an error that answers the request without failing the actor.
type refusal struct{ answer *engine.Error }

func (r refusal) Error() string { return r.answer.Error() }

// run is one message on its way through its handler.
type run struct {
	script  *script
	ctx     engine.Context
	handler *plan.Handler
	message engine.Msg
	env     rules.Env // State is the newest that this run has seen
}

func (r *run) all() error {
	for _, step := range [...]func(*run) error{(*run).calls, (*run).set, (*run).tell, (*run).reply, (*run).stop} {
		if err := step(r); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) stop() error {
	if r.handler.Stop == nil {
		return nil
	}
	yes, err := r.handler.Stop.Condition(&r.env)
	if err != nil {
		return r.expression("stop", err)
	}
	if yes {
		r.ctx.Stop()
	}
	return nil
}

// expression is the answer when what could not be evaluated.
func (r *run) expression(what string, err error) error {
	return refusal{&engine.Error{
		Kind: engine.KindExpression, By: r.ctx.Path(), Delivered: true,
		Message: fmt.Sprintf("handler %s: %s: %v", r.handler.Message, what, err),
	}}
}

// calls asks and, in between, fails as soon as all that `fail` reads is known.
func (r *run) calls() error {
	known := knownAfter(r.handler)
	if known == 0 {
		if err := r.fail(); err != nil {
			return err
		}
	}
	if r.handler.Parallel {
		if err := r.parallel(); err != nil || known <= 0 {
			return err
		}
		return r.fail()
	}
	for i := range r.handler.Calls {
		if err := r.call(&r.handler.Calls[i]); err != nil {
			return err
		}
		if i+1 == known {
			if err := r.fail(); err != nil {
				return err
			}
		}
	}
	return nil
}

// knownAfter is how many calls must have been made before everything that `fail` reads is known; -1 without one.
func knownAfter(h *plan.Handler) int {
	if h.Fail == nil {
		return -1
	}
	var programs []*rules.Program
	if h.Fail.When != nil {
		programs = append(programs, h.Fail.When)
	}
	if h.Fail.Message != nil {
		programs = append(programs, h.Fail.Message.Programs()...)
	}
	known := 0
	for _, p := range programs {
		for _, field := range p.Reads() {
			known = max(known, boundBy(h.Calls, field))
		}
	}
	return known
}

// boundBy is the number, from 1, of the call whose result a field belongs to; 0 when it is no call's.
func boundBy(calls []plan.CallSpec, field string) int {
	name := field
	if end := strings.IndexAny(field, ".[("); end >= 0 {
		name = field[:end]
	}
	for i := range calls {
		if calls[i].As == name {
			return i + 1
		}
	}
	return 0
}

// fail is the handler's own failure, the one that the supervisor hears of.
func (r *run) fail() error {
	f := r.handler.Fail
	if f.When != nil {
		if yes, err := f.When.Condition(&r.env); err != nil {
			return r.expression("fail.when", err)
		} else if !yes {
			return nil
		}
	}
	text := "handler " + r.handler.Message + " failed"
	if f.Message != nil {
		v, err := f.Message.Build(&r.env)
		if err != nil {
			return r.expression("fail.message", err)
		}
		text = fmt.Sprint(v)
	}
	return &engine.Error{Kind: f.Kind, Message: text, By: r.ctx.Path(), Delivered: true}
}

// prepare settles a call's receiver and message; ok is false when its condition does not hold.
func (r *run) prepare(c *plan.CallSpec) (to engine.Ref, m engine.Msg, ok bool, err error) {
	if c.When != nil {
		yes, err := c.When.Condition(&r.env)
		if err != nil {
			return to, m, false, r.expression("call "+c.To+": when", err)
		}
		if !yes {
			return to, m, false, nil
		}
	}
	name := c.To
	if c.Guard != nil {
		name = c.Guard.Name
	}
	if to, err = r.ctx.Ref(name); err != nil {
		return to, m, false, r.lost(name, err)
	}
	m, err = r.build("call", c.To, c.Message, c.With)
	return to, m, err == nil, err
}

// build makes the message for a call of or a tell to somebody; one without a name has the name of the message that is handled.
func (r *run) build(what, to, name string, with *rules.Template) (engine.Msg, error) {
	m := engine.Msg{Type: name}
	if name == "" {
		m.Type = r.message.Type
	}
	if with == nil {
		return m, nil
	}
	payload, err := with.Build(&r.env)
	if err != nil {
		return m, r.expression(what+" "+to+": with", err)
	}
	m.Payload = payload
	return m, nil
}

func (r *run) lost(name string, err error) error {
	return refusal{&engine.Error{Kind: engine.KindUnreachable, By: r.ctx.Path(), Delivered: true, Message: fmt.Sprintf("%s: %v", name, err)}}
}

func (r *run) call(c *plan.CallSpec) error {
	to, m, ok, err := r.prepare(c)
	if err != nil {
		return r.tolerate(c, err)
	}
	if !ok {
		return r.bind(c, nil, nil)
	}
	value, err := r.ctx.Ask(to, m, 0)
	r.env.Now = r.ctx.Now().Seconds()
	return r.bind(c, value, err)
}

// parallel prepares every call before it asks, so that none sees another's result.
func (r *run) parallel() error {
	var made []*plan.CallSpec
	var to []engine.Ref
	var messages []engine.Msg
	for i := range r.handler.Calls {
		c := &r.handler.Calls[i]
		ref, m, ok, err := r.prepare(c)
		if err != nil {
			if err := r.tolerate(c, err); err != nil {
				return err
			}
			continue
		}
		if !ok {
			_ = r.bind(c, nil, nil)
			continue
		}
		made, to, messages = append(made, c), append(to, ref), append(messages, m)
	}
	if len(made) == 0 {
		return nil
	}
	values, errs := r.ctx.AskAll(to, messages, 0)
	r.env.Now = r.ctx.Now().Seconds()
	for i, c := range made {
		if err := r.bind(c, values[i], errs[i]); err != nil {
			return err
		}
	}
	return nil
}

// bind keeps a call's result under its name. A failure becomes the request's answer unless the call is optional.
func (r *run) bind(c *plan.CallSpec, value any, err error) error {
	if errors.Is(err, engine.ErrStopped) {
		return err
	}
	if err != nil {
		answer := *engine.ErrorOf(err, c.To)
		answer.Delivered = true // this handler had its message, and may have made other calls
		return r.tolerate(c, refusal{&answer})
	}
	if c.As != "" {
		r.bindTo(c.As, value)
	}
	return nil
}

func (r *run) tolerate(c *plan.CallSpec, err error) error {
	if !c.Optional {
		return err
	}
	if c.As != "" {
		r.bindTo(c.As, nil)
	}
	return nil
}

// bindTo makes an answer known to the expressions that follow. Many handlers bind nothing, so the mapping is made here.
func (r *run) bindTo(name string, value any) {
	if r.env.Binds == nil {
		r.env.Binds = map[string]any{}
	}
	r.env.Binds[name] = value
}

// set changes the state; all right sides see the old one, and either all fields change or none. What stays as it was is no
// change.
func (r *run) set() error {
	if len(r.handler.Set) == 0 {
		return nil
	}
	r.script.changing.Lock()
	defer r.script.changing.Unlock()
	state := r.script.now()
	r.env.State = state
	change := make(map[string]any, len(r.handler.Set))
	for _, field := range r.handler.Set {
		value, err := field.Value.Build(&r.env)
		if err != nil {
			return r.expression("set."+field.Name, err)
		}
		if old, had := state[field.Name]; !had || !reflect.DeepEqual(old, value) {
			change[field.Name] = value
		}
	}
	if len(change) == 0 {
		return nil
	}
	if err := r.script.change(r.ctx, change); err != nil {
		return unkept(err)
	}
	r.env.State = r.script.now()
	return nil
}

// unkept is what becomes of a request whose change is not kept: one that was refused leaves the state as it was.
func unkept(err error) error {
	var own *engine.Error
	if errors.As(err, &own) && (own.Kind == engine.KindInvalid || own.Kind == engine.KindRefused) {
		return refusal{own}
	}
	return err
}

func (r *run) tell() error {
	for i := range r.handler.Tell {
		t := &r.handler.Tell[i]
		if t.When != nil {
			yes, err := t.When.Condition(&r.env)
			if err != nil {
				return r.expression("tell "+t.To+": when", err)
			}
			if !yes {
				continue
			}
		}
		to, err := r.ctx.Ref(t.To)
		if err != nil {
			return r.lost(t.To, err)
		}
		m, err := r.build("tell", t.To, t.Message, t.With)
		if err != nil {
			return err
		}
		if err := r.ctx.Tell(to, m); errors.Is(err, engine.ErrStopped) {
			return err // any other refusal is a dead letter already
		}
	}
	return nil
}

// reply answers, with nil when the handler says nothing, so that no asker waits for what never comes.
func (r *run) reply() error {
	if r.handler.Reply == nil {
		r.ctx.Reply(nil)
		return nil
	}
	value, err := r.handler.Reply.Build(&r.env)
	if err != nil {
		return r.expression("reply", err)
	}
	r.ctx.Reply(value)
	return nil
}
