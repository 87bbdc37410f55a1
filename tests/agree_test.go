package tests

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
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
	"github.com/lukhasai/lukhas-run/internal/calm"
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

// pace is how many times slower than its files say the story is played: all that lasts lasts longer, so that what is late
// matters less.
type pace int

// file gives a file of the story with its lengths of time at this pace.
func (p pace) file(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/agree", name))
	if err != nil {
		t.Fatal(err)
	}
	return p.text(string(data))
}

func (p pace) text(text string) string {
	text = regexp.MustCompile(`\b\d+m?s\b`).ReplaceAllStringFunc(text, func(length string) string {
		d, err := time.ParseDuration(length)
		if err != nil {
			return length
		}
		return (d * time.Duration(p)).String()
	})
	return regexp.MustCompile(`\b\d+/s\b`).ReplaceAllStringFunc(text, func(rate string) string {
		n, _ := strconv.Atoi(strings.TrimSuffix(rate, "/s"))
		return fmt.Sprintf("%g/s", float64(n)/float64(p))
	})
}

// reality is the engine's binary at work, with what is done to it.
type reality struct {
	*survivor
	pace     pace
	upstream rates
	began    time.Time
	all      sync.WaitGroup
}

// at does something when so much of the story's time has passed since everything was up.
func (r *reality) at(after time.Duration, do func()) {
	r.all.Go(func() {
		timer := time.NewTimer(time.Until(r.began.Add(after * time.Duration(r.pace))))
		defer timer.Stop()
		select {
		case <-timer.C:
			do()
		case <-r.t.Context().Done():
		}
	})
}

// asks asks n times.
func (r *reality) asks(from time.Duration, n int, apart time.Duration, actor, message string, payload any) {
	for i := range n {
		r.at(from+time.Duration(i)*apart, func() {
			_, _ = r.client.Ask(r.t.Context(), admin.AskRequest{Actor: actor, Message: message, Payload: payload, Timeout: calm.Long})
		})
	}
}

// kill9 kills the worker's process from outside, once it is ready.
func (r *reality) kill9() {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 6000 {
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
	for i := range changes {
		changes[i] = r.pace.text(changes[i])
	}
	text := strings.NewReplacer(changes...).Replace(r.pace.file(r.t, "shop.yaml"))
	err := os.WriteFile(filepath.Join(r.dir, "shop.yaml"), []byte(text), 0o600)
	if err == nil {
		_, err = r.client.Reload(r.t.Context(), admin.ReloadRequest{By: "test"})
	}
	if err != nil {
		r.t.Error(err)
	}
}

// live runs the story with real processes, a real upstream, kill -9 and an edited file, and gives the decisions.
func live(t *testing.T, p pace) []string {
	r := &reality{survivor: &survivor{t: t, dir: t.TempDir()}, pace: p}
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
	if err := os.WriteFile(filepath.Join(r.dir, "shop.yaml"), []byte(p.file(t, "shop.yaml")), 0o600); err != nil {
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
	return r.decisions()
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
func simulated(t *testing.T, p pace) []string {
	t.Setenv("RATES", "127.0.0.1:1")
	dir := t.TempDir()
	for _, name := range []string{"shop.yaml", "scenario.yaml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(p.file(t, name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := exec.LookPath(binary)
	if err != nil {
		t.Fatal(err)
	}
	l := scenario.Load(spec.OS(), filepath.Join(dir, "scenario.yaml"), spec.Options{Env: os.LookupEnv, Exe: exe}, compiler.Options{})
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
//
// On a machine that has others to serve, what is late lets other things come first; then the story is played again, more slowly.
func TestLiveAndSimulatedDecideTheSame(t *testing.T) {
	var got []string
	for p := pace(1); ; p *= 2 {
		want := simulated(t, p)
		got = live(t, p)
		i := 0
		for i < min(len(want), len(got)) && want[i] == got[i] {
			i++
		}
		if i == len(want) && i == len(got) {
			break
		}
		t.Logf("pace %d: decision %d of %d and %d:\nsimulated:\n%s\nlive:\n%s", p, i+1, len(want), len(got), around(want, i), around(got, i))
		if p == slowest {
			t.Fatal("the engine decides otherwise live, however slowly the story is played")
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

// slowest is a pace at which a second's delay changes nothing.
const slowest pace = 8

// around shows the decisions near a place.
func around(lines []string, i int) string {
	return "  " + strings.Join(lines[min(max(0, i-6), len(lines)):min(len(lines), i+4)], "\n  ")
}
