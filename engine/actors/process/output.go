package process

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/lukhasai/lukhas-run/journal"
)

// Limits on what a process writes.
const (
	maxLine     = 1 << 20 // bytes of a line that is read; the rest of it is dropped
	maxLogged   = 4 << 10 // bytes of a line that is logged
	lastLines   = 20      // kept for a failure report
	maxKept     = 512     // bytes of a line that is kept
	logPerSec   = 200     // lines logged a second, on average
	logBurst    = 1000    // lines logged at once
	readBuffer  = 32 << 10
	outputDelay = time.Second // pipes still open this long after the process ended are held by strangers and closed
)

// lines calls take for each line that r gives, without its end, and cut when it was longer than maxLine. The slice is
// valid during the call only. It returns when r ends.
func lines(r io.Reader, take func(line []byte, cut bool)) {
	in := bufio.NewReaderSize(r, readBuffer)
	var long []byte
	cut := false
	for {
		part, err := in.ReadSlice('\n')
		if room := maxLine - len(long); len(part) > room+1 { // the end of line does not count
			part, cut = part[:room], true
		}
		switch {
		case err == nil && len(long) == 0:
			take(trimEnd(part), cut)
			cut = false
		case err == nil:
			take(trimEnd(append(long, part...)), cut)
			long, cut = long[:0], false
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
		default:
			if long = append(long, part...); len(long) > 0 {
				take(trimEnd(long), cut)
			}
			return
		}
	}
}

func trimEnd(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}

// record turns a process's output into Logged events, at most logPerSec of them, and keeps the last lines. It is safe for
// concurrent use.
type record struct {
	emit   func(journal.Body)
	now    func() time.Duration
	wanted string        // the line that says ready; "" is none
	seen   chan struct{} // closed when a line contained wanted

	mu      sync.Mutex
	last    []string // a ring once it is full; next is the oldest
	next    int
	tokens  float64
	filled  time.Duration
	dropped int64
	found   bool
}

func newRecord(emit func(journal.Body), now func() time.Duration, wanted string) *record {
	return &record{emit: emit, now: now, wanted: wanted, seen: make(chan struct{}), tokens: logBurst, filled: now()}
}

// line takes one line of the stream with this name.
func (o *record) line(stream string, line []byte) {
	text := strings.ToValidUTF8(string(line[:min(len(line), maxLogged)]), "\uFFFD")
	o.mu.Lock()
	if o.wanted != "" && !o.found && strings.Contains(text, o.wanted) {
		o.found = true
		close(o.seen)
	}
	o.keep(text)
	pass, dropped := o.admit()
	o.mu.Unlock()
	if !pass {
		return
	}
	fields := journal.Values{"stream": stream}
	if dropped > 0 {
		fields["dropped"] = dropped
	}
	if len(line) > maxLogged {
		fields["bytes"] = int64(len(line))
	}
	o.emit(journal.Logged{Level: "info", Text: text, Fields: fields})
}

func (o *record) keep(text string) {
	text = strings.ToValidUTF8(text[:min(len(text), maxKept)], "\uFFFD")
	if len(o.last) < lastLines {
		o.last = append(o.last, text)
		return
	}
	o.last[o.next] = text
	o.next = (o.next + 1) % lastLines
}

// admit is a token bucket; when it lets a line pass it says how many were dropped before it.
func (o *record) admit() (pass bool, dropped int64) {
	now := o.now()
	o.tokens = min(logBurst, o.tokens+float64((now-o.filled).Seconds()*logPerSec))
	o.filled = now
	if o.tokens < 1 {
		o.dropped++
		return false, 0
	}
	o.tokens--
	dropped, o.dropped = o.dropped, 0
	return true, dropped
}

// end says what was dropped last and gives the last lines, newest last.
func (o *record) end() []string {
	o.mu.Lock()
	dropped := o.dropped
	o.dropped = 0
	kept := append(append([]string(nil), o.last[o.next:]...), o.last[:o.next]...)
	o.mu.Unlock()
	if dropped > 0 {
		o.warn("output dropped: more than it may log", journal.Values{"dropped": dropped})
	}
	return kept
}

func (o *record) warn(text string, fields journal.Values) {
	o.emit(journal.Logged{Level: "warn", Text: text, Fields: fields})
}
