package engine

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
