package journal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/internal/clock"
)

// benchEvent is a call of 268 bytes as JSON, the size that the budgets speak of.
func benchEvent(i int) Event {
	e := New(fmt.Sprintf("shop/checkout/worker.%d", i%50), Call{From: "shop/gateway", Breaker: "payments", Outcome: "success", Duration: time.Duration(1000 + i*7919%100_000), Attempt: 1})
	e.Correlation = fmt.Sprintf("req-%012d", i/6)
	e.Time = 1_790_000_000_000_000_000 + int64(i)*10_000
	return e
}

func benchEvents(n int) []Event {
	events := make([]Event, n)
	for i := range events {
		events[i] = benchEvent(i)
	}
	return events
}

// BenchmarkCallerAsync is what Append costs its caller at 100,000 events a
// second, in percentiles.
func BenchmarkCallerAsync(b *testing.B) {
	j := open(b, b.TempDir(), Options{Durability: Async})
	events := benchEvents(1000)
	c := clock.System()
	took := make([]int64, 0, 1<<20)
	b.ReportAllocs()
	start, n := c.Now(), int64(0)
	for b.Loop() {
		for c.Now() < start+n*10_000 {
		}
		before := c.Now()
		j.Append(events[n%1000])
		took = append(took, c.Now()-before)
		n++
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCallerFlood is the cost with no pause at all, the writer included.
func BenchmarkCallerFlood(b *testing.B) {
	j := open(b, b.TempDir(), Options{Durability: Async})
	events := benchEvents(1000)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		j.Append(events[n%1000])
		n++
	}
}

// BenchmarkDurable compares acknowledged appends with what the disk can do at
// best: the same bytes appended to a file and synced, one at a time.
func BenchmarkDurable(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		f, err := osFS{}.Create(filepath.Join(b.TempDir(), "floor"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		data, at := make([]byte, 268), int64(0)
		for b.Loop() {
			if err := writeFull(f, data, at); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
			at += int64(len(data))
		}
	})
	for _, writers := range []int{1, 256} {
		b.Run(fmt.Sprint("writers=", writers), func(b *testing.B) { benchDurable(b, writers) })
	}
}

func benchDurable(b *testing.B, writers int) {
	j := open(b, b.TempDir(), Options{})
	events := benchEvents(1000)
	var wait sync.WaitGroup
	work := make(chan int, writers)
	for range writers {
		wait.Go(func() {
			for i := range work {
				_, ack := j.Append(events[i%1000])
				if _, err := ack.Wait(context.Background()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	n := 0
	for b.Loop() {
		work <- n
		n++
	}
	close(work)
	wait.Wait()
	b.ReportMetric(float64(n)/float64(j.Stats().Syncs), "events/sync")
}

// bulk returns a closed journal of n events.
func bulk(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	j := open(b, dir, Options{Durability: Async})
	for i := range n {
		j.Append(benchEvent(i))
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkScan reads and decodes everything; it also reports the size on disk.
func BenchmarkScan(b *testing.B) {
	const n = 300_000
	dir := bulk(b, n)
	r, err := OpenReader(dir)
	if err != nil {
		b.Fatal(err)
	}
	bytes := int64(0)
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			bytes += info.Size()
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		count := 0
		for _, err := range r.Scan(Query{}) {
			if err != nil {
				b.Fatal(err)
			}
			count++
		}
		if count != n {
			b.Fatal(count)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
	b.ReportMetric(float64(bytes)/n, "disk-bytes/event")
}

// BenchmarkOneCorrelation finds the six events of one request.
func BenchmarkOneCorrelation(b *testing.B) {
	r, err := OpenReader(bulk(b, 300_000))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		count := 0
		for _, err := range r.Scan(Query{Correlation: "req-000000012345"}) {
			if err != nil {
				b.Fatal(err)
			}
			count++
		}
		if count != 6 {
			b.Fatal(count)
		}
	}
}
