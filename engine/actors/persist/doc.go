// Package persist keeps the state of actors over their incarnations and over runs of the engine.
//
// With `mode: events` each change of an actor's state is an event of the journal, kept before anything that the handler does
// next leaves the actor. A new incarnation begins with the newest state that was saved and is whole, and the changes after it.
// What is replayed are changes, never messages: a handler that a newer definition has changed or removed does not matter.
//
// With `mode: state` changes are not kept one by one: the state is saved after so many of them, and at an orderly stop.
package persist
