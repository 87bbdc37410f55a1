package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/journal"
)

// Trace is the golden form of a run: each step of the timeline and each decision of the engine with its virtual time, one
// a line, oldest first. Calls and messages are not in it. A tape that lost entries gives a trace that says so.
func (t *Tape) Trace() string {
	var b strings.Builder
	if t.Dropped > 0 {
		fmt.Fprintf(&b, "%d older entries are not kept\n", t.Dropped)
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		switch {
		case e.Step != nil:
			fmt.Fprintf(&b, "%-13s - %s\n", stamp(e.At), e.Text)
		case decides(e.Event.Type):
			fmt.Fprintf(&b, "%-13s %s\n", stamp(e.At), journal.Describe(e.Event))
		}
	}
	return b.String()
}

// stamp is a time to the microsecond, so that every line of a second has the same width.
func stamp(at time.Duration) string {
	at = at.Round(time.Microsecond)
	return fmt.Sprintf("%d:%02d.%06d", at/time.Minute, at%time.Minute/time.Second, at%time.Second/time.Microsecond)
}

// decides tells the events that a trace shows: what the engine and its breakers decided, and what they decided upon.
func decides(t journal.Type) bool {
	switch t {
	case journal.TypeInput, journal.TypeDeadLetter, journal.TypeMessage, journal.TypeCall, journal.TypeSample, journal.TypeLogged, journal.TypeDissent:
		return false
	}
	return true
}

// Golden is the trace of one scenario as a file keeps it.
type Golden struct {
	Name  string
	Seed  uint64
	Trace string
}

// goldenLine begins a scenario in a file of traces.
const goldenLine = "== seed %d, %s"

// ParseGoldens reads a file of traces. Lines before the first scenario are comments.
func ParseGoldens(text string) ([]Golden, error) {
	var out []Golden
	for n, line := range strings.SplitAfter(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		if !strings.HasPrefix(line, "== ") {
			if len(out) > 0 {
				out[len(out)-1].Trace += line
			}
			continue
		}
		var g Golden
		head, name, ok := strings.Cut(strings.TrimRight(line, "\n"), ", ")
		if _, err := fmt.Sscanf(head, "== seed %d", &g.Seed); err != nil || !ok || name == "" {
			return nil, fmt.Errorf("line %d: %q is not \"== seed NUMBER, NAME\"", n+1, strings.TrimRight(line, "\n"))
		}
		if slices.ContainsFunc(out, func(have Golden) bool { return have.Name == name }) {
			return nil, fmt.Errorf("line %d: the scenario %q stands here a second time", n+1, name)
		}
		g.Name = name
		out = append(out, g)
	}
	for i := range out {
		out[i].Trace = strings.TrimRight(out[i].Trace, "\n") + "\n"
	}
	return out, nil
}

// FormatGoldens writes a file of traces, which ParseGoldens reads.
func FormatGoldens(all []Golden) string {
	var b strings.Builder
	b.WriteString("What the engine decided, in virtual time; lukhas-run test compares, with --update it writes this file anew.\n")
	for _, g := range all {
		fmt.Fprintf(&b, "\n"+goldenLine+"\n%s", g.Seed, g.Name, g.Trace)
	}
	return b.String()
}
