package engine

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/lukhasai/lukhas-run/journal"
)

// Failure is what the supervisor learns of an incarnation's end or of a message it could not handle.
type Failure struct {
	Kind        string // as Error.Kind, or the callee's own
	Message     string
	By          string    // path of the actor where it began
	MessageType string    // the message that was handled, "" outside a message
	Correlation string    // of that message
	ExitCode    int       // of a process; -1 when it has none
	Signal      string    // that ended a process, "" without
	LastLines   []string  // of a process's output, newest last
	Stack       []uintptr // program counters of a panic: readers make text of them, the Machine never looks
	Starting    bool      // it happened before the actor was ready
}

// FailureOf is what an error that a behaviour returned says to its supervisor. By is the actor's path where the error
// names nobody, and its kind a crash where it names none.
func FailureOf(err error, by string) *Failure {
	var e *Error
	if !errors.As(err, &e) || e == nil {
		return &Failure{Kind: KindCrash, Message: clip(err.Error()), By: by}
	}
	f := &Failure{Kind: or(e.Kind, KindCrash), Message: clip(e.Message), By: e.By}
	if f.By == "" {
		f.By = by
	}
	return f
}

// Panicked is the failure of a behaviour that panicked with r. It is for a deferred function and must be called while the
// panicking stack still stands: skip counts the callers between Panicked and runtime.gopanic.
func Panicked(r any, by string, skip int) *Failure {
	pcs := make([]uintptr, 48)
	n := runtime.Callers(skip+3, pcs) // Callers, Panicked, gopanic
	return &Failure{Kind: KindCrash, Message: "panic: " + clip(fmt.Sprint(r)), By: by, Stack: pcs[:n]}
}

// Answer is what the asker learns of a failure.
func (f *Failure) Answer() *Error {
	return &Error{Kind: f.Kind, Message: f.Message, By: f.By, Delivered: true}
}

// Report is the event of a failure. Program counters become text here; Stacks remembers what they became.
func (f *Failure) Report(epoch Epoch) journal.Body { return f.report(epoch, stackText(f.Stack)) }

func (f *Failure) report(epoch Epoch, stack string) journal.Body {
	return journal.ActorFailed{
		Incarnation: uint64(epoch), Kind: f.Kind, Message: f.Message, ExitCode: f.ExitCode, Signal: f.Signal,
		LastLines: f.LastLines, Stack: stack, MessageType: f.MessageType,
	}
}

// maxText bounds the text of a failure: panic values can be of any size.
const maxText = 4 << 10

func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}

// maxStack bounds the frames of a reported stack.
const maxStack = 24

// stackText prints program counters as Go prints a stack, down to the runtime that called the behaviour: both runtimes
// call it from a method protect of a frame.
func stackText(pcs []uintptr) string {
	if len(pcs) == 0 {
		return ""
	}
	var b strings.Builder
	frames := runtime.CallersFrames(pcs)
	for range maxStack {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, ".(*frame).protect") {
			break
		}
		b.WriteString(f.Function)
		b.WriteString("\n\t")
		b.WriteString(f.File)
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(f.Line))
		b.WriteByte('\n')
		if !more {
			break
		}
	}
	return b.String()
}
