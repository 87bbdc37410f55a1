// Package breaker answers one question, may this call pass?, and learns from how calls end.
//
// A [Breaker] is a circuit breaker: closed, open, half open, recovering. It trips on consecutive failures, on
// failures, error rate or slow calls within a window of calls or of time, and on whatever a [Trigger] computes.
// Around it stand the other limits of a guarded call: [Bulkhead], [Rate], [Adaptive], [RetryBudget] and [Backoff];
// [Keyed] holds a breaker for each of very many keys.
//
// Everything here is pure in one sense: time is an argument and randomness is a seed. All times are monotonic
// nanoseconds chosen by the caller; a time that runs backwards counts as the last one seen. Driven by one goroutine,
// the same calls give the same answers on every machine. No function of this package starts a goroutine, reads a
// clock or waits.
//
//	b, err := breaker.New(breaker.Policy{
//		Window:   breaker.Window{Span: 10 * time.Second},
//		MinCalls: 20,
//		Trip:     breaker.Trip{ErrorRate: 0.5},
//		Open:     breaker.OpenPolicy{For: 5 * time.Second},
//	}, seed, now())
//	permit, verdict := b.Allow(now())
//	if !verdict.Admitted {
//		return verdict.RetryAfter
//	}
//	err := call()
//	b.Done(now(), permit, breaker.Success)
package breaker
