package journal

import (
	"fmt"
	"strings"
)

func (b ActorStarting) describe() string {
	return fmt.Sprintf("starting (incarnation %d)", b.Incarnation)
}

func (b ActorStarted) describe() string {
	pid := ""
	if b.PID != 0 {
		pid = fmt.Sprintf(" pid %d", b.PID)
	}
	return fmt.Sprintf("started%s%s (incarnation %d)", pid, clause(" at ", b.Address, ""), b.Incarnation)
}

func (b ActorReady) describe() string { return "ready after " + brief(b.Took) }

func (b ActorStopping) describe() string { return "stopping" + clause(": ", b.Why, "") }

func (b ActorStopped) describe() string {
	return "stopped in " + brief(b.Took) + clause(": ", b.Reason, "")
}

func (b ActorFailed) describe() string {
	last := ""
	if n := len(b.LastLines); n > 0 {
		last = b.LastLines[n-1]
	}
	return "failed" + clause(" (", b.Kind, ")") + clause(": ", b.Message, "") + clause(" while handling ", b.MessageType, "") + clause("; last line: ", last, "")
}

func (b ActorRestarting) describe() string {
	return fmt.Sprintf("restarting in %s (attempt %d, restart %d%s)", brief(b.Delay), b.Attempt, b.Restarts, clause(", directive ", b.Directive, ""))
}

func (b SupervisorGaveUp) describe() string {
	return fmt.Sprintf("gave up: %d restarts within %s, allowed %d%s", b.Restarts, brief(b.Within), b.Max, clause(": ", b.Reason, ""))
}

func (b ActorLeaked) describe() string {
	return fmt.Sprintf("leaked %s (incarnation %d)", b.What, b.Incarnation)
}

func (b Paused) describe() string {
	return "paused" + clause(" by ", b.By, "") + clause(": ", b.Reason, "")
}

func (b Resumed) describe() string {
	return "resumed" + clause(" by ", b.By, "") + clause(": ", b.Reason, "")
}

func (b DeadLetter) describe() string {
	return fmt.Sprintf("dead letter: %d x %s%s", b.Count, b.Message, clause(", ", b.Reason, ""))
}

func (b Injected) describe() string {
	return "was sent " + b.Message + clause(" by ", b.By, "") + clause(": ", b.Reason, "")
}

func (b StateSet) describe() string {
	return "state changed: " + strings.Join(b.Keys, ", ") + clause(" by ", b.By, "") + clause(": ", b.Reason, "")
}

func (b StateChanged) describe() string {
	what := "state changed"
	if b.Whole {
		what = "state replaced"
	}
	if b.Sequence > 0 {
		what += fmt.Sprintf(" (%d)", b.Sequence)
	}
	const shown = 80
	change := string(b.Change)
	if len(change) > shown {
		change = change[:shown] + "…"
	}
	return what + ": " + change
}

func (b Message) describe() string {
	return fmt.Sprintf("handled %s%s in %s: %s", b.Message, clause(" from ", b.From, ""), brief(b.Took), b.Outcome)
}
