// Package sim runs a plan in virtual time on one thread at a time: the very same Machine, guards, breakers and behaviours
// as the live runtime, in an order that the seed alone decides.
//
// There is one baton. The goroutine that holds it runs the event loop: it takes the next task, or moves the clock to the
// next alarm when there is none, and calls handlers directly. A handler that waits keeps its goroutine, a carrier; before
// it sleeps it goes on with tasks that cannot wait, on its own stack, and hands the baton to the carrier that the next task
// belongs to, or to a spare one. So a message costs a function call, and only waiting costs a switch.
//
// Handlers of our own, scripts and guards, wait in coroutines instead, which switch faster still.
//
// What is not modelled: the time that handlers compute, contention for processors and memory, the collector's pauses, bytes
// on a wire, a gateway's sockets, a handler that outlasts its kill time (a second wait after engine.ErrStopped unwinds it), and
// Runners that report from goroutines of their own. Replicas come up in the order of their numbers; live they race.
//
// What makes a run worthless is caught, where that is cheap. Run tells of a moment that does not end and of a handler that blocks
// outside its Context. Close tells of a goroutine that a behaviour has started and that is still there, by the actor's name, and
// of a carrier that has not ended; with Options.Strict also of a Context that was used too late or elsewhere. Not caught: a
// goroutine that has ended by then, time.Now, the order of a map, a package's own state. Two runs of one seed, in two
// processes, differ in their digests where those matter.
//
// Processes, upstreams and absent Go actors are replaced by a Model. An Engine belongs to the goroutine that calls Run and,
// while that runs, to the functions that it calls: all methods are for those only.
package sim
