package observe

import "github.com/lukhasai/lukhas-run/rules"

// NodeMeter measures the machine it runs on. CPU is measured between two calls of Read. Not safe for concurrent use.
type NodeMeter struct {
	name string
	dir  string // whose disk is measured
	busy uint64 // ticks of all cores when last read
	all  uint64
}

// NewNodeMeter makes a meter of the machine called name and of the disk that dir is on.
func NewNodeMeter(name, dir string) *NodeMeter { return &NodeMeter{name: name, dir: dir} }

// Read measures now. What the system does not tell stays 0.
func (m *NodeMeter) Read() rules.Node {
	n := rules.Node{Name: m.name}
	m.measure(&n)
	return n
}
