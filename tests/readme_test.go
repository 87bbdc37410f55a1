package tests

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/internal/calm"
)

// The README's transcript is told again, so that it cannot rot: the first command is started, the commands of the second
// terminal are run one after the other, each until it says what the README shows, then Ctrl-C. What the run printed must
// hold the README's lines in the README's order. Times, numbers and ids may differ, but a number that a line of the README
// shows and a later command uses (a process id) stands for the real one.
func TestReadmeTranscript(t *testing.T) {
	data, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	here := adapted(t)
	first, second := transcript(here.Replace(string(data)))
	if first == nil || len(second) < 5 {
		t.Fatalf("the README has no transcript: %v, %d commands", first, len(second))
	}
	dir := workspace(t, here)
	engine := startTold(t, dir, first.command)
	real := map[string]string{}
	for _, c := range second {
		again(t, dir, c, real)
	}
	out := engine.stop(t)
	if missing, ok := holds(out, first.output, real); !ok {
		t.Errorf("the run does not say, in this order, %q in\n%s", missing, out)
	}
}

// told is a command of the README and what it shows below it.
type told struct {
	command string
	output  []string
}

// transcript gives the first console block's command and the commands of those after it that belong to the same story.
func transcript(readme string) (*told, []told) {
	_, story, _ := strings.Cut(readme, "<!-- transcript begins -->")
	story, _, _ = strings.Cut(story, "<!-- transcript ends -->")
	var all []told
	for i, block := range strings.Split(story, "```") {
		if i%2 == 0 || !strings.HasPrefix(block, "console\n") {
			continue
		}
		for _, line := range strings.Split(strings.TrimSpace(block), "\n")[1:] {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				all = append(all, told{command: command})
			} else if line = strings.TrimSpace(line); line != "" && line != "…" && len(all) > 0 {
				last := &all[len(all)-1]
				last.output = append(last.output, line)
			}
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return &all[0], all[1:]
}

// adapted puts addresses that are free in place of the README's, and leaves a loaded machine the time to see that a worker is broken.
func adapted(t *testing.T) *strings.Replacer {
	return strings.NewReplacer("127.0.0.1:7680", calm.Address(t), "127.0.0.1:7681", calm.Address(t), `{"seconds": 6}`, `{"seconds": 600}`)
}

// workspace is a folder with the examples in it, as a fresh clone has.
func workspace(t *testing.T, here *strings.Replacer) string {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS("../examples")); err != nil {
		t.Fatal(err)
	}
	quickstart := filepath.Join(dir, "examples", "quickstart.yaml")
	text, err := os.ReadFile(quickstart)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(quickstart, []byte(here.Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shell makes a README's command run: this binary instead of go run, and no need for curl.
func shell(dir, command string) *exec.Cmd {
	command = strings.ReplaceAll(command, "go run ./cmd/lukhas-run ", "lukhas-run ")
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return cmd
}

// running is the engine of the transcript.
type running struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
}

// Write gathers what it says; its output and errors come from two goroutines.
func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(p)
}

func startTold(t *testing.T, dir, command string) *running {
	t.Helper()
	r := &running{cmd: shell(dir, "exec "+strings.TrimPrefix(strings.ReplaceAll(command, "go run ./cmd/lukhas-run ", "lukhas-run "), "exec "))}
	r.cmd.Stdout, r.cmd.Stderr = r, r
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	return r
}

// stop is Ctrl-C.
func (r *running) stop(t *testing.T) string {
	t.Helper()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// again runs a command until it says what the README shows, two minutes at most: the service fails by itself every 20 s. What changes something is run once.
func again(t *testing.T, dir string, c told, real map[string]string) {
	t.Helper()
	command := c.command
	for shown, now := range real {
		command = regexp.MustCompile(`\b`+shown+`\b`).ReplaceAllString(command, now)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*calm.Long)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		out, err := say(dir, command)
		missing, ok := holds(out, c.output, real)
		if ok && err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("$ %s\nerror %v, misses %q in\n%s", command, err, missing, out)
		}
	}
}

// say runs a command and gives all it prints. Requests are made without curl, which a machine may not have.
func say(dir, command string) (string, error) {
	m := regexp.MustCompile(`^curl (?:-X POST )?(?:-d '([^']*)' )?(\S+)$`).FindStringSubmatch(command)
	if m == nil {
		out, err := shell(dir, command).CombinedOutput()
		return string(out), err
	}
	method := http.MethodGet
	if strings.Contains(command, " -d ") || strings.Contains(command, " -X POST ") {
		method = http.MethodPost
	}
	return fetch(method, strings.Trim(m[2], `'"`), m[1], 0)
}

// holds looks for the wanted lines in this order, and learns which number stands for which.
func holds(text string, wanted []string, real map[string]string) (missing string, ok bool) {
	lines := strings.Split(text, "\n")
	at := 0
	for _, w := range wanted {
		for at < len(lines) && plain(lines[at]) != plain(w) {
			at++
		}
		if at == len(lines) {
			return w, false
		}
		learn(w, lines[at], real)
		at++
	}
	return "", true
}

var (
	numbers = regexp.MustCompile(`\d+(\.\d+)?`)
	varies  = regexp.MustCompile(`\d[\d.:TZ-]*(ns|µs|ms|s|m|h|%)?(\d[\d.]*(ms|s|m)?)*`)
	digest  = regexp.MustCompile(`\b[0-9a-f]{12}\b`)
)

// plain leaves of a line what must be the same each time: no times, numbers, digests or widths.
func plain(line string) string {
	line = digest.ReplaceAllString(line, "#")
	line = varies.ReplaceAllString(line, "#")
	return strings.Join(strings.Fields(line), " ")
}

// learn pairs the numbers of a line as shown with those of the line as it was.
func learn(shown, now string, real map[string]string) {
	a, b := numbers.FindAllString(shown, -1), numbers.FindAllString(now, -1)
	for i := range min(len(a), len(b)) {
		if len(a[i]) >= 4 && strings.Contains(shown, "pid") { // only what identifies something
			real[a[i]] = b[i]
		}
	}
}

// A line of the README that the program does not print is found.
func TestTranscriptIsComparedForReal(t *testing.T) {
	real := map[string]string{}
	out := fmt.Sprintf("a\nworker started pid %d\nready after 12ms", 777123)
	if _, ok := holds(out, []string{"worker started pid 4711", "ready after 1.5s"}, real); !ok || real["4711"] != "777123" {
		t.Errorf("numbers may differ and are learnt: %t, %v", ok, real)
	}
	for _, wrong := range [][]string{{"worker stopped pid 4711"}, {"ready after 12ms", "a"}} {
		if _, ok := holds(out, wrong, real); ok {
			t.Errorf("%q is not there", wrong)
		}
	}
}
