package journal

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// childDir tells a copy of the test binary to append to this journal until it is killed.
const childDir = "JOURNAL_TEST_CHILD_DIR"

// killRounds overrides how often the child is killed; 1000 is the release gate.
const killRounds = "JOURNAL_KILL_ROUNDS"

// appendForEver prints the number of each event once it is acknowledged.
func appendForEver(dir string) {
	j, err := Open(dir, Options{SegmentBytes: 20_000})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for n := 0; ; n++ {
		batch := make([]Event, 1+n%3)
		for i := range batch {
			batch[i] = New("child", Logged{Text: fmt.Sprint(os.Getpid(), " ", n, " ", i)})
		}
		first, ack := j.Append(batch...)
		if reach, err := ack.Wait(context.Background()); err != nil || reach != Durable {
			fmt.Println("error", reach, err)
			os.Exit(1)
		}
		fmt.Println(first+uint64(len(batch))-1, os.Getpid(), n)
	}
}

func TestKillNineLosesNothingAcknowledged(t *testing.T) {
	rounds := 20
	if text := os.Getenv(killRounds); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	acked := map[uint64]string{} // number -> what the last event of the batch starts with
	for round := range rounds {
		runAndKill(t, dir, 3+round*7%40, acked)
		r, err := OpenReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		report, err := r.Verify()
		if err != nil || !report.Intact() {
			t.Fatalf("round %d: %+v, %v", round, report, err)
		}
	}
	j := open(t, dir, Options{})
	next := uint64(1)
	for _, e := range all(t, j.Scan(Query{})) {
		if e.Seq != next {
			t.Fatalf("event %d where %d is expected", e.Seq, next)
		}
		next++
		want, ok := acked[e.Seq]
		if b, err := e.Body(); ok && (err != nil || len(b.(Logged).Text) < len(want) || b.(Logged).Text[:len(want)] != want) {
			t.Fatalf("acknowledged event %d is %v, want %q", e.Seq, b, want)
		}
		delete(acked, e.Seq)
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged events are gone: %v", len(acked), acked)
	}
}

// runAndKill starts the child and kills it after it has acknowledged n batches.
func runAndKill(t *testing.T, dir string, n int, acked map[uint64]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; lines.Scan(); i++ {
		var seq uint64
		var pid, batch int
		if _, err := fmt.Sscan(lines.Text(), &seq, &pid, &batch); err != nil {
			t.Errorf("child says %q", lines.Text())
			break
		}
		acked[seq] = fmt.Sprint(pid, " ", batch, " ")
		if i == n {
			cmd.Process.Kill()
		}
	}
	cmd.Wait() // it was killed, so this is an error
}
