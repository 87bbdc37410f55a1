package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/spec"
)

// binary is built once for all stories; TestMain fills it in before any test runs.
var binary string

func TestMain(m *testing.M) { os.Exit(withBinary(m)) }

func withBinary(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lukhas")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "lukhas-run")
	// Whatever git says of this directory, and whoever owns it.
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../cmd/lukhas-run")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "building lukhas-run:", err)
		return 1
	}
	return m.Run()
}

// Every file in testdata/script is a story told to the binary, each in a folder of its own. Beside testscript's own
// commands there are those of storyCommands.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("NO_COLOR", "1")
			examples, err := filepath.Abs("../examples")
			e.Setenv("EXAMPLES", examples)
			return err
		},
		Cmds: storyCommands(),
	})
}

func storyCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"eventually": eventually, // COMMAND… [-- TEXT…]: again until it succeeds and says all texts, a minute at most
		"ports":      ports,      // NAME…: sets each to a loopback address that is free
		"spec":       substitute, // FILE…: puts the addresses in place of $GATEWAY, $UPSTREAM and $OTHER
		"listen":     listen,     // ADDRESS: holds it until the story ends
		"http":       request,    // METHOD URL STATUS [BODY]: the answer's body becomes stdout
		"calls":      manyCalls,  // N METHOD URL STATUS: so many requests, one after the other
		"pid":        pid,        // PATH NAME: sets NAME to the process id of an actor
		"incident":   incident,   // FILE TYPE…: the JSON lines hold these types in this order under one correlation id
		"decided":    decided,    // FILE SCENARIO: the scenario, played, decides what the JSON lines tell, in their order
		"order":      order,      // FILE ACTOR…: the JSON lines name these actors in this order
	}
}

// eventually runs a command again and again until it succeeds and its output contains all texts.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually COMMAND… [-- TEXT…]")
	}
	command, texts := args, []string(nil)
	if i := slices.Index(args, "--"); i >= 0 {
		command, texts = args[:i], args[i+1:]
	}
	out := ""
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(calm.Long); time.Now().Before(end); <-tick.C {
		said, err := attempt(ts, command)
		if out = said; err == nil && containsAll(out, texts) {
			return
		}
	}
	ts.Fatalf("%s: still not as wanted after %s: want %q in\n%s", strings.Join(command, " "), calm.Long, texts, out)
}

// attempt runs a program of the story, or one of the few questions that need no program.
func attempt(ts *testscript.TestScript, command []string) (string, error) {
	switch command[0] {
	case "poke": // URL: the body of a GET
		return fetch(http.MethodGet, command[1], "", 0)
	case "poked": // URL COMMAND…: the command after a GET, so that there is traffic
		_, _ = fetch(http.MethodGet, command[1], "", 0) // whatever it says
		command = command[2:]
	case "nodrift": // the running engine and its files agree
		st, err := status(ts)
		if err == nil && st.Drift != "" {
			err = errors.New(st.Drift)
		}
		return "", err
	case "healthy": // PATH: the actor's health check passes
		st, err := status(ts)
		if err == nil && slices.ContainsFunc(st.Actors, func(a admin.ActorStatus) bool { return a.Path == command[1] && a.Unhealthy }) {
			err = errors.New("unhealthy")
		}
		return "", err
	case "changed": // PATH PID: the actor runs under another process id
		st, err := status(ts)
		if err == nil && (pidOf(st, command[1]) == 0 || fmt.Sprint(pidOf(st, command[1])) == command[2]) {
			err = errors.New("the same process")
		}
		return "", err
	}
	cmd := program(ts, command...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// program is a command as the story's exec would run it.
func program(ts *testscript.TestScript, args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	if args[0] == "lukhas-run" {
		cmd.Path, cmd.Err = binary, nil
	}
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	return cmd
}

// containsAll looks for all texts; a run of blanks, as between a table's columns, is one blank.
func containsAll(text string, wanted []string) bool {
	text = strings.Join(strings.Fields(text), " ")
	return !slices.ContainsFunc(wanted, func(w string) bool { return !strings.Contains(text, w) })
}

func status(ts *testscript.TestScript) (admin.Status, error) {
	var st admin.Status
	out, err := program(ts, "lukhas-run", "status", "-o", "json").Output()
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(out, &st)
}

func pidOf(st admin.Status, path string) int {
	for _, a := range st.Actors {
		if a.Path == path {
			return a.PID
		}
	}
	return 0
}

func pid(ts *testscript.TestScript, _ bool, args []string) {
	st, err := status(ts)
	ts.Check(err)
	n := pidOf(st, args[0])
	if n == 0 {
		ts.Fatalf("%s has no process", args[0])
	}
	ts.Setenv(args[1], fmt.Sprint(n))
}

// ports sets each name to a loopback address that nobody listens on.
func ports(ts *testscript.TestScript, _ bool, names []string) {
	for _, n := range names {
		address, release, err := calm.Reserve()
		ts.Check(err)
		ts.Defer(release)
		ts.Setenv(n, address)
	}
}

func listen(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", args[0])
	ts.Check(err)
	ts.Defer(func() { l.Close() })
}

// substitute puts addresses into files, leaving ${…} to the language.
func substitute(ts *testscript.TestScript, _ bool, files []string) {
	for _, f := range files {
		data := ts.ReadFile(f)
		for _, name := range []string{"GATEWAY", "UPSTREAM", "OTHER"} {
			if v := ts.Getenv(name); v != "" {
				data = strings.ReplaceAll(data, "$"+name, v)
			}
		}
		ts.Check(os.WriteFile(ts.MkAbs(f), []byte(data), 0o600))
	}
}

// manyCalls makes requests one after the other; each must have the status.
func manyCalls(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: calls N METHOD URL STATUS")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for range n {
		request(ts, false, args[1:])
	}
}

// request makes one HTTP request and checks its status.
func request(ts *testscript.TestScript, _ bool, args []string) {
	body := ""
	if len(args) > 3 {
		body = args[3]
	}
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	out, err := fetch(args[0], args[1], body, want)
	fmt.Fprint(ts.Stdout(), out)
	ts.Check(err)
}

// fetch gives a body; a status other than want is an error, 0 wants none in particular.
func fetch(method, url, body string, want int) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), calm.Long)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err == nil && want != 0 && res.StatusCode != want {
		err = fmt.Errorf("%s %s: %s, want %d: %s", method, url, res.Status, want, data)
	}
	return string(data), err
}

// lines decodes JSON lines of events.
func lines(ts *testscript.TestScript, file string) []admin.Event {
	var list []admin.Event
	for _, l := range strings.Split(strings.TrimSpace(ts.ReadFile(file)), "\n") {
		var e admin.Event
		ts.Check(json.Unmarshal([]byte(l), &e))
		list = append(list, e)
	}
	return list
}

// incident checks that one correlation id holds the types in order and that each but the first names an earlier cause.
func incident(ts *testscript.TestScript, _ bool, args []string) {
	byID := map[string][]admin.Event{}
	for _, e := range lines(ts, args[0]) {
		byID[e.Correlation] = append(byID[e.Correlation], e)
	}
	for id, events := range byID {
		want := args[1:]
		for i, e := range events {
			if len(want) > 0 && e.Type == want[0] && (i == 0 || e.Causation > 0 && e.Causation < e.Seq) {
				want = want[1:]
			}
		}
		if id != "" && len(want) == 0 {
			return
		}
	}
	ts.Fatalf("no incident with %q in %v", args[1:], byID)
}

// order checks that the actors are named in this order.
func order(ts *testscript.TestScript, _ bool, args []string) {
	want := args[1:]
	for _, e := range lines(ts, args[0]) {
		if len(want) > 0 && e.Actor == want[0] {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		ts.Fatalf("%q does not come, or too early", want[0])
	}
}

// decided plays a scenario and compares its decisions with those of a journal.
func decided(ts *testscript.TestScript, _ bool, args []string) {
	want, got := []string{}, []string{}
	for _, e := range lines(ts, args[0]) {
		var body map[string]any
		if err := json.Unmarshal(e.Body, &body); err == nil {
			want = appendDecision(want, e.Type, e.Actor, body)
		}
	}
	l := scenario.Load(spec.OS(), ts.MkAbs(args[1]), spec.Options{Exe: binary}, compiler.Options{})
	if len(l.Scenarios) != 1 {
		ts.Fatalf("%s: %v", args[1], l.Diagnostics)
	}
	r, err := scenario.Run(l.Scenarios[0], scenario.Options{Record: true})
	ts.Check(err)
	for _, e := range r.Tape.Entries {
		var body map[string]any
		if err := json.Unmarshal(e.Event.Payload, &body); err == nil {
			got = appendDecision(got, e.Event.Type.String(), e.Event.Actor, body)
		}
	}
	if !slices.Equal(got, want) || len(want) == 0 {
		ts.Fatalf("the scenario decided\n%s\nand the journal tells\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// appendDecision adds what an event decided. Half open breakers try as often as calls come, so only their ends count.
func appendDecision(to []string, kind, actor string, body map[string]any) []string {
	switch kind {
	case "breaker_changed":
		if body["to"] == "open" && body["from"] == "closed" || body["to"] == "closed" {
			return append(to, fmt.Sprint("breaker ", body["breaker"], " ", body["to"]))
		}
	case "actor_restarting", "supervisor_gave_up", "paused", "resumed", "reload_committed", "quarantined":
		return append(to, kind+" "+actor)
	}
	return to
}
