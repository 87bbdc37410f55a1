package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Bounds of a recording.
const (
	maxRecording = 256 << 20 // bytes of a file
	maxArrivals  = 1_000_000
	maxLine      = 1 << 20
)

// errRecording is given for a recording beyond its bounds.
var errRecording = errors.New("the recording is too large")

// line is one call of a recording as a line of JSON has it.
type line struct {
	At      int64  `json:"at_ns"` // since the recording began
	From    string `json:"from,omitempty"`
	To      string `json:"to"`
	Message string `json:"message"`
	Key     string `json:"key,omitempty"`
	Payload any    `json:"payload,omitempty"`
}

// Recording reads the calls of a recording, JSON Lines or a journal's directory, in the order of their time. Name must be
// local to dir; links that lead out of it are refused.
func Recording(dir, name string) ([]plan.Arrival, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("recording %s: %w", name, reason(err))
	case info.IsDir():
		r, err := journal.OpenReader(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		return Arrivals(r.Scan(journal.Query{Types: []journal.Type{journal.TypeMessage, journal.TypeCall}}), time.Time{})
	case info.Size() > maxRecording:
		return nil, fmt.Errorf("recording %s has %d bytes, at most %d: %w", name, info.Size(), maxRecording, errRecording)
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", name, reason(err))
	}
	defer file.Close()
	out, err := ReadArrivals(file)
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", name, err)
	}
	return out, nil
}

// reason is an error without the path that its message says anyway.
func reason(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// ReadArrivals reads calls, one a line of JSON: at_ns since the recording began, to, message, and what is known of from, key
// and payload. They are given in the order of their time.
func ReadArrivals(r io.Reader) ([]plan.Arrival, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 4096), maxLine)
	var out []plan.Arrival
	n := 0
	for scanner.Scan() {
		n++
		text := bytes.TrimSpace(scanner.Bytes())
		if len(text) == 0 {
			continue
		}
		if len(out) == maxArrivals {
			return nil, fmt.Errorf("line %d: more than %d calls: %w", n, maxArrivals, errRecording)
		}
		a, err := parseArrival(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, a)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	slices.SortStableFunc(out, func(a, b plan.Arrival) int { return int(min(max(a.At-b.At, -1), 1)) })
	return out, nil
}

func parseArrival(text []byte) (plan.Arrival, error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return plan.Arrival{}, err
	}
	switch {
	case d.More():
		return plan.Arrival{}, errors.New("more than one value on a line")
	case l.At < 0:
		return plan.Arrival{}, fmt.Errorf("at_ns %d is before the beginning", l.At)
	case l.To == "":
		return plan.Arrival{}, errors.New(`"to" is missing: whom the call went to`)
	case l.Message == "":
		return plan.Arrival{}, errors.New(`"message" is missing`)
	}
	return plan.Arrival{At: time.Duration(l.At), To: l.To, From: l.From, Message: l.Message, Payload: l.Payload, Key: l.Key}, nil
}

// WriteArrivals writes calls as ReadArrivals reads them.
func WriteArrivals(w io.Writer, all []plan.Arrival) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, a := range all {
		if err := e.Encode(line{int64(a.At), a.From, a.To, a.Message, a.Key, a.Payload}); err != nil {
			return err
		}
	}
	return nil
}

// Arrivals finds the calls from outside among a journal's events: attempts of guarded calls, each once however often it was
// tried, and handled messages for those actors of whom no calls are recorded. Times count from start, or from the first of
// them. What such a call carried is known where journal.record has payloads.
func Arrivals(events iter.Seq2[journal.Event, error], start time.Time) ([]plan.Arrival, error) {
	var found arrivalsFound
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		if err := found.take(e); err != nil {
			return nil, err
		}
	}
	return found.settle(start), nil
}

// arrivalsFound are the calls from outside as they are found.
type arrivalsFound struct {
	calls, messages []arrived
	guarded         map[string]bool // actors of whom calls are recorded
	edges           map[string]bool // from and to of calls that pass an edge's guard first
	whole           map[string]bool // correlations of those of which is known what they carried
	came            []came
	oversize        int // how many of those that settle gave carried too much to be recorded
}

// carried is what a call or message carried; nil when that is not known, or nothing.
func (f *arrivalsFound) carried(e journal.Event, payload json.RawMessage) any {
	var v any
	if len(payload) == 0 || json.Unmarshal(payload, &v) != nil {
		return nil
	}
	f.note(&f.whole, e.Correlation)
	return v
}

// arrived is a call from outside at the time it came.
type arrived struct {
	at    int64 // Unix nanoseconds
	edge  bool
	guard string
	call  plan.Arrival

	oversize bool // it carried too much to be recorded
}

func (f *arrivalsFound) take(e journal.Event) error {
	if len(f.calls)+len(f.messages) >= maxArrivals {
		return errRecording
	}
	body, err := e.Body()
	if err != nil {
		return err
	}
	switch b := body.(type) {
	case journal.Call:
		f.note(&f.guarded, e.Actor)
		if outside(b.From, e.Actor) {
			f.came = append(f.came, came{e.Time - int64(b.Duration), e.Time, e.Actor, sent(b.Message), b.Class, e.Correlation, len(b.Payload) > 0})
		}
		if outside(b.From, e.Actor) && b.Attempt == 1 && b.Hedge <= 1 {
			one := arrived{at: e.Time - int64(b.Duration), guard: b.Breaker, call: plan.Arrival{From: b.From, To: e.Actor, Message: sent(b.Message), Payload: f.carried(e, b.Payload)}, oversize: b.Oversize > 0}
			if one.edge = b.Breaker != "" && b.Breaker == b.From; one.edge {
				f.note(&f.edges, b.From+" "+e.Actor)
			}
			f.calls = append(f.calls, one)
		}
	case journal.Message:
		if outside(b.From, e.Actor) && e.Causation == 0 {
			f.came = append(f.came, came{e.Time - int64(b.Took), e.Time, e.Actor, sent(b.Message), b.Outcome, e.Correlation, len(b.Payload) > 0})
			f.messages = append(f.messages, arrived{at: e.Time - int64(b.Took), call: plan.Arrival{From: b.From, To: e.Actor, Message: sent(b.Message), Payload: f.carried(e, b.Payload)}, oversize: b.Oversize > 0})
		}
	}
	return nil
}

func (*arrivalsFound) note(set *map[string]bool, key string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[key] = true
}

// outside tells whether a sender is none of the actors: their paths begin with the root's name.
func outside(from, actor string) bool {
	root, _, _ := strings.Cut(actor, "/")
	return from == "" || from != root && !strings.HasPrefix(from, root+"/")
}

// sent is a message's type as a scenario has it: an exchange that was passed through is named like its method, in lower case.
func sent(message string) string { return strings.ToLower(message) }

// settle puts what was found in order. Of a call that passed a caller's guard and the callee's, the first counts.
func (f *arrivalsFound) settle(start time.Time) []plan.Arrival {
	all := slices.DeleteFunc(f.calls, func(a arrived) bool { return !a.edge && f.edges[a.call.From+" "+a.call.To] })
	for _, m := range f.messages {
		if !f.guarded[m.call.To] && !f.guarded[groupOf(m.call.To)] {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b arrived) int { return int(min(max(a.at-b.at, -1), 1)) })
	zero := int64(0)
	if !start.IsZero() {
		zero = start.UnixNano()
	} else if len(all) > 0 {
		zero = all[0].at
	}
	out := make([]plan.Arrival, 0, len(all))
	for _, a := range all {
		a.call.At = time.Duration(max(a.at-zero, 0))
		if a.oversize {
			f.oversize++
		}
		out = append(out, a.call)
	}
	return out
}

// groupOf is the path of the group that a replica may belong to.
func groupOf(path string) string {
	if at := strings.LastIndexByte(path, '-'); at > strings.LastIndexByte(path, '/') {
		return path[:at]
	}
	return path
}
