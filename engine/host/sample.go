package host

import (
	"context"
	"maps"
	"os"
	"sync"
	"time"

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
	circuits observe.Circuits
	buckets  map[string][]uint32 // by actor path, used again
	changed  chan struct{}       // holds one: a reload may have changed the interval

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
		buckets: map[string][]uint32{}, actors: map[string]rules.Actor{},
		changed: make(chan struct{}, 1),
	}
}

// run samples until ctx ends. The plan's interval may change while it runs: a new one counts from then on.
func (s *sampler) run(ctx context.Context) {
	for {
		due := make(chan struct{})
		t := s.host.clock.AfterFunc(s.host.plan().Observe.Interval, func() { close(due) })
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-s.changed:
			t.Stop()
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
	guards := s.host.engine.Guards()
	retries := guard.Retries(p, guards)
	var readings []observe.Reading
	seen := make(map[string][]uint32, len(s.buckets))
	s.host.engine.Actors(func(a live.ActorStatus) bool {
		if a.Kind != plan.Supervisor {
			seen[a.Path] = a.Latency.Counts(s.buckets[a.Path])
			readings = append(readings, observe.Reading{
				Calls: a.Calls, Failures: a.Failures, Retries: retries[a.Path], Latency: seen[a.Path], Actor: a.Seen(p),
			})
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
	var breakers []rules.Breaker
	for _, g := range guards {
		for i := range g.Breakers {
			breakers = append(breakers, g.Breakers[i].Seen(now))
		}
	}
	return engine.Sampled{Actors: changed, Breakers: s.circuits.Changed(breakers), System: system, Node: s.node.Read(), Since: s.host.engine.Since()}
}

// reloaded is told after each reload.
func (s *sampler) reloaded() {
	select {
	case s.changed <- struct{}{}:
	default: // it is told already
	}
}

// last gives the newest measurements by path.
func (s *sampler) last() map[string]rules.Actor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.actors)
}
