package observe

import (
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/lukhasai/lukhas-run/rules"
)

func (m *NodeMeter) measure(n *rules.Node) {
	if data, err := os.ReadFile("/proc/stat"); err == nil {
		busy, all := ticks(string(data))
		if all > m.all && busy >= m.busy {
			n.CPU = float64(busy-m.busy) / float64(all-m.all)
		}
		m.busy, m.all = busy, all
	}
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		n.Memory = memoryUsed(string(data))
	}
	var st syscall.Statfs_t
	if syscall.Statfs(m.dir, &st) == nil {
		n.DiskFree = float64(st.Bavail) * float64(st.Bsize)
	}
}

// ticks reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal and two that user
// includes already.
func ticks(stat string) (busy, all uint64) {
	line, _, _ := strings.Cut(stat, "\n")
	for i, f := range strings.Fields(line) {
		if i == 0 || i > 8 {
			continue
		}
		v, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return 0, 0
		}
		all += v
		if i != 4 && i != 5 {
			busy += v
		}
	}
	return busy, all
}

// memoryUsed reads /proc/meminfo: the bytes that are not available to a new program, 0 when it does not tell.
func memoryUsed(info string) float64 {
	kilobytes := map[string]float64{}
	for line := range strings.Lines(info) {
		name, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if len(fields) == 0 {
			continue
		}
		if v, err := strconv.ParseFloat(fields[0], 64); err == nil {
			kilobytes[name] = v
		}
	}
	return 1024 * (kilobytes["MemTotal"] - kilobytes["MemAvailable"])
}
