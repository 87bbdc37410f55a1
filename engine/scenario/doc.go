// Package scenario runs scripted disasters in virtual time and judges what must hold.
//
// A run puts a plan into the simulated runtime, with the very Machine, guards, breakers and behaviours of production, sends
// load at it, lets faults begin and end as the timeline says, and feeds every event, call and answer to one monitor for each
// expectation. A monitor keeps a few words and never looks back, so its cost does not grow with the run. The same scenario
// with the same seed gives the same run, which its digest shows.
//
// Nothing here starts a goroutine: a Run belongs to the goroutine that calls it, and several may go on at the same time.
package scenario
