//go:build unix

package journal

import (
	"errors"
	"os"
	"syscall"
)

// errHeld is what flock returns when someone else holds the lock.
var errHeld error = syscall.EWOULDBLOCK

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
