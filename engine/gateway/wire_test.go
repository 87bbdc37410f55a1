package gateway

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// scripted is a connection that gives its parts one Read at a time.
type scripted struct {
	net.Conn
	parts []string
	sent  bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.parts[0])
	if s.parts[0] = s.parts[0][n:]; s.parts[0] == "" {
		s.parts = s.parts[1:]
	}
	return n, nil
}

func (s *scripted) Write(p []byte) (int, error) { return s.sent.Write(p) }

func newTestWire(parts ...string) *wire {
	return &wire{Conn: &scripted{parts: parts}, maxHead: 1 << 10, secret: "Refused-X", wall: time.Now}
}

func all(w *wire) (string, error) {
	data, err := io.ReadAll(w)
	return string(data), err
}

const host = "Host: x\r\n"

func TestGoodRequestsPassUnchanged(t *testing.T) {
	for _, text := range []string{
		"GET / HTTP/1.1\r\n" + host + "\r\n",
		"GET /a?b=%20 HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n",
		"POST / HTTP/1.1\r\n" + host + "transfer-encoding: Chunked\r\n\r\n5\r\nhello\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n",
		"GET / HTTP/1.1\r\n" + host + "X-Odd:  sp\tace \xe9 \r\n\r\n",
	} {
		for size := 1; size <= len(text); size++ {
			var parts []string
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				parts, rest = append(parts, rest[:n]), rest[n:]
			}
			if got, err := all(newTestWire(parts...)); err != nil || got != text {
				t.Fatalf("in pieces of %d: %q became %q, %v", size, text, got, err)
			}
		}
	}
}

func TestBadHeadsBecomeARefusal(t *testing.T) {
	long := "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("y", 2000) + "\r\n\r\n"
	many := "GET / HTTP/1.1\r\n" + host + strings.Repeat("a:\r\n", maxFields) + "\r\n"
	for text, want := range map[string]string{
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n":  "400 both",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello":               "400 the body's length",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 5, 5\r\n\r\nhello":                                 "400 Content-Length",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\nhello":                                   "400 Content-Length",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 0x5\r\n\r\nhello":                                  "400 Content-Length",
		"POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\nhello":                                      "400 Content-Length",
		"POST / HTTP/1.1\r\n" + host + "Content-Length: 9999999999999999\r\n\r\n":                          "400 Content-Length",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n":                          "501 no transfer coding",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n": "400 the body's length",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n":                            "400 a header field",
		"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n\r\n":                               "400 not a header",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n":                                            "400 HTTP/1.0",
		"GET / HTTP/1.1\r\n" + host + "A: b\r\n folded\r\n\r\n":                                            "400 not a header",
		"GET / HTTP/1.1\r\n" + host + "A: b\nC: d\r\n\r\n":                                                 "400 a line must end",
		"GET / HTTP/1.1\nHost: x\n\n":                                                                      "400 a line must end",
		"GET / HTTP/1.1\r\n" + host + "A: b\rC: d\r\n\r\n":                                                 "400 a line must end",
		"GET / HTTP/1.1\r\n" + host + "A: \x00\r\n\r\n":                                                    "400 a header field",
		"GET / HTTP/1.1\r\n\r\n":                    "400 exactly one Host",
		"GET / HTTP/1.1\r\n" + host + host + "\r\n": "400 exactly one Host",
		"GET  / HTTP/1.1\r\n" + host + "\r\n":       "400 not a request line",
		"GET /a b HTTP/1.1\r\n" + host + "\r\n":     "505 only",
		"GET /\x7f HTTP/1.1\r\n" + host + "\r\n":    "400 the target",
		"G@T / HTTP/1.1\r\n" + host + "\r\n":        "400 not a request line",
		"GET / HTTP/2.0\r\n" + host + "\r\n":        "505 only",
		"CONNECT x:1 HTTP/1.1\r\n" + host + "\r\n":  "405 CONNECT",
		"\r\nGET / HTTP/1.1\r\n" + host + "\r\n":    "400 not a request line",
		"GET / HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc": "400 an upgrade",
		http2Preface: "505 only",
		long:         "431 the head",
		many:         "431 too many",
	} {
		got, err := all(newTestWire(text))
		if err != nil || !strings.HasPrefix(got, "GET / HTTP/1.1\r\nHost: refused\r\n") || !strings.Contains(got, "Refused-X: "+want) {
			t.Errorf("%.60q became %.120q, %v; want %s", text, got, err, want)
		}
	}
}

func TestNothingBehindARefusedHeadIsRead(t *testing.T) {
	w := newTestWire("GET / HTTP/1.1\r\n"+host+"\r\nPOST / HTTP/1.1\r\n"+host+"Content-Length: 1\r\nContent-Length: 2\r\n\r\nGET /smuggled HTTP/1.1\r\n"+host+"\r\n", "GET /later HTTP/1.1\r\n"+host+"\r\n")
	got, err := all(w)
	if err != nil || strings.Contains(got, "smuggled") || strings.Contains(got, "later") || strings.Count(got, "HTTP/1.1") != 2 {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestBadChunksEndTheBody(t *testing.T) {
	head := "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n"
	for _, body := range []string{
		"5 \r\nhello\r\n", "+5\r\nhello\r\n", "0x5\r\nhello\r\n", "\r\n", "5\nhello\r\n", "5\r\nhelloX\r\n", "5\r\nhello\n0\r\n\r\n",
		"ffffffffffffffff\r\n", "5;" + strings.Repeat("x", maxExtension+1) + "\r\n", "5;a\nb\r\n", "0\r\nContent-Length: 3\r\n\r\n",
		"0\r\n bad\r\n\r\n", "0\r\n" + strings.Repeat("x", maxTrailers+1), "0\r\nX: \x00\r\n\r\n",
	} {
		if got, err := all(newTestWire(head + body)); !errors.Is(err, errChunk) {
			t.Errorf("%.40q became %q, %v", body, got, err)
		}
	}
}

func TestAnUpgradeWaitsForItsAnswer(t *testing.T) {
	request := "GET /ws HTTP/1.1\r\n" + host + "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
	for _, c := range []struct{ answer, want string }{
		{"HTTP/1.1 101 Switching Protocols\r\n\r\n", request + "early and late"},
		{"HTTP/1.1 403 Forbidden\r\n\r\n", request},
		{"HTTP/1.1 100 Continue\r\n\r\n", request}, // says nothing yet
	} {
		w := newTestWire(request+"early", " and late")
		head := make([]byte, len(request))
		if _, err := io.ReadFull(w, head); err != nil {
			t.Fatal(err)
		}
		w.answering.Store(true)
		if _, err := w.Write([]byte(c.answer)); err != nil {
			t.Fatal(err)
		}
		rest, err := all(w)
		if got := string(head) + rest; err != nil || got != c.want {
			t.Errorf("%q: got %q, %v", c.answer, got, err)
		}
	}
}

// Bytes of an earlier answer must not pass for the upgrade's.
func TestOnlyTheUpgradesOwnAnswerDecides(t *testing.T) {
	w := newTestWire("GET /ws HTTP/1.1\r\n"+host+"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET /smuggled HTTP/1.1\r\n\r\n")
	_, _ = io.ReadFull(w, make([]byte, 10))
	_, _ = w.Write([]byte("HTTP/1.1 101 in the body of the answer before"))
	if w.decided.Load() != answerOpen {
		t.Error("decided by another answer")
	}
}

func TestEarlyDataIsBounded(t *testing.T) {
	w := newTestWire("GET /ws HTTP/1.1\r\n"+host+"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", strings.Repeat("x", 2*maxEarly))
	if _, err := all(w); !errors.Is(err, errEarly) {
		t.Errorf("got %v", err)
	}
}

func TestThePrefaceOfHTTP2PassesWhereItIsOn(t *testing.T) {
	w := newTestWire(http2Preface[:5], http2Preface[5:], "\x00\x00\x00\x04 frames\n")
	w.http2 = true
	if got, err := all(w); err != nil || got != http2Preface+"\x00\x00\x00\x04 frames\n" {
		t.Errorf("%q, %v", got, err)
	}
	w = newTestWire("GET / HTTP/1.1\r\n" + host + "\r\n" + http2Preface)
	w.http2 = true
	if got, _ := all(w); !strings.Contains(got, "505") {
		t.Errorf("a preface passed in the middle: %q", got)
	}
}

// What passes is read by net/http as the same requests with the same bodies, however it arrives in pieces.
func TestPassedRequestsMeanTheSameToNetHTTP(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		var bodies []string
		for range rapid.IntRange(1, 4).Draw(t, "requests") {
			body := rapid.StringMatching(`[a-z\r\n]{0,40}`).Draw(t, "body")
			bodies = append(bodies, body)
			if rapid.Bool().Draw(t, "chunked") {
				fmt.Fprintf(&text, "POST / HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n", host)
				if body != "" {
					fmt.Fprintf(&text, "%x\r\n%s\r\n", len(body), body)
				}
				text.WriteString("0\r\n\r\n")
				continue
			}
			fmt.Fprintf(&text, "POST / HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", host, len(body), body)
		}
		var parts []string
		for rest := text.String(); rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		in := bufio.NewReaderSize(newTestWire(parts...), 16)
		for i, want := range bodies {
			r, err := http.ReadRequest(in)
			if err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
			if got, err := io.ReadAll(r.Body); err != nil || string(got) != want {
				t.Fatalf("body %d: %q, %v; want %q", i, got, err, want)
			}
		}
	})
}

// Whatever head passes, net/http reads it the same way or refuses it.
func FuzzHead(f *testing.F) {
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Add([]byte("GET /x HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		end, v := headEnd(data, 0, 1<<20)
		if v != nil || end == 0 {
			return
		}
		got, v := checkHead(data[:end])
		if v != nil {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data[:end])))
		if err != nil {
			return
		}
		chunked := len(r.TransferEncoding) > 0
		if chunked != got.chunked || !chunked && max(r.ContentLength, 0) != got.length {
			t.Errorf("%q: we see %+v, net/http %d %v", data[:end], got, r.ContentLength, r.TransferEncoding)
		}
	})
}

func FuzzChunks(f *testing.F) {
	f.Add([]byte("5\r\nhello\r\n0\r\n\r\n"), 3)
	f.Add([]byte("a;b=c\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET"), 1)
	f.Fuzz(func(t *testing.T, data []byte, cut int) {
		var whole, parts chunks
		n, done, err := whole.scan(data)
		if cut < 0 || cut > len(data) {
			return
		}
		first, doneFirst, errFirst := parts.scan(data[:cut])
		if errFirst == nil && !doneFirst {
			var second int
			second, doneFirst, errFirst = parts.scan(data[cut:])
			first += second
		}
		if first != n || doneFirst != done || !errors.Is(errFirst, err) {
			t.Errorf("%q cut at %d: %d %v %v, whole: %d %v %v", data, cut, first, doneFirst, errFirst, n, done, err)
		}
		if done {
			r, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"), bytes.NewReader(data[:n]))))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(r.Body); err != nil {
				t.Errorf("net/http cannot read %q: %v", data[:n], err)
			}
		}
	})
}
