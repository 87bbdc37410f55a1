// Command gateway measures the engine's gateway beside haproxy and Caddy in one run: 64 connections that ask for 1 KiB, each
// server on one core, the load and the origin on another. Rounds are interleaved, so that what else the machine does hits all
// alike, and beside the throughput it reads the processor time of each server: time per request does not depend on who else
// was running. Then it reloads the engine under load and counts what was lost.
//
//	make bench-gateway
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Addresses of the origin and of the servers under test.
const (
	origin   = "127.0.0.1:7700"
	haproxy  = "127.0.0.1:7701"
	caddy    = "127.0.0.1:7702"
	bare     = "127.0.0.1:7703"
	guarded  = "127.0.0.1:7704"
	reloaded = "127.0.0.1:7705"
)

// subject is one server under test and what was measured of it.
type subject struct {
	name, address string
	cmd           *exec.Cmd
	rates, costs  []float64 // requests a second; microseconds of processor time a request
	failed        int
}

func main() {
	rounds := flag.Int("rounds", 5, "interleaved rounds")
	span := flag.Int("seconds", 3, "of each measurement")
	reloads := flag.Int("reloads", 1000, "under load; 0 for none")
	binary := flag.String("binary", "", "lukhas-run")
	flag.Parse()
	dir, err := os.MkdirTemp("", "bench-gateway")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(dir, *binary, *rounds, *span, *reloads); err != nil {
		log.Print(err)
		os.RemoveAll(dir)
		os.Exit(1)
	}
}

func run(dir, binary string, rounds, span, reloads int) error {
	subjects, stop, err := begin(dir, binary)
	stop = sync.OnceFunc(stop)
	defer stop()
	if err != nil {
		return err
	}
	for range rounds {
		for _, s := range subjects {
			if err := s.measure(span); err != nil {
				return err
			}
		}
	}
	report(subjects)
	if reloads == 0 {
		return nil
	}
	stop()
	return reloading(dir, binary, reloads)
}

// begin starts the origin and all servers; stop ends them.
func begin(dir, binary string) (subjects []*subject, stop func(), err error) {
	var running []*exec.Cmd
	stop = func() {
		for _, c := range running {
			_ = c.Process.Signal(os.Interrupt)
		}
		for _, c := range running {
			_ = c.Wait()
		}
	}
	start := func(core, name, address string, args ...string) error {
		c := exec.Command("taskset", append([]string{"-c", core}, args...)...)
		c.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
		if err := c.Start(); err != nil {
			return err
		}
		running = append(running, c)
		if core == "0" {
			subjects = append(subjects, &subject{name: name, address: address, cmd: c})
		}
		return answers(address)
	}
	for _, p := range []struct{ core, name, address, file, text string }{
		{"1", "origin", origin, "origin.cfg", haproxyBase + "frontend f\n  bind " + origin + "\n  http-request return status 200 content-type text/plain string \"" + strings.Repeat("x", 1024) + "\"\n"},
		{"0", "haproxy", haproxy, "haproxy.cfg", haproxyBase + "  http-reuse always\nfrontend f\n  bind " + haproxy + "\n  default_backend b\nbackend b\n  server s " + origin + "\n"},
		{"0", "caddy", caddy, "Caddyfile", "{\n  admin off\n  auto_https off\n  log {\n    level ERROR\n  }\n}\nhttp://" + caddy + " {\n  reverse_proxy " + origin + "\n}\n"},
		{"0", "lukhas-run, no guard", bare, "bare.yaml", topology(bare, "{}")},
		{"0", "lukhas-run, every guard", guarded, "guarded.yaml", topology(guarded, every)},
	} {
		path := filepath.Join(dir, p.file)
		if err := os.WriteFile(path, []byte(p.text), 0o600); err != nil {
			return nil, stop, err
		}
		args := []string{"haproxy", "-db", "-q", "-f", path}
		switch filepath.Ext(p.file) {
		case "":
			args = []string{"caddy", "run", "--config", path, "--adapter", "caddyfile"}
		case ".yaml":
			args = []string{binary, "run", path, "--data", path + ".d"}
		}
		if err := start(p.core, p.name, p.address, args...); err != nil {
			return nil, stop, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return subjects, stop, nil
}

const haproxyBase = `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
`

// every has each layer, wide enough that nothing is refused.
const every = `
        rate_limit: {rate: 1000000/s, burst: 100000}
        bulkhead: {concurrent: 1000, queue: 100, wait: 1s}
        adaptive: {min: 200, max: 1000}
        breaker:
          window: 10s
          min_calls: 20
          trip: {consecutive_failures: 50, error_rate: 50%, slow_calls: {over: 5s, rate: 50%}}
        retry: {attempts: 3, budget: 10%}
        hedge: {after: 5s, max: 1}
        timeout: 10s
        deadline: 20s
        fallback: [{reply: {degraded: true}, status: 503}]`

func topology(address, guard string) string {
	return fmt.Sprintf(`apiVersion: lukhas/v1
kind: Topology
metadata: {name: bench}
root:
  strategy: one_for_one
  children:
    - name: origin
      upstream: {url: "http://%s"}
      guard: %s
gateway:
  - name: public
    listen: %s
    routes: [{name: all, path: /, to: origin}]
`, origin, guard, address)
}

// answers waits until a server does.
func answers(address string) error {
	var last error
	for range 200 {
		if out, err := exec.Command("curl", "-sf", "-m", "1", "-o", "/dev/null", "http://"+address+"/").CombinedOutput(); err == nil {
			return nil
		} else {
			last = fmt.Errorf("no answer from %s: %w %s", address, err, out)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return last
}

var (
	counted  = regexp.MustCompile(`(\d+) requests in ([\d.]+)(s|m)`)
	rate     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	statuses = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
	sockets  = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
)

// measure loads one server for some seconds.
func (s *subject) measure(span int) error {
	before, err := s.time()
	if err != nil {
		return err
	}
	out, err := exec.Command("taskset", "-c", "1", "wrk", "-t", "1", "-c", "64", "-d", strconv.Itoa(span)+"s", "http://"+s.address+"/").CombinedOutput()
	if err != nil {
		return fmt.Errorf("wrk: %w: %s", err, out)
	}
	after, err := s.time()
	if err != nil {
		return err
	}
	requests, perSecond := counted.FindSubmatch(out), rate.FindSubmatch(out)
	if requests == nil || perSecond == nil {
		return fmt.Errorf("wrk said %s", out)
	}
	n, _ := strconv.ParseFloat(string(requests[1]), 64)
	r, _ := strconv.ParseFloat(string(perSecond[1]), 64)
	s.rates = append(s.rates, r)
	s.costs = append(s.costs, float64((after-before).Microseconds())/n)
	for _, pattern := range []*regexp.Regexp{statuses, sockets} {
		if m := pattern.FindSubmatch(out); m != nil {
			for _, text := range m[1:] {
				lost, _ := strconv.Atoi(string(text))
				s.failed += lost
			}
		}
	}
	return nil
}

// time is the processor time that the server has used; taskset has become the server by exec.
func (s *subject) time() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, nil
}

func median[T cmp.Ordered](of []T) T {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// report prints medians, and ratios of what one core can do: the inverse of the processor time a request costs.
func report(subjects []*subject) {
	fmt.Println("| server | requests/s | processor time a request | requests a core-second | x haproxy | x Caddy | failed |")
	fmt.Println("|---|---|---|---|---|---|---|")
	cost := map[string]float64{}
	for _, s := range subjects {
		cost[s.name] = median(s.costs)
	}
	for _, s := range subjects {
		c := cost[s.name]
		fmt.Printf("| %s | %.0f | %.1f us | %.0f | %.2f | %.2f | %d |\n", s.name, median(s.rates), c, 1e6/c, cost["haproxy"]/c, cost["caddy"]/c, s.failed)
	}
	with, without := cost["lukhas-run, every guard"], cost["lukhas-run, no guard"]
	var pairs []float64
	for i := range subjects[3].costs {
		pairs = append(pairs, 100*(1-subjects[2].costs[i]/subjects[3].costs[i]))
	}
	fmt.Printf("\nguards cost %.1f%% of the throughput of a core (median of the rounds: %.1f%%)\n", 100*(1-without/with), median(pairs))
}
