package consensus

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// New makes the behaviour of consensus actors. It keeps nothing between messages.
func New() engine.Factory {
	return func(*plan.Actor, *plan.Plan) (engine.Behavior, error) { return consensus{}, nil }
}

type consensus struct{}

// Handle asks all members and answers with what they agree on.
func (consensus) Handle(ctx engine.Context, m engine.Msg) error {
	spec := ctx.Actor().Consensus
	refs, err := members(ctx, spec)
	if err != nil {
		ctx.Fail(&engine.Error{Kind: engine.KindConsensus, By: ctx.Path(), Message: err.Error()})
		return nil
	}
	messages := make([]engine.Msg, len(refs))
	for i := range messages {
		messages[i] = m
	}
	v := &vote{ctx: ctx, spec: spec, ballot: newBallot(spec)}
	if err := v.collect(refs, messages); err != nil {
		return err
	}
	v.conclude()
	v.report(m)
	return nil
}

func members(ctx engine.Context, spec *plan.ConsensusSpec) ([]engine.Ref, error) {
	refs := make([]engine.Ref, len(spec.Members))
	for i, name := range spec.Members {
		ref, err := ctx.Ref(name)
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", name, err)
		}
		refs[i] = ref
	}
	return refs, nil
}

// vote is one message's way to an answer.
type vote struct {
	ctx      engine.Context
	spec     *plan.ConsensusSpec
	ballot   *ballot
	answered bool
	agreed   bool
}

// collect counts the answers, in the order they come where the context can tell.
func (v *vote) collect(refs []engine.Ref, messages []engine.Msg) error {
	stopped := false
	seen := func(i int, value any, err error) bool {
		if stopped = stopped || errors.Is(err, engine.ErrStopped); stopped {
			return false
		}
		v.count(i, value, err)
		if v.ballot.settled() {
			v.conclude()
		}
		return true
	}
	if early, ok := v.ctx.(engine.EarlyAsker); ok {
		early.AskUntil(refs, messages, 0, seen)
	} else {
		values, errs := v.ctx.AskAll(refs, messages, 0)
		for i := range values {
			seen(i, values[i], errs[i])
		}
	}
	if stopped {
		return engine.ErrStopped
	}
	return nil
}

// count takes one member's answer. One that cannot be compared is as good as none.
func (v *vote) count(i int, value any, err error) {
	if err == nil {
		var key string
		if key, err = v.normalise(i, value); err == nil {
			v.ballot.add(i, key, value)
			return
		}
	}
	v.ballot.silence(i, err)
}

// normalise is the text by which answers are equal. JSON sorts the names of mappings.
func (v *vote) normalise(i int, value any) (string, error) {
	if v.spec.Compare != nil {
		path := v.spec.Members[i]
		compared, err := v.spec.Compare.Value(&rules.Env{
			Params: v.ctx.Plan().ParamValues(), Now: v.ctx.Now().Seconds(), Value: value,
			Member: &rules.Actor{Path: path, Name: path[strings.LastIndexByte(path, '/')+1:]},
		})
		if err != nil {
			return "", &engine.Error{Kind: engine.KindExpression, By: v.ctx.Path(), Message: "compare: " + err.Error()}
		}
		value = compared
	}
	text, err := json.Marshal(value)
	return string(text), err
}

// conclude answers once.
func (v *vote) conclude() {
	if v.answered {
		return
	}
	v.answered = true
	if best := v.ballot.winner(); best != nil {
		v.agreed = true
		v.ctx.Reply(best.value)
		return
	}
	v.ctx.Fail(&engine.Error{Kind: engine.KindConsensus, By: v.ctx.Path(), Message: v.ballot.disagreement(), Delivered: true})
}

// report tells who dissented or was silent although there was agreement, and asks for what the topology wants done then.
func (v *vote) report(m engine.Msg) {
	if !v.agreed {
		return
	}
	agreed, dissenters, silent := v.ballot.sides()
	if len(dissenters)+len(silent) == 0 {
		return
	}
	v.ctx.Emit(journal.Dissent{Agreed: agreed, Dissenters: dissenters, Silent: silent})
	steerer, ok := v.ctx.(engine.Steerer)
	if !ok {
		return
	}
	for _, path := range dissenters {
		for i := range v.spec.OnDissent {
			v.steer(steerer, &v.spec.OnDissent[i], path, m)
		}
	}
}

// steer asks for one action; without a target it is for the dissenter.
func (v *vote) steer(s engine.Steerer, a *plan.Action, dissenter string, m engine.Msg) {
	steer := engine.Steer{
		Verb: a.Verb, Target: a.Target, For: a.For, MaxShare: a.MaxShare, Message: a.Message,
		Text: a.Text, Level: a.Level, Count: a.Count, Reason: a.Reason,
	}
	if steer.Target == "" {
		steer.Target = dissenter
	}
	if steer.Reason == "" {
		steer.Reason = fmt.Sprintf("dissented on %s", m.Type)
	}
	if a.Payload != nil {
		payload, err := a.Payload.Build(&rules.Env{Params: v.ctx.Plan().ParamValues(), Now: v.ctx.Now().Seconds(), Msg: m.Payload})
		if err != nil {
			v.ctx.Emit(journal.Logged{Level: "warn", Text: "on_dissent: " + a.Verb + ": " + err.Error()})
			return
		}
		steer.Payload = payload
	}
	s.Steer("on_dissent", steer)
}
