// Package upstream is the behaviour of an actor that is an HTTP service: messages become requests, and the gateway's
// exchanges pass through as they are.
//
// Each incarnation has a transport of its own. Nothing is ever sent twice by it unless not a byte of the first try left
// this machine: retries are the guard's, who counts them. Redirects are answers, not followed. When an asker goes away or
// its time is over, the request is cancelled at once.
package upstream
