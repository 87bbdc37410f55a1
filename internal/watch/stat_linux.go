package watch

import (
	"os"
	"syscall"
)

// identify describes what path leads to; the zero value when there is nothing.
func identify(path string) print {
	info, err := os.Stat(path)
	if err != nil {
		return print{}
	}
	p := print{size: info.Size(), changed: info.ModTime().UnixNano()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		p.ino = int64(st.Ino)
		p.ctime = st.Ctim.Nano()
	}
	return p
}
