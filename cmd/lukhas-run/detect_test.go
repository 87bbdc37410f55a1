package main

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/breaker/detect"
)

func TestStampsAreRead(t *testing.T) {
	want := time.Duration(1388534403) * time.Second
	for _, text := range []string{"2014-01-01 00:00:03", "2014-01-01T00:00:03Z", "2014-01-01T01:00:03+01:00", "2014-01-01T00:00:03", "1388534403", "1388534403.0"} {
		if got, err := parseStamp(text); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "yesterday", "1e300", "NaN", "9999-01-01 00:00:00", "2014-13-01 00:00:00"} {
		if got, err := parseStamp(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestEachRowIsAnsweredAtOnce: whoever drives a detector may wait for a score before the next row.
func TestEachRowIsAnsweredAtOnce(t *testing.T) {
	d, err := detect.New("spike", nil)
	if err != nil {
		t.Fatal(err)
	}
	in, rows := io.Pipe()
	answers, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- score(d, false, in, out) }()
	buffer := make([]byte, 64)
	for range 3 {
		if _, err := rows.Write([]byte("1,2\n")); err != nil {
			t.Fatal(err)
		}
		if n, err := answers.Read(buffer); err != nil || string(buffer[:n]) != "0\n" {
			t.Fatalf("answered %q, %v", buffer[:n], err)
		}
	}
	rows.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// FuzzRows: any input is answered with scores, or refused with the number of the line.
func FuzzRows(f *testing.F) {
	f.Add("timestamp,value\n2014-01-01 00:00:03,5\n1,NaN\n1,\n")
	f.Add("1,2,3")
	f.Add(strings.Repeat("x", maxRow+1))
	f.Fuzz(func(t *testing.T, text string) {
		d, err := detect.New("novelty", nil)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := score(d, true, strings.NewReader(text), &out); err != nil && !strings.Contains(err.Error(), "line ") {
			t.Fatalf("%q: %v", text, err)
		}
		if rows := strings.Count(out.String(), "\n"); rows > strings.Count(text, "\n")+1 {
			t.Fatalf("%d scores for %q", rows, text)
		}
	})
}

func TestMissingValuesAreNoError(t *testing.T) {
	for _, text := range []string{"1,", "1,NaN", `"1",""`, "1,nan"} {
		if _, value, err := parseRow(text); err != nil || !math.IsNaN(value) {
			t.Errorf("%s: %v, %v", text, value, err)
		}
	}
	if _, value, err := parseRow("1,1e400"); err != nil || !math.IsInf(value, 1) {
		t.Errorf("1e400: %v, %v", value, err)
	}
}
