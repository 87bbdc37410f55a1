package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/internal/calm"
)

// every is a guard with every layer, wide enough for the tests to pass.
const every = `{rate_limit: {rate: 100000/s, burst: 1000}, bulkhead: {concurrent: 50, queue: 10, wait: 1s}, adaptive: {min: 20, max: 100},
 breaker: {window: 1m, min_calls: 3, trip: {consecutive_failures: 3, error_rate: 50%, slow_calls: {over: 5m, rate: 50%}}, open: {for: 3s, jitter: 0%}},
 retry: {attempts: 3, backoff: {initial: 1ms, factor: 1, max: 1ms, jitter: 0%}}, hedge: {after: 50ms, max: 1}, timeout: 5m, deadline: 5m,
 fallback: [{when: 'error.kind == "crash"', reply: {never: true}}]}`

// edge is a running engine: a gateway, its route's guard, the actor's guard and the upstream actor, before a real server.
type edge struct {
	*host.Host
	t       *testing.T
	address string
	file    string
}

// topology fills in what a test changes; upstream is a URL.
type topology struct{ upstream, listener, route, guard string }

func (c topology) start(t *testing.T) *edge {
	t.Helper()
	text := fmt.Sprintf(`
apiVersion: lukhas/v1
kind: Topology
metadata: {name: edge}
root:
  strategy: one_for_one
  children:
    - name: api
      upstream: {url: "%s"}
      guard: %s
    - name: echo
      script: {handlers: {say: {reply: msg}}}
gateway:
  - name: public
    listen: 127.0.0.1:0
    %s
    routes:
      - {name: say, path: /say, to: echo, message: say}
      - {name: all, path: /, to: api, guard: %s}
`, c.upstream, orDefault(c.guard, "{}"), orDefault(c.listener, "max_body: 1GiB"), orDefault(c.route, "{}"))
	dir := t.TempDir()
	file := filepath.Join(dir, "edge.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := host.Start(t.Context(), host.Options{Source: host.Source{Paths: []string{file}}, Data: filepath.Join(dir, "d")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Stop("the test is over"); <-h.Done() })
	return &edge{h, t, h.Status().Listeners[0].Address, file}
}

func orDefault(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// reload makes a changed topology the running one.
func (e *edge) reload(old, changed string) {
	e.t.Helper()
	data, err := os.ReadFile(e.file)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(e.file, []byte(strings.ReplaceAll(string(data), old, changed)), 0o600); err != nil {
		e.t.Fatal(err)
	}
	if got, err := e.Reload(e.t.Context(), admin.ReloadRequest{By: "test"}); err != nil || !got.Changed {
		e.t.Fatalf("%+v, %v", got, err)
	}
}

// guarded runs a test without guards and through two whole guards, the route's and the actor's.
func guarded(t *testing.T, test func(t *testing.T, shape topology)) {
	t.Run("bare", func(t *testing.T) { test(t, topology{}) })
	t.Run("guarded", func(t *testing.T) { test(t, topology{guard: every, route: every}) })
}

// breaker looks at one breaker.
func (e *edge) breaker(name string) admin.BreakerStatus {
	e.t.Helper()
	for _, b := range e.Status().Breakers {
		if b.Name == name {
			return b
		}
	}
	e.t.Fatalf("no breaker %q", name)
	return admin.BreakerStatus{}
}

// failures counts those that the breakers, where there are some, hold against the upstream.
func (e *edge) failures() float64 {
	n := 0.0
	for _, b := range e.Status().Breakers {
		n += b.ErrorRate
	}
	return n
}

// server is an upstream on loopback; it may speak HTTP/2 without TLS.
func server(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func caller(t *testing.T, h2 bool) *http.Client {
	transport := &http.Transport{}
	if h2 {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// dial opens a connection that no test waits on for ever.
func (e *edge) dial() net.Conn {
	e.t.Helper()
	conn, err := net.Dial("tcp", e.address)
	if err != nil {
		e.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(calm.Long))
	e.t.Cleanup(func() { conn.Close() })
	return conn
}

func TestThroughUpgrade(t *testing.T) {
	guarded(t, func(t *testing.T, shape topology) {
		shape.upstream = server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "websocket" || !strings.EqualFold(r.Header.Get("Connection"), "upgrade") {
				t.Errorf("headers %v", r.Header)
			}
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			_ = rw.Flush()
			_, _ = io.Copy(conn, rw)
		})
		e := shape.start(t)
		conn := e.dial()
		fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n")
		in := bufio.NewReader(conn)
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 101 {
			t.Fatalf("%v, %v", resp, err)
		}
		for i := range 3 {
			frame := fmt.Sprintf("GET / frame %d\r\n\r\n", i)
			fmt.Fprint(conn, frame)
			got := make([]byte, len(frame))
			if _, err := io.ReadFull(in, got); err != nil || string(got) != frame {
				t.Fatalf("%q, %v", got, err)
			}
		}
		if e.failures() > 0 {
			t.Error("an upgrade counted against the upstream")
		}
	})
}

func TestThroughEventStream(t *testing.T) {
	guarded(t, func(t *testing.T, shape topology) {
		next, asked := make(chan string), atomic.Int32{}
		shape.upstream = server(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Content-Type", "text/event-stream")
			w.(http.Flusher).Flush()
			for text := range next {
				fmt.Fprintf(w, "data: %s\n\n", text)
				w.(http.Flusher).Flush()
			}
			panic(http.ErrAbortHandler) // breaks off: what began is never tried again
		})
		e := shape.start(t)
		resp, err := caller(t, false).Get("http://" + e.address)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		in := bufio.NewReader(resp.Body)
		for _, text := range []string{"one", "two"} {
			next <- text // the upstream waits: nothing further can push this event out
			if line, err := in.ReadString('\n'); err != nil || line != "data: "+text+"\n" {
				t.Fatalf("%q, %v", line, err)
			}
			_, _ = in.ReadString('\n')
		}
		close(next)
		if _, err := io.ReadAll(in); err == nil {
			t.Error("a stream that broke off looks complete")
		}
		if asked.Load() != 1 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}

func TestThroughGRPC(t *testing.T) {
	guarded(t, func(t *testing.T, shape topology) {
		shape.upstream = strings.Replace(server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" {
				t.Errorf("%s with te %q", r.Proto, r.Header.Get("Te"))
			}
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Trailer", "Grpc-Status")
			w.(http.Flusher).Flush()
			in := bufio.NewReader(r.Body) // a stream in both directions
			for line, err := in.ReadString('\n'); err == nil; line, err = in.ReadString('\n') {
				fmt.Fprint(w, "echo "+line)
				w.(http.Flusher).Flush()
			}
			w.Header().Set("Grpc-Status", "0")
			w.Header().Set(http.TrailerPrefix+"Grpc-Message", r.Trailer.Get("X-Client"))
		}), "http", "h2c", 1)
		shape.listener = "h2c: true"
		e := shape.start(t)
		out, body := io.Pipe()
		r, _ := http.NewRequest("POST", "http://"+e.address+"/service/Method", out)
		r.Header.Set("Te", "trailers")
		r.Header.Set("Content-Type", "application/grpc")
		r.Trailer = http.Header{"X-Client": nil}
		resp, err := caller(t, true).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		in := bufio.NewReader(resp.Body)
		for i := range 3 {
			fmt.Fprintf(body, "message %d\n", i)
			if line, err := in.ReadString('\n'); err != nil || line != fmt.Sprintf("echo message %d\n", i) {
				t.Fatalf("%q, %v", line, err)
			}
		}
		r.Trailer.Set("X-Client", "bye")
		body.Close()
		if _, err := io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != 2 || resp.Trailer.Get("Grpc-Status") != "0" || resp.Trailer.Get("Grpc-Message") != "bye" {
			t.Errorf("%s with trailers %v", resp.Proto, resp.Trailer)
		}
	})
}

func TestThroughContinue(t *testing.T) {
	guarded(t, func(t *testing.T, shape topology) {
		shape.upstream = server(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/no" {
				w.WriteHeader(http.StatusForbidden) // the body was not asked for
				return
			}
			_, _ = io.Copy(w, r.Body)
		})
		e := shape.start(t)
		for path, want := range map[string]string{"/yes": "HTTP/1.1 100 Continue", "/no": "HTTP/1.1 403 Forbidden"} {
			conn := e.dial()
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", path)
			in := bufio.NewReader(conn)
			line, err := in.ReadString('\n')
			if err != nil || strings.TrimSpace(line) != want {
				t.Errorf("%s: %q, %v", path, line, err)
			}
			if path == "/no" {
				continue
			}
			_, _ = in.ReadString('\n')
			fmt.Fprint(conn, "hello")
			if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 200 {
				t.Errorf("%v, %v", resp, err)
			} else if got, _ := io.ReadAll(resp.Body); string(got) != "hello" {
				t.Errorf("%q", got)
			}
		}
	})
}

// zeros is a body of many zeros.
type zeros struct{ left int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.left)
	z.left -= n
	return n, nil
}

func TestThroughLargeBodiesInBoundedMemory(t *testing.T) {
	const size = 64 << 20
	guarded(t, func(t *testing.T, shape topology) {
		shape.upstream = server(t, func(w http.ResponseWriter, r *http.Request) {
			if n, err := io.Copy(io.Discard, r.Body); n != size || err != nil {
				t.Errorf("%d bytes came up, %v", n, err)
			}
			_, _ = io.Copy(w, &zeros{size})
		})
		e := shape.start(t)
		client := caller(t, false)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, _ := http.NewRequest("PUT", "http://"+e.address, &zeros{size})
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
			t.Errorf("%d bytes came down, %v", n, err)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
			t.Errorf("%d MiB were allocated for 128 MiB that passed", used>>20)
		}
	})
}

func TestThroughAClientThatDoesNotRead(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprint("h2=", h2), func(t *testing.T) {
			guarded(t, func(t *testing.T, shape topology) {
				gone := make(chan struct{})
				shape.upstream = server(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Length", fmt.Sprint(64<<20))
					_, _ = io.Copy(w, &zeros{64 << 20})
					<-r.Context().Done()
					close(gone)
				})
				shape.listener = "idle: 300ms\n    h2c: true"
				e := shape.start(t)
				r, _ := http.NewRequest("GET", "http://"+e.address, nil)
				resp, err := caller(t, h2).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close() // and nothing is read
				calm.Await(t, "the upstream is let go", gone)
				calm.Until(t, "its place is free", func() bool { return e.upstream().InFlight == 0 })
				if e.failures() > 0 {
					t.Error("a slow client counted against the upstream")
				}
			})
		})
	}
}

// upstream is the upstream actor's status.
func (e *edge) upstream() admin.ActorStatus {
	for _, a := range e.Status().Actors {
		if a.Path == "root/api" {
			return a
		}
	}
	e.t.Fatal("no such actor")
	return admin.ActorStatus{}
}

func TestThroughAClientThatLeaves(t *testing.T) {
	guarded(t, func(t *testing.T, shape topology) {
		for _, begun := range []bool{false, true} {
			for _, length := range []string{"", "1000"} {
				arrived, gone := make(chan struct{}), make(chan struct{})
				shape.upstream = server(t, func(w http.ResponseWriter, r *http.Request) {
					if begun {
						if length != "" {
							w.Header().Set("Content-Length", length)
						}
						fmt.Fprint(w, "first")
						w.(http.Flusher).Flush()
					}
					close(arrived)
					<-r.Context().Done()
					close(gone)
				})
				e := shape.start(t)
				conn := e.dial()
				fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				calm.Await(t, "the upstream is asked", arrived)
				if begun {
					if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
						t.Fatal(line, err)
					}
				}
				conn.Close()
				calm.Await(t, "the upstream is let go", gone)
				calm.Until(t, "its place is free", func() bool { return e.upstream().InFlight == 0 })
				if e.failures() > 0 || e.upstream().Failures > 0 {
					t.Errorf("begun %v, length %q: a client that left counted against the upstream", begun, length)
				}
			}
		}
	})
}

func TestThroughAnUpstreamThatResets(t *testing.T) {
	answers := map[string]string{
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
	}
	guarded(t, func(t *testing.T, shape topology) {
		for name, answer := range answers {
			for _, h2 := range []bool{false, true} {
				raw, asked := rawServer(t, answer)
				shape.upstream, shape.listener = raw, "h2c: true"
				e := shape.start(t)
				resp, err := caller(t, h2).Get("http://" + e.address)
				if err == nil { // else it broke off before anything was sent on
					if body, err := io.ReadAll(resp.Body); err == nil {
						t.Errorf("%s, h2 %v: %q looks complete", name, h2, body)
					}
					resp.Body.Close()
				}
				if asked.Load() != 1 {
					t.Errorf("%s: asked %d times although the answer had begun", name, asked.Load())
				}
				if shape.guard != "" && name == "length" && e.failures() == 0 {
					t.Errorf("%s: an upstream that breaks off counts as well", name)
				}
			}
		}
	})
}

// rawServer answers each connection's first request with bytes and resets it. It counts the requests.
func rawServer(t *testing.T, answer string) (url string, asked *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = new(atomic.Int32)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				asked.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(conn, answer)
				if answer == "" {
					_ = conn.(*net.TCPConn).SetLinger(0)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); serving.Wait() })
	return "http://" + l.Addr().String(), asked
}

func TestThroughRetriesAreExactlyTheAttempts(t *testing.T) {
	retries := `{retry: {attempts: 3, backoff: {initial: 1ms, factor: 1, max: 1ms, jitter: 0%}, budget: 100%}}`
	for _, c := range []struct {
		method, key, body string
		want              int32
	}{
		{"GET", "", "", 3}, {"PUT", "", "body", 3}, {"DELETE", "", "", 3}, {"POST", "", "body", 1}, {"PATCH", "", "body", 1},
		{"POST", "k-1", "body", 3}, {"PUT", "", strings.Repeat("x", 1<<20), 3}, {"PUT", "", strings.Repeat("x", 1<<20+1), 1},
	} {
		url, asked := rawServer(t, "") // takes the request and resets
		e := topology{upstream: url, guard: retries}.start(t)
		r, _ := http.NewRequest(c.method, "http://"+e.address, strings.NewReader(c.body))
		if c.key != "" {
			r.Header.Set("Idempotency-Key", c.key)
		}
		resp, err := caller(t, false).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway || asked.Load() != c.want {
			t.Errorf("%s with key %q and %d bytes: %d after %d deliveries, want %d", c.method, c.key, len(c.body), resp.StatusCode, asked.Load(), c.want)
		}
	}
}

func TestThroughABodyTooLongForAnotherTryKeepsTheUpstreamsAnswer(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		http.Error(w, "the disk is full", http.StatusInsufficientStorage)
	})
	e := topology{upstream: url, guard: `{retry: {attempts: 3}}`}.start(t)
	r, _ := http.NewRequest("PUT", "http://"+e.address, &zeros{2 << 20})
	resp, err := caller(t, false).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 507 || !strings.Contains(string(body), "disk is full") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestThroughSmuggling(t *testing.T) {
	guarded(t, func(t *testing.T, shape topology) {
		var mu sync.Mutex
		var seen []string
		shape.upstream = server(t, func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, r.URL.Path)
		})
		e := shape.start(t)
		const hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
		for name, text := range map[string]string{
			"both lengths":          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"two lengths":           "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 32\r\n\r\n",
			"list of lengths":       "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 32\r\n\r\n",
			"signed length":         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +32\r\n\r\n",
			"space before colon":    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
			"folded coding":         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
			"coding and more":       "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
			"coding twice":          "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"strange coding":        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
			"bare LF":               "POST / HTTP/1.1\nHost: x\nContent-Length: 0\n\n",
			"NUL in a value":        "POST / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
			"CR in a value":         "POST / HTTP/1.1\r\nHost: x\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n",
			"old version coding":    "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"two hosts":             "POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
			"chunk size overflow":   "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n0\r\n\r\n",
			"chunk size signed":     "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n",
			"chunk without CR":      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n",
			"length in the trailer": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
			"upgrade to h2c":        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
			"upgrade with a body":   "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc",
			"CONNECT":               "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
		} {
			conn := e.dial()
			fmt.Fprint(conn, text+hidden)
			answer, _ := io.ReadAll(conn) // the connection ends
			if strings.Contains(string(answer), "HTTP/1.1 200") {
				t.Errorf("%s: %s", name, answer)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for _, path := range seen {
			if path == "/hidden" {
				t.Errorf("the upstream saw %q", seen)
			}
		}
		if e.failures() > 0 {
			t.Error("bad requests counted against the upstream")
		}
	})
}

func TestThroughHeaders(t *testing.T) {
	guarded(t, func(t *testing.T, shape topology) {
		var got http.Header
		shape.upstream = server(t, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Clone()
			got.Set("Host", r.Host)
			h := w.Header()
			h.Set("Connection", "X-Secret")
			h.Set("X-Secret", "1")
			h.Set("Keep-Alive", "timeout=5")
			h.Set("Proxy-Authenticate", "Basic")
			h.Set("X-Kept", "1")
		})
		e := shape.start(t)
		conn := e.dial()
		fmt.Fprint(conn, "GET /a%2Fb?q=1;2 HTTP/1.1\r\nHost: shop.example\r\nConnection: X-Mine, close, Te\r\nX-Mine: 1\r\nTE: gzip\r\nKeep-Alive: 5\r\n"+
			"Proxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\n"+
			"Forwarded: for=6.6.6.6\r\nX-End-To-End: 1\r\nX-Request-Id: abc\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"X-Mine", "Connection", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Forwarded"} {
			if got.Get(name) != "" {
				t.Errorf("%s: %q was forwarded", name, got.Get(name))
			}
		}
		for name, want := range map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": "shop.example", "X-Forwarded-Proto": "http", "X-End-To-End": "1", "X-Request-Id": "abc",
		} {
			if got.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, got.Get(name), want)
			}
		}
		for _, name := range []string{"X-Secret", "Keep-Alive", "Proxy-Authenticate"} {
			if resp.Header.Get(name) != "" {
				t.Errorf("%s came back", name)
			}
		}
		if resp.Header.Get("X-Kept") != "1" || resp.Header.Get("X-Request-Id") != "abc" {
			t.Errorf("headers %v", resp.Header)
		}
	})
}

func TestThroughEarlyHintsAndTrailers(t *testing.T) {
	guarded(t, func(t *testing.T, shape topology) {
		shape.upstream = server(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Trailer", "X-Sum")
			fmt.Fprint(w, r.Trailer.Get("X-Client-Sum"))
			w.Header().Set("X-Sum", "42")
		})
		e := shape.start(t)
		r, _ := http.NewRequest("PUT", "http://"+e.address, io.MultiReader(strings.NewReader("body"))) // of unknown length
		r.Trailer = http.Header{"X-Client-Sum": {"7"}}
		hints := 0
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil },
		}))
		client := caller(t, false)
		for range 2 { // the second on the same connection: nothing is out of step
			resp, err := client.Do(r.Clone(r.Context()))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != 200 || string(body) != "7" || resp.Trailer.Get("X-Sum") != "42" {
				t.Errorf("%d %q %v %v", resp.StatusCode, body, resp.Trailer, err)
			}
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("body")))
		}
		if hints != 0 {
			t.Errorf("%d informational answers passed on", hints)
		}
	})
}

func TestThroughShedRequestsNeverCountAgainstTheUpstream(t *testing.T) {
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	var slow atomic.Bool
	url := server(t, func(_ http.ResponseWriter, _ *http.Request) {
		if slow.Load() {
			arrived <- struct{}{}
			<-release
		}
	})
	const breaker = `breaker: {window: 1m, min_calls: 1, trip: {error_rate: 10%, consecutive_failures: 1}}`
	for name, layer := range map[string]string{
		"rate": `rate_limit: {rate: 1/s, burst: 1}`, "bulkhead": `bulkhead: {concurrent: 1}`, "adaptive": `adaptive: {min: 1, max: 1}`,
	} {
		e := topology{upstream: url, guard: "{" + breaker + ", " + layer + "}"}.start(t)
		client := caller(t, false)
		first := make(chan int, 1)
		slow.Store(name != "rate")
		go func() {
			resp, err := client.Get("http://" + e.address)
			if err != nil {
				first <- 0
				return
			}
			resp.Body.Close()
			first <- resp.StatusCode
		}()
		if name == "rate" {
			first <- <-first
		} else {
			<-arrived
		}
		for range 5 {
			resp, err := client.Get("http://" + e.address)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(body), `"kind":"refused"`) {
				t.Errorf("%s: %d %s", name, resp.StatusCode, body)
			}
		}
		if name != "rate" {
			release <- struct{}{}
		}
		if status := <-first; status != 200 {
			t.Errorf("%s: the one that was served got %d", name, status)
		}
		if b := e.breaker("api"); b.State != "closed" || b.ErrorRate != 0 || b.Calls != 1 {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

func TestThroughARefusalSaysWhenToComeBack(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	e := topology{upstream: url, guard: `{breaker: {trip: {consecutive_failures: 1}, open: {for: 30s, jitter: 0%}}}`}.start(t)
	for i, want := range []struct {
		status int
		wait   string
	}{{500, ""}, {503, "30"}} {
		resp, err := caller(t, false).Get("http://" + e.address)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want.status || resp.Header.Get("Retry-After") != want.wait {
			t.Errorf("%d: %d, Retry-After %q", i, resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
}

func TestThroughABodyThatIsNotJSON(t *testing.T) {
	e := topology{upstream: "http://127.0.0.1:1"}.start(t)
	for body, want := range map[string]string{
		`{"id": 1,`:             "the body is not JSON: line 1, column 9: unexpected end of JSON input",
		"{\n  \"größe\": 1x\n}": "the body is not JSON: line 2, column 13: invalid character 'x' after object key:value pair",
		"hello":                 "the body is not JSON: line 1, column 1: invalid character 'h' looking for beginning of value",
	} {
		resp, err := caller(t, false).Post("http://"+e.address+"/say", "application/x-www-form-urlencoded", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 400 || !strings.Contains(string(got), want) {
			t.Errorf("%q: %d %s", body, resp.StatusCode, got)
		}
	}
}

func TestThroughTheTimeoutOfAnAttempt(t *testing.T) {
	var asked atomic.Int32
	url := server(t, func(_ http.ResponseWriter, r *http.Request) { asked.Add(1); <-r.Context().Done() })
	e := topology{upstream: url, guard: `{timeout: 50ms, retry: {attempts: 2, backoff: {initial: 1ms, factor: 1, max: 1ms, jitter: 0%}, budget: 100%}}`}.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", "http://"+e.address, nil)
	resp, err := caller(t, false).Do(r)
	if errors.Is(err, context.DeadlineExceeded) || err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusGatewayTimeout || asked.Load() != 2 {
		t.Errorf("%d after %d deliveries", resp.StatusCode, asked.Load())
	}
}

// make bench-gateway does it a thousand times.
func TestThroughReloadsUnderLoad(t *testing.T) {
	url := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_, _ = io.Copy(w, r.Body)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	e := topology{upstream: url, guard: every, route: every}.start(t)
	conn := e.dial()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(in, nil); err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v, %v", resp, err)
	}
	stop, served := make(chan struct{}), atomic.Int64{}
	var callers sync.WaitGroup
	for range 4 {
		client := caller(t, false)
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := client.Post("http://"+e.address, "text/plain", strings.NewReader("hello"))
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if served.Add(1); err != nil || resp.StatusCode != 200 || string(body) != "hello" {
					t.Errorf("%d %q %v", resp.StatusCode, body, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		e.reload(fmt.Sprintf("concurrent: %d,", 50+i), fmt.Sprintf("concurrent: %d,", 51+i))
		fmt.Fprintf(conn, "echo %d\n", i)
		if line, err := in.ReadString('\n'); err != nil || line != fmt.Sprintf("echo %d\n", i) {
			t.Fatalf("the upgraded connection: %q, %v", line, err)
		}
	}
	close(stop)
	callers.Wait()
	if served.Load() == 0 {
		t.Error("nothing was served")
	}
}
