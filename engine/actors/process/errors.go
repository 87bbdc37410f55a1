package process

import "errors"

// Errors of starting a process; they are wrapped with the command and the place where it is declared.
var (
	// ErrNoCommand is given when the command is empty.
	ErrNoCommand = errors.New("no command")
	// ErrNotFound is given when no file answers to the command's name.
	ErrNotFound = errors.New("command not found")
	// ErrNotExecutable is given when the file is there but may not be run.
	ErrNotExecutable = errors.New("not executable")
	// ErrNoDir is given when the working directory is not there.
	ErrNoDir = errors.New("no such working directory")
	// ErrSignal is given for a signal name that is not known.
	ErrSignal = errors.New("unknown signal")
)
