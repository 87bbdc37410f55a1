// Package peers drives lukhas-run's breaker and the breakers of others with the same random calls, under a virtual
// clock, and explains every difference by name.
package peers

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/lukhasai/lukhas-run/breaker"
)

var (
	errFailed  = errors.New("failed")
	errIgnored = errors.New("ignored")
)

// peer is somebody else's breaker. end reports the outcome of the admitted call.
type peer interface {
	allow() (end func(breaker.Outcome), admitted bool)
	state() breaker.State
}

type gobreakerPeer struct {
	cb *gobreaker.TwoStepCircuitBreaker[any]
}

func (g gobreakerPeer) allow() (func(breaker.Outcome), bool) {
	done, err := g.cb.Allow()
	return func(o breaker.Outcome) {
		done(map[breaker.Outcome]error{breaker.Failed: errFailed, breaker.Ignored: errIgnored}[o])
	}, err == nil
}

func (g gobreakerPeer) state() breaker.State {
	return map[gobreaker.State]breaker.State{
		gobreaker.StateClosed: breaker.Closed, gobreaker.StateOpen: breaker.Open, gobreaker.StateHalfOpen: breaker.HalfOpen,
	}[g.cb.State()]
}

type failsafePeer struct {
	cb circuitbreaker.CircuitBreaker[any]
}

func (f failsafePeer) allow() (func(breaker.Outcome), bool) {
	return func(o breaker.Outcome) {
		if o == breaker.Failed {
			f.cb.RecordFailure()
		} else {
			f.cb.RecordSuccess()
		}
	}, f.cb.TryAcquirePermit()
}

// state reads an open breaker whose delay is over as half-open, which it becomes when the next permit is asked for.
func (f failsafePeer) state() breaker.State {
	switch {
	case f.cb.IsClosed():
		return breaker.Closed
	case f.cb.IsHalfOpen() || f.cb.RemainingDelay() == 0:
		return breaker.HalfOpen
	}
	return breaker.Open
}

// moment is one step and what both sides made of it, for a deviation to recognise itself.
type moment struct {
	outcome        breaker.Outcome // of the call that ended, empty if none did
	late           bool            // the call that ended began in an earlier generation
	admitted, them bool            // verdicts, if a permit was asked for
	before, after  breaker.Snapshot
	theirs         breaker.State
	told           []breaker.Transition // ours in this step
	now            int64
}

// because reports whether one of our transitions in this step had that trigger, and when.
func (m moment) because(trigger string) (at int64, found bool) {
	for _, t := range m.told {
		if t.Trigger == trigger {
			return t.At, true
		}
	}
	return 0, false
}

// deviation is a known difference: its name and how to recognise it.
type deviation struct {
	name string
	is   func(moment) bool
}

// Deviations that several peers share.
var (
	lostProbe = deviation{"a lost probe's lease fails it here, there it blocks for ever", func(m moment) bool {
		_, found := m.because("probe_lost")
		return found
	}}
	boundary = deviation{"here a bucket boundary is an evaluation point", func(m moment) bool {
		at, found := m.because("error_rate")
		return found && m.theirs == breaker.Closed && at%int64(50*time.Millisecond) == 0 && (m.outcome == "" || at < m.now)
	}}
)

func gobreakerDeviations() []deviation {
	return []deviation{
		{"open ends at its deadline here, after it there", func(m moment) bool {
			return m.theirs == breaker.Open && m.after.State == breaker.HalfOpen && m.after.Since == m.now
		}},
		{"here the probes in flight are bounded, there all that were issued", func(m moment) bool {
			return m.after.State == breaker.HalfOpen && m.theirs == breaker.HalfOpen && m.admitted && !m.them
		}},
		{"there thresholds are looked at only when a call fails", func(m moment) bool {
			_, found := m.because("error_rate")
			return found && m.outcome == breaker.Success && m.theirs == breaker.Closed
		}},
		lostProbe,
	}
}

func failsafeDeviations(threshold float64) []deviation {
	return []deviation{
		{"there a call from an earlier state counts in the present one", func(m moment) bool { return m.late }},
		{"there rates are rounded to hundredths", func(m moment) bool {
			rate := m.after.ErrorRate
			return m.theirs == breaker.Open && m.after.State == breaker.Closed && rate < threshold && threshold-rate <= 0.005
		}},
		lostProbe,
		boundary,
	}
}

// side is a pair of breakers with the same policy.
type side struct {
	name       string
	policy     breaker.Policy
	peer       func() peer
	deviations []deviation
	// instant ends each call when it begins; ignores lets calls end ignored; once stops at the first opening.
	instant, ignores, once bool
}

// sequence makes random calls until both sides differ, and returns the name of the deviation, "" if there was none.
func (s side) sequence(t *testing.T, seed uint64, steps int) (found string) {
	rng := rand.New(rand.NewPCG(seed, 1))
	b, err := breaker.New(s.policy, seed, time.Now().UnixNano())
	if err != nil {
		t.Fatal(err)
	}
	var m moment
	b.Listen(func(tr breaker.Transition) { m.told = append(m.told, tr) })
	them := s.peer()
	type call struct {
		permit breaker.Permit
		end    func(breaker.Outcome)
		gen    uint64
	}
	var out []call
	end := func(at int) {
		c := out[at]
		out = append(out[:at], out[at+1:]...)
		m.outcome = []breaker.Outcome{breaker.Success, breaker.Failed, breaker.Failed, breaker.Success, breaker.Ignored}[rng.IntN(5)]
		if m.outcome == breaker.Ignored && !s.ignores {
			m.outcome = breaker.Failed
		}
		b.Done(m.now, c.permit, m.outcome)
		m.late = m.late || b.Snapshot(m.now).Totals.Late > m.before.Totals.Late
		c.end(m.outcome)
	}
	for step := range steps {
		m = moment{now: time.Now().UnixNano()}
		m.before = b.Snapshot(m.now)
		m.told = nil
		switch dice := rng.IntN(10); {
		case dice < 4:
			permit, v := b.Allow(m.now)
			finish, ok := them.allow()
			m.admitted, m.them = v.Admitted, ok
			if v.Admitted && ok {
				out = append(out, call{permit, finish, m.before.Generation})
				if s.instant {
					end(len(out) - 1)
				}
			}
		case dice < 8 && len(out) > 0:
			end(rng.IntN(len(out)))
		default:
			time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
			m.now = time.Now().UnixNano()
		}
		m.after, m.theirs = b.Snapshot(m.now), them.state()
		if m.admitted == m.them && m.after.State == m.theirs {
			if m.late && s.stopsAtLate() || s.once && m.after.State == breaker.Open {
				return ""
			}
			continue
		}
		for _, d := range s.deviations {
			if d.is(m) {
				return d.name
			}
		}
		t.Fatalf("%s, seed %d, step %d: an unexplained difference\nours   %v -> %v, admitted %v, %+v\ntheirs %v, admitted %v\nended %q, late %v, %+v",
			s.name, seed, step, m.before.State, m.after.State, m.admitted, m.after, m.theirs, m.them, m.outcome, m.late, m.told)
	}
	return ""
}

// stopsAtLate tells that the peer counts late outcomes, so that its counts are its own from then on.
func (s side) stopsAtLate() bool {
	_, ok := s.peer().(failsafePeer)
	return ok
}

func sides() []side {
	half := breaker.HalfOpenPolicy{Probes: 3, Successes: 3, Lease: 200 * time.Millisecond}
	open := breaker.OpenPolicy{For: 50 * time.Millisecond}
	forever := breaker.Window{Span: 24 * 365 * time.Hour, Buckets: 2}
	gobreakerWith := func(interval, bucket time.Duration, trip func(gobreaker.Counts) bool) func() peer {
		return func() peer {
			return gobreakerPeer{gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
				MaxRequests: 3, Timeout: 50 * time.Millisecond, Interval: interval, BucketPeriod: bucket, ReadyToTrip: trip,
				IsExcluded: func(err error) bool { return errors.Is(err, errIgnored) },
			})}
		}
	}
	failsafeWith := func(b func(circuitbreaker.Builder[any]) circuitbreaker.Builder[any]) func() peer {
		return func() peer {
			return failsafePeer{b(circuitbreaker.NewBuilder[any]().WithDelay(50 * time.Millisecond).WithSuccessThreshold(3)).Build()}
		}
	}
	return []side{
		{
			name:       "gobreaker, consecutive failures",
			policy:     breaker.Policy{Trip: breaker.Trip{ConsecutiveFailures: 4}, Open: open, HalfOpen: half},
			peer:       gobreakerWith(0, 0, func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 4 }),
			deviations: gobreakerDeviations(), ignores: true,
		},
		{
			name:   "gobreaker, error rate",
			policy: breaker.Policy{Window: forever, MinCalls: 10, Trip: breaker.Trip{ErrorRate: 0.6}, Open: open, HalfOpen: half},
			peer: gobreakerWith(0, 0, func(c gobreaker.Counts) bool {
				// Over finished calls: its Requests count those in flight as well.
				n := c.TotalSuccesses + c.TotalFailures
				return n >= 10 && float64(c.TotalFailures)/float64(n) >= 0.6
			}),
			deviations: gobreakerDeviations(), ignores: true,
		},
		{
			name:       "gobreaker, failures in a rolling window",
			policy:     breaker.Policy{Window: breaker.Window{Span: 100 * time.Millisecond, Buckets: 10}, Trip: breaker.Trip{Failures: 6}, Open: open, HalfOpen: half},
			peer:       gobreakerWith(100*time.Millisecond, 10*time.Millisecond, func(c gobreaker.Counts) bool { return c.TotalFailures >= 6 }),
			deviations: gobreakerDeviations(), instant: true, once: true,
		},
		{
			name:   "failsafe-go, failures among the last calls",
			policy: breaker.Policy{Window: breaker.Window{Calls: 10}, Trip: breaker.Trip{Failures: 6}, Open: open, HalfOpen: half},
			peer: failsafeWith(func(b circuitbreaker.Builder[any]) circuitbreaker.Builder[any] {
				return b.WithFailureThresholdRatio(6, 10)
			}),
			deviations: failsafeDeviations(0),
		},
		{
			name:   "failsafe-go, consecutive failures",
			policy: breaker.Policy{Trip: breaker.Trip{ConsecutiveFailures: 4}, Open: open, HalfOpen: half},
			peer: failsafeWith(func(b circuitbreaker.Builder[any]) circuitbreaker.Builder[any] {
				return b.WithFailureThreshold(4)
			}),
			deviations: failsafeDeviations(0),
		},
		{
			name: "failsafe-go, error rate in a window of time",
			policy: breaker.Policy{Window: breaker.Window{Span: 500 * time.Millisecond, Buckets: 10}, MinCalls: 8,
				Trip: breaker.Trip{ErrorRate: 0.67}, Open: open, HalfOpen: half},
			peer: failsafeWith(func(b circuitbreaker.Builder[any]) circuitbreaker.Builder[any] {
				return b.WithFailureRateThreshold(0.67, 8, 500*time.Millisecond)
			}),
			deviations: failsafeDeviations(0.67),
		},
	}
}

// TestEveryDifferenceHasAName runs the sequences. A named deviation that never shows is stale and fails too.
func TestEveryDifferenceHasAName(t *testing.T) {
	const sequences, steps = 1500, 300
	seen := map[string]int{}
	for _, s := range sides() {
		same := 0
		for seed := range uint64(sequences) {
			synctest.Test(t, func(t *testing.T) {
				if name := s.sequence(t, seed, steps); name != "" {
					seen[name]++
				} else {
					same++
				}
			})
		}
		t.Logf("%s: %d of %d sequences without any difference", s.name, same, sequences)
	}
	for _, list := range [][]deviation{gobreakerDeviations(), failsafeDeviations(0.67)} {
		for _, d := range list {
			if seen[d.name] == 0 {
				t.Errorf("no sequence showed that %s: the deviation is stale", d.name)
			}
		}
	}
	for name, n := range seen {
		t.Log(fmt.Sprintf("%5d sequences: ", n), name)
	}
}

// TestTheRateNeedsNoRounding keeps the arithmetic of the deviation honest: 2 of 3 is below 0.67 and rounds to it.
func TestTheRateNeedsNoRounding(t *testing.T) {
	if rate := 2.0 / 3; rate >= 0.67 || math.Round(rate*100)/100 < 0.67 {
		t.Errorf("2/3 is %v", rate)
	}
}
