package main

import (
	"os"
	"runtime/debug"
)

// hurry lets the heap of a verb that is over in a second grow further between collections, which would take a fifth of its
// time; the size limit of specs bounds it. Whoever set GOGC knows better. The returned function undoes it.
func hurry() (undo func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	const percent = 400
	before := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(before) }
}
