//go:build unix && !linux

package process

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the process lead a group of its own. Only Linux can tie its life to the engine's.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitEnd returns when the process has ended. Here it is reaped at once: nothing portable waits without reaping.
func awaitEnd(cmd *exec.Cmd) { _ = cmd.Wait() }
