package script

import (
	"errors"
	"fmt"
	"maps"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// New makes the behaviour of script actors.
func New() engine.Factory {
	return func(a *plan.Actor, _ *plan.Plan) (engine.Behavior, error) {
		s := &script{}
		if err := s.SetState(a.Script.State); err != nil {
			return nil, fmt.Errorf("%s: actor %s: %w", a.Place, a.Path, err)
		}
		s.begins = s.state
		return s, nil
	}
}

// script is one incarnation. Its state is a value that is replaced, never changed, so that handlers that run at once
// (concurrency above 1) each see one state.
type script struct {
	begins map[string]any // the state as the definition has it
	keep   engine.Persist // nil: changes are only made

	changing sync.Mutex // held from looking at the state until its change is kept and made
	mu       sync.Mutex
	state    map[string]any
	timers   map[string]winding // by message
	idle     []*run             // over, to be used again
}

// maxIdle bounds the runs that are kept to be used again.
const maxIdle = 64

// begin gives a run that sees the state as it is now.
func (s *script) begin() *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r *run
	if n := len(s.idle); n > 0 {
		r, s.idle = s.idle[n-1], s.idle[:n-1]
	} else {
		r = &run{script: s}
	}
	r.env.State = s.state
	return r
}

// end takes a run back that is over. One that was unwound is left to the collector.
func (s *script) end(r *run) {
	binds := r.env.Binds
	clear(binds)
	*r = run{script: s, env: rules.Env{Binds: binds}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) < maxIdle {
		s.idle = append(s.idle, r)
	}
}

// ErrState is given when a state is not a mapping.
var ErrState = errors.New("state must be a mapping")

// State is the state now.
func (s *script) State() any { return s.now() }

func (s *script) now() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// SetState replaces the state.
func (s *script) SetState(state any) error {
	fields, ok := state.(map[string]any)
	if state != nil && !ok {
		return fmt.Errorf("%w, got %T", ErrState, state)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = maps.Clone(fields)
	if s.state == nil {
		s.state = map[string]any{}
	}
	return nil
}

// Source implements engine.Sourced. An event is the fields that change, with their new values.
func (s *script) Source(keep engine.Persist) { s.keep = keep }

// Apply changes fields of the state.
func (s *script) Apply(event any) error {
	fields, ok := event.(map[string]any)
	if !ok {
		return fmt.Errorf("%w, a change of it too, got %T", ErrState, event)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(s.state)
	maps.Copy(next, fields)
	s.state = next
	return nil
}

// Restored gives fields that the definition has and the state that was kept has not the value they begin with.
func (s *script) Restored() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(s.begins)
	maps.Copy(next, s.state)
	s.state = next
	return nil
}

// change makes a change of the state, kept before it is made.
func (s *script) change(ctx engine.Context, fields map[string]any) error {
	if s.keep == nil {
		return s.Apply(fields)
	}
	return s.keep(ctx, fields)
}

// due is the payload of a timer's own message: another sender's message of that name does not wind the timer up twice, nor
// does one that was given up for lost. Handlers see no payload.
type due struct {
	timer string
	round uint64
}

// winding is the state of one timer.
type winding struct {
	round uint64        // of the message that is on its way
	at    time.Duration // engine time by which it should have come
}

// Init winds the timers up.
func (s *script) Init(ctx engine.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range ctx.Actor().Script.Timers {
		s.wind(ctx, t)
	}
	return nil
}

// wind is called with mu held.
func (s *script) wind(ctx engine.Context, t plan.Tick) {
	if s.timers == nil {
		s.timers = map[string]winding{}
	}
	w := winding{round: s.timers[t.Message].round + 1, at: ctx.Now() + t.Every}
	s.timers[t.Message] = w
	ctx.After(t.Every, engine.Msg{Type: t.Message, Payload: due{t.Message, w.round}})
}

// rewind sets timers that have gone off again, before the message is handled: a handler that fails does not stop them. A
// timer whose message is a whole period late was refused by a full mailbox; any other message then brings it back.
func (s *script) rewind(ctx engine.Context, m *engine.Msg) {
	timers := ctx.Actor().Script.Timers
	if len(timers) == 0 {
		return
	}
	d, _ := m.Payload.(due)
	if d.timer != "" {
		m.Payload = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range timers {
		w := s.timers[t.Message]
		if d.timer == t.Message && d.round == w.round || ctx.Now() > w.at+t.Every {
			s.wind(ctx, t)
		}
	}
}

// Handle runs the message's handler.
func (s *script) Handle(ctx engine.Context, m engine.Msg) error {
	s.rewind(ctx, &m)
	h := handlerOf(ctx.Actor().Script, m.Type)
	if h == nil {
		ctx.Fail(unknown(ctx, m.Type))
		return nil
	}
	r := s.begin()
	r.ctx, r.handler, r.message = ctx, h, m
	r.env.Params, r.env.Now, r.env.Msg = ctx.Plan().ParamValues(), ctx.Now().Seconds(), m.Payload
	r.env.Self, r.env.Caller = ctx.Path(), ctx.Meta().From
	err := r.all()
	s.end(r)
	if err == nil {
		return nil
	}
	if refused := (refusal{}); errors.As(err, &refused) {
		ctx.Fail(refused.answer)
		return nil
	}
	return err
}

func handlerOf(spec *plan.ScriptSpec, message string) *plan.Handler {
	i := sort.Search(len(spec.Handlers), func(i int) bool { return spec.Handlers[i].Message >= message })
	if i == len(spec.Handlers) || spec.Handlers[i].Message != message {
		return nil
	}
	return &spec.Handlers[i]
}

func unknown(ctx engine.Context, message string) *engine.Error {
	var known []string
	for _, h := range ctx.Actor().Script.Handlers {
		known = append(known, h.Message)
	}
	return &engine.Error{
		Kind: engine.KindInvalid, By: ctx.Path(), Delivered: true,
		Message: fmt.Sprintf("no handler for message %q; there are: %s", message, strings.Join(known, ", ")),
	}
}
