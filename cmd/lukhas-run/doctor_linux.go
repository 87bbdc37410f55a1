package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// watching reads the limits of inotify, which tells the engine that a file has changed.
func (d *doctor) watching() []checkup {
	const dir = "/proc/sys/fs/inotify/"
	var all []checkup
	for _, limit := range []struct {
		name string
		need int
	}{{"max_user_watches", 1024}, {"max_user_instances", 16}} {
		c := checkup{Name: "inotify", Result: fine}
		text, err := os.ReadFile(dir + limit.name)
		n, parseErr := strconv.Atoi(strings.TrimSpace(string(text)))
		switch {
		case err != nil || parseErr != nil:
			c.Result, c.Text, c.Help = dubious, limit.name+" cannot be read", "changes of the spec are then found by polling, every two seconds"
		case n < limit.need:
			c.Result, c.Text = dubious, fmt.Sprintf("%s is %d", limit.name, n)
			c.Help = fmt.Sprintf("sysctl fs.inotify.%s=%d; without, changes of the spec are found by polling", limit.name, limit.need*8)
		default:
			c.Text = fmt.Sprintf("%s is %d", limit.name, n)
		}
		all = append(all, c)
	}
	return all
}

// descriptors compares the limit of open files with what the spec may need: pipes for processes, connections for upstreams
// and listeners.
func (d *doctor) descriptors() checkup {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return checkup{"open files", dubious, "the limit cannot be read: " + err.Error(), ""}
	}
	need := uint64(256)
	if d.plan != nil {
		need += neededDescriptors(d.plan)
	}
	c := checkup{Name: "open files", Result: fine, Text: fmt.Sprintf("%d allowed, about %d may be needed", limit.Max, need)}
	if limit.Max < need {
		c.Result, c.Help = dubious, fmt.Sprintf("ulimit -n %d, or LimitNOFILE= of the unit", need*2)
	}
	return c
}

func neededDescriptors(p *plan.Plan) uint64 {
	const perProcess, perUpstream, perListener = 8, 256, 1024
	var need uint64
	for i := range p.Actors {
		switch p.Actors[i].Kind {
		case plan.Process:
			need += perProcess
		case plan.Upstream:
			need += perUpstream
		}
	}
	return need + uint64(len(p.Gateway))*perListener
}

// mount warns of a single file that is mounted: others replace it by renaming, which cannot be seen here.
func (d *doctor) mount(path string) []checkup {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	defer f.Close()
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil || !mountedAt(f, abs) {
		return nil
	}
	return []checkup{{"mount", dubious, path + " is a bind mount of a single file: replacing it outside is not seen here",
		"mount its directory instead"}}
}

// mountedAt looks for a mount point in mountinfo's format (its fifth field, spaces as \040).
func mountedAt(mountinfo io.Reader, path string) bool {
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 4 && strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4]) == path {
			return true
		}
	}
	return false
}

// clockSynchronised asks the kernel; when it does not tell, the clock gets the benefit of the doubt.
func clockSynchronised() bool {
	const unsynchronised = 5 // TIME_ERROR of adjtimex
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	return err != nil || state != unsynchronised
}
