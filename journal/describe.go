package journal

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxDescription bounds a line for people, in runes.
const maxDescription = 400

// Describe returns the event as one line for people, without its time: the
// actor and what happened to it. Control characters in it are escaped, so that
// a process's output cannot steer a terminal.
func Describe(e Event) string {
	text := ""
	if b, err := e.Body(); err != nil {
		text = err.Error()
	} else {
		text = b.describe()
	}
	if e.Actor != "" {
		text = e.Actor + " " + text
	}
	return oneLine(text)
}

// oneLine escapes what is not printable and cuts what is too long.
func oneLine(text string) string {
	text = strings.TrimRight(text, "\n ")
	if len(text) <= maxDescription && strings.IndexFunc(text, unprintable) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	runes := 0
	for _, r := range text {
		if runes++; runes > maxDescription {
			b.WriteString("…")
			break
		}
		if unprintable(r) {
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// clause returns before+text+after, or nothing when text is empty.
func clause(before, text, after string) string {
	if text == "" {
		return ""
	}
	return before + text + after
}

func brief(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// readings returns values as "a=1 b=2" in sorted order.
func readings(v Values) string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		value := v[name]
		if f, ok := value.(float64); ok {
			value = Number(f)
		}
		names[i] = fmt.Sprintf("%s=%v", name, value)
	}
	return strings.Join(names, " ")
}

func plural(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatUint(n, 10) + " " + noun + "s"
}

func (b EngineStarted) describe() string {
	return fmt.Sprintf("engine %q started: generation %d, plan %s, pid %d, version %s", b.Name, b.Generation, short(b.Digest), b.PID, b.Version)
}

func (b EngineStopped) describe() string {
	return fmt.Sprintf("engine stopped with code %d%s", b.Code, clause(": ", b.Reason, ""))
}

func (b Gap) describe() string {
	span := ""
	if b.From != 0 {
		span = brief(time.Duration(b.To - b.From))
	}
	return fmt.Sprintf("%s missing: %s%s", plural(b.Dropped, "event"), b.Reason, clause(" for ", span, ""))
}

func (b JournalRecovered) describe() string {
	return fmt.Sprintf("journal recovered: cut %d unfinished bytes from segment %d at %d%s", b.Bytes, b.Segment, b.Offset, clause(" (", b.Reason, ")"))
}

func (b Checkpoint) describe() string {
	return fmt.Sprintf("checkpoint %q%s", b.Name, clause(" by ", b.Who, ""))
}

func (b Logged) describe() string {
	return b.Level + ": " + b.Text + clause(" (", readings(b.Fields), ")")
}

func (b Input) describe() string { return fmt.Sprintf("input of %d bytes", len(b.Data)) }

func (b Unknown) describe() string {
	return fmt.Sprintf("%s version %d, %d bytes", b.Of, b.Version, len(b.Data))
}

func (b ReloadCommitted) describe() string {
	took := ""
	if b.Took > 0 {
		took = " after " + brief(b.Took)
	}
	if b.Probation > 0 {
		took += ", on probation for " + brief(b.Probation)
	}
	return fmt.Sprintf("generation %d in force%s: %s%s%s%s", b.Generation, took, plural(uint64(len(b.Changes)+b.Omitted), "change"),
		clause(" (", changes(b.Changes, b.Omitted), ")"), clause(" by ", b.Who, ""), clause(": ", b.Why, ""))
}

func (b PlanVaried) describe() string {
	return fmt.Sprintf("plan changed in place: %s%s%s%s", plural(uint64(len(b.Changes)+b.Omitted), "change"),
		clause(" (", changes(b.Changes, b.Omitted), ")"), clause(" by ", b.Who, ""), clause(": ", b.Why, ""))
}

func changes(list []Change, omitted int) string {
	const shown = 5
	var parts []string
	for i, c := range list {
		if i == shown {
			parts = append(parts, fmt.Sprintf("and %d more", len(list)-shown+omitted))
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s %s -> %s", c.Class, c.Path, c.From, c.To))
	}
	return strings.Join(parts, ", ")
}

func (b ReloadVerified) describe() string {
	return fmt.Sprintf("generation %d has proved itself in %s", b.Generation, brief(b.Took))
}

func (b ReloadRolledBack) describe() string {
	return fmt.Sprintf("generation %d is rolled back to %d after %s: %s %s%s", b.Generation, b.To, brief(b.After), b.Code, b.Reason, clause(" (", readings(b.Values), ")"))
}

func (b ReloadRejected) describe() string {
	first := ""
	if len(b.Diagnostics) > 0 {
		first = b.Diagnostics[0]
	}
	return fmt.Sprintf("configuration %s rejected with %s%s", short(b.Hash), plural(uint64(len(b.Diagnostics)), "problem"), clause(": ", first, ""))
}

// short returns the beginning of a hexadecimal digest.
func short(digest string) string {
	if len(digest) > 12 {
		return digest[:12]
	}
	return digest
}
