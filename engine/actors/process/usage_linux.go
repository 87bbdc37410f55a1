package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
)

const (
	tick           = time.Second / 100 // of /proc's CPU times: USER_HZ is 100 on every Linux
	maxDescendants = 256               // looked at; a process with more is measured by these
)

// usageOf sums what the process and its living descendants take, read from /proc.
func usageOf(pid int) engine.Usage {
	var sum engine.Usage
	pids := []int{pid}
	for i := 0; i < len(pids) && i < maxDescendants; i++ {
		cpu, memory := statOf(pids[i])
		sum.CPU += cpu
		sum.Memory += memory
		pids = append(pids, childrenOf(pids[i])...)
	}
	return sum
}

// statOf reads /proc/PID/stat: fields 14 and 15 are CPU times in ticks, 24 is the resident pages (proc(5)).
func statOf(pid int) (cpu time.Duration, memory int64) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	end := bytes.LastIndexByte(data, ')') // the name in field 2 may hold anything
	fields := bytes.Fields(data[end+1:])  // fields[0] is field 3
	if len(fields) < 22 {
		return 0, 0
	}
	ticks := number(fields[11]) + number(fields[12])
	return time.Duration(ticks) * tick, number(fields[21]) * int64(os.Getpagesize())
}

func childrenOf(pid int) []int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, field := range bytes.Fields(data) {
		pids = append(pids, int(number(field)))
	}
	return pids
}

func number(text []byte) int64 {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
