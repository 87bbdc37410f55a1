package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lukhasai/lukhas-run/breaker"
)

// A breaker that reads the time by itself guards a function. Programs use int64(time.Since(start)) as their clock.
func Example() {
	now := int64(0)
	b, err := breaker.New(breaker.Policy{
		Window:   breaker.Window{Span: 10 * time.Second},
		MinCalls: 4,
		Trip:     breaker.Trip{ErrorRate: 0.5},
		Open:     breaker.OpenPolicy{For: 5 * time.Second},
	}, 1, now, breaker.WithClock(func() int64 { return now }))
	if err != nil {
		fmt.Println(err)
		return
	}
	b.Listen(func(t breaker.Transition) { fmt.Println(t.From, "->", t.To, "because of", t.Trigger) })

	broken := func(context.Context) error { return errors.New("connection refused") }
	for range 5 {
		fmt.Println(b.Do(context.Background(), broken))
	}
	now += int64(5 * time.Second)
	healthy := func(context.Context) error { return nil }
	fmt.Println(b.Do(context.Background(), healthy))
	// Output:
	// connection refused
	// connection refused
	// connection refused
	// closed -> open because of error_rate
	// connection refused
	// breaker: call refused
	// open -> half_open because of open_elapsed
	// half_open -> closed because of probes_passed
	// <nil>
}

// Where time is passed in, a whole outage runs in no time at all, the same each time.
func ExampleBreaker_Allow() {
	b, err := breaker.New(breaker.Policy{
		Trip: breaker.Trip{ConsecutiveFailures: 3},
		Open: breaker.OpenPolicy{For: time.Second, Factor: 2, Max: 10 * time.Second},
	}, 1, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for now := int64(0); now < int64(10*time.Second); now += int64(100 * time.Millisecond) {
		permit, verdict := b.Allow(now)
		if !verdict.Admitted {
			continue
		}
		fmt.Println(time.Duration(now), "probe:", verdict.Probe)
		b.Done(now, permit, breaker.Failure("timeout"))
	}
	// Output:
	// 0s probe: false
	// 100ms probe: false
	// 200ms probe: false
	// 1.2s probe: true
	// 3.2s probe: true
	// 7.2s probe: true
}

// A bulkhead keeps the queue; who waits parks until its ticket is called.
func ExampleBulkhead() {
	b, err := breaker.NewBulkhead(breaker.BulkheadPolicy{Concurrent: 1, Queue: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		entry, ticket, _ := b.Enter(0)
		fmt.Println(entry == breaker.Entered, entry == breaker.Queued, ticket)
	}
	fmt.Println("called:", b.Leave())
	// Output:
	// true false 0
	// false true 1
	// false false 0
	// called: 1
}
