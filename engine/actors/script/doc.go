// Package script is the behaviour of actors that are written in YAML.
//
// A handler runs in a fixed order: calls, fail, set, tell, reply, stop. What fails a request (a call that is not optional,
// an expression that cannot be evaluated, a message nobody handles) is its answer; only a handler's own `fail` is a
// failure of the actor, which its supervisor decides about. A broken dependency thus never restarts those who call it.
package script
