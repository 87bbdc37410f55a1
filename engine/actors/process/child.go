package process

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// child is a started process with its group. Its methods are safe for concurrent use.
type child struct {
	pid    int
	exited chan struct{} // closed once the leader is reaped and its group is killed; then end is set

	mu     sync.Mutex
	reaped bool // from here on pid may belong to somebody else: no signal may be sent to it

	end ending
}

// ending is how a process ended.
type ending struct {
	code   int    // -1 when a signal ended it
	signal string // "" when it exited
}

func (e ending) String() string {
	if e.signal != "" {
		return "killed by signal " + e.signal
	}
	return fmt.Sprintf("exited with code %d", e.code)
}

// spawn starts the command in a process group of its own with the given files as its standard streams. They may be closed
// when spawn returns. The goroutine that it leaves behind ends when the process has: it is locked to its thread, because
// the death signal is sent when the thread that forked ends, not when the engine does.
func spawn(c Command, stdin, stdout, stderr *os.File) (*child, error) {
	cmd := &exec.Cmd{Path: c.Path, Args: c.Args, Dir: c.Dir, Env: c.Env, SysProcAttr: ownGroup()}
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if stdout != nil {
		cmd.Stdout = stdout
	}
	if stderr != nil {
		cmd.Stderr = stderr
	}
	p := &child{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			p.pid = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.wait(cmd)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%q: %w", c.Path, err)
	}
	return p, nil
}

// wait returns when the leader has ended and nothing of its group is left.
func (p *child) wait(cmd *exec.Cmd) {
	awaitEnd(cmd)
	p.mu.Lock()
	_ = syscall.Kill(-p.pid, syscall.SIGKILL) // what the leader left behind; the zombie still keeps the number
	_ = cmd.Wait()                            // its error is the exit status, read below
	p.reaped = true
	p.mu.Unlock()
	p.end = endingOf(cmd.ProcessState)
	close(p.exited)
}

func endingOf(state *os.ProcessState) ending {
	if state == nil {
		return ending{code: -1}
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return ending{code: -1, signal: signalName(ws.Signal())}
	}
	return ending{code: state.ExitCode()}
}

// signal sends s to the whole group; it does nothing when the process is gone.
func (p *child) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.pid, s)
	}
}

// alive runs f while the process cannot be reaped, so that its number stays its own; false when it is gone.
func (p *child) alive(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		f()
	}
	return !p.reaped
}

// stop asks the group to end by s, and kills it when the leader is still there at the grace's end or when ended is closed.
// It returns when nothing of the group is left.
func (p *child) stop(s syscall.Signal, grace time.Duration, after afterFunc, ended <-chan struct{}) {
	late := make(chan struct{})
	timer := after(grace, func() { close(late) })
	defer timer.Stop()
	p.signal(s)
	select {
	case <-p.exited:
		return
	case <-late:
	case <-ended:
	}
	p.signal(syscall.SIGKILL)
	<-p.exited
}

func signalName(s syscall.Signal) string {
	for _, known := range stopSignals {
		if known.signal == s {
			return known.name
		}
	}
	switch s {
	case syscall.SIGSEGV:
		return "SEGV"
	case syscall.SIGABRT:
		return "ABRT"
	case syscall.SIGBUS:
		return "BUS"
	case syscall.SIGPIPE:
		return "PIPE"
	case syscall.SIGILL:
		return "ILL"
	case syscall.SIGFPE:
		return "FPE"
	}
	return s.String()
}
