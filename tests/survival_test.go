package tests

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/internal/calm"
)

// counters are what is killed: each hit answers with the number it made. What comes under `extra` is added to each definition.
const counters = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: counters}
journal: {durability: %s}
root:
  strategy: one_for_one
  children:
    - {name: exact, use: counter, persist: {mode: events, snapshot: {every: 7}}}
    - {name: other, use: counter, persist: {mode: events, snapshot: {every: 1000}}}
    - {name: saved, use: counter, persist: {mode: state, snapshot: {every: 1}}}
    - {name: lossy, use: counter, persist: {mode: state, snapshot: {every: 5}}}
templates:
  counter:
    script:
      state: {n: 0%s}
      handlers:
        hit: {set: {n: state.n + 1}, reply: {n: state.n}}
        peek: {reply: {n: state.n, more: %s}}
%s`

// survivor is an engine that is killed again and again, and what it has promised.
type survivor struct {
	t      *testing.T
	dir    string
	random *rand.Rand
	client *admin.Client
	proc   *exec.Cmd
	output bytes.Buffer

	mu    sync.Mutex
	acked map[string][]float64 // the answers that came, by actor
}

func (s *survivor) write(durability, state, more, handlers string) {
	s.t.Helper()
	text := fmt.Sprintf(counters, durability, state, more, handlers)
	if err := os.WriteFile(filepath.Join(s.dir, "counters.yaml"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// begin starts the engine with the counters.
func (s *survivor) begin() {
	s.t.Helper()
	s.boot("counters.yaml")
}

// boot starts the engine and waits until it answers.
func (s *survivor) boot(args ...string) {
	s.t.Helper()
	s.output.Reset()
	s.proc = exec.Command(binary, append([]string{"run", "--data", "data"}, args...)...)
	s.proc.Dir, s.proc.Stdout, s.proc.Stderr = s.dir, &s.output, &s.output
	if err := s.proc.Start(); err != nil {
		s.t.Fatal(err)
	}
	path, err := admin.SocketPath(filepath.Join(s.dir, "data"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.client = admin.NewClient(path)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(calm.Long); time.Now().Before(end); <-tick.C {
		if st, err := s.client.Status(s.t.Context()); err == nil && st.Health == "healthy" {
			return
		}
	}
	s.kill()
	s.t.Fatalf("it does not come up:\n%s", s.output.String())
}

func (s *survivor) kill() {
	_ = s.proc.Process.Kill() // it may have ended by itself, which shows next
	_ = s.proc.Wait()
}

// ask gives the number of an answer.
func (s *survivor) ask(actor, message string) (map[string]any, error) {
	reply, err := s.client.Ask(s.t.Context(), admin.AskRequest{Actor: actor, Message: message})
	fields, _ := reply.(map[string]any)
	return fields, err
}

// burden lets several ask at once, and kills the engine while they do, once so many answers have come.
func (s *survivor) burden(answers int) {
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(s.t.Context())
	defer stop()
	got := make(chan struct{})
	for i := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			actor := []string{"exact", "other", "saved", "lossy"}[i%4]
			for ctx.Err() == nil {
				reply, err := s.ask(actor, "hit")
				if err != nil { // it is dead, or was too slow
					select {
					case <-time.After(20 * time.Millisecond):
					case <-ctx.Done():
					}
					continue
				}
				s.mu.Lock()
				s.acked[actor] = append(s.acked[actor], reply["n"].(float64))
				s.mu.Unlock()
				select {
				case got <- struct{}{}:
				case <-ctx.Done():
				}
			}
		}()
	}
	for range answers {
		<-got
	}
	s.kill()
	stop()
	all.Wait()
}

// judge compares what the counters are now with all that they have answered.
func (s *survivor) judge(round string) {
	s.t.Helper()
	for actor, mayLose := range map[string]float64{"exact": 0, "other": 0, "saved": 0, "lossy": 4} {
		reply, err := s.ask(actor, "peek")
		if err != nil {
			s.t.Fatalf("%s: %s: %v\n%s", round, actor, err, s.output.String())
		}
		n, most := reply["n"].(float64), slices.Max(append(s.acked[actor], 0))
		if n < most-mayLose {
			s.t.Errorf("%s: %s is at %v and has answered %v", round, actor, n, most)
		}
		if mayLose > 0 {
			s.acked[actor] = []float64{n} // what is lost is counted again
			continue
		}
		slices.Sort(s.acked[actor])
		if len(slices.Compact(slices.Clone(s.acked[actor]))) != len(s.acked[actor]) {
			s.t.Errorf("%s: %s has answered with one number twice: %v", round, actor, s.acked[actor])
		}
	}
}

// newest is the last of the files that a pattern below the data directory names, "" for none.
func (s *survivor) newest(pattern string) string {
	s.t.Helper()
	names, err := filepath.Glob(filepath.Join(s.dir, "data", pattern))
	if err != nil {
		s.t.Fatal(err)
	}
	return slices.Max(append(names, ""))
}

// tear leaves an unfinished write behind the journal's last.
func (s *survivor) tear() {
	f, err := os.OpenFile(s.newest("journal/*.seg"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	torn := make([]byte, s.random.IntN(300))
	for i := range torn {
		torn[i] = byte(s.random.Uint32())
	}
	if _, err := f.Write(append([]byte("LJFR\x01\x01"), torn...)); err != nil {
		s.t.Fatal(err)
	}
}

// spoil changes a byte of the newest saved state of the exact counter, when there is one.
func (s *survivor) spoil() {
	name := s.newest("snapshots/*exact/*.state")
	if name == "" {
		return
	}
	data, err := os.ReadFile(name)
	if err != nil {
		s.t.Fatal(err)
	}
	data[s.random.IntN(len(data))] ^= 0x10
	if err := os.WriteFile(name, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// No answer of a persisted actor is ever taken back by kill -9, whenever it comes, whatever it tears: not with a torn end of the
// journal, a spoilt saved state, or a definition that has changed meanwhile.
func TestAnswersOutliveKills(t *testing.T) {
	for _, durability := range []string{"group", "each", "async"} {
		t.Run(durability, func(t *testing.T) {
			t.Parallel()
			s := &survivor{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(7, uint64(len(durability)))), acked: map[string][]float64{}}
			s.write(durability, "", "0", "        gone: {set: {n: state.n + 100}}\n")
			for round := range 6 {
				s.begin()
				s.judge(fmt.Sprintf("round %d", round))
				s.burden(1 + s.random.IntN(120))
				if round%2 == 1 {
					s.tear()
				}
				if round > 2 {
					s.spoil()
				}
			}
			s.write(durability, ", more: 42", "state.more", "")
			s.begin()
			defer s.kill()
			s.judge("with another definition")
			for _, actor := range []string{"exact", "other", "saved", "lossy"} {
				if reply, err := s.ask(actor, "peek"); err != nil || reply["more"] != 42.0 {
					t.Errorf("%s: a new field does not begin as the definition says: %v, %v", actor, reply, err)
				}
			}
		})
	}
}

// Damage in the middle of the journal is never passed over: the engine says that the journal is damaged, and once that has been
// repaired the actor whose changes may be lost says so, until it is told to go on with what is left.
func TestDamageIsToldUntilItIsTaken(t *testing.T) {
	s := &survivor{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(1, 1)), acked: map[string][]float64{}}
	topology := func(persist string) {
		text := fmt.Sprintf(`apiVersion: lukhas/v1
kind: Topology
metadata: {name: damaged}
root:
  intensity: {max: 2, within: 60s}
  children:
    - name: exact
      restart: {backoff: {initial: 1ms}}
      persist: %s
      script: {state: {n: 0}, handlers: {hit: {set: {n: state.n + 1}, reply: {n: state.n}}, peek: {reply: {n: state.n}}}}
`, persist)
		if err := os.WriteFile(filepath.Join(s.dir, "counters.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	topology("events")
	s.begin()
	for range 20 {
		if _, err := s.ask("exact", "hit"); err != nil {
			t.Fatal(err)
		}
	}
	s.kill()
	name := s.newest("journal/*.seg")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(data, []byte(`"sequence":12`))
	if at < 0 {
		t.Fatal("the change is not to be found in the journal")
	}
	data[at] ^= 1
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s.fails("journal is damaged")
	s.run("journal", "repair")
	s.fails("its changes 12 to 12 are not in the journal", "were lost to damage that was repaired", "on_loss: continue")
	topology("{mode: events, on_loss: continue}")
	s.begin()
	defer s.kill()
	if reply, err := s.ask("exact", "peek"); err != nil || reply["n"] != 20.0 {
		t.Errorf("it goes on with %v, %v; the last change that is there made it 20", reply, err)
	}
}

// run is a command that works, in the survivor's directory.
func (s *survivor) run(args ...string) {
	s.t.Helper()
	cmd := exec.Command(binary, append(args, "--data", "data")...)
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s: %v\n%s", args, err, out)
	}
}

// fails wants a start of the engine to end with an error that says all this, by itself or in the journal.
func (s *survivor) fails(says ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), calm.Long)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "run", "counters.yaml", "--data", "data")
	cmd.Dir = s.dir
	out, err := cmd.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		s.t.Fatalf("it starts: %v\n%s", err, out)
	}
	for _, text := range says {
		if !bytes.Contains(out, []byte(text)) {
			s.t.Errorf("it does not say %q:\n%s", text, out)
		}
	}
}
