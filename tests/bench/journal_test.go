package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/wal"

	"github.com/lukhasai/lukhas-run/journal"
)

// writers is how many wait for the disk at the same time.
const writers = 256

func loggedCall(i int) journal.Event {
	e := journal.New(fmt.Sprintf("shop/checkout/worker.%d", i%50),
		journal.Call{From: "shop/gateway", Breaker: "payments", Outcome: "success", Duration: time.Duration(1000 + i*7919%100_000), Attempt: 1})
	e.Correlation = fmt.Sprintf("req-%012d", i/6)
	e.Time = 1_790_000_000_000_000_000 + int64(i)*10_000
	return e
}

// BenchmarkDurableOurs is an event that its writer waits for until it is on disk, written by many at the same time.
func BenchmarkDurableOurs(b *testing.B) {
	j, err := journal.Open(b.TempDir(), journal.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	events := make([]journal.Event, 1000)
	for i := range events {
		events[i] = loggedCall(i)
	}
	byMany(b, func(i int) error {
		_, ack := j.Append(events[i%1000])
		_, err := ack.Wait(context.Background())
		return err
	})
	b.ReportMetric(float64(b.N)/float64(j.Stats().Syncs), "events/sync")
}

// BenchmarkDurableTidwall is the same with tidwall/wal. It syncs each write under one lock, so the writers of one moment are
// put into one batch by whoever of them comes first, as a program that wants many durable writers would.
func BenchmarkDurableTidwall(b *testing.B) {
	log, err := wal.Open(filepath.Join(b.TempDir(), "wal"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	lines := make([][]byte, 1000)
	for i := range lines {
		if lines[i], err = json.Marshal(loggedCall(i)); err != nil {
			b.Fatal(err)
		}
	}
	g := &together{log: log}
	byMany(b, func(i int) error { return g.write(lines[i%1000]) })
	b.ReportMetric(float64(b.N)/float64(g.syncs), "events/sync")
}

// byMany lets the writers make b.N writes and reports how many a second there are.
func byMany(b *testing.B, write func(i int) error) {
	var all sync.WaitGroup
	off := clockOn(b)
	for w := range writers {
		all.Go(func() {
			for i := w; i < b.N; i += writers {
				if err := write(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	off()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// together writes what several ask for at the same time as one batch.
type together struct {
	log   *wal.Log
	busy  sync.Mutex // held by who writes
	mu    sync.Mutex
	next  *group // who comes while that goes on
	index uint64
	syncs int
}

// group is one batch and its end.
type group struct {
	batch wal.Batch
	once  sync.Once
	err   error
}

func (t *together) write(data []byte) error {
	t.mu.Lock()
	if t.next == nil {
		t.next = &group{}
	}
	g := t.next
	t.index++
	g.batch.Write(t.index, data)
	t.mu.Unlock()
	g.once.Do(func() {
		t.busy.Lock()
		defer t.busy.Unlock()
		t.mu.Lock()
		t.next = nil
		t.mu.Unlock()
		t.syncs++
		g.err = t.log.WriteBatch(&g.batch)
	})
	return g.err
}
