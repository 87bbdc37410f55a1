package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/upstream"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/rules"
)

func TestMain(m *testing.M) { calm.Main(m) }

// fakeEngine answers asks by a function and proxies by an upstream actor, trying again as often as attempts says.
type fakeEngine struct {
	ask      func(to string, m engine.Msg, meta engine.Meta) (Answer, error)
	proxied  engine.Proxy
	attempts int
	fallback *Answer
	quiet    bool // nobody looks at what it saw

	mu    sync.Mutex
	metas []engine.Meta
	tos   []string
}

func (e *fakeEngine) saw(to string, meta engine.Meta) {
	if e.quiet {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tos, e.metas = append(e.tos, to), append(e.metas, meta)
}

func (e *fakeEngine) Ask(_ context.Context, to string, m engine.Msg, meta engine.Meta) (Answer, error) {
	e.saw(to, meta)
	return e.ask(to, m, meta)
}

func (e *fakeEngine) Proxy(w http.ResponseWriter, r *http.Request, to string, meta engine.Meta) (*Answer, error) {
	e.saw(to, meta)
	var err error
	for range max(e.attempts, 1) {
		if err = e.proxied.ServeProxy(w, r); err == nil {
			return nil, nil
		}
	}
	if e.fallback != nil {
		return e.fallback, nil
	}
	return nil, err
}

// gate starts a gateway with one listener of these routes on any port.
func gate(t *testing.T, e Engine, shape func(*plan.Listener), routes ...plan.HTTPRoute) (*Gateway, string) {
	t.Helper()
	p := planWith(shape, routes...)
	g := New(e, clock.System())
	if err := g.Prepare(p.Gateway); err != nil {
		t.Fatal(err)
	}
	g.Swap(p)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		g.Shutdown(ctx)
	})
	return g, g.Addresses()[0].Address
}

func planWith(shape func(*plan.Listener), routes ...plan.HTTPRoute) *plan.Plan {
	l := plan.Listener{Name: "public", Listen: "127.0.0.1:0", Routes: routes}
	if shape != nil {
		shape(&l)
	}
	return &plan.Plan{Gateway: []plan.Listener{l}}
}

func to(t *testing.T, target string) engine.Proxy {
	t.Helper()
	b, err := upstream.New()(&plan.Actor{Path: "root/up", Definition: &plan.Definition{Upstream: &plan.UpstreamSpec{URL: target}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = b.(engine.Runner).Stop(ctx)
	})
	return b.(engine.Proxy)
}

func behind(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func template(t *testing.T, text string) *rules.Template {
	t.Helper()
	return rules.Expression(program(t, text))
}

func program(t *testing.T, text string) *rules.Program {
	t.Helper()
	p, problems := rules.Compile(text, rules.Any, rules.Scope{Place: rules.AtRoute})
	if p == nil {
		t.Fatalf("%q: %+v", text, problems)
	}
	return p
}

func client(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// call makes one request on a connection of its own and gives status, header and body.
func call(t *testing.T, method, address, path, body string, header ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(data)
}

// rawCall sends bytes and gives all that comes back until the connection ends.
func rawCall(t *testing.T, address, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(calm.Long))
	got, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("%v after %q", err, got)
	}
	return string(got)
}

func TestAMessageRoute(t *testing.T) {
	e := &fakeEngine{ask: func(to string, m engine.Msg, _ engine.Meta) (Answer, error) {
		return Answer{Payload: map[string]any{"to": to, "type": m.Type, "payload": m.Payload}}, nil
	}}
	_, address := gate(t, e, nil, plan.HTTPRoute{
		Name: "checkout", Path: "/checkout", To: "root/api", Message: "checkout", Priority: 9,
		With: template(t, `{"id": request.json.id, "q": request.query.q, "h": request.headers["x-h"], "m": request.method + request.path}`),
		Key:  program(t, "request.json.id"),
	}, plan.HTTPRoute{Name: "edge", Path: "/edge", To: "root/api", Message: "m", Guard: &plan.Guard{Name: "public/edge"}, Idempotent: true})
	status, header, body := call(t, "POST", address, "/checkout?q=1&q=2", `{"id": "a7"}`, "X-H", "v", "X-Request-Id", "req-1")
	want := `{"payload":{"h":"v","id":"a7","m":"POST/checkout","q":"1"},"to":"root/api","type":"checkout"}` + "\n"
	if status != 200 || body != want || header.Get("Content-Type") != "application/json" || header.Get("X-Request-Id") != "req-1" {
		t.Errorf("%d %v %s", status, header, body)
	}
	if got, want := e.metas[0], (engine.Meta{Correlation: "req-1", From: "public/checkout", Priority: 9, Key: "a7", Attempt: 1}); got != want {
		t.Errorf("meta %+v", got)
	}
	status, header, body = call(t, "POST", address, "/edge", `[1]`, "X-Request-Id", "bad id")
	if status != 200 || !strings.Contains(body, `"payload":[1]`) || len(header.Get("X-Request-Id")) != 24 {
		t.Errorf("%d %v %s", status, header, body)
	}
	if e.tos[1] != "public/edge" || !e.metas[1].Idempotent || e.metas[1].Correlation != header.Get("X-Request-Id") {
		t.Errorf("to %s with %+v", e.tos[1], e.metas[1])
	}
}

func TestWhatIsIdempotent(t *testing.T) {
	e := &fakeEngine{ask: func(string, engine.Msg, engine.Meta) (Answer, error) { return Answer{}, nil }}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "all", Path: "/", To: "a", Message: "m"})
	for _, c := range []struct {
		method, key string
		want        bool
	}{{"GET", "", true}, {"PUT", "", true}, {"DELETE", "", true}, {"POST", "", false}, {"PATCH", "", false}, {"POST", "k", true}} {
		var header []string
		if c.key != "" {
			header = []string{"Idempotency-Key", c.key}
		}
		call(t, c.method, address, "/", "", header...)
		if got := e.metas[len(e.metas)-1].Idempotent; got != c.want {
			t.Errorf("%s with key %q: %v", c.method, c.key, got)
		}
	}
}

func TestRoutesByPathMethodAndHeader(t *testing.T) {
	e := &fakeEngine{ask: func(to string, _ engine.Msg, _ engine.Meta) (Answer, error) { return Answer{Payload: to}, nil }}
	route := func(name, path string, methods []string, headers ...plan.Label) plan.HTTPRoute {
		return plan.HTTPRoute{Name: name, Path: path, Methods: methods, Headers: headers, To: name, Message: "m"}
	}
	_, address := gate(t, e, nil,
		route("root", "/", nil), route("orders", "/orders/", []string{"GET"}), route("write", "/orders/", []string{"POST"}),
		route("beta", "/orders/", []string{"GET"}, plan.Label{Key: "X-Beta", Value: "yes"}),
		route("deep", "/orders/special/", []string{"GET"}), route("exact", "/orders", nil),
	)
	for _, c := range []struct {
		method, path, header string
		status               int
		to                   string
	}{
		{"GET", "/x", "", 200, "root"}, {"GET", "/orders/1", "", 200, "orders"}, {"POST", "/orders/1", "", 200, "write"},
		{"GET", "/orders/1", "yes", 200, "beta"}, {"GET", "/orders/1", "no", 200, "orders"}, {"GET", "/orders/special/1", "", 200, "deep"},
		{"GET", "/orders", "", 200, "exact"}, {"PUT", "/orders/1", "", 405, "GET, POST"}, {"POST", "/orders/special/", "", 405, "GET"},
		{"HEAD", "/orders/1", "", 200, ""}, {"GET", "/orders/../x", "", 400, ""}, {"GET", "/orders/%2e%2e/x", "", 400, ""},
		{"GET", "/orders%2f..%2fx", "", 400, ""},
	} {
		var header []string
		if c.header != "" {
			header = []string{"X-Beta", c.header}
		}
		status, h, body := call(t, c.method, address, c.path, "", header...)
		if status != c.status || status == 200 && !strings.Contains(body, c.to) || status == 405 && h.Get("Allow") != c.to {
			t.Errorf("%+v: %d %s, allow %q", c, status, body, h.Get("Allow"))
		}
	}
	_, address = gate(t, e, nil, route("one", "/one", nil))
	if status, _, body := call(t, "GET", address, "/two", ""); status != 404 || !strings.Contains(body, `no route for \"/two\"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestErrorsBecomeStatuses(t *testing.T) {
	var failure *engine.Error
	e := &fakeEngine{ask: func(string, engine.Msg, engine.Meta) (Answer, error) { return Answer{}, failure }}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "r", Path: "/", To: "a", Message: "m"})
	for _, c := range []struct {
		err    engine.Error
		status int
		says   string
	}{
		{engine.Error{Kind: engine.KindRefused, Message: "breaker is open"}, 503, "breaker is open"},
		{engine.Error{Kind: engine.KindTimeout, Message: "late"}, 504, "late"},
		{engine.Error{Kind: engine.KindUnreachable, Message: "dial 10.0.0.1"}, 502, "cannot be reached"},
		{engine.Error{Kind: engine.KindStatus, Status: 500, Message: "secret"}, 502, "answered with an error"},
		{engine.Error{Kind: engine.KindStatus, Status: 404}, 404, "answered with an error"},
		{engine.Error{Kind: engine.KindConsensus, Message: "split"}, 502, "split"},
		{engine.Error{Kind: engine.KindInvalid, Message: "no id"}, 400, "no id"},
		{engine.Error{Kind: engine.KindCanceled, Message: "going down"}, 503, "going down"},
		{engine.Error{Kind: engine.KindCrash, Message: "nil pointer"}, 500, "failed on this request"},
		{engine.Error{Kind: engine.KindExpression, Message: "internals"}, 500, "does not fit"},
		{engine.Error{Kind: "asked", Message: "asked to fail"}, 500, "asked to fail"},
	} {
		failure = &c.err
		status, header, body := call(t, "GET", address, "/", "", "X-Request-Id", "r-9")
		var p problem
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		if status != c.status || p.Error.Kind != c.err.Kind || !strings.Contains(p.Error.Message, c.says) || p.Error.RequestID != "r-9" {
			t.Errorf("%+v: %d %s", c.err, status, body)
		}
		if got := header.Get("Retry-After") != ""; got != (c.err.Kind == engine.KindRefused) {
			t.Errorf("%s: Retry-After %q", c.err.Kind, header.Get("Retry-After"))
		}
	}
}

func TestAFallbacksStatusIsUsed(t *testing.T) {
	e := &fakeEngine{ask: func(string, engine.Msg, engine.Meta) (Answer, error) {
		return Answer{Status: 203, Payload: "fallen"}, nil
	}}
	e.fallback = &Answer{Status: 206, Payload: map[string]any{"degraded": true}}
	e.proxied = to(t, "http://127.0.0.1:1")
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "r", Path: "/m", To: "a", Message: "m"}, plan.HTTPRoute{Name: "p", Path: "/p", To: "b"})
	if status, _, body := call(t, "GET", address, "/m", ""); status != 203 || body != "\"fallen\"\n" {
		t.Errorf("%d %s", status, body)
	}
	if status, _, body := call(t, "GET", address, "/p", ""); status != 206 || body != "{\"degraded\":true}\n" {
		t.Errorf("%d %s", status, body)
	}
}

func TestLimitsOnBodiesAndHeads(t *testing.T) {
	s := behind(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	e := &fakeEngine{proxied: to(t, s.URL), ask: func(_ string, m engine.Msg, _ engine.Meta) (Answer, error) { return Answer{Payload: m.Payload}, nil }}
	_, address := gate(t, e, func(l *plan.Listener) { l.MaxBody, l.MaxHeader, l.ReadBody = 10, 1024, 100*time.Millisecond },
		plan.HTTPRoute{Name: "m", Path: "/m", To: "a", Message: "m", With: template(t, "request.text")}, plan.HTTPRoute{Name: "p", Path: "/p", To: "b"})
	for _, path := range []string{"/m", "/p"} {
		if status, _, body := call(t, "POST", address, path, "0123456789"); status != 200 || !strings.Contains(body, "0123456789") {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if status, _, body := call(t, "POST", address, path, "0123456789x"); status != 413 || !strings.Contains(body, "11 bytes; at most 10") {
			t.Errorf("%s: %d %s", path, status, body)
		}
		chunked := "POST " + path + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789x\r\n0\r\n\r\n"
		if got := rawCall(t, address, chunked); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
			t.Errorf("%s: chunked: %s", path, got)
		}
		slow := "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"
		if got := rawCall(t, address, slow); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
			t.Errorf("%s: slow: %s", path, got)
		}
	}
	if got := rawCall(t, address, "GET /p HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("y", 1100)+"\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("head: %s", got)
	}
	if status, _, body := call(t, "POST", address, "/m", `{"a"`, "Content-Type", "application/json"); status != 400 || !strings.Contains(body, "not JSON") {
		t.Errorf("%d %s", status, body)
	}
}

func TestASlowHeadIsNotWaitedFor(t *testing.T) {
	e := &fakeEngine{ask: func(string, engine.Msg, engine.Meta) (Answer, error) { return Answer{Payload: 1}, nil }}
	calm.Slower(t, 100*time.Millisecond, func(head time.Duration) error {
		_, address := gate(t, e, func(l *plan.Listener) { l.ReadHeader = head }, plan.HTTPRoute{Name: "r", Path: "/", To: "a", Message: "m"})
		// The second head is bounded by read_header too, not by the idle time.
		if got := rawCall(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT"); strings.Count(got, "HTTP/1.1 200") != 1 {
			return fmt.Errorf("got %q", got)
		}
		// A connection that says nothing is not kept either.
		if got := rawCall(t, address, ""); got != "" {
			t.Errorf("got %q", got)
		}
		return nil
	})
}

func TestAnHTTP2ConnectionOutlivesTheTimeOfAHead(t *testing.T) {
	e := &fakeEngine{ask: func(string, engine.Msg, engine.Meta) (Answer, error) { return Answer{Payload: 1}, nil }}
	calm.Slower(t, 50*time.Millisecond, func(head time.Duration) error {
		_, address := gate(t, e, func(l *plan.Listener) { l.ReadHeader, l.H2C = head, true }, plan.HTTPRoute{Name: "r", Path: "/", To: "a", Message: "m"})
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, http2Preface[:10])
		tick := time.NewTicker(head / 10) // so that the preface comes in two pieces
		defer tick.Stop()
		<-tick.C
		fmt.Fprint(conn, http2Preface[10:]+"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
		_ = conn.SetReadDeadline(time.Now().Add(6 * head))
		var timeout net.Error
		if got, err := io.ReadAll(conn); !errors.As(err, &timeout) || !timeout.Timeout() {
			return fmt.Errorf("the connection ended after %d bytes: %v", len(got), err)
		}
		return nil
	})
}

func TestSmugglingIsRefusedAndTheConnectionEnds(t *testing.T) {
	seen := make(chan string, 10)
	s := behind(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.URL.Path })
	e := &fakeEngine{proxied: to(t, s.URL)}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "p", Path: "/", To: "b"})
	got := rawCall(t, address, "POST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"+
		"POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 35\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK") || !strings.Contains(got, "HTTP/1.1 400 Bad Request") || !strings.Contains(got, "both Content-Length and Transfer-Encoding") ||
		!strings.Contains(got, "Connection: close") {
		t.Errorf("got %s", got)
	}
	if len(seen) != 1 || <-seen != "/one" {
		t.Error("the upstream saw more than the first request")
	}
	if got := rawCall(t, address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 400") {
		t.Errorf("h2c upgrade: %s", got)
	}
}

func TestAProxyRouteStripsItsPrefix(t *testing.T) {
	s := behind(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.URL.RequestURI(), r.Header.Get("X-Request-Id"))
	})
	e := &fakeEngine{proxied: to(t, s.URL+"/base")}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "p", Path: "/api/", To: "b", StripPrefix: "/api"})
	for path, want := range map[string]string{"/api/a%2Fb?x=1": "/base/a%2Fb?x=1 id", "/api/": "/base/ id", "/api//e": "/base/e id"} {
		if status, _, body := call(t, "GET", address, path, "", "X-Request-Id", "id"); status != 200 || body != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestABodyIsSentAgainWhenAGuardTriesAgain(t *testing.T) {
	var mu sync.Mutex
	var bodies []string
	s := behind(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, string(body))
		if len(bodies)%2 == 1 {
			panic(http.ErrAbortHandler)
		}
	})
	e := &fakeEngine{proxied: to(t, s.URL), attempts: 2}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "p", Path: "/", To: "b", Guard: &plan.Guard{Name: "public/p", Retry: &plan.Retry{Attempts: 2}}})
	small, large := "small", strings.Repeat("x", maxReplay+1)
	for body, want := range map[string]int{small: 2, large: 1} {
		status, _, _ := call(t, "PUT", address, "/", body)
		mu.Lock()
		if (status == 200) != (want == 2) || len(bodies) != want || bodies[want-1] != body {
			t.Errorf("%d: %d bytes were sent %d times", status, len(body), len(bodies))
		}
		bodies = nil
		mu.Unlock()
	}
}

func TestAKeyThatReadsTheBodyLeavesItForTheUpstream(t *testing.T) {
	s := behind(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	e := &fakeEngine{proxied: to(t, s.URL)}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "p", Path: "/", To: "b", Key: program(t, "request.json.tenant")})
	if status, _, body := call(t, "POST", address, "/", `{"tenant": "t"}`); status != 200 || body != `{"tenant": "t"}` || e.metas[0].Key != "t" {
		t.Errorf("%d %s, key %q", status, body, e.metas[0].Key)
	}
	if status, _, body := call(t, "POST", address, "/", `7`); status != 400 || !strings.Contains(body, "route public/p: key") {
		t.Errorf("%d %s", status, body)
	}
}

func TestAnswersStreamWhileTheBodyStillComes(t *testing.T) {
	s := behind(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		in := bufio.NewReader(r.Body)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				fmt.Fprint(w, "end")
				return
			}
			fmt.Fprintf(w, "echo %s", line)
			w.(http.Flusher).Flush()
		}
	})
	e := &fakeEngine{proxied: to(t, s.URL)}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "p", Path: "/", To: "b"})
	out, in := io.Pipe()
	go func() { fmt.Fprint(in, "one\n") }() // the answer begins only when something was sent
	resp, err := client(t).Post("http://"+address, "text/plain", out)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, next := range []string{"two", "three", ""} {
		if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "echo ") {
			t.Fatalf("%q, %v", line, err)
		}
		if next != "" {
			fmt.Fprintln(in, next)
		}
	}
	in.Close()
	if rest, err := io.ReadAll(lines); err != nil || string(rest) != "end" {
		t.Errorf("the tail was lost: %q, %v", rest, err)
	}
}

func TestA100ContinueComesFromWhoReadsTheBody(t *testing.T) {
	s := behind(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	e := &fakeEngine{proxied: to(t, s.URL)}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "p", Path: "/", To: "b"})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = in.ReadString('\n')
	fmt.Fprint(conn, "hello")
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != "hello" {
		t.Errorf("got %q", body)
	}
}

// echo upgrades and sends lines back.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	rw.Flush()
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprint(rw, line)
		rw.Flush()
	}
}

func upgrade(t *testing.T, address string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v, %v", resp, err)
	}
	return conn, in
}

func TestUpgradesSurviveReloadsAndEndWithTheGateway(t *testing.T) {
	s := behind(t, echo)
	e := &fakeEngine{proxied: to(t, s.URL)}
	route := plan.HTTPRoute{Name: "p", Path: "/", To: "b"}
	g, address := gate(t, e, nil, route)
	conn, in := upgrade(t, address)
	say := func(text string) {
		t.Helper()
		fmt.Fprintln(conn, text)
		if line, err := in.ReadString('\n'); err != nil || line != text+"\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	say("GET / HTTP/1.1") // no longer looked at
	for i := range 50 {
		p := planWith(nil, route, plan.HTTPRoute{Name: "q", Path: fmt.Sprintf("/%d", i), To: "b"})
		if err := g.Prepare(p.Gateway); err != nil {
			t.Fatal(err)
		}
		g.Swap(p)
		say(fmt.Sprint("reload ", i))
	}
	ctx, cancel := context.WithCancel(context.Background())
	down := make(chan struct{})
	go func() { g.Shutdown(ctx); close(down) }()
	say("still here")
	cancel()
	<-down
	if _, err := in.ReadString('\n'); err == nil {
		t.Error("the upgraded connection outlived the gateway")
	}
}

func TestARefusedUpgradeEndsTheConnectionWithoutReadingOn(t *testing.T) {
	seen := make(chan string, 4)
	s := behind(t, func(w http.ResponseWriter, r *http.Request) { seen <- r.URL.Path; w.WriteHeader(403) })
	e := &fakeEngine{proxied: to(t, s.URL)}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "p", Path: "/", To: "b"})
	got := rawCall(t, address, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 403") || strings.Count(got, "HTTP/1.1") != 1 || len(seen) != 1 {
		t.Errorf("got %s, upstream saw %d", got, len(seen))
	}
}

func TestABusyPortIsAClearErrorAndBindsNothing(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	g := New(&fakeEngine{}, clock.System())
	address := calm.Address(t)
	err = g.Prepare([]plan.Listener{{Name: "a", Listen: address}, {Name: "public", Listen: busy.Addr().String()}})
	want := busy.Addr().String() + " is in use; change gateway.public.listen or stop the other program"
	if !errors.Is(err, ErrInUse) || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if again, err := net.Listen("tcp", address); err != nil {
		t.Errorf("the first listener stayed bound: %v", err)
	} else {
		again.Close()
	}
	if err := g.Prepare([]plan.Listener{{Name: "a", Listen: address}, {Name: "b", Listen: address}}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "by gateway.a") {
		t.Errorf("got %v", err)
	}
	if err := g.Prepare([]plan.Listener{{Name: "a", Listen: "nowhere:http-x"}}); !errors.Is(err, ErrAddress) {
		t.Errorf("got %v", err)
	}
	if err := g.Prepare([]plan.Listener{{Name: "a", Listen: address, TLSCert: "no.pem", TLSKey: "no.key"}}); !errors.Is(err, ErrTLS) || !strings.Contains(err.Error(), "no.pem") {
		t.Errorf("got %v", err)
	}
	g.Shutdown(t.Context())
}

func TestReloadsLoseNoRequest(t *testing.T) {
	e := &fakeEngine{ask: func(string, engine.Msg, engine.Meta) (Answer, error) { return Answer{Payload: 1}, nil }}
	route := plan.HTTPRoute{Name: "r", Path: "/", To: "a", Message: "m"}
	g, address := gate(t, e, nil, route)
	stop, failed := make(chan struct{}), make(chan error, 4)
	var callers sync.WaitGroup
	for range 4 {
		c := client(t)
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := c.Get("http://" + address)
				if err != nil || resp.StatusCode != 200 {
					failed <- fmt.Errorf("%v, %v", resp, err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	for i := range 200 {
		p := planWith(func(l *plan.Listener) { l.MaxBody = int64(1000 + i) }, route)
		if err := g.Prepare(p.Gateway); err != nil {
			t.Fatal(err)
		}
		g.Swap(p)
	}
	close(stop)
	callers.Wait()
	if len(failed) > 0 {
		t.Error(<-failed)
	}
}

func TestAListenerThatChangesItsServerKeepsItsSocket(t *testing.T) {
	e := &fakeEngine{ask: func(string, engine.Msg, engine.Meta) (Answer, error) { return Answer{Payload: 1}, nil }}
	route := plan.HTTPRoute{Name: "r", Path: "/", To: "a", Message: "m"}
	g, address := gate(t, e, nil, route)
	p := planWith(func(l *plan.Listener) { l.MaxHeader = 300 }, route)
	if err := g.Prepare(p.Gateway); err != nil {
		t.Fatal(err)
	}
	g.Swap(p)
	if got := g.Addresses()[0].Address; got != address {
		t.Errorf("moved from %s to %s", address, got)
	}
	if got := rawCall(t, address, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("y", 400)+"\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 431") {
		t.Errorf("the new limit is not in force: %s", got)
	}
	p = &plan.Plan{}
	if err := g.Prepare(nil); err != nil {
		t.Fatal(err)
	}
	g.Swap(p)
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("a removed listener still accepts")
	}
}

func TestShutdownWaitsForRequestsUnderWay(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	e := &fakeEngine{ask: func(string, engine.Msg, engine.Meta) (Answer, error) {
		close(arrived)
		<-release
		return Answer{Payload: "done"}, nil
	}}
	g, address := gate(t, e, nil, plan.HTTPRoute{Name: "r", Path: "/", To: "a", Message: "m"})
	got := make(chan string, 1)
	go func() { got <- rawCall(t, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }()
	<-arrived
	down := make(chan struct{})
	go func() { g.Shutdown(context.Background()); close(down) }()
	close(release)
	if text := <-got; !strings.Contains(text, "done") {
		t.Errorf("got %q", text)
	}
	<-down
}

func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		var text bytes.Buffer
		_ = pem.Encode(&text, &pem.Block{Type: kind, Bytes: data})
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	parsed, _ := x509.ParseCertificate(der)
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "EC PRIVATE KEY", keyDER), pool
}

func TestTLSWithBothProtocols(t *testing.T) {
	cert, key, pool := certificate(t)
	var seen http.Header
	s := behind(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header.Clone(); fmt.Fprint(w, "ok") })
	e := &fakeEngine{proxied: to(t, s.URL)}
	_, address := gate(t, e, func(l *plan.Listener) { l.TLSCert, l.TLSKey = cert, key }, plan.HTTPRoute{Name: "p", Path: "/", To: "b"})
	for _, http2 := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(!http2)
		transport.Protocols.SetHTTP2(http2)
		resp, err := (&http.Client{Transport: transport}).Get("https://" + address)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "ok" || (resp.ProtoMajor == 2) != http2 || seen.Get("X-Forwarded-Proto") != "https" {
			t.Errorf("%s %q, forwarded %v", resp.Proto, body, seen)
		}
		transport.CloseIdleConnections()
	}
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: pool, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
	if got, _ := io.ReadAll(conn); !strings.HasPrefix(string(got), "HTTP/1.1 400") {
		t.Errorf("inside TLS nobody looks: %s", got)
	}
}

func TestHTTP2WithoutTLSAndTrailers(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "Grpc-Status")
		w.Header().Set("Content-Type", "application/grpc")
		fmt.Fprintf(w, "%s %s %s", r.Proto, body, r.Header.Get("Te"))
		w.Header().Set("Grpc-Status", "0")
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	defer s.Close()
	e := &fakeEngine{proxied: to(t, "h2c"+strings.TrimPrefix(s.URL, "http"))}
	_, address := gate(t, e, func(l *plan.Listener) { l.H2C = true }, plan.HTTPRoute{Name: "p", Path: "/", To: "b"})
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	r, _ := http.NewRequest("POST", "http://"+address, strings.NewReader("call"))
	r.Header.Set("Te", "trailers")
	resp, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.ProtoMajor != 2 || string(body) != "HTTP/2.0 call trailers" || resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%s %q, trailers %v", resp.Proto, body, resp.Trailer)
	}
}

func TestAClientThatLeavesEndsTheCall(t *testing.T) {
	arrived, gone := make(chan struct{}), make(chan struct{})
	s := behind(t, func(_ http.ResponseWriter, r *http.Request) { close(arrived); <-r.Context().Done(); close(gone) })
	e := &fakeEngine{proxied: to(t, s.URL)}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "p", Path: "/", To: "b"})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-arrived
	_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not an orderly end
	conn.Close()
	<-gone
}

func TestATruncatedAnswerBreaksTheClientsConnectionToo(t *testing.T) {
	s := behind(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	e := &fakeEngine{proxied: to(t, s.URL)}
	_, address := gate(t, e, nil, plan.HTTPRoute{Name: "p", Path: "/", To: "b"})
	resp, err := client(t).Get("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q looks complete", body)
	}
}
