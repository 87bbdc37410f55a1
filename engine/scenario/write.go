package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// ErrLayout is given for a scenario whose text does not show where its timeline is.
var ErrLayout = errors.New("the file's layout does not show where the timeline begins")

// Insert gives the text of a scenario file with steps added to the timeline of the scenario that begins at a line, and with
// another seed. All else, comments too, stays as it is.
func Insert(text []byte, line int, seed uint64, steps []plan.Step) ([]byte, error) {
	lines := bytes.SplitAfter(text, []byte("\n"))
	begin, end := min(max(line-1, 0), len(lines)), len(lines)
	for i := begin; i < len(lines); i++ {
		if i > begin && bytes.HasPrefix(lines[i], []byte("---")) {
			end = i
			break
		}
	}
	doc := slices.Clone(lines[begin:end])
	top := func(key string) int {
		return slices.IndexFunc(doc, func(l []byte) bool { return bytes.HasPrefix(l, []byte(key+":")) })
	}
	duration := top("duration")
	if duration < 0 {
		return nil, ErrLayout
	}
	seedLine := []byte("seed: " + strconv.FormatUint(seed, 10) + "\n")
	if at := top("seed"); at >= 0 {
		doc[at] = seedLine
	} else {
		doc[duration] = slices.Concat(seedLine, doc[duration])
	}
	if at := top("timeline"); at < 0 {
		doc[duration] = slices.Concat(doc[duration], []byte("timeline:\n"), block(steps, "  "))
	} else if err := extend(doc, at, steps); err != nil {
		return nil, err
	}
	return bytes.Join(slices.Concat(lines[:begin], doc, lines[end:]), nil), nil
}

// extend puts steps before those that stand in the timeline.
func extend(doc [][]byte, at int, steps []plan.Step) error {
	rest := strings.TrimSpace(strings.TrimPrefix(string(doc[at]), "timeline:"))
	switch {
	case rest == "" || strings.HasPrefix(rest, "#"):
		indent := "  "
		if at+1 < len(doc) {
			next := string(doc[at+1])
			indent = next[:len(next)-len(strings.TrimLeft(next, " "))]
		}
		doc[at] = slices.Concat(doc[at], block(steps, indent))
	case strings.HasPrefix(rest, "["):
		doc[at] = bytes.Replace(doc[at], []byte("["), []byte("["+strings.Join(Lines(steps), ", ")+", "), 1)
	default:
		return ErrLayout
	}
	return nil
}

func block(steps []plan.Step, indent string) []byte {
	var b bytes.Buffer
	for _, line := range Lines(steps) {
		fmt.Fprintf(&b, "%s- %s\n", indent, line)
	}
	return b.Bytes()
}

// Lines writes steps as a scenario has them, one a line.
func Lines(steps []plan.Step) []string {
	var out []string
	for i := range steps {
		out = append(out, text(&steps[i]))
	}
	return out
}

// text writes a step as a scenario has it, in one line.
func text(s *plan.Step) string {
	parts := []string{"at: " + s.At.Offset.String()}
	if s.For > 0 {
		parts = append(parts, "for: "+s.For.String())
	}
	return "{" + strings.Join(append(parts, s.Verb+": {"+strings.Join(fields(s), ", ")+"}"), ", ") + "}"
}

func fields(s *plan.Step) []string {
	var out []string
	add := func(key, value string) {
		if value != "" {
			out = append(out, key+": "+value)
		}
	}
	span := func(key string, d time.Duration) {
		if d != 0 {
			add(key, d.String())
		}
	}
	if s.Action != nil {
		add("target", s.Action.Target)
		return out
	}
	if s.Reload != nil {
		add("set", s.Reload.Set)
		return out
	}
	f := s.Fault
	add("target", f.Target)
	add("from", f.From)
	add("to", f.To)
	add("resource", f.Resource)
	add("kind", f.Kind)
	span("by", f.By)
	if f.Status != 0 {
		add("status", strconv.Itoa(f.Status))
	}
	if f.Rate != 1 && hasRate(s.Verb) {
		key := "rate"
		if s.Verb == "exhaust" {
			key = "to"
		}
		add(key, strconv.FormatFloat(f.Rate, 'g', -1, 64))
	}
	add("what", f.What)
	if f.Where != nil {
		add("where", "'"+strings.ReplaceAll(f.Where.Source(), "'", "''")+"'")
	}
	if len(f.Between) > 1 {
		add("between", "["+f.Between[0][0]+", "+f.Between[1][0]+"]")
	}
	return out
}
