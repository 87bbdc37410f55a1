package sim

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/guard"
)

// market has some of everything: replicas, guards with retries, hedges, fallbacks and bulkheads, scripts, blocking Go
// behaviours, a consensus, rules.
const market = `
policies:
  breakers:
    careful: {window: 5s, min_calls: 5, trip: {consecutive_failures: 5, error_rate: 50%}, open: {for: 1s, factor: 2, max: 4s, jitter: 20%}, half_open: {probes: 2, successes: 2}}
  retries:
    quick: {attempts: 3, backoff: {initial: 10ms, factor: 2, max: 100ms, jitter: 50%}, budget: 20%}
messages: {query: {idempotent: true}}
observe: {interval: 1s, window: 10s}
root:
  intensity: {max: 100, within: 60s}
  children:
    - name: database
      upstream: {url: "http://127.0.0.1:1", operations: {query: {method: GET, path: '"/x"'}}}
      health: {http: /healthz, interval: 2s, fail: 2, pass: 1, then: open}
      guard: {breaker: careful, timeout: 100ms, retry: quick, bulkhead: {concurrent: 16, queue: 16, wait: 50ms}, fallback: [{reply: {stale: true}}]}
    - name: worker
      replicas: 3
      route: {pick: least_loaded}
      process: {command: [/bin/true], protocol: jsonl}
      ready: {line: READY, within: 2s}
      restart: {policy: always, backoff: {initial: 100ms, factor: 2, max: 2s, jitter: 20%}}
      guard: {timeout: 200ms, hedge: {after: 20ms, max: 1}}
    - name: jury
      consensus: {members: [worker-0, worker-1, worker-2], quorum: 2, agreement: 60%}
    - {name: clerk, go: clerk, concurrency: 4}
    - name: meter
      script: {state: {seen: 0}, timers: {tick: 700ms}, handlers: {tick: {set: {seen: state.seen + 1}}}}
    - name: api
      concurrency: 32
      script:
        handlers:
          checkout:
            parallel: true
            calls:
              - {to: database, message: query, with: {id: msg}, as: row, optional: true}
              - {to: worker, message: price, with: {id: msg}, as: price, optional: true}
              - {to: clerk, message: note, with: '"x"', as: note, optional: true}
            reply: {row: row, price: price}
rules:
  - {name: sick, for_each: actor, when: actor.error_rate > 0.6 && actor.calls > 5, then: [{quarantine: {for: 2s}}]}
`

func clerk() engine.Behavior {
	return handler(func(ctx engine.Context, m engine.Msg) error {
		if ctx.Rand()%7 == 0 {
			if err := ctx.Sleep(time.Duration(ctx.Rand() % uint64(20*time.Millisecond))); err != nil {
				return err
			}
		}
		to, err := ctx.Ref("jury")
		if err != nil {
			return err
		}
		v, err := ctx.Ask(to, engine.Msg{Type: "vote"}, 300*time.Millisecond)
		if err != nil {
			ctx.Fail(engine.ErrorOf(err, ctx.Path()))
			return nil
		}
		ctx.Reply(v)
		return nil
	})
}

// fair lets a market run for a while under load and faults that the seed draws.
func fair(t testing.TB, seed, shuffle uint64, watch Observer) *Engine {
	e, err := New(Options{
		Plan: compiled(t, market), Seed: seed, Shuffle: shuffle, Observer: watch, MarkEvery: time.Second,
		Factories: making{"clerk": clerk}.factories,
		World: map[string]Model{
			"root/database": {Latency: Latency{P50: 5 * time.Millisecond, P99: 60 * time.Millisecond}, Concurrency: 8, ErrorRate: 0.02},
			"root/worker":   {Latency: Latency{P50: 2 * time.Millisecond, P99: 30 * time.Millisecond}, Startup: 50 * time.Millisecond, Memory: Memory{PerCall: 1 << 10, Limit: 1 << 20}},
		},
		Sample: func(time.Duration) engine.Sampled { return engine.Sampled{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	rng := seed
	draw := func() uint64 { rng += guard.Golden; return guard.Mix(rng) }
	var shop func()
	n := 0
	shop = func() {
		n++
		e.Ask("api", engine.Msg{Type: "checkout", Payload: float64(n)}, engine.CallOptions{From: "shoppers", Key: strconv.Itoa(n % 5)}, func(Answer) {})
		e.At(e.Now()+time.Duration(draw()%uint64(4*time.Millisecond)), shop)
	}
	e.At(100*time.Millisecond, shop)
	verbs := []Fault{{Verb: Crash}, {Verb: Hang}, {Verb: Slow, Factor: 10}, {Verb: Fail, Rate: 0.7}, {Verb: Drop, Rate: 0.5},
		{Verb: Delay, By: 30 * time.Millisecond}, {Verb: Duplicate, Rate: 0.5}, {Verb: Reorder, By: 20 * time.Millisecond}, {Verb: ClockSkew, By: time.Minute}}
	targets := []string{"database", "worker-0", "worker-1", "worker", "clerk", "api"}
	for i := range 12 {
		f, at := verbs[draw()%uint64(len(verbs))], time.Second+time.Duration(i)*800*time.Millisecond
		f.Target = targets[draw()%uint64(len(targets))]
		f.To = f.Target
		e.At(at, func() {
			heal, err := e.Inject(f)
			if err != nil {
				t.Error(err)
				return
			}
			e.At(e.Now()+500*time.Millisecond, heal)
		})
	}
	if err := e.Run(12 * time.Second); err != nil {
		t.Fatal(err)
	}
	return e
}

const childEnv = "SIM_TEST_CHILD"

// childMain runs this test binary as a simulation that prints its digest, when it was started for that.
func childMain() bool {
	seed, err := strconv.ParseUint(os.Getenv(childEnv), 10, 64)
	if err != nil {
		return false
	}
	t := &orphan{}
	e := fair(t, seed, seed%3, nil)
	fmt.Println(e.Digest())
	_ = e.Close()
	return true
}

// orphan is a testing.TB outside of a test.
type orphan struct{ testing.TB }

func (*orphan) Helper()           {}
func (*orphan) Error(args ...any) { panic(fmt.Sprint(args...)) }
func (*orphan) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// The same seed gives the same run in every process, with any number of processors, also when other goroutines meddle
// with the scheduler. This binary does it again: run with -race, its children are too.
func TestTheSameSeedGivesTheSameRunEverywhere(t *testing.T) {
	seen := map[string]uint64{}
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := uint64(1); seed <= seeds; seed++ {
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = make([]byte, 1<<12)
				}
			}
		}()
		here := fair(t, seed, seed%3, nil)
		close(stop)
		digest, messages := here.Digest(), here.Messages()
		if err := here.Close(); err != nil {
			t.Fatal(err)
		}
		if messages < 5000 {
			t.Fatalf("seed %d: only %d messages", seed, messages)
		}
		if other, twice := seen[digest]; twice {
			t.Errorf("seeds %d and %d give the same run", other, seed)
		}
		seen[digest] = seed
		for _, procs := range []string{"1", "2"} {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), childEnv+"="+strconv.FormatUint(seed, 10), "GOMAXPROCS="+procs, "GOGC=30")
			out, err := c.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := strings.TrimSpace(string(out)); got != digest {
				t.Errorf("seed %d, GOMAXPROCS %s:\n%s\nwant\n%s", seed, procs, got, digest)
			}
		}
	}
}

// Interleavings are explored by another seed: they differ from one another, and each is repeatable.
func TestShufflesDifferAndRepeat(t *testing.T) {
	seen := map[string]bool{}
	shuffles := uint64(4)
	if testing.Short() {
		shuffles = 2
	}
	for shuffle := range shuffles {
		var first string
		for range 2 {
			e := fair(t, 1, shuffle, nil)
			if first != "" && e.Digest() != first {
				t.Errorf("shuffle %d gives %s, then %s", shuffle, first, e.Digest())
			}
			first = e.Digest()
			_ = e.Close()
		}
		seen[first] = true
	}
	if len(seen) != int(shuffles) {
		t.Errorf("%d shuffles give %d runs", shuffles, len(seen))
	}
}

// Marks say where two runs part.
func TestMarksLocateADivergence(t *testing.T) {
	a, b := fair(t, 1, 0, nil), fair(t, 2, 0, nil)
	defer a.Close()
	defer b.Close()
	if len(a.Marks()) != 11 && len(a.Marks()) != 12 {
		t.Fatalf("%d marks", len(a.Marks()))
	}
	if a.Marks()[3].Data == b.Marks()[3].Data {
		t.Error("two seeds have not parted after 4s")
	}
}
