package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

func TestProgressAppearsAfterASecondAndGoesAway(t *testing.T) {
	var w bytes.Buffer
	p := &progress{w: &w, verb: "checked", start: time.Now()}
	p.step(1, 10)
	p.end()
	if w.Len() > 0 {
		t.Errorf("shown at once: %q", w.String())
	}
	p.start = time.Now().Add(-2 * time.Second)
	p.step(4, 10)
	p.end()
	if got := w.String(); !strings.Contains(got, "checked 4 of 10, 2/s, 3s to go") || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("%q", got)
	}
}

func TestProgressIsForTerminals(t *testing.T) {
	if p := newProgress(io.Discard, &settings{}, "checked"); p.w != nil {
		t.Error("shown to a file")
	}
}
