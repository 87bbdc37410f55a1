package tests

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/spec"
)

// decision is an event as far as it is a decision, and as far as it must be the same live and simulated; "" for any other.
// Times, process ids and the causes' numbers differ.
func decision(e journal.Event) string {
	body, err := e.Body()
	if err != nil {
		return ""
	}
	switch b := body.(type) {
	case journal.ActorStarting:
		return fmt.Sprintf("%s starts incarnation %d", e.Actor, b.Incarnation)
	case journal.ActorStopping:
		return fmt.Sprintf("%s stops: %s", e.Actor, b.Why)
	case journal.ActorRestarting:
		return fmt.Sprintf("%s restarts, attempt %d, %s", e.Actor, b.Attempt, b.Directive)
	case journal.SupervisorGaveUp:
		return fmt.Sprintf("%s gives up: %s", e.Actor, b.Reason)
	case journal.BreakerChanged:
		return fmt.Sprintf("breaker %s %s -> %s", b.Breaker, b.From, b.To)
	case journal.RuleFired:
		return fmt.Sprintf("rule %s fires for %s", b.Rule, b.Subject)
	case journal.RuleCleared:
		return fmt.Sprintf("rule %s clears for %s", b.Rule, b.Subject)
	case journal.Quarantined:
		return fmt.Sprintf("%s is quarantined for %s", e.Actor, b.For)
	case journal.Released:
		return fmt.Sprintf("%s is released: %s", e.Actor, b.Reason)
	case journal.HealthChanged:
		if b.From == engine.LevelUnknown {
			return "" // the first sample, which a slow start may come before or after
		}
		return fmt.Sprintf("health %s -> %s", b.From, b.To)
	case journal.ReloadCommitted:
		return fmt.Sprintf("generation %d in force, %d changes, probation %s", b.Generation, len(b.Changes), b.Probation)
	case journal.ReloadVerified:
		return fmt.Sprintf("generation %d passes", b.Generation)
	case journal.ReloadRolledBack:
		return fmt.Sprintf("generation %d goes back to %d: %s %s", b.Generation, b.To, b.Code, b.Reason)
	}
	return ""
}

// rates is the real upstream.
type rates struct{ broken atomic.Bool }

func (r *rates) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if r.broken.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"rate": 1}`))
}

// reality is the engine's binary at work, with what is done to it.
type reality struct {
	*survivor
	upstream rates
	began    time.Time
	all      sync.WaitGroup
	late     atomic.Int64 // how late something was done at most: this machine has others to serve
}

// at does something when so much time has passed since everything was up.
func (r *reality) at(after time.Duration, do func()) {
	r.all.Go(func() {
		timer := time.NewTimer(time.Until(r.began.Add(after)))
		defer timer.Stop()
		select {
		case <-timer.C:
			do()
			for late := int64(time.Since(r.began) - after); late > r.late.Load(); {
				r.late.Store(late)
			}
		case <-r.t.Context().Done():
		}
	})
}

// asks asks n times, a pace apart.
func (r *reality) asks(from time.Duration, n int, pace time.Duration, actor, message string, payload any) {
	for i := range n {
		r.at(from+time.Duration(i)*pace, func() {
			_, _ = r.client.Ask(r.t.Context(), admin.AskRequest{Actor: actor, Message: message, Payload: payload, Timeout: 5 * time.Second})
		})
	}
}

// kill9 kills the worker's process from outside, once it is ready.
func (r *reality) kill9() {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		st, err := r.client.Status(r.t.Context())
		if err != nil {
			r.t.Error(err)
			return
		}
		for _, a := range st.Actors {
			if a.Path == "root/pool/worker" && a.Ready && syscall.Kill(a.PID, syscall.SIGKILL) == nil {
				return
			}
		}
		<-tick.C
	}
	r.t.Error("there is no worker to kill")
}

// reload rewrites the file and has it read.
func (r *reality) reload(changes ...string) {
	path := filepath.Join(r.dir, "shop.yaml")
	text, err := os.ReadFile("testdata/agree/shop.yaml")
	if err == nil {
		err = os.WriteFile(path, []byte(strings.NewReplacer(changes...).Replace(string(text))), 0o600)
	}
	if err == nil {
		_, err = r.client.Reload(r.t.Context(), admin.ReloadRequest{By: "test"})
	}
	if err != nil {
		r.t.Error(err)
	}
}

// live runs the story with real processes, a real upstream, kill -9 and an edited file, and gives the decisions, and how late
// something was done at most.
func live(t *testing.T) ([]string, time.Duration) {
	r := &reality{survivor: &survivor{t: t, dir: t.TempDir()}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: &r.upstream, ReadHeaderTimeout: time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) }) // until it is closed
	defer serving.Wait()
	defer server.Close()
	t.Setenv("RATES", l.Addr().String())
	text, err := os.ReadFile("testdata/agree/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "shop.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.boot("shop.yaml", "--watch=false")
	r.began = time.Now()
	r.at(400*time.Millisecond, r.kill9)
	r.at(time.Second, r.kill9)
	r.at(1900*time.Millisecond, func() { r.upstream.broken.Store(true) })
	r.asks(2*time.Second, 5, 100*time.Millisecond, "rates", "rate", nil)
	r.at(2600*time.Millisecond, func() { r.upstream.broken.Store(false) })
	r.asks(3700*time.Millisecond, 2, 100*time.Millisecond, "rates", "rate", nil)
	r.asks(4200*time.Millisecond, 6, 100*time.Millisecond, "worker", "nonsense", nil)
	r.at(6500*time.Millisecond, func() { r.reload("most: 9", "most: 0") })
	r.asks(6600*time.Millisecond, 5, 200*time.Millisecond, "clerk", "book", map[string]any{"n": 5})
	r.at(8200*time.Millisecond, func() { r.reload("timeout: 2s", "timeout: 1s") })
	r.at(10500*time.Millisecond, func() {})
	r.all.Wait()
	_ = r.proc.Process.Signal(os.Interrupt)
	_ = r.proc.Wait()
	if t.Failed() {
		t.Log(r.output.String())
	}
	return r.decisions(), time.Duration(r.late.Load())
}

// decisions reads the journal of a run that is over, up to the stop.
func (r *reality) decisions() []string {
	reader, err := journal.OpenReader(filepath.Join(r.dir, "data", "journal"))
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for e, err := range reader.Scan(journal.Query{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		if d := decision(e); d == "root stops: interrupted" {
			break
		} else if d != "" {
			out = append(out, d)
		}
	}
	return out
}

// simulated plays the same story with models.
func simulated(t *testing.T) []string {
	t.Setenv("RATES", "127.0.0.1:1")
	exe, err := exec.LookPath(binary)
	if err != nil {
		t.Fatal(err)
	}
	l := scenario.Load(spec.OS(), "testdata/agree/scenario.yaml", spec.Options{Env: os.LookupEnv, Exe: exe}, compiler.Options{})
	if l.Diagnostics.HasErrors() {
		t.Fatal(l.Diagnostics)
	}
	report, err := scenario.Run(l.Scenarios[0], scenario.Options{Record: true})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Passed() {
		t.Errorf("%+v", report.Results)
	}
	var out []string
	for _, e := range report.Tape.Entries {
		if e.Step == nil {
			if d := decision(e.Event); d != "" {
				out = append(out, d)
			}
		}
	}
	return out
}

// One topology, run by the binary with real processes that are killed, a real upstream that fails and a file that is edited, and
// run by a scenario: the engine decides the same, in the same order. It restarts, gives up and escalates, opens, probes and
// closes a breaker, quarantines and releases by a rule, rolls a bad reload back and keeps a good one.
func TestLiveAndSimulatedDecideTheSame(t *testing.T) {
	want := simulated(t)
	got, late := live(t)
	for tries := 0; late > punctual && tries < 3; tries++ {
		t.Logf("something was done %s late: other things came first then; again", late)
		got, late = live(t)
	}
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			t.Fatalf("decision %d of %d and %d:\nsimulated:\n%s\nlive:\n%s", i+1, len(want), len(got), around(want, i), around(got, i))
		}
	}
	whole := strings.Join(got, "\n")
	for _, part := range []string{"attempt 1, restart", "gives up", "closed -> open", "open -> half_open", "half_open -> closed",
		"is quarantined", "is released", "rule lock-up clears", "goes back to 1: LR420", "generation 4 passes", "healthy -> degraded", "degraded -> healthy"} {
		if !strings.Contains(whole, part) {
			t.Errorf("the story lacks %q:\n%s", part, whole)
		}
	}
}

// punctual is how late what happens may be for its order to be certain.
const punctual = 150 * time.Millisecond

// around shows the decisions near a place.
func around(lines []string, i int) string {
	return "  " + strings.Join(lines[min(max(0, i-6), len(lines)):min(len(lines), i+4)], "\n  ")
}
