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
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/internal/fake"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/rules"
)

func TestMain(m *testing.M) { calm.Main(m) }

func begin(t testing.TB, address string, operations ...plan.Operation) (*upstream, *fake.Context) {
	t.Helper()
	a := &plan.Actor{
		Name: "db", Path: "root/db", Definition: &plan.Definition{
			Place: "t.yaml:1:1", Kind: plan.Upstream,
			Upstream: &plan.UpstreamSpec{URL: address, Operations: operations},
		}}
	b, err := New()(a, &plan.Plan{})
	if err != nil {
		t.Fatal(err)
	}
	u := b.(*upstream)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = u.Stop(ctx)
	})
	return u, fake.New(a)
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func compile(t testing.TB, place rules.Place, text string, want rules.Want) *rules.Program {
	t.Helper()
	p, problems := rules.Compile(text, want, rules.Scope{Place: place})
	if p == nil {
		t.Fatalf("%q: %+v", text, problems)
	}
	return p
}

func built(t testing.TB, place rules.Place, text string) *rules.Template {
	return rules.Expression(compile(t, place, text, rules.Any))
}

func TestWithoutAnOperationAMessageIsPostedAsJSON(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprintf(w, `{"saw": %q, "id": %q, "type": %q}`, r.Method+" "+r.URL.Path+" "+string(body), r.Header.Get("X-Request-Id"), r.Header.Get("Content-Type"))
	})
	u, ctx := begin(t, s.URL+"/base/")
	ctx.With.Correlation = "c-1"
	if err := u.Handle(ctx, engine.Msg{Type: "query", Payload: map[string]any{"id": 7.0}}); err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]any{"saw": `POST /base/query {"id":7}`, "id": "c-1", "type": "application/json"}}
	if !reflect.DeepEqual(ctx.Replied, want) {
		t.Errorf("replied %v, failed %v", ctx.Replied, ctx.Failed)
	}
}

func TestAnOperationShapesRequestAndReply(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Extra", "e")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("X-Tenant"), r.Host, body)
	})
	u, ctx := begin(t, s.URL, plan.Operation{
		Message: "put", Method: "PUT", Path: compile(t, rules.AtOperation, `"/orders/" + msg.id + "?full=1"`, rules.Text),
		Headers: []plan.Built{{Name: "X-Tenant", Value: built(t, rules.AtOperation, "msg.tenant")}, {Name: "host", Value: built(t, rules.AtOperation, `"other.test"`)}},
		Body:    built(t, rules.AtOperation, "msg.n + 1"),
		Reply: rules.Mapping([]rules.TemplateField{
			{Name: "status", Value: built(t, rules.AtOperationReply, "response.status")},
			{Name: "text", Value: built(t, rules.AtOperationReply, "response.text")},
			{Name: "extra", Value: built(t, rules.AtOperationReply, `response.headers["x-extra"]`)},
		}),
	})
	_ = u.Handle(ctx, engine.Msg{Type: "put", Payload: map[string]any{"id": "a b", "tenant": "t7", "n": 1.0}})
	if len(ctx.Failed) > 0 {
		t.Fatal(ctx.Failed[0])
	}
	got := ctx.Replied[0].(map[string]any)
	if fmt.Sprint(got["status"]) != "202" || got["text"] != "PUT /orders/a%20b?full=1 t7 other.test 2" || got["extra"] != "e" {
		t.Errorf("replied %v", got)
	}
}

func TestAGetCarriesNothing(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %v %q", r.ContentLength, r.TransferEncoding, body)
	})
	u, ctx := begin(t, s.URL, plan.Operation{Message: "q", Method: "GET"})
	_ = u.Handle(ctx, engine.Msg{Type: "q", Payload: "dropped"})
	if !reflect.DeepEqual(ctx.Replied, []any{`0 [] ""`}) {
		t.Errorf("replied %v, failed %v", ctx.Replied, ctx.Failed)
	}
}

func TestAPathCannotLeaveTheUpstream(t *testing.T) {
	u, _ := begin(t, "http://db.test/api")
	for path, want := range map[string]string{
		"/a/b": "http://db.test/api/a/b", "//evil.test/x": "http://db.test/api//evil.test/x", "/a%2Fb?x=1": "http://db.test/api/a%2Fb?x=1",
	} {
		if got, err := u.join(path); err != nil || got != want {
			t.Errorf("%q became %q, %v", path, got, err)
		}
	}
	for _, path := range []string{"", "a", "/../admin", "/a/%2e%2e/b", "/a\r\nX: y", "http://evil.test/", "/%zz", "/./a"} {
		if got, err := u.join(path); !errors.Is(err, ErrPath) {
			t.Errorf("%q became %q, %v", path, got, err)
		}
	}
}

func FuzzJoin(f *testing.F) {
	f.Add("/a")
	f.Add("//x/..")
	f.Add("/%2e%2e/?#")
	u, _ := begin(f, "http://db.test/api")
	f.Fuzz(func(t *testing.T, path string) {
		target, err := u.join(path)
		if err != nil {
			return
		}
		got, err := url.Parse(target)
		if err != nil {
			t.Fatalf("%q became %q: %v", path, target, err)
		}
		if got.Host != "db.test" || !strings.HasPrefix(got.Path, "/api/") || strings.Contains(got.Path+"/", "/../") {
			t.Errorf("%q became %q", path, target)
		}
	})
}

func TestStatusesAreErrors(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscanf(r.URL.Path, "/%d", &code)
		w.Header().Set("Location", "/200")
		w.WriteHeader(code)
	})
	for _, code := range []int{302, 404, 500, 503} {
		u, ctx := begin(t, s.URL)
		_ = u.Handle(ctx, engine.Msg{Type: fmt.Sprint(code)})
		if len(ctx.Failed) != 1 {
			t.Fatalf("%d: replied %v", code, ctx.Replied)
		}
		if e := ctx.Failed[0]; e.Kind != engine.KindStatus || e.Status != code || !e.Delivered || e.By != "root/db" {
			t.Errorf("%d: %+v", code, e)
		}
	}
}

func TestWhatCannotBeBuiltOrReadIsTheAnswer(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/liar":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, "{nope")
		case "/huge":
			_, _ = io.CopyN(w, zeros{}, maxResponse+1)
		case "/short":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "short")
		}
	})
	for message, want := range map[string]string{"liar": "calls itself JSON", "huge": "too large", "short": "unexpected EOF", "bad": "path: "} {
		u, ctx := begin(t, s.URL, plan.Operation{Message: "bad", Path: compile(t, rules.AtOperation, `msg[7]`, rules.Any)})
		_ = u.Handle(ctx, engine.Msg{Type: message, Payload: []any{}})
		if len(ctx.Failed) != 1 || !strings.Contains(ctx.Failed[0].Message, want) {
			t.Errorf("%s: failed %v, replied %.40v", message, ctx.Failed, ctx.Replied)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestNobodyListens(t *testing.T) {
	u, ctx := begin(t, "http://"+calm.Address(t))
	_ = u.Handle(ctx, engine.Msg{Type: "m"})
	if len(ctx.Failed) != 1 || ctx.Failed[0].Kind != engine.KindUnreachable || ctx.Failed[0].Delivered {
		t.Errorf("failed %+v", ctx.Failed)
	}
}

// breaking is a server that answers the first request of each connection and breaks the connection at the second, after
// it has read it.
func breaking(t *testing.T, seen *atomic.Int32) string {
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
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for i := range 2 {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					seen.Add(1)
					if i == 0 {
						fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// net/http would send the second GET again on a new connection; that is the guard's to decide.
func TestADeliveredRequestIsNeverSentAgain(t *testing.T) {
	var seen atomic.Int32
	u, ctx := begin(t, breaking(t, &seen), plan.Operation{Message: "q", Method: "GET"})
	_ = u.Handle(ctx, engine.Msg{Type: "q"})
	_ = u.Handle(ctx, engine.Msg{Type: "q"})
	if seen.Load() != 2 || len(ctx.Failed) != 1 || !ctx.Failed[0].Delivered || ctx.Failed[0].Kind != engine.KindUnreachable {
		t.Errorf("%d deliveries, replied %v, failed %+v", seen.Load(), ctx.Replied, ctx.Failed)
	}
	seen.Store(0)
	u, _ = begin(t, breaking(t, &seen))
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := u.ServeProxy(w, r); err != nil {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer front.Close()
	for _, want := range []int{200, 502} {
		resp, err := front.Client().Get(front.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("status %d, want %d", resp.StatusCode, want)
		}
	}
	if seen.Load() != 2 {
		t.Errorf("%d deliveries of 2 proxied requests", seen.Load())
	}
}

func TestAnAskerThatGoesAwayCancelsTheRequestAtOnce(t *testing.T) {
	arrived, gone := make(chan struct{}), make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server notices that a client has left once the body is read
		close(arrived)
		<-r.Context().Done()
		close(gone)
	})
	u, _ := begin(t, s.URL)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	r, err := u.build(nil, engine.Msg{Type: "m"}, rules.Env{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = u.exchange(ctx, r)
	if failed := engine.ErrorOf(err, ""); failed == nil || failed.Kind != engine.KindCanceled || !failed.Delivered {
		t.Errorf("got %+v", failed)
	}
	calm.Await(t, "the upstream to see it", gone)
}

func TestATimeoutIsOne(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	calm.Slower(t, 30*time.Millisecond, func(deadline time.Duration) error {
		u, ctx := begin(t, s.URL)
		ctx.With.Deadline = deadline
		_ = u.Handle(ctx, engine.Msg{Type: "m"})
		if len(ctx.Failed) != 1 || ctx.Failed[0].Kind != engine.KindTimeout || !ctx.Failed[0].Delivered {
			return fmt.Errorf("failed %+v", ctx.Failed)
		}
		return nil
	})
}

func TestAStopLetsFinishAndThenCancels(t *testing.T) {
	arrived := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(arrived)
		<-r.Context().Done()
	})
	u, ctx := begin(t, s.URL)
	handled := make(chan error, 1)
	go func() { handled <- u.Handle(ctx, engine.Msg{Type: "m"}) }()
	calm.Await(t, "the request", arrived)
	over, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- u.Stop(over) }()
	select {
	case <-stopped:
		t.Error("stopped with an exchange under way")
	case <-time.After(20 * time.Millisecond):
	}
	cancel()
	calm.Await(t, "the stop", stopped)
	calm.Await(t, "the handler", handled)
	if len(ctx.Failed) != 1 || ctx.Failed[0].Kind != engine.KindUnreachable {
		t.Errorf("failed %+v", ctx.Failed)
	}
	_ = u.Handle(ctx, engine.Msg{Type: "m"})
	if len(ctx.Failed) != 2 || ctx.Failed[1].Delivered {
		t.Errorf("a stopped upstream took a request: %+v", ctx.Failed)
	}
}

func TestURLs(t *testing.T) {
	for _, bad := range []string{"", "db.test", "ftp://db.test", "http://", "http://x/?a=b", "http://x/#f", "http://\x00"} {
		a := &plan.Actor{Path: "root/db", Definition: &plan.Definition{Place: "t.yaml:1:1", Upstream: &plan.UpstreamSpec{URL: bad}}}
		if _, err := New()(a, nil); !errors.Is(err, ErrURL) || !strings.HasPrefix(err.Error(), "t.yaml:1:1: actor root/db: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	u, _ := begin(t, "http://db.test:81/x")
	if _, address := u.Locate(); address != "http://db.test:81/x" {
		t.Errorf("address %q", address)
	}
}

func TestH2CWhereAsked(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	defer s.Close()
	u, ctx := begin(t, "h2c"+strings.TrimPrefix(s.URL, "http"), plan.Operation{Message: "q", Method: "GET"})
	_ = u.Handle(ctx, engine.Msg{Type: "q"})
	if !reflect.DeepEqual(ctx.Replied, []any{"HTTP/2.0"}) {
		t.Errorf("replied %v, failed %v", ctx.Replied, ctx.Failed)
	}
}

func TestProbeAsksDirectly(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ping" {
			w.WriteHeader(500)
		}
	})
	u, _ := begin(t, s.URL)
	if err := u.Probe(t.Context(), engine.Msg{Type: "ping"}); err != nil {
		t.Error(err)
	}
	if err := u.Probe(t.Context(), engine.Msg{Type: "pong"}); err == nil {
		t.Error("a 500 passed")
	}
}
