// Package kernel is what the live and the simulated runtime have in common: everything that both decide, written once. What a
// message passes on its way (gates, guards, routing, hedges), what an expression sees of it, which guards a generation has and
// where they stand, how events are named and dead letters gathered, how the Machine is told and its word carried to those who
// act on it.
//
// A runtime gives what differs: how somebody waits, how work is started, where actors are kept. The live one waits on channels
// and works on goroutines, the simulated one has an event loop and virtual time. So that one code serves both, the kernel locks
// what several goroutines may touch; in the simulation nobody else is ever there. It starts no goroutine and reads no clock.
package kernel
