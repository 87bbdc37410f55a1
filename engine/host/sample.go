package host

import (
	"context"
	"maps"
	"os"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
	"github.com/lukhasai/lukhas-run/engine/live"
	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// sampler measures the engine every observe.interval and feeds the Machine, so that its rules see rates.
type sampler struct {
	host     *Host
	windows  *observe.Windows
	node     *observe.NodeMeter
	breakers map[string]rules.Breaker // as last told, by name and key
	buckets  map[string][]uint32      // by actor path, used again

	mu     sync.Mutex
	actors map[string]rules.Actor // as last measured, for the status
}

func newSampler(h *Host) *sampler {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return &sampler{
		host: h, windows: observe.NewWindows(0, engine.BucketLimit), node: observe.NewNodeMeter(name, h.options.Data),
		breakers: map[string]rules.Breaker{}, buckets: map[string][]uint32{}, actors: map[string]rules.Actor{},
	}
}

// run samples until ctx ends. The plan's interval may change while it runs.
func (s *sampler) run(ctx context.Context) {
	due := make(chan struct{}, 1)
	for {
		t := s.host.clock.AfterFunc(s.host.plan().Observe.Interval, func() { due <- struct{}{} })
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-due:
			for _, in := range split(s.sample(s.host.engine.Now())) {
				s.host.engine.Submit(in)
			}
		}
	}
}

// sampleSize bounds the actors of one sample, so that its record fits an event of the journal with room to spare.
const sampleSize = 1000

// split makes several samples of a large one. All but the last tell of actors alone.
func split(in engine.Sampled) []engine.Sampled {
	var out []engine.Sampled
	for len(in.Actors) > sampleSize {
		out = append(out, engine.Sampled{Actors: in.Actors[:sampleSize], System: in.System, Node: in.Node})
		in.Actors = in.Actors[sampleSize:]
	}
	return append(out, in)
}

func (s *sampler) sample(now time.Duration) engine.Sampled {
	p := s.host.plan()
	s.windows.Span = p.Observe.Window
	var readings []observe.Reading
	seen := make(map[string][]uint32, len(s.buckets))
	s.host.engine.Actors(func(a live.ActorStatus) bool {
		if a.Kind != plan.Supervisor {
			seen[a.Path] = a.Latency.Counts(s.buckets[a.Path])
			readings = append(readings, s.reading(p, a, seen[a.Path]))
		}
		return true
	})
	s.buckets = seen
	changed := s.windows.Sample(now, readings)
	s.mu.Lock()
	for _, a := range changed {
		s.actors[a.Path] = a
	}
	s.mu.Unlock()
	system := s.host.system()
	system.Anomaly = s.windows.Anomaly()
	return engine.Sampled{Actors: changed, Breakers: s.circuits(now), System: system, Node: s.node.Read()}
}

// reading is what rules may know of an actor at this moment.
func (s *sampler) reading(p *plan.Plan, a live.ActorStatus, latency []uint32) observe.Reading {
	r := observe.Reading{Calls: a.Calls, Failures: a.Failures, Latency: latency, Actor: rules.Actor{
		Path: a.Path, Group: a.Group, State: a.State, Ready: a.Ready && a.Healthy, Quarantined: a.Quarantined,
		Mailbox: float64(a.Mailbox), Capacity: float64(a.Capacity), InFlight: float64(a.InFlight),
		Restarts: float64(a.Restarts), Uptime: a.Up.Seconds(), Memory: float64(a.Usage.Memory),
	}}
	if spec := p.Actor(a.Path); spec != nil {
		r.Actor.Name, r.Actor.Replica = spec.Name, spec.Replica
		r.Actor.Labels = make(map[string]string, len(spec.Labels))
		for _, l := range spec.Labels {
			r.Actor.Labels[l.Key] = l.Value
		}
	}
	return r
}

// circuits gives the breakers that differ from the last sample, their age left out, and all that are not closed.
func (s *sampler) circuits(now time.Duration) []rules.Breaker {
	var out []rules.Breaker
	seen := make(map[string]rules.Breaker, len(s.breakers))
	for _, g := range s.host.engine.Guards() {
		for _, b := range g.Breakers {
			r := circuit(b, now)
			bare := r
			bare.Since = 0
			if was, ok := s.breakers[b.Label]; !ok || was != bare || b.State != breaker.Closed {
				out = append(out, r)
			}
			seen[b.Label] = bare
		}
	}
	s.breakers = seen
	return out
}

func circuit(b guard.BreakerSnapshot, now time.Duration) rules.Breaker {
	l := b.Latency
	return rules.Breaker{
		Name: b.Name, Key: b.Key, State: guard.StateName(b.State, b.Mode), Since: max(0, now-time.Duration(b.Since)).Seconds(),
		Calls: float64(b.Calls), ErrorRate: b.ErrorRate, SlowRate: b.SlowRate, Consecutive: float64(b.Consecutive),
		Latency:  rules.Latency{Mean: l.Mean.Seconds(), P50: l.P50.Seconds(), P90: l.P90.Seconds(), P95: l.P95.Seconds(), P99: l.P99.Seconds(), P999: l.P999.Seconds()},
		Rejected: float64(b.Totals.Rejected), Opens: float64(b.Totals.Opens),
	}
}

// last gives the newest measurements by path.
func (s *sampler) last() map[string]rules.Actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.actors)
}
