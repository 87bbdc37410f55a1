package process

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lukhasai/lukhas-run/internal/calm"
)

// onPassingThread runs f on a thread that ends with the goroutine. The program's first thread never ends, so whoever gets
// that one holds it while another tries.
func onPassingThread(f func()) {
	runtime.LockOSThread()
	if syscall.Gettid() != os.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() { defer close(done); onPassingThread(f) }()
	<-done
	runtime.UnlockOSThread()
}

func pidIn(t *testing.T, line string) int {
	t.Helper()
	_, text, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("no process number in %q", line)
	}
	return pid
}

// running is false for a process that is gone or dead and only waits to be reaped by a stranger.
func running(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

func gone(t *testing.T, pid int) {
	t.Helper()
	calm.Until(t, fmt.Sprintf("process %d to be gone", pid), func() bool { return !running(pid) })
}

func goneThread(t *testing.T, tid int) {
	t.Helper()
	calm.Until(t, "the thread to end", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid))
		return err != nil
	})
}
