package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/journal"
)

func TestMain(m *testing.M) { calm.Main(m) }

// fake is an engine that answers from its fields and remembers what it was asked.
type fake struct {
	steered  engine.Steer
	by       string
	told     admin.AskRequest
	err      error
	problems []string
	stream   *observe.Stream
}

func (f *fake) Status() admin.Status {
	return admin.Status{Name: "shop", Health: "healthy", Actors: []admin.ActorStatus{{Path: "root/a", State: "running"}}}
}
func (f *fake) Actor(_ context.Context, r admin.ActorRequest) (admin.ActorDetail, error) {
	return admin.ActorDetail{Actor: admin.ActorStatus{Path: r.Actor}, State: json.RawMessage(`{"n":1}`), Guard: r.Timeout.String()}, f.err
}
func (f *fake) Steer(_ context.Context, s engine.Steer, by string) error {
	f.steered, f.by = s, by
	return f.err
}
func (f *fake) Ask(_ context.Context, r admin.AskRequest) (any, error) {
	return map[string]any{"echo": r.Payload}, f.err
}
func (f *fake) Tell(_ context.Context, r admin.AskRequest) error { f.told = r; return f.err }
func (f *fake) Reload(_ context.Context, r admin.ReloadRequest) (admin.ReloadResult, error) {
	return admin.ReloadResult{Generation: 2, Changed: r.AllowDestroy, Changes: []string{r.By}, Problems: f.problems}, f.err
}
func (f *fake) Plan(_ context.Context, r admin.PlanRequest) (admin.PlanResult, error) {
	return admin.PlanResult{Name: r.Paths[0], Changes: []admin.PlanChange{{Path: "a.b", Class: "hot", Old: "1", New: "2"}}}, f.err
}
func (f *fake) Events() *observe.Stream { return f.stream }

func serve(t *testing.T) (*fake, *admin.Client, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.sock")
	f := &fake{stream: observe.NewStream(8)}
	s, err := admin.Listen(path, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, admin.NewClient(path), path
}

func TestEveryCallReachesTheEngine(t *testing.T) {
	f, c, _ := serve(t)
	ctx := t.Context()
	st, err := c.Status(ctx)
	if err != nil || st.Name != "shop" || st.Actors[0].Path != "root/a" {
		t.Errorf("status: %+v, %v", st, err)
	}
	if err := c.Steer(ctx, engine.Steer{Verb: "pause", Target: "root/a", Reason: "why"}, "ann"); err != nil || f.steered.Reason != "why" || f.by != "ann" {
		t.Errorf("steer: %+v by %q, %v", f.steered, f.by, err)
	}
	reply, err := c.Ask(ctx, admin.AskRequest{Actor: "a", Payload: "x"})
	if m, ok := reply.(map[string]any); err != nil || !ok || m["echo"] != "x" {
		t.Errorf("ask: %v, %v", reply, err)
	}
	if err := c.Tell(ctx, admin.AskRequest{Actor: "a", Message: "m"}); err != nil || f.told.Message != "m" {
		t.Errorf("tell: %+v, %v", f.told, err)
	}
	if res, err := c.Reload(ctx, admin.ReloadRequest{By: "ann & co", AllowDestroy: true}); err != nil || res.Generation != 2 || !res.Changed || res.Changes[0] != "ann & co" {
		t.Errorf("reload: %+v, %v", res, err)
	}
	if res, err := c.Plan(ctx, admin.PlanRequest{Paths: []string{"/x"}}); err != nil || res.Name != "/x" || res.Changes[0].New != "2" {
		t.Errorf("plan: %+v, %v", res, err)
	}
}

func TestOneActorIsAskedAboutByAnyName(t *testing.T) {
	f, c, _ := serve(t)
	for _, name := range []string{"a", "root/pool/a-1", "a//b", "ä ?x=1#2%2F", "a.b"} {
		d, err := c.Actor(t.Context(), admin.ActorRequest{Actor: name, Timeout: 1500 * time.Millisecond})
		if err != nil || d.Actor.Path != name || string(d.State) != `{"n":1}` || d.Guard != "1.5s" {
			t.Errorf("%q: %+v, %v", name, d, err)
		}
	}
	if _, err := c.Actor(t.Context(), admin.ActorRequest{Actor: "a", Timeout: 2 * time.Hour}); err == nil || !strings.Contains(err.Error(), `timeout "2h0m0s": expected`) {
		t.Errorf("got %v", err)
	}
	f.err = fmt.Errorf("%w %q; did you mean %q?", engine.ErrUnknownActor, "b", "a")
	var e *engine.Error
	if _, err := c.Actor(t.Context(), admin.ActorRequest{Actor: "b"}); !errors.As(err, &e) || e.Kind != "unknown" || !strings.Contains(e.Message, `did you mean "a"?`) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsCrossTheSocketWhole(t *testing.T) {
	f, c, _ := serve(t)
	f.err = &engine.Error{Kind: engine.KindRefused, Message: "breaker open", By: "rates", Status: 503}
	_, err := c.Ask(t.Context(), admin.AskRequest{})
	var e *engine.Error
	if !errors.As(err, &e) || e.Kind != engine.KindRefused || e.By != "rates" || e.Message != "breaker open" || e.Status != 503 {
		t.Errorf("got %v", err)
	}
	f.err = engine.ErrUnknownActor
	if _, err := c.Ask(t.Context(), admin.AskRequest{}); err == nil || !strings.Contains(err.Error(), "unknown actor") {
		t.Errorf("got %v", err)
	}
}

func TestANoToAnOperatorIsARefusalAndNoCrash(t *testing.T) {
	f, c, _ := serve(t)
	f.err, f.problems = errors.New("the root cannot be stopped alone"), []string{"a.yaml:1:2: one", "a.yaml:3:4: two"}
	var e *engine.Error
	if err := c.Steer(t.Context(), engine.Steer{Verb: "stop"}, "ann"); !errors.As(err, &e) || e.Kind != engine.KindRefused || e.Message != f.err.Error() {
		t.Errorf("steer: %v", err)
	}
	if _, err := c.Reload(t.Context(), admin.ReloadRequest{}); !errors.As(err, &e) || e.Kind != engine.KindRefused || e.Message != strings.Join(f.problems, "\n") {
		t.Errorf("reload: %v", err)
	}
}

func TestEventsAreKeptAndFollowed(t *testing.T) {
	f, c, _ := serve(t)
	publish := func(seq uint64) {
		e := journal.New("root/a", journal.ActorReady{})
		e.Seq, e.Correlation, e.Causation = seq, "i-1", seq-1
		f.stream.Publish(e)
	}
	publish(1)
	publish(2)
	var kept []uint64
	if err := c.Events(t.Context(), 1, false, func(e admin.Event) error { kept = append(kept, e.Seq); return nil }); err != nil || len(kept) != 1 || kept[0] != 2 {
		t.Errorf("kept after 1: %v, %v", kept, err)
	}
	enough := errors.New("enough")
	err := c.Events(t.Context(), 0, true, func(e admin.Event) error {
		if e.Type != "actor_ready" || e.Correlation != "i-1" || e.Actor != "root/a" {
			t.Errorf("got %+v", e)
		}
		switch e.Seq {
		case 2:
			publish(3)
		case 3:
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("follow ended with %v", err)
	}
}

func TestNobodyThereSaysWhatToDo(t *testing.T) {
	_, err := admin.NewClient(filepath.Join(t.TempDir(), "none.sock")).Status(t.Context())
	if !errors.Is(err, admin.ErrUnreachable) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("got %v", err)
	}
}

// An engine that ends in the middle of an answer, or before it, is one that cannot be reached.
func TestAnEngineThatEndsIsTold(t *testing.T) {
	for _, said := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"} {
		path := filepath.Join(t.TempDir(), "a.sock")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer l.Close()
			if conn, err := l.Accept(); err == nil {
				_, _ = conn.Read(make([]byte, 1<<10))
				_, _ = conn.Write([]byte(said))
				conn.Close()
			}
		}()
		_, err = admin.NewClient(path).Reload(t.Context(), admin.ReloadRequest{})
		if !errors.Is(err, admin.ErrUnreachable) || !strings.Contains(err.Error(), "may have been done") {
			t.Errorf("after %q: %v", said, err)
		}
	}
}

func TestTheSocketIsTheOwnersAlone(t *testing.T) {
	_, _, path := serve(t)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestALeftoverSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := admin.Listen(path, &fake{stream: observe.NewStream(1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file stays: %v", err)
	}
}

func TestSocketPathFitsTheKernel(t *testing.T) {
	long := "/" + strings.Repeat("x/", 80)
	a, err := admin.SocketPath(long)
	b, _ := admin.SocketPath(long + "y")
	if err != nil || len(a) > 100 || a == b {
		t.Errorf("%q and %q, %v", a, b, err)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	_, _, path := serve(t)
	client := &http.Client{Transport: unixTransport(path)}
	for _, body := range []string{"", "{", `{"for":"x"}`, `[]`, strings.Repeat("[", 5<<20)} {
		res, err := client.Post("http://engine/v1/steer", "application/json", strings.NewReader(body))
		if len(body) > 4<<20 && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)) {
			continue // refused before all of it was sent
		}
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20q: %s", body, res.Status)
		}
	}
}

func unixTransport(path string) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
}
