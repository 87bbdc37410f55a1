// Package engine is the pure core: the Machine that decides, and what behaviours are written against.
//
// Machine.Step takes one Input and appends the Effects it decides on. It starts no goroutine, reads no clock, no random
// source and no file, and has no logger; the live runtime, the simulation and replay drive the very same code. Packages
// below this one carry effects out and feed inputs in.
package engine
