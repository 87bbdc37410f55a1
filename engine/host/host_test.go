package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/journal"
)

func TestMain(m *testing.M) { calm.Main(m) }

// shop is a topology with a gateway and a script; what comes under root.children is added.
func shop(gateway, reply string, more ...string) string {
	return fmt.Sprintf(`apiVersion: lukhas/v1
kind: Topology
metadata: {name: shop}
root:
  strategy: one_for_one
  children:
    - name: api
      script: {handlers: {hi: {reply: {says: params.word}}}}
%s
gateway:
  - name: public
    listen: %s
    routes: [{name: hi, path: /hi, to: api, message: hi}]
params: {word: %s}
reload: {max_removed: 100%%}
`, strings.Join(more, "\n"), gateway, reply)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// options are a host's in a directory of its own, with this topology.
func options(t testing.TB, topology string) (host.Options, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "shop.yaml")
	write(t, path, topology)
	return host.Options{Source: host.Source{Paths: []string{path}}, Data: filepath.Join(dir, "data"), Version: "test"}, path
}

func start(t testing.TB, o host.Options) *host.Host {
	t.Helper()
	h, err := host.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(h) })
	return h
}

func end(h *host.Host) {
	h.Stop("the test is over")
	<-h.Done()
}

// get asks the gateway on a connection of its own.
func get(t *testing.T, address string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: calm.Long}
	res, err := client.Get("http://" + address + "/hi")
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

func says(t *testing.T, address, word string) {
	t.Helper()
	if code, body := get(t, address); code != http.StatusOK || !strings.Contains(body, word) {
		t.Errorf("%d %s, want %q", code, body, word)
	}
}

func TestOneLifeFromStartToStop(t *testing.T) {
	at := calm.Address(t)
	o, path := options(t, shop(at, "one"))
	h := start(t, o)
	says(t, at, "one")
	write(t, path, shop(at, "two"))
	res, err := h.Reload(t.Context(), admin.ReloadRequest{By: "me"})
	if err != nil || res.Generation != 2 || !res.Changed || len(res.Changes) != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	says(t, at, "two")
	if res, err := h.Reload(t.Context(), admin.ReloadRequest{}); err != nil || res.Changed {
		t.Errorf("the same bytes: %+v, %v", res, err)
	}
	if err := h.Steer(t.Context(), engine.Steer{Verb: "quarantine", Target: "api"}, "me"); err != nil {
		t.Fatal(err)
	}
	if code, _ := get(t, at); code != http.StatusServiceUnavailable {
		t.Errorf("a quarantined actor answers %d", code)
	}
	end(h)
	if code, why := h.Result(); code != 0 || why != "the test is over" {
		t.Errorf("%d, %s", code, why)
	}
	if _, err := h.Reload(t.Context(), admin.ReloadRequest{}); err == nil {
		t.Error("a stopped host reloads")
	}
	if _, err := h.Ask(t.Context(), admin.AskRequest{Actor: "api", Message: "hi"}); err == nil {
		t.Error("a stopped host answers")
	}
	_ = start(t, o) // everything was let go of
}

// A start that fails leaves nothing: no listener, no lock, no socket, no goroutine; what was wrong is mended and it starts.
func TestAFailedStartLeavesNothing(t *testing.T) {
	at := calm.Address(t)
	held, err := net.Listen("tcp", calm.Address(t))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	o, path := options(t, "")
	good := shop(at, "one")
	if err := os.MkdirAll(filepath.Join(o.Data, "admin.sock", "x"), 0o700); err != nil { // a directory in the socket's place
		t.Fatal(err)
	}
	never, cancel := context.WithCancel(t.Context())
	cancel()
	var invalid *host.Invalid
	for _, c := range []struct {
		name, topology string
		ctx            context.Context
		want           func(error) bool
	}{
		{"invalid", "root: {", t.Context(), func(err error) bool { return errors.As(err, &invalid) }},
		{"no such command", shop(at, "one", `    - {name: w, process: {command: [no-such-program]}}`), t.Context(), said("no-such-program")},
		{"no such behaviour", shop(at, "one", `    - {name: w, go: {behaviour: ledger}}`), t.Context(), said("ledger")},
		{"second address busy", strings.Replace(good, "params:", fmt.Sprintf("  - {name: other, listen: %s, routes: []}\nparams:", held.Addr()), 1), t.Context(),
			func(err error) bool { return errors.Is(err, host.ErrBusy) }},
		{"no socket", good, t.Context(), said("admin.sock")},
		{"interrupted", good, never, func(err error) bool { return errors.Is(err, context.Canceled) }},
		{"gives up", shop(at, "one", `    - {name: w, process: {command: [sh, -c, exit 1]}, ready: {line: never, within: 5s}, restart: {policy: always, backoff: {initial: 1ms, max: 1ms}}}`), t.Context(), said("did not come up")},
	} {
		write(t, path, c.topology)
		if c.name == "interrupted" {
			if err := os.RemoveAll(filepath.Join(o.Data, "admin.sock")); err != nil {
				t.Fatal(err)
			}
		}
		h, err := host.Start(c.ctx, o)
		if err == nil {
			end(h)
			t.Fatalf("%s: started", c.name)
		}
		if !c.want(err) {
			t.Errorf("%s: %v", c.name, err)
		}
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatalf("%s: the address is still held: %v", c.name, err)
		}
		l.Close()
	}
	write(t, path, good)
	h := start(t, o)
	says(t, at, "one")
	if _, err := host.Start(t.Context(), o); !errors.Is(err, host.ErrBusy) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a second engine: %v", err)
	}
	says(t, at, "one")
	end(h)
}

func said(text string) func(error) bool {
	return func(err error) bool { return err != nil && strings.Contains(err.Error(), text) }
}

// A reload may come while the start still waits for something: the gateway opens with the plan that is in force then.
func TestAReloadWhileStarting(t *testing.T) {
	at, later := calm.Address(t), calm.Address(t)
	gate := make(chan struct{})
	slow := `    - {name: slow, go: {behaviour: slow}}`
	o, path := options(t, shop(at, "one", slow))
	o.Behaviours = map[string]engine.Factory{"slow": func(*plan.Actor, *plan.Plan) (engine.Behavior, error) { return slowly{gate}, nil }}
	started := make(chan *host.Host)
	var failed error
	go func() {
		h, err := host.Start(t.Context(), o)
		failed = err
		started <- h
	}()
	socket, err := admin.SocketPath(o.Data)
	if err != nil {
		t.Fatal(err)
	}
	client := admin.NewClient(socket)
	for err := error(admin.ErrUnreachable); errors.Is(err, admin.ErrUnreachable); {
		_, err = client.Status(t.Context())
	}
	reload := func() (admin.ReloadResult, error) { return client.Reload(t.Context(), admin.ReloadRequest{By: "me"}) }
	write(t, path, shop(at, "two", slow))
	if res, err := reload(); err != nil || !res.Changed {
		t.Errorf("%+v, %v", res, err)
	}
	held, err := net.Listen("tcp", later)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, shop(later, "three", slow))
	if _, err := reload(); err == nil || !strings.Contains(err.Error(), later) {
		t.Errorf("a busy address: %v", err)
	}
	held.Close()
	if code, _ := get(t, later); code != 0 {
		t.Errorf("it serves before it is up: %d", code)
	}
	write(t, path, shop(at, "four", slow))
	if _, err := reload(); err != nil {
		t.Error(err)
	}
	close(gate)
	h := <-started
	if failed != nil {
		t.Fatal(failed)
	}
	defer end(h)
	says(t, at, "four")
	write(t, path, shop(later, "five", slow))
	if _, err := reload(); err != nil {
		t.Error(err)
	}
	says(t, later, "five")
}

// slowly is an actor that is up when its gate opens.
type slowly struct{ gate chan struct{} }

func (s slowly) Init(ctx engine.Context) error {
	_, err := ctx.Call(time.Minute, func(c context.Context) (any, error) {
		select {
		case <-s.gate:
		case <-c.Done():
		}
		return nil, c.Err()
	})
	return err
}
func (slowly) Handle(engine.Context, engine.Msg) error { return nil }

// Requests, reloads, steering and looking on at once, then a stop in the middle of it.
func TestEverythingAtOnce(t *testing.T) {
	at := calm.Address(t)
	o, path := options(t, shop(at, "w0"))
	h := start(t, o)
	over := make(chan struct{})
	var all sync.WaitGroup
	again := func(do func(i int)) {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				default:
					do(i)
				}
			}
		})
	}
	for range 2 {
		again(func(int) {
			if code, body := get(t, at); code != http.StatusOK && code != http.StatusServiceUnavailable {
				t.Errorf("%d %s", code, body)
			}
		})
	}
	again(func(i int) {
		verb := []string{"pause", "resume", "restart", "quarantine", "release"}[i%5]
		if err := h.Steer(t.Context(), engine.Steer{Verb: verb, Target: "api"}, "me"); err != nil {
			t.Error(err)
		}
		if err := h.Steer(t.Context(), engine.Steer{Verb: "resume", Target: "api"}, "me"); err != nil {
			t.Error(err)
		}
	})
	again(func(int) {
		if st := h.Status(); st.Name != "shop" || len(st.Actors) == 0 {
			t.Errorf("%+v", st)
		}
	})
	for i := range 40 {
		more := []string(nil)
		if i%3 == 0 {
			more = append(more, `    - {name: extra, replicas: 2, script: {handlers: {hi: {reply: "1"}}}, guard: {breaker: {}}}`)
		}
		write(t, path, shop(at, fmt.Sprintf("w%d", i+1), more...))
		if res, err := h.Reload(t.Context(), admin.ReloadRequest{By: "me"}); err != nil || !res.Changed {
			t.Errorf("%d: %+v, %v", i, res, err)
		}
	}
	close(over)
	all.Wait()
	end(h)
	r, err := journal.OpenReader(filepath.Join(o.Data, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	if report, err := r.Verify(); err != nil || !report.Intact() {
		t.Errorf("%+v, %v", report, err)
	}
	committed := 0
	for e, err := range r.Scan(journal.Query{Types: []journal.Type{journal.TypeReloadCommitted}}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Seq > 0 {
			committed++
		}
	}
	if committed != 40 {
		t.Errorf("%d generations are journalled, want 40", committed)
	}
}
