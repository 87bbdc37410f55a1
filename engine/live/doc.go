// Package live runs a plan on goroutines: mailboxes, workers, asks, guards, and the lock under which the Machine decides.
//
// Two planes are kept apart. The data plane carries messages from sender to guard to mailbox to behaviour and takes no
// lock but the receiver's own. The control plane is one mutex: whoever has something to tell the Machine takes it, stamps
// the time, lets the Machine decide, records what happened, and carries the effects out. Effects under that lock are
// flags and spawns only, never code of a behaviour and never I/O. So the order of the lock is the order of the inputs,
// of the journal and of a replay.
//
// Locks nest in one order: control, then an actor's, then those of workers and waiters. Code of behaviours runs under none.
package live
