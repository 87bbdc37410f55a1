// Package bench compares lukhas-run with its peers in one run. The ratios count, not the absolute times.
package bench

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/lukhasai/lukhas-run/breaker"
)

// rates is the policy the headline is measured with: a window of time, an error rate and slow calls.
func rates() breaker.Policy {
	return breaker.Policy{
		Window:   breaker.Window{Span: 10 * time.Second, Buckets: 10},
		MinCalls: 20,
		Trip:     breaker.Trip{ErrorRate: 0.5, Slow: breaker.Slow{Over: time.Second, Rate: 0.5}},
		Open:     breaker.OpenPolicy{For: time.Hour},
	}
}

func ours(b *testing.B, p breaker.Policy, options ...breaker.Option) *breaker.Breaker {
	b.Helper()
	br, err := breaker.New(p, 1, 0, options...)
	if err != nil {
		b.Fatal(err)
	}
	for range 100 {
		permit, _ := br.Allow(0)
		br.Done(0, permit, breaker.Success)
	}
	return br
}

func theirs() *gobreaker.TwoStepCircuitBreaker[any] {
	return gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
		Interval: 10 * time.Second, BucketPeriod: time.Second, Timeout: time.Hour,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.Requests >= 20 && c.TotalFailures*2 >= c.Requests },
	})
}

func failsafeBreaker() circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().WithFailureRateThreshold(0.5, 20, 10*time.Second).WithDelay(time.Hour).Build()
}

var errBroken = errors.New("broken")

func wallClock() breaker.Clock {
	start := time.Now()
	return func() int64 { return int64(time.Since(start)) }
}

// batch is how many calls one iteration makes, so that the loop itself costs nothing.
const batch = 1000

// cpuTime is what this process has used of the processors. On a shared machine it says what code costs where the
// wall clock says how busy the neighbours are.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// perCall reports the processor time of one call.
func perCall(b *testing.B, began time.Duration) {
	b.Helper()
	b.ReportMetric(float64(cpuTime()-began)/float64(b.N)/batch, "cpu-ns/call")
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/batch, "ns/call")
	b.ReportMetric(0, "ns/op")
}

// perThread reports the processor time of one call of one of the threads that share a breaker.
func perThread(b *testing.B, began time.Duration) {
	b.Helper()
	b.ReportMetric(float64(cpuTime()-began)/float64(b.N), "cpu-ns/call")
}

// BenchmarkFloorAtomicAdd is the least a counted call can cost.
func BenchmarkFloorAtomicAdd(b *testing.B) {
	var n atomic.Uint64
	began := cpuTime()
	for b.Loop() {
		for range batch {
			n.Add(1)
		}
	}
	perCall(b, began)
}

func BenchmarkSuccessOurs(b *testing.B) {
	br := ours(b, rates())
	b.ReportAllocs()
	now := int64(0)
	began := cpuTime()
	for b.Loop() {
		for range batch {
			now++
			permit, _ := br.Allow(now)
			br.Done(now, permit, breaker.Success)
		}
	}
	perCall(b, began)
}

func BenchmarkSuccessGobreaker(b *testing.B) {
	cb := theirs()
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		for range batch {
			done, _ := cb.Allow()
			done(nil)
		}
	}
	perCall(b, began)
}

func BenchmarkSuccessFailsafe(b *testing.B) {
	cb := failsafeBreaker()
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		for range batch {
			if cb.TryAcquirePermit() {
				cb.RecordSuccess()
			}
		}
	}
	perCall(b, began)
}

func BenchmarkConsecutiveOurs(b *testing.B) {
	br := ours(b, breaker.Policy{Trip: breaker.Trip{ConsecutiveFailures: 5}})
	now := int64(0)
	began := cpuTime()
	for b.Loop() {
		for range batch {
			now++
			permit, _ := br.Allow(now)
			br.Done(now, permit, breaker.Success)
		}
	}
	perCall(b, began)
}

func BenchmarkConsecutiveGobreaker(b *testing.B) {
	cb := gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{})
	began := cpuTime()
	for b.Loop() {
		for range batch {
			done, _ := cb.Allow()
			done(nil)
		}
	}
	perCall(b, began)
}

func BenchmarkDoOurs(b *testing.B) {
	br := ours(b, rates(), breaker.WithClock(wallClock()))
	ctx := context.Background()
	work := func(context.Context) error { return nil }
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		for range batch {
			_ = br.Do(ctx, work)
		}
	}
	perCall(b, began)
}

func BenchmarkDoGobreaker(b *testing.B) {
	cb := gobreaker.NewCircuitBreaker[any](gobreaker.Settings{
		Interval: 10 * time.Second, BucketPeriod: time.Second,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.Requests >= 20 && c.TotalFailures*2 >= c.Requests },
	})
	work := func() (any, error) { return nil, nil }
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		for range batch {
			_, _ = cb.Execute(work)
		}
	}
	perCall(b, began)
}

func BenchmarkDoFailsafe(b *testing.B) {
	ex := failsafe.With(failsafe.Policy[any](failsafeBreaker()))
	work := func() error { return nil }
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		for range batch {
			_ = ex.Run(work)
		}
	}
	perCall(b, began)
}

func BenchmarkRejectionOurs(b *testing.B) {
	br := ours(b, breaker.Policy{Trip: breaker.Trip{ConsecutiveFailures: 1}, Open: breaker.OpenPolicy{For: time.Hour}})
	permit, _ := br.Allow(0)
	br.Done(0, permit, breaker.Failed)
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		for range batch {
			if _, verdict := br.Allow(1); verdict.Admitted {
				b.Fatal("an open breaker admitted a call")
			}
		}
	}
	perCall(b, began)
}

func BenchmarkRejectionGobreaker(b *testing.B) {
	cb := gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{Timeout: time.Hour, ReadyToTrip: func(gobreaker.Counts) bool { return true }})
	done, _ := cb.Allow()
	done(errBroken)
	began := cpuTime()
	for b.Loop() {
		for range batch {
			if _, err := cb.Allow(); err == nil {
				b.Fatal("an open breaker admitted a call")
			}
		}
	}
	perCall(b, began)
}

func BenchmarkRejectionFailsafe(b *testing.B) {
	cb := failsafeBreaker()
	cb.Open()
	began := cpuTime()
	for b.Loop() {
		for range batch {
			if cb.TryAcquirePermit() {
				b.Fatal("an open breaker admitted a call")
			}
		}
	}
	perCall(b, began)
}

func BenchmarkTwoThreadsOurs(b *testing.B) {
	br := ours(b, rates())
	began := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		now := int64(0)
		for pb.Next() {
			now++
			permit, _ := br.Allow(now)
			br.Done(now, permit, breaker.Success)
		}
	})
	perThread(b, began)
}

func BenchmarkTwoThreadsGobreaker(b *testing.B) {
	cb := theirs()
	began := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			done, _ := cb.Allow()
			done(nil)
		}
	})
	perThread(b, began)
}

func BenchmarkTwoThreadsFailsafe(b *testing.B) {
	cb := failsafeBreaker()
	began := cpuTime()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if cb.TryAcquirePermit() {
				cb.RecordSuccess()
			}
		}
	})
	perThread(b, began)
}

// BenchmarkSuccessWithLatencyOurs keeps a histogram, as a trigger on latency.p99 needs it.
func BenchmarkSuccessWithLatencyOurs(b *testing.B) {
	p := rates()
	p.Latency = true
	br := ours(b, p)
	b.ReportAllocs()
	now := int64(0)
	began := cpuTime()
	for b.Loop() {
		for range batch {
			now++
			permit, _ := br.Allow(now)
			br.Done(now, permit, breaker.Success)
		}
	}
	perCall(b, began)
}

// BenchmarkFailureOurs ends every fifth call as a failure, below the threshold.
func BenchmarkFailureOurs(b *testing.B) {
	br := ours(b, rates())
	b.ReportAllocs()
	now, n := int64(0), 0
	began := cpuTime()
	for b.Loop() {
		for range batch {
			now++
			n++
			permit, _ := br.Allow(now)
			if n%5 == 0 {
				br.Done(now, permit, breaker.Failed)
			} else {
				br.Done(now, permit, breaker.Success)
			}
		}
	}
	perCall(b, began)
}

// BenchmarkKeyedOurs makes calls for ten thousand keys in turn.
func BenchmarkKeyedOurs(b *testing.B) {
	p := rates()
	p.Window.Buckets = 4
	k, err := breaker.NewKeyed(p, breaker.KeyedLimits{MaxKeys: 1 << 20}, 1, 0, nil)
	if err != nil {
		b.Fatal(err)
	}
	keys := make([]string, 10000)
	for i := range keys {
		keys[i] = "tenant-" + strconv.Itoa(i)
	}
	b.ReportAllocs()
	now, n := int64(0), 0
	began := cpuTime()
	for b.Loop() {
		for range batch {
			now++
			n++
			key := keys[n%len(keys)]
			permit, _ := k.Allow(now, key)
			k.Done(now, key, permit, breaker.Success)
		}
	}
	perCall(b, began)
}

func BenchmarkReload(b *testing.B) {
	br := ours(b, rates())
	other := rates()
	other.Trip.ErrorRate = 0.4
	first, err := breaker.Compile(rates())
	if err != nil {
		b.Fatal(err)
	}
	second, err := breaker.Compile(other)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		for range batch {
			br.Adopt(0, first)
			br.Adopt(0, second)
		}
	}
	perCall(b, began)
}

// perItem makes n of something, which make(i) keeps, and reports the heap bytes of one.
func perItem(b *testing.B, n int, make func(i int)) {
	b.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		make(i)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/item")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkMemoryOurs(b *testing.B) {
	c, err := breaker.Compile(rates())
	if err != nil {
		b.Fatal(err)
	}
	const n = 10000
	kept := make([]*breaker.Breaker, n)
	perItem(b, n, func(i int) { kept[i] = c.New(uint64(i), 0) })
	runtime.KeepAlive(kept)
}

func BenchmarkMemoryGobreaker(b *testing.B) {
	const n = 10000
	kept := make([]*gobreaker.TwoStepCircuitBreaker[any], n)
	perItem(b, n, func(i int) { kept[i] = theirs() })
	runtime.KeepAlive(kept)
}

func BenchmarkMemoryFailsafe(b *testing.B) {
	const n = 10000
	kept := make([]circuitbreaker.CircuitBreaker[any], n)
	perItem(b, n, func(i int) { kept[i] = failsafeBreaker() })
	runtime.KeepAlive(kept)
}
