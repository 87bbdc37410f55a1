// Package process is the behaviour of an actor that is an operating system process.
//
// The process leads a process group of its own and dies with the engine: on Linux the kernel kills it when the thread that
// started it ends, so a locked thread starts it and waits for it. When the leader is gone, whatever is left of its group is
// killed before the leader is reaped, while its number cannot belong to anybody else.
//
// With the protocol jsonl messages go to its standard input, one JSON object a line, and replies come from its standard
// output. Everything else it writes becomes Logged events.
package process
