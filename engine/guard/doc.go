// Package guard is the layered defence of a call, as plain functions over a small Env and the pure pieces of package
// breaker. The live and the simulated runtime run the very same code.
//
// The layers stand in one fixed order:
//
//	rate limit -> bulkhead -> adaptive limit -> retry and hedge( breaker -> timeout( attempt )) -> fallback
//
// The caller has passed quarantine and emergency before. Breaker and timeout belong to an attempt, so no attempt passes
// a breaker that opened meanwhile; the deadline spans all attempts. A refusal by any layer, here or further down, is
// nobody's failure: it does not count against the callee and is not retried. The fallback answers whatever was refused
// or failed.
package guard
