package journal

import (
	"errors"
	"os"
	"syscall"
)

// fdatasync makes content and size durable and leaves times alone, which saves
// a write of the inode. An interrupted call has not reported an error yet, so
// it may be made again; any other failure must not be.
func fdatasync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
