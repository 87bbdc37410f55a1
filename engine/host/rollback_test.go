package host_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/host"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
)

// ledger counts what it is told, over all its incarnations.
type ledger struct {
	mu   *sync.Mutex
	seen map[string]int
}

func (l ledger) Handle(_ engine.Context, m engine.Msg) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[m.Payload.(string)]++
	return nil
}

// trying is a topology whose second version crashes its api and restarts its ledger.
func trying(at, most, currency string) string {
	return fmt.Sprintf(`apiVersion: lukhas/v1
kind: Topology
metadata: {name: shop}
params: {most: %s}
root:
  intensity: {max: 3, within: 60s}
  children:
    - name: api
      restart: {policy: always, backoff: {initial: 10ms, factor: 1, max: 10ms}}
      script: {handlers: {hi: {fail: {when: now > 0 && params.most < 1, kind: impossible}, reply: {ok: true}}}}
    - {name: ledger, go: {behaviour: ledger, config: {currency: %s}}, mailbox: {capacity: 1000000}}
gateway:
  - name: public
    listen: %s
    routes: [{name: hi, path: /hi, to: api, message: hi}]
observe: {interval: 50ms, window: 2s}
reload: {verify_for: 6s, abort_if: new.calls > 50 && new.error_rate > 0.9}
`, most, currency, at)
}

// A reload that crashes what it touches is taken back while requests and messages come in: the last generation serves again,
// every request gets an answer, and no message is lost or handled twice over the two restarts.
func TestABadReloadIsRolledBackUnderLoad(t *testing.T) {
	t.Parallel()
	at := calm.Address(t)
	o, path := options(t, trying(at, "5", "EUR"))
	books := ledger{new(sync.Mutex), map[string]int{}}
	o.Behaviours = map[string]engine.Factory{"ledger": func(*plan.Actor, *plan.Plan) (engine.Behavior, error) { return books, nil }}
	h := start(t, o)
	over := make(chan struct{})
	told := [2]int{}
	var all sync.WaitGroup
	for i := range told {
		all.Go(func() { told[i] = tellUntil(t, h, i, over) })
	}
	all.Go(func() { requestUntil(t, at, over) })

	write(t, path, trying(at, "0", "USD"))
	res, err := h.Reload(t.Context(), admin.ReloadRequest{By: "me", Wait: true})
	if err != nil || res.Status != engine.ReloadRolledBack || res.Generation != 3 || res.Code != engine.CodeCrashLoop && res.Code != engine.CodeAbortIf {
		t.Errorf("%+v, %v", res, err)
	}
	st := h.Status()
	if st.Generation != 3 || st.Reload.Status != engine.ReloadRolledBack || !strings.Contains(st.Drift, "rolled back as generation 2") {
		t.Errorf("generation %d, %+v, drift %q", st.Generation, st.Reload, st.Drift)
	}
	again, err := h.Reload(t.Context(), admin.ReloadRequest{By: "me", Wait: true})
	if err != nil || again.Status != engine.ReloadRolledBack || again.Generation != 3 || again.Changed {
		t.Errorf("the same content again: %+v, %v", again, err)
	}
	write(t, path, trying(at, "5", "EUR"))
	back, err := h.Reload(t.Context(), admin.ReloadRequest{By: "me", Wait: true})
	if err != nil || back.Status != engine.ReloadActive || back.Generation != 3 || back.Changed || back.Replaced {
		t.Errorf("the files taken back to what was rolled back to: %+v, %v", back, err)
	}
	write(t, path, trying(at, "4", "USD"))
	if res, err = h.Reload(t.Context(), admin.ReloadRequest{By: "me", Wait: true}); err != nil || res.Status != engine.ReloadActive || res.Generation != 4 {
		t.Errorf("the mended one: %+v, %v", res, err)
	}
	if st := h.Status(); st.Drift != "" || st.Reload.Status != engine.ReloadActive {
		t.Errorf("%+v, drift %q", st.Reload, st.Drift)
	}
	close(over)
	all.Wait()
	if code, body := get(t, at); code != http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
	books.settled(t, told[0]+told[1])
}

// Who waits for a verdict learns that another reload came first.
func TestAReloadDuringAProbationReplacesIt(t *testing.T) {
	t.Parallel()
	at := calm.Address(t)
	o, path := options(t, trying(at, "5", "EUR"))
	books := ledger{new(sync.Mutex), map[string]int{}}
	o.Behaviours = map[string]engine.Factory{"ledger": func(*plan.Actor, *plan.Plan) (engine.Behavior, error) { return books, nil }}
	h := start(t, o)
	write(t, path, trying(at, "4", "EUR"))
	first := make(chan admin.ReloadResult, 1)
	go func() {
		res, err := h.Reload(t.Context(), admin.ReloadRequest{By: "me", Wait: true})
		if err != nil {
			t.Error(err)
		}
		first <- res
	}()
	calm.Until(t, "the second generation", func() bool { return h.Status().Generation == 2 })
	if st := h.Status(); st.Reload.Status != engine.ReloadVerifying {
		t.Errorf("%+v", st.Reload)
	}
	write(t, path, trying(at, "3", "EUR"))
	if res, err := h.Reload(t.Context(), admin.ReloadRequest{By: "me"}); err != nil || res.Generation != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	if res := <-first; !res.Replaced || res.Generation != 3 || !res.Changed {
		t.Errorf("the first: %+v", res)
	}
	res, err := h.Reload(t.Context(), admin.ReloadRequest{By: "me", Wait: true})
	if err != nil || res.Status != engine.ReloadActive || res.Generation != 3 || res.Changed {
		t.Errorf("the same content during its probation: %+v, %v", res, err)
	}
}

// tellUntil tells the ledger one thing after the other and gives how many it took.
func tellUntil(t *testing.T, h *host.Host, sender int, over <-chan struct{}) (taken int) {
	pace := time.NewTicker(100 * time.Microsecond)
	defer pace.Stop()
	for {
		select {
		case <-over:
			return taken
		case <-pace.C:
		}
		err := h.Tell(t.Context(), admin.AskRequest{Actor: "ledger", Message: "book", Payload: fmt.Sprintf("%d/%d", sender, taken)})
		if err != nil {
			t.Errorf("a message is refused: %v", err)
			return taken
		}
		taken++
	}
}

// requestUntil wants an answer to every request, whatever it is.
func requestUntil(t *testing.T, at string, over <-chan struct{}) {
	client := &http.Client{Timeout: calm.Long}
	defer client.CloseIdleConnections()
	for {
		select {
		case <-over:
			return
		default:
		}
		res, err := client.Get("http://" + at + "/hi")
		if err != nil {
			var refused *net.OpError
			t.Errorf("no answer (refused: %t): %v", errors.As(err, &refused), err)
			return
		}
		res.Body.Close()
	}
}

// settled waits until the ledger has handled so many messages, each once.
func (l ledger) settled(t *testing.T, want int) {
	t.Helper()
	calm.Until(t, fmt.Sprintf("%d messages to be handled", want), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.seen) == want
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if want == 0 {
		t.Error("no message was told")
	}
	for key, times := range l.seen {
		if times != 1 {
			t.Errorf("%s is handled %d times", key, times)
		}
	}
}
