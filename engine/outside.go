package engine

import "time"

// UsualPriority is a message's priority when nobody gave it one.
const UsualPriority = 5

// CallOptions say how a message from outside the actors travels. The zero value is an ordinary message.
type CallOptions struct {
	Correlation string
	Causation   uint64
	From        string // shown as the caller
	Key         string
	Priority    int // 0..9; 0 is the usual 5, use -1 for 0
	Idempotent  bool
	Probe       bool
	Timeout     time.Duration // of the whole ask; 0 is the guard's, else 30 s
}

// Meta is what the message carries.
func (o CallOptions) Meta() Meta {
	m := Meta{
		Correlation: o.Correlation, Causation: o.Causation, From: o.From, Key: o.Key, Priority: o.Priority,
		Idempotent: o.Idempotent, Probe: o.Probe, Attempt: 1,
	}
	switch {
	case m.Priority == 0:
		m.Priority = UsualPriority
	case m.Priority < 0:
		m.Priority = 0
	}
	return m
}
