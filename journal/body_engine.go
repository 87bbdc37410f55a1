package journal

import (
	"strings"
	"time"
)

// EngineStarted is the first event of an engine's run.
type EngineStarted struct {
	Name       string   `json:"name"`       // of the topology
	Generation uint64   `json:"generation"` // of the plan
	Digest     string   `json:"digest"`     // of the plan, hex
	PID        int      `json:"pid"`
	Version    string   `json:"version"`         // of the program
	Files      []string `json:"files,omitempty"` // that the topology was read from, with their whole path; standard input has none
}

// EngineStopped is the last event of an orderly run.
type EngineStopped struct {
	Reason string `json:"reason"`
	Code   int    `json:"code"` // exit code
}

// Gap stands for events that are not in the journal: dropped while its buffer
// was full, or lost to damage that was repaired.
type Gap struct {
	From    int64  `json:"from_unix_ns,omitempty"` // time of the first event dropped, 0 when unknown
	To      int64  `json:"to_unix_ns,omitempty"`   // time of the last event dropped
	Dropped uint64 `json:"dropped"`                // how many
	Reason  string `json:"reason"`
}

// JournalRecovered tells that the journal was not closed properly and that
// opening it cut off an unfinished write. No event that had been acknowledged
// as durable was in it.
type JournalRecovered struct {
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"` // where the segment was cut
	Bytes   int64  `json:"bytes"`  // how many bytes were cut off
	Reason  string `json:"reason"`
}

// Checkpoint gives a moment a name.
type Checkpoint struct {
	Name string `json:"name"`
	Who  string `json:"who,omitempty"`
}

// Logged is a line of text from an actor: a process's output or a script's log.
type Logged struct {
	Level  string `json:"level"` // debug, info, warn or error
	Text   string `json:"text"`
	Fields Values `json:"fields,omitempty"`
}

// Input is one input of the Machine in its own binary codec, kept for replay.
type Input struct {
	Data []byte
}

// Change is one difference between two plans.
type Change struct {
	Class string `json:"class"` // hot, drain, restart, recreate, create or destroy
	Path  string `json:"path"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
}

// ReloadCommitted tells that a new generation is in force.
type ReloadCommitted struct {
	Generation uint64        `json:"generation"`
	Digest     string        `json:"digest"`
	Changes    []Change      `json:"changes,omitempty"`
	Omitted    int           `json:"omitted,omitempty"` // changes beyond those, left out because the event would be too large
	Who        string        `json:"who,omitempty"`
	Why        string        `json:"why,omitempty"`
	Took       time.Duration `json:"took_ns"`
	Probation  time.Duration `json:"probation_ns,omitempty"` // how long it has to prove itself; 0: not at all
}

// PlanVaried tells that an action has changed the plan in force: it lies over what the files of the generation say.
type PlanVaried struct {
	Digest  string   `json:"digest"` // of the plan in force
	Changes []Change `json:"changes,omitempty"`
	Omitted int      `json:"omitted,omitempty"` // changes beyond those, left out because the event would be too large
	Who     string   `json:"who,omitempty"`
	Why     string   `json:"why,omitempty"`
}

// ReloadVerified tells that a generation has proved itself and stays.
type ReloadVerified struct {
	Generation uint64        `json:"generation"`
	Took       time.Duration `json:"took_ns"` // since it came into force
}

// ReloadRolledBack tells that a generation on probation does not hold. The plan of the generation To comes into force
// again, as a new generation.
type ReloadRolledBack struct {
	Generation uint64        `json:"generation"`
	To         uint64        `json:"to"`
	Code       string        `json:"code"`
	Reason     string        `json:"reason"`
	Values     Values        `json:"values,omitempty"` // what the condition read
	After      time.Duration `json:"after_ns"`         // since it came into force
}

// ReloadRejected tells that a new configuration was refused and nothing changed.
type ReloadRejected struct {
	Hash        string   `json:"hash"` // of the refused bytes, hex
	Diagnostics []string `json:"diagnostics"`
	Who         string   `json:"who,omitempty"`
}

// Code is the code of the first diagnostic, such as LR411; "" when it has none.
func (b ReloadRejected) Code() string {
	const length = len("LR411")
	for _, line := range b.Diagnostics[:min(1, len(b.Diagnostics))] {
		if at := strings.Index(line, "LR"); at >= 0 && len(line) >= at+length {
			return line[at : at+length]
		}
	}
	return ""
}

// Type returns TypeEngineStarted.
func (EngineStarted) Type() Type { return TypeEngineStarted }

// Type returns TypeEngineStopped.
func (EngineStopped) Type() Type { return TypeEngineStopped }

// Type returns TypeGap.
func (Gap) Type() Type { return TypeGap }

// Type returns TypeJournalRecovered.
func (JournalRecovered) Type() Type { return TypeJournalRecovered }

// Type returns TypeCheckpoint.
func (Checkpoint) Type() Type { return TypeCheckpoint }

// Type returns TypeLogged.
func (Logged) Type() Type { return TypeLogged }

// Type returns TypeInput.
func (Input) Type() Type { return TypeInput }

// Type returns TypeReloadCommitted.
func (ReloadCommitted) Type() Type { return TypeReloadCommitted }

// Type returns TypePlanVaried.
func (PlanVaried) Type() Type { return TypePlanVaried }

// Type returns TypeReloadVerified.
func (ReloadVerified) Type() Type { return TypeReloadVerified }

// Type returns TypeReloadRolledBack.
func (ReloadRolledBack) Type() Type { return TypeReloadRolledBack }

// Type returns TypeReloadRejected.
func (ReloadRejected) Type() Type { return TypeReloadRejected }
