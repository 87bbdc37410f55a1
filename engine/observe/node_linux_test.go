package observe

import "testing"

func TestTicksAndMemoryAreRead(t *testing.T) {
	busy, all := ticks("cpu  10 1 5 70 4 2 3 5 99 99\ncpu0 1 1 1 1\n")
	if busy != 26 || all != 100 {
		t.Errorf("busy %d of %d, want 26 of 100", busy, all)
	}
	if busy, all := ticks("cpu x"); busy != 0 || all != 0 {
		t.Errorf("garbage gives %d of %d", busy, all)
	}
	if got := memoryUsed("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n"); got != 750*1024 {
		t.Errorf("memory %v, want 750 kB", got)
	}
	if got := memoryUsed("odd\n"); got != 0 {
		t.Errorf("garbage gives %v", got)
	}
	m := NewNodeMeter("here", t.TempDir())
	if n := m.Read(); n.Name != "here" || n.Memory <= 0 || n.CPU < 0 || n.CPU > 1 || n.DiskFree <= 0 {
		t.Errorf("this machine: %+v", n)
	}
}
