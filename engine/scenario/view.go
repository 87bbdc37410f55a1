package scenario

import (
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/engine/sim"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

// world answers what expectations ask: as the Machine sees it for its rules, but what changes between two samples is
// looked up when it is asked for.
type world struct {
	rules.World
	run   *run
	known map[string]*known
}

// known is what the Machine said of an actor or group; it stays true until it steps again.
type known struct {
	base   *rules.Actor // nil: there is none
	copied rules.Actor
	decide uint64
	plan   *plan.Plan
	of     []sim.Gauge // of those whose messages count
	group  bool
}

// Actor is the Machine's view with what waits and what is at work now.
func (w *world) Actor(name string) *rules.Actor {
	k := w.look(name)
	if k.base == nil {
		return nil
	}
	if len(k.of) == 0 {
		return k.base
	}
	var mailbox, capacity, inFlight int
	for i := range k.of {
		m, c, f := k.of[i].Waiting()
		mailbox, capacity, inFlight = mailbox+m, capacity+c, inFlight+f
	}
	k.base.Mailbox, k.base.InFlight = float64(mailbox), float64(inFlight)
	if !k.group {
		k.base.Capacity = float64(capacity)
	}
	return k.base
}

// look asks the Machine, unless it would say what it said before.
func (w *world) look(name string) *known {
	e := w.run.eng
	k := w.known[name]
	if k != nil && k.decide == e.Decided() && k.plan == e.Plan() {
		return k
	}
	if k == nil {
		k = &known{}
		w.known[name] = k
	}
	k.decide, k.plan, k.base, k.of, k.group = e.Decided(), e.Plan(), nil, k.of[:0], false
	base := w.World.Actor(name)
	if base == nil && k.absent(name) {
		k.base = &k.copied
	}
	if base == nil {
		return k
	}
	k.copied = *base
	k.base = &k.copied
	if g := k.plan.Group(base.Path); g != nil {
		k.group = true
		for _, path := range g.Members {
			k.of = append(k.of, e.Gauge(path))
		}
	} else if a := k.plan.Actor(base.Path); a == nil || a.Kind != plan.Supervisor {
		k.of = append(k.of, e.Gauge(base.Path))
	}
	return k
}

// absent makes k a replica that does not exist now, by name or path, if there is such a group.
func (k *known) absent(name string) bool {
	at := strings.LastIndexByte(name, '-')
	if at < 0 {
		return false
	}
	n, err := strconv.Atoi(name[at+1:])
	for i := range k.plan.Groups {
		if g := &k.plan.Groups[i]; err == nil && n >= 0 && (g.Path == name[:at] || strings.HasSuffix(g.Path, "/"+name[:at])) {
			k.copied = rules.Actor{Name: g.Name + name[at:], Path: g.Path + name[at:], Group: g.Path, Replica: n, State: "absent"}
			return true
		}
	}
	return false
}

// Load finds a load of the scenario.
func (w *world) Load(name string) *rules.Load {
	for _, l := range w.run.loads {
		if l.spec.Name == name {
			return l.seen()
		}
	}
	return nil
}

// env is what an expectation may read at this moment. What the Machine knows of the system as a whole is asked for only
// when some expression reads it.
func (r *run) env() *rules.Env {
	env := &r.scratch
	if env.World == nil || r.whole {
		*env = r.eng.Env()
		r.system = *env.System
		r.world.World = env.World
		env.System, env.World = &r.system, &r.world
	}
	env.Params, env.Call, env.Event, env.Now = r.params(), nil, nil, r.eng.Now().Seconds()
	r.system.DeadLetters, r.system.Generation, r.system.Reload = float64(r.eng.DeadLetters()), float64(r.eng.Generation()), r.reloading()
	return env
}

// reloading is how the last reload ended.
func (r *run) reloading() rules.Reload {
	if r.refused.Status != "" {
		return r.refused
	}
	return r.eng.Reloading()
}

// params are those of the plan in force.
func (r *run) params() map[string]any {
	if p := r.eng.Plan(); p != r.paramsOf {
		r.paramsOf, r.paramValues = p, p.ParamValues()
	}
	return r.paramValues
}

// called is a call as expectations see it: actors by the names that actor() takes, bare where they are unique.
func (r *run) called(c *sim.Call) *rules.Call {
	to := c.To
	if c.Group != "" {
		to = c.Group
	}
	r.call = rules.Call{
		From: r.named(c.From), To: r.named(to), Replica: c.Replica, Message: c.Message, Key: c.Key, Attempt: c.Attempt, Probe: c.Probe,
		Idempotent: c.Idempotent, Priority: c.Priority, Took: c.Took.Seconds(), Degraded: c.Degraded,
	}
	if c.Err != nil {
		r.call.Error = &rules.Error{Kind: c.Err.Kind, Message: c.Err.Message, By: r.named(c.Err.By)}
		r.call.Status = c.Err.Status
	}
	return &r.call
}

// named is the shortest name of a path: bare where only one actor or group has it, else without the root.
func (r *run) named(path string) string {
	if name, known := r.names[path]; known {
		return name
	}
	name := path
	if at := strings.LastIndexByte(path, '/'); at >= 0 {
		name = path[at+1:]
		if found, err := r.eng.Plan().Resolve(name); r.eng.Plan().Group(path) == nil && (err != nil || len(found) != 1) {
			_, name, _ = strings.Cut(path, "/")
		}
	}
	r.names[path] = name
	return name
}

// seenEvent is an event as expectations see it; nil for one that they do not hear of.
func seenEvent(e journal.Event, named func(string) string) *rules.Event {
	body, err := e.Body()
	if err != nil {
		return nil
	}
	out := &rules.Event{Seq: int64(e.Seq), Actor: named(e.Actor)}
	switch b := body.(type) {
	case journal.ActorStarted:
		out.Type = "started"
	case journal.ActorStopped:
		out.Type = "stopped"
	case journal.ActorFailed:
		out.Type, out.Kind = "failed", b.Kind
	case journal.SupervisorGaveUp:
		out.Type = "gave_up"
	case journal.BreakerChanged:
		out.Type, out.Actor, out.Kind = "breaker", b.Breaker, b.To
	case journal.Quarantined:
		out.Type, out.Kind = "quarantined", b.Rule
	case journal.Released:
		out.Type = "released"
	case journal.RuleFired:
		out.Type, out.Kind = "rule", b.Rule
		if out.Actor == "" {
			out.Actor = named(b.Subject)
		}
	case journal.Checkpoint:
		out.Type, out.Kind = "checkpoint", b.Name
	case journal.ReloadCommitted:
		out.Type, out.Kind = "reload", "committed"
	case journal.ReloadRejected:
		out.Type, out.Kind = "reload", "rejected"
		out.Code = b.Code()
	case journal.ReloadVerified:
		out.Type, out.Kind = "reload", "verified"
	case journal.ReloadRolledBack:
		out.Type, out.Kind, out.Code = "reload", "rolled_back", b.Code
	case journal.DeadLetter:
		out.Type, out.Kind = "dead_letter", b.Reason
	case journal.Dissent:
		out.Type = "dissent"
	case journal.EmergencyChanged:
		out.Type, out.Kind = "emergency", "left"
		if b.On {
			out.Kind = "entered"
		}
	default:
		return nil
	}
	return out
}

// sampler measures the engine for the rules, as the host of the live engine does.
type sampler struct {
	run      *run
	windows  *observe.Windows
	circuits observe.Circuits
	buckets  map[string][]uint32
	readings []observe.Reading // used again
}

func newSampler(r *run) *sampler {
	return &sampler{run: r, windows: observe.NewWindows(0, engine.BucketLimit), buckets: map[string][]uint32{}}
}

func (s *sampler) sample(now time.Duration) engine.Sampled {
	e := s.run.eng
	p := e.Plan()
	s.windows.Span = p.Observe.Window
	guards := e.Guards()
	retries := e.Retries(guards)
	s.readings = s.readings[:0]
	e.Actors(func(v engine.Vitals) bool {
		if v.Kind != plan.Supervisor {
			s.buckets[v.Path] = v.Latency.Counts(s.buckets[v.Path])
			s.readings = append(s.readings, observe.Reading{
				Calls: v.Calls, Failures: v.Failures, Retries: retries[v.Path], Latency: s.buckets[v.Path], Actor: v.Seen(p),
			})
		}
		return true
	})
	var breakers []rules.Breaker
	for _, g := range guards {
		for i := range g.Breakers {
			breakers = append(breakers, g.Breakers[i].Seen(now))
		}
	}
	actors := s.windows.Sample(now, s.readings)
	system := rules.System{
		Anomaly: s.windows.Anomaly(), Generation: float64(e.Generation()), DeadLetters: float64(e.DeadLetters()), Reload: s.run.reloading(),
	}
	out := engine.Sampled{Actors: actors, Breakers: s.circuits.Changed(breakers), System: system, Node: e.Node(), Since: e.Since()}
	s.run.eng.At(now, func() { // once the rules have decided
		s.run.look()
		if s.run.cover != nil {
			s.run.cover.sample(breakers)
		}
	})
	return out
}
