// Package probe asks actors whether they are ready and whether they are healthy.
//
// Wrap puts both around a behaviour. `ready` holds the start back until a probe passes or its time is over; `health` asks at
// intervals as long as the incarnation lives and reports when so many answers in a row say otherwise than before. What is
// asked goes past the mailbox where the behaviour can be asked directly (a process, an upstream, an address, a command);
// a script or Go actor answers a `message` probe between its other messages, and one that is stuck is found by the timeout.
package probe
