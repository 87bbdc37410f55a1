package main

import (
	"fmt"
	"io"
	"time"
)

// progress shows how far a verb has come, on a terminal and only when it takes more than a second. It is used by one
// goroutine.
type progress struct {
	w     io.Writer // nil: nobody looks
	verb  string
	start time.Time
	shown bool
}

func newProgress(w io.Writer, s *settings, verb string) *progress {
	p := &progress{verb: verb, start: time.Now()}
	if isTerminal(w) && !s.quiet() {
		p.w = w
	}
	return p
}

// step says that done of total are done.
func (p *progress) step(done, total int) {
	took := time.Since(p.start)
	if p.w == nil || took < time.Second {
		return
	}
	p.shown = true
	rate := float64(done) / took.Seconds()
	left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(p.w, "\r\x1b[K%s %d of %d, %.0f/s, %s to go", p.verb, done, total, rate, left)
}

// end takes the line away.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
