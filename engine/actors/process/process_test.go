package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/internal/fake"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// The test binary is also the process that the tests supervise: HELPER says which.
func TestMain(m *testing.M) {
	if mode := os.Getenv("HELPER"); mode != "" {
		helper(mode)
		os.Exit(0)
	}
	calm.Main(m)
}

func helper(mode string) {
	switch mode {
	case "worker":
		worker()
	case "deaf": // never reads
		fmt.Println("READY")
		select {}
	case "stubborn": // will not stop when asked, and has a child that will not either
		signal.Ignore(syscall.SIGTERM)
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "HELPER=sleeper")
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Println("CHILD", child.Process.Pid)
		select {}
	case "sleeper":
		signal.Ignore(syscall.SIGTERM)
		select {}
	case "parent": // leaves a child in its group and one outside, both holding the pipes, and exits
		for _, apart := range []bool{false, true} {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), "HELPER=sleeper")
			child.Stdout, child.Stderr = os.Stdout, os.Stderr
			child.SysProcAttr = &syscall.SysProcAttr{Setpgid: apart}
			if err := child.Start(); err != nil {
				panic(err)
			}
			fmt.Println("CHILD", child.Process.Pid)
		}
		os.Exit(3)
	case "engine": // starts a process and waits to be killed
		a := definition("sleeper")
		b, err := New(clock.System())(a, &plan.Plan{Dir: "."})
		if err != nil {
			panic(err)
		}
		if err := b.(engine.Runner).Start(fake.NewLife(a.Path)); err != nil {
			panic(err)
		}
		pid, _ := b.(engine.Located).Locate()
		fmt.Println("CHILD", pid)
		select {}
	case "chatter":
		for i := range 5000 {
			fmt.Println("line", i)
		}
		fmt.Println(strings.Repeat("x", maxLine+100))
	case "exit":
		fmt.Fprintln(os.Stderr, "going down")
		code, _ := strconv.Atoi(os.Getenv("CODE"))
		os.Exit(code)
	case "env":
		for _, v := range os.Environ() {
			fmt.Println(v)
		}
	}
}

// worker speaks jsonl.
func worker() {
	fmt.Println("READY")
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var m struct {
			ID      int    `json:"id"`
			Type    string `json:"type"`
			Payload any    `json:"payload"`
		}
		if err := json.Unmarshal(line, &m); err != nil {
			panic(err)
		}
		out := json.NewEncoder(os.Stdout)
		switch m.Type {
		case "echo":
			_ = out.Encode(map[string]any{"id": m.ID, "reply": m.Payload})
		case "text_id":
			_ = out.Encode(map[string]any{"id": strconv.Itoa(m.ID), "reply": "text"})
		case "refuse":
			_ = out.Encode(map[string]any{"id": m.ID, "error": map[string]any{"kind": "invalid", "message": "no"}})
		case "garbage":
			fmt.Println(`{"id": "?", not json`)
			fmt.Println(`{"id": 99999, "reply": "invented"}`)
			_ = out.Encode(map[string]any{"id": m.ID, "reply": nil})
		case "die":
			os.Exit(7)
		case "silent":
			fmt.Println("SILENT")
		}
	}
}

func definition(mode string, env ...string) *plan.Actor {
	a := &plan.Actor{
		Name: "w", Path: "root/w", Definition: &plan.Definition{
			Kind: plan.Process, Place: "t.yaml:3:5",
			Process: &plan.ProcessSpec{Command: []string{os.Args[0]}, Protocol: "none", Grace: calm.Long, Signal: "TERM"},
		}}
	a.Process.Env = []plan.EnvVar{{Name: "HELPER", Value: mode}}
	for i := 0; i+1 < len(env); i += 2 {
		a.Process.Env = append(a.Process.Env, plan.EnvVar{Name: env[i], Value: env[i+1]})
	}
	return a
}

// begin starts an actor and stops it at the test's end.
func begin(t *testing.T, a *plan.Actor) (*actor, *fake.Life) {
	t.Helper()
	b, err := New(clock.System())(a, &plan.Plan{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	life := fake.NewLife(a.Path)
	if err := b.(engine.Runner).Start(life); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopNow(b.(*actor)) })
	return b.(*actor), life
}

func stopNow(a *actor) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = a.Stop(ctx)
}

func await(t *testing.T, life *fake.Life, text string) string {
	t.Helper()
	for {
		if line := life.Logged(t); strings.Contains(line.Text, text) {
			return line.Text
		}
	}
}

func ask(a *actor, m engine.Msg, timeout time.Duration) (any, *engine.Error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	v, err := a.exchange.ask(ctx, m)
	return v, engine.ErrorOf(err, "")
}

func jsonl(a *plan.Actor, inFlight int) *plan.Actor {
	a.Process.Protocol, a.Process.InFlight = "jsonl", inFlight
	return a
}

func TestMessagesGoThroughAndComeBack(t *testing.T) {
	a, life := begin(t, jsonl(definition("worker"), 4))
	await(t, life, "READY")
	ctx := fake.New(a.def)
	payload := map[string]any{"n": 1.5, "list": []any{"a", nil}}
	if err := a.Handle(ctx, engine.Msg{Type: "echo", Payload: payload}); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(ctx.Replied), fmt.Sprint([]any{payload}); got != want {
		t.Errorf("replied %s, want %s", got, want)
	}
	if err := a.Handle(ctx, engine.Msg{Type: "refuse"}); err != nil {
		t.Fatal(err)
	}
	if len(ctx.Failed) != 1 || ctx.Failed[0].Kind != "invalid" || ctx.Failed[0].Message != "no" || !ctx.Failed[0].Delivered {
		t.Errorf("failed with %+v", ctx.Failed)
	}
	if v, failed := ask(a, engine.Msg{Type: "text_id"}, calm.Long); failed != nil || v != "text" {
		t.Errorf("an id that came back as text: %v, %v", v, failed)
	}
}

func TestGarbageIsLoggedAndTheConversationGoesOn(t *testing.T) {
	a, life := begin(t, jsonl(definition("worker"), 0))
	if _, failed := ask(a, engine.Msg{Type: "garbage"}, calm.Long); failed != nil {
		t.Fatal(failed)
	}
	await(t, life, "not json")
	await(t, life, "invented")
	if v, failed := ask(a, engine.Msg{Type: "echo", Payload: "on"}, calm.Long); failed != nil || v != "on" {
		t.Errorf("%v, %v", v, failed)
	}
}

func TestConcurrentAnswersFindTheirRequests(t *testing.T) {
	a, _ := begin(t, jsonl(definition("worker"), 3))
	errs := make(chan error, 64)
	for i := range cap(errs) {
		go func() {
			v, failed := ask(a, engine.Msg{Type: "echo", Payload: float64(i)}, calm.Long)
			if failed != nil {
				errs <- failed
				return
			}
			if v != float64(i) {
				errs <- fmt.Errorf("asked %d, got %v", i, v)
				return
			}
			errs <- nil
		}()
	}
	for range cap(errs) {
		if err := calm.Await(t, "an answer", errs); err != nil {
			t.Error(err)
		}
	}
}

func TestADeathFailsWhatWaits(t *testing.T) {
	a, life := begin(t, jsonl(definition("worker"), 2))
	silent := make(chan *engine.Error, 1)
	go func() {
		_, failed := ask(a, engine.Msg{Type: "silent"}, calm.Long)
		silent <- failed
	}()
	await(t, life, "SILENT")
	if _, failed := ask(a, engine.Msg{Type: "die"}, calm.Long); failed == nil || failed.Kind != engine.KindCrash || !failed.Delivered {
		t.Errorf("the deadly message: %+v", failed)
	}
	if failed := calm.Await(t, "the waiting one", silent); failed == nil || failed.Kind != engine.KindCrash || !failed.Delivered {
		t.Errorf("the waiting one: %+v", failed)
	}
	end := calm.Await(t, "the end", life.Ends)
	if end == nil || end.ExitCode != 7 || end.Kind != engine.KindExit {
		t.Errorf("told %+v", end)
	}
	if _, failed := ask(a, engine.Msg{Type: "echo"}, calm.Long); failed == nil || failed.Kind != engine.KindUnreachable || failed.Delivered {
		t.Errorf("after it: %+v", failed)
	}
}

// A process that never reads must not hold callers longer than they want to wait, nor its own stop.
func TestAProcessThatDoesNotReadBlocksNobody(t *testing.T) {
	calm.Slower(t, 200*time.Millisecond, func(timeout time.Duration) error {
		a, _ := begin(t, jsonl(definition("deaf"), 0))
		big := strings.Repeat("x", 200<<10)
		results := make(chan *engine.Error, 3)
		for range cap(results) {
			go func() {
				_, failed := ask(a, engine.Msg{Type: "echo", Payload: big}, timeout)
				results <- failed
			}()
		}
		delivered := 0
		for range cap(results) {
			failed := calm.Await(t, "a timeout", results)
			if failed == nil || failed.Kind != engine.KindTimeout {
				t.Fatalf("got %+v", failed)
			}
			if failed.Delivered {
				delivered++
			}
		}
		if delivered != 1 {
			return fmt.Errorf("%d requests count as delivered; only the one being written may", delivered)
		}
		return nil
	})
}

func TestInFlightBoundsWhatIsUnanswered(t *testing.T) {
	a, life := begin(t, jsonl(definition("worker"), 1))
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := a.exchange.ask(ctx, engine.Msg{Type: "silent"})
		first <- err
	}()
	await(t, life, "SILENT")
	leave()
	if failed := engine.ErrorOf(calm.Await(t, "the first", first), ""); failed == nil || !failed.Delivered {
		t.Fatalf("got %+v", failed)
	}
	_, failed := ask(a, engine.Msg{Type: "echo"}, 50*time.Millisecond)
	if failed == nil || failed.Kind != engine.KindTimeout || failed.Delivered {
		t.Errorf("a second request passed an unanswered first: %+v", failed)
	}
}

func TestAMessageThatCannotBeSaidIsRefused(t *testing.T) {
	a, _ := begin(t, jsonl(definition("worker"), 1))
	for _, payload := range []any{func() {}, strings.Repeat("x", maxLine)} {
		_, failed := ask(a, engine.Msg{Type: "echo", Payload: payload}, calm.Long)
		if failed == nil || failed.Kind != engine.KindInvalid || failed.Delivered {
			t.Errorf("got %+v", failed)
		}
	}
	if v, failed := ask(a, engine.Msg{Type: "echo", Payload: "next"}, calm.Long); failed != nil || v != "next" {
		t.Errorf("the place in flight was lost: %v %v", v, failed)
	}
}

func TestWithoutAProtocolMessagesAreRefused(t *testing.T) {
	a, _ := begin(t, definition("sleeper"))
	ctx := fake.New(a.def)
	_ = a.Handle(ctx, engine.Msg{Type: "echo"})
	if len(ctx.Failed) != 1 || !strings.Contains(ctx.Failed[0].Message, "protocol: jsonl") {
		t.Errorf("got %+v", ctx.Failed)
	}
}

func TestEndsAreTold(t *testing.T) {
	for _, c := range []struct {
		code   string
		normal []int
		fails  bool
	}{
		{"0", nil, false}, {"3", nil, true}, {"3", []int{0, 3}, false}, {"0", []int{3}, true},
	} {
		def := definition("exit", "CODE", c.code)
		def.Process.NormalExit = c.normal
		_, life := begin(t, def)
		end := calm.Await(t, "the end", life.Ends)
		if (end != nil) != c.fails {
			t.Errorf("code %s with normal_exit %v: %+v", c.code, c.normal, end)
		}
		if end != nil && (fmt.Sprint(end.ExitCode) != c.code || strings.Join(end.LastLines, "") != "going down") {
			t.Errorf("report %+v", end)
		}
	}
}

func TestASignalIsNamed(t *testing.T) {
	a, life := begin(t, definition("sleeper"))
	pid, _ := a.Locate()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	end := calm.Await(t, "the end", life.Ends)
	if end == nil || end.Signal != "KILL" || end.ExitCode != -1 {
		t.Errorf("told %+v", end)
	}
}

func TestStopAsksThenKillsTheWholeGroup(t *testing.T) {
	def := definition("stubborn")
	def.Process.Grace = 50 * time.Millisecond
	a, life := begin(t, def)
	child := pidIn(t, await(t, life, "CHILD"))
	if err := a.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	gone(t, child)
	pid, _ := a.Locate()
	gone(t, pid)
	if len(life.Ends) != 0 {
		t.Errorf("a wanted stop was told as an end: %+v", <-life.Ends)
	}
}

func TestStopIsGraceful(t *testing.T) {
	a, life := begin(t, jsonl(definition("worker"), 1))
	await(t, life, "READY")
	if err := a.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if a.child.end.signal != "TERM" {
		t.Errorf("ended %s", a.child.end)
	}
}

// What the leader leaves in its group dies with it; what left the group may hold the pipes but not us.
func TestALeaderThatLeavesChildrenBehind(t *testing.T) {
	_, life := begin(t, definition("parent"))
	inside := pidIn(t, await(t, life, "CHILD"))
	outside := pidIn(t, await(t, life, "CHILD"))
	defer syscall.Kill(outside, syscall.SIGKILL)
	end := calm.Await(t, "the end", life.Ends)
	if end == nil || end.ExitCode != 3 {
		t.Errorf("told %+v", end)
	}
	gone(t, inside)
}

// A killed engine takes its processes along.
func TestNoOrphanWhenTheEngineIsKilled(t *testing.T) {
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), "HELPER=engine")
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	child := pidIn(t, line)
	if err := syscall.Kill(child, 0); err != nil {
		t.Fatalf("the child should be there: %v", err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = host.Wait()
	gone(t, child)
}

// The death signal follows a thread: the goroutine that called Start may end with its thread and the process lives on.
func TestTheProcessOutlivesTheThreadThatAskedForIt(t *testing.T) {
	def := jsonl(definition("worker"), 1)
	b, err := New(clock.System())(def, &plan.Plan{Dir: "."})
	if err != nil {
		t.Fatal(err)
	}
	a := b.(*actor)
	thread := make(chan int, 1)
	go onPassingThread(func() {
		if err := a.Start(fake.NewLife(def.Path)); err != nil {
			t.Error(err)
		}
		thread <- syscall.Gettid()
	})
	goneThread(t, calm.Await(t, "the thread", thread))
	defer stopNow(a)
	if v, failed := ask(a, engine.Msg{Type: "echo", Payload: "alive"}, calm.Long); failed != nil || v != "alive" {
		t.Errorf("the process died with the thread that asked for it: %v, %v", v, failed)
	}
}

func TestOutputIsBounded(t *testing.T) {
	def := jsonl(definition("chatter"), 1)
	_, life := begin(t, def)
	calm.Await(t, "the end", life.Ends)
	logged, dropped, longest, cut := 0, int64(0), 0, false
	for len(life.Bodies) > 0 {
		b := (<-life.Bodies).(journal.Logged)
		logged++
		longest = max(longest, len(b.Text))
		cut = cut || strings.Contains(b.Text, "was cut")
		if n, ok := b.Fields["dropped"].(int64); ok {
			dropped += n
		}
	}
	if logged > logBurst+2 || dropped == 0 || longest > maxLogged || !cut {
		t.Errorf("logged %d, dropped %d, longest %d, cut %v", logged, dropped, longest, cut)
	}
	if int64(logged-2)+dropped != 5001 { // beside the lines: the cut and the drop
		t.Errorf("logged %d and dropped %d do not add up", logged, dropped)
	}
}

func TestTheEnvironmentIsMinimal(t *testing.T) {
	t.Setenv("ENGINE_SECRET", "hidden")
	_, life := begin(t, definition("env", "DECLARED", "yes"))
	calm.Await(t, "the end", life.Ends)
	var all []string
	for len(life.Bodies) > 0 {
		all = append(all, (<-life.Bodies).(journal.Logged).Text)
	}
	text := strings.Join(all, "\n")
	if strings.Contains(text, "hidden") || !strings.Contains(text, "DECLARED=yes") || !strings.Contains(text, "PATH=") {
		t.Errorf("environment:\n%s", text)
	}
}

func TestReadinessByLineAndExit(t *testing.T) {
	def := definition("deaf")
	def.Ready = &plan.Probe{Line: "READY"}
	a, _ := begin(t, def)
	if err := a.AwaitLine(t.Context()); err != nil {
		t.Error(err)
	}
	def = definition("exit", "CODE", "0")
	def.Ready = &plan.Probe{Exit: true}
	a, life := begin(t, def)
	if err := a.AwaitExit(t.Context()); err != nil {
		t.Error(err)
	}
	if len(life.Ends) != 0 {
		t.Error("a job that is done has not failed")
	}
	def = definition("exit", "CODE", "4")
	def.Ready = &plan.Probe{Line: "NEVER"}
	a, _ = begin(t, def)
	if err := a.AwaitLine(t.Context()); err == nil || !strings.Contains(err.Error(), `"NEVER"`) {
		t.Errorf("got %v", err)
	}
	if err := a.AwaitExit(t.Context()); err == nil || !strings.Contains(err.Error(), "code 4") {
		t.Errorf("got %v", err)
	}
}

func TestUsageIsMeasured(t *testing.T) {
	a, life := begin(t, definition("stubborn"))
	await(t, life, "CHILD")
	u, ok := a.Usage()
	if !ok || u.Memory < 1<<20 {
		t.Errorf("got %+v, %v", u, ok)
	}
	stopNow(a)
	if _, ok := a.Usage(); ok {
		t.Error("a dead process is measured")
	}
}

func TestCheckNamesThePlaceAndTheWayOut(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain.sh")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", plain+string(os.PathListSeparator)+os.Getenv("PATH")) // a place of PATH that cannot be looked into hides nothing
	for _, c := range []struct {
		command []string
		cwd     string
		signal  string
		is      error
		says    string
	}{
		{[]string{"no-such-program"}, "", "", ErrNotFound, "install it"},
		{[]string{"./no-such-file"}, "", "", ErrNotFound, "topology's directory"},
		{[]string{"./plain.sh"}, "", "", ErrNotExecutable, "chmod +x"},
		{[]string{"./"}, "", "", ErrNotExecutable, "directory"},
		{nil, "", "", ErrNoCommand, "command: ["},
		{[]string{"sh"}, "missing", "", ErrNoDir, "create it"},
		{[]string{"sh"}, "", "STOP", ErrSignal, "use TERM"},
	} {
		a := definition("worker")
		a.Process.Command, a.Process.Dir, a.Process.Signal = c.command, c.cwd, c.signal
		err := Check(a, dir)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "t.yaml:3:5: actor root/w: ") {
			t.Errorf("%v: %v", c.command, err)
		}
	}
	if err := Check(definition("worker"), dir); err != nil {
		t.Error(err)
	}
}

func TestAFailedStartLeavesNothing(t *testing.T) {
	a := definition("worker")
	a.Process.Command = []string{"./nope"}
	b, err := New(clock.System())(a, &plan.Plan{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	err = b.(engine.Runner).Start(fake.NewLife(a.Path))
	if failed := engine.ErrorOf(err, ""); failed == nil || failed.Kind != engine.KindStart {
		t.Errorf("got %v", err)
	}
	stopNow(b.(*actor))
}

func TestRun(t *testing.T) {
	env := func(mode, code string) []plan.EnvVar {
		return []plan.EnvVar{{Name: "HELPER", Value: mode}, {Name: "CODE", Value: code}}
	}
	if err := Run(t.Context(), clock.System(), []string{os.Args[0]}, "", ".", env("exit", "0")); err != nil {
		t.Error(err)
	}
	err := Run(t.Context(), clock.System(), []string{os.Args[0]}, "", ".", env("exit", "2"))
	if err == nil || !strings.Contains(err.Error(), "code 2: going down") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := Run(ctx, clock.System(), []string{os.Args[0]}, "", ".", env("sleeper", "")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nc"), 3)
	f.Add([]byte(strings.Repeat("x", readBuffer*2)+"\ny"), 1)
	f.Fuzz(func(t *testing.T, data []byte, chunk int) {
		var got []string
		lines(io.MultiReader(strings.NewReader(string(data[:len(data)/2])), strings.NewReader(string(data[len(data)/2:]))),
			func(line []byte, cut bool) {
				if cut != (len(line) >= maxLine) && cut {
					t.Errorf("cut at %d", len(line))
				}
				got = append(got, string(line))
			})
		want := strings.Split(string(data), "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		for i := range want {
			want[i] = strings.TrimRight(want[i], "\r")
		}
		if fmt.Sprint(got) != fmt.Sprint(want) && len(data) < maxLine {
			t.Errorf("%q: got %q, want %q", data, got, want)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"id":1,"reply":{"a":[1]}}`))
	f.Add([]byte(`{"id":"1","error":{"kind":"","message":"x"}}`))
	f.Add([]byte(`{"id":-1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		x := newExchange("a", 1)
		r, failed := x.admit(t.Context(), engine.Msg{Type: "m"})
		if failed != nil {
			t.Fatal(failed)
		}
		x.read(line)
		x.die("over")
		if got := len(r.answer); got != 1 {
			t.Errorf("%d answers", got)
		}
	})
}
