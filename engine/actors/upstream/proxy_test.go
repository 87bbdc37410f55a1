package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/internal/calm"
)

// front serves the upstream's proxy and sends what it returns.
func front(t *testing.T, u *upstream, judge engine.Judge) (*httptest.Server, chan error) {
	t.Helper()
	errs := make(chan error, 16)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if judge != nil {
			r = r.WithContext(engine.WithJudge(r.Context(), judge))
		}
		_ = http.NewResponseController(w).EnableFullDuplex()
		err := u.ServeProxy(w, r)
		if err != nil {
			w.WriteHeader(http.StatusTeapot)
		}
		errs <- err
	}))
	t.Cleanup(s.Close)
	return s, errs
}

func TestTheProxyPassesAnExchangeThrough(t *testing.T) {
	var seen http.Header
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "gone")
		w.Header().Set("X-Stays", "here")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RequestURI(), body)
	})
	u, _ := begin(t, s.URL+"/base")
	f, errs := front(t, u, nil)
	r, _ := http.NewRequest("POST", f.URL+"/a%2Fb?x=1&y=a;b", strings.NewReader("hello"))
	r.Header.Set("Connection", "X-Secret, keep-alive")
	r.Header.Set("X-Secret", "hop by hop")
	r.Header.Set("X-Forwarded-For", "6.6.6.6")
	r.Header.Set("Proxy-Authorization", "no")
	r.Header.Set("X-Request-Id", "r-1")
	resp, err := f.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 201 || !strings.HasPrefix(string(body), "POST /base/a%2Fb?x=1") || !strings.HasSuffix(string(body), " hello") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp.Header.Get("X-Hop") != "" || resp.Header.Get("X-Stays") != "here" {
		t.Errorf("answered %v", resp.Header)
	}
	for _, name := range []string{"X-Secret", "Proxy-Authorization", "Connection"} {
		if seen.Get(name) != "" {
			t.Errorf("%s was forwarded", name)
		}
	}
	if seen.Get("X-Forwarded-For") != "127.0.0.1" || seen.Get("X-Forwarded-Proto") != "http" || seen.Get("X-Forwarded-Host") == "" || seen.Get("X-Request-Id") != "r-1" {
		t.Errorf("forwarded %v", seen)
	}
}

func TestTheJudgeMayGiveAnAnswerUpBeforeAnythingIsWritten(t *testing.T) {
	tries := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		tries++
		w.Header().Set("X-Leak", "yes")
		w.WriteHeader(503)
		fmt.Fprint(w, "upstream's own words")
	})
	verdict := errors.New("try again")
	for _, judged := range []error{verdict, nil} {
		u, _ := begin(t, s.URL)
		f, errs := front(t, u, func(status int, h http.Header) error {
			if status != 503 || h.Get("X-Leak") != "yes" {
				t.Errorf("judged %d %v", status, h)
			}
			return judged
		})
		resp, err := f.Client().Get(f.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err := <-errs; !errors.Is(err, judged) {
			t.Errorf("got %v, want %v", err, judged)
		}
		if judged == nil && (resp.StatusCode != 503 || string(body) != "upstream's own words") {
			t.Errorf("not passed on: %d %s", resp.StatusCode, body)
		}
		if judged != nil && (resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-Leak") != "" || len(body) > 0) {
			t.Errorf("something was written: %d %v %s", resp.StatusCode, resp.Header, body)
		}
	}
}

func TestAnUnreachableUpstreamWritesNothing(t *testing.T) {
	u, _ := begin(t, "http://"+calm.Address(t))
	f, errs := front(t, u, nil)
	resp, err := f.Client().Get(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	failed := engine.ErrorOf(<-errs, "")
	if failed == nil || failed.Kind != engine.KindUnreachable || failed.Delivered || resp.StatusCode != http.StatusTeapot {
		t.Errorf("%+v, status %d", failed, resp.StatusCode)
	}
}

func TestEventStreamsAreNotHeldBack(t *testing.T) {
	next := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			<-next
		}
	})
	u, _ := begin(t, s.URL)
	f, _ := front(t, u, nil)
	resp, err := f.Client().Get(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	for i := range 3 { // the next event is not sent before this one has arrived
		line, err := in.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("%q, %v", line, err)
		}
		_, _ = in.ReadString('\n')
		next <- struct{}{}
	}
}

func TestUpgradesPassBothWays(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		rw.Flush()
		line, _ := rw.ReadString('\n')
		fmt.Fprintf(rw, "echo %s", line)
		rw.Flush()
	})
	u, _ := begin(t, s.URL)
	f, errs := front(t, u, nil)
	conn, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("%v, %v", resp, err)
	}
	fmt.Fprint(conn, "hello\n")
	if line, err := in.ReadString('\n'); err != nil || line != "echo hello\n" {
		t.Errorf("%q, %v", line, err)
	}
	conn.Close()
	if err := calm.Await(t, "the proxy to end", errs); err != nil {
		t.Error(err)
	}
}

func TestTrailersPassBothWays(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "Grpc-Status")
		fmt.Fprintf(w, "sum %s, te %s", r.Trailer.Get("X-Sum"), r.Header.Get("Te"))
		w.Header().Set("Grpc-Status", "0")
	})
	u, _ := begin(t, s.URL)
	f, _ := front(t, u, nil)
	r, _ := http.NewRequest("POST", f.URL, io.NopCloser(strings.NewReader("body")))
	r.Trailer = http.Header{"X-Sum": {"42"}}
	r.Header.Set("Te", "trailers")
	resp, err := f.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || string(body) != "sum 42, te trailers" || resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%q %v, trailers %v", body, err, resp.Trailer)
	}
}

// raw answers every connection with the same bytes and closes it.
func raw(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = textproto.NewReader(bufio.NewReader(conn)).ReadMIMEHeader()
			fmt.Fprint(conn, answer)
			conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestATruncatedAnswerDoesNotLookComplete(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
	} {
		u, _ := begin(t, raw(t, answer))
		f, _ := front(t, u, nil)
		resp, err := f.Client().Get(f.URL)
		if err != nil {
			continue // the connection broke before the headers were flushed: not complete either
		}
		if body, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%q looks complete", body)
		}
		resp.Body.Close()
	}
}

// Informational answers end here: a 103 passed on to a client that does not expect it shifts all answers by one.
func TestInformationalAnswersAreNotPassedOn(t *testing.T) {
	u, _ := begin(t, raw(t, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
	f, _ := front(t, u, nil)
	conn, err := net.Dial("tcp", f.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	all, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(all), "HTTP/1.1 200 OK") || strings.Contains(string(all), "103") {
		t.Errorf("got %q", all)
	}
}

func TestAClientThatLeavesCancelsTheUpstream(t *testing.T) {
	arrived, gone := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { close(arrived); <-r.Context().Done(); close(gone) })
	u, _ := begin(t, s.URL)
	f, errs := front(t, u, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	r, _ := http.NewRequestWithContext(ctx, "GET", f.URL, nil)
	if _, err := f.Client().Do(r); err == nil {
		t.Error("answered")
	}
	calm.Await(t, "the upstream to see it", gone)
	if failed := engine.ErrorOf(calm.Await(t, "the verdict", errs), ""); failed == nil || failed.Kind != engine.KindCanceled {
		t.Errorf("got %+v", failed)
	}
}

func TestASecondTryGetsTheBodyAgain(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if string(body) != "again" {
			t.Errorf("body %q", body)
		}
		w.WriteHeader(503)
	})
	u, _ := begin(t, s.URL)
	r := httptest.NewRequest("PUT", "/x", strings.NewReader("again"))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("again")), nil }
	r = r.WithContext(engine.WithJudge(r.Context(), func(int, http.Header) error { return errors.New("again") }))
	for range 2 {
		w := httptest.NewRecorder()
		if err := u.ServeProxy(w, r); err == nil || w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("%v, wrote %v", err, w)
		}
	}
}
