package journal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Snapshot is what an actor was at a moment.
type Snapshot struct {
	Sequence uint64 // of the newest of the actor's changes that is in it, 0 when it has none
	Position uint64 // number of an event; of the actor's changes, all up to there are in it
	Plan     string // digest of the plan that was in force, hexadecimal; "" when it is not known
	State    []byte // JSON; nobody changes it
}

// maxSnapshotFrame bounds what a snapshot's file has beside the state.
const maxSnapshotFrame = 256

const (
	snapshotHead = "lukhas-state 1 sequence %d position %d plan %q\n"
	snapshotSum  = "\nsha256 "
)

// encode gives the bytes of a file: a line about the state, the state, a line with the SHA-256 of all before it.
func (s *Snapshot) encode() []byte {
	data := fmt.Appendf(nil, snapshotHead, s.Sequence, s.Position, s.Plan)
	data = append(data, s.State...)
	return fmt.Appendf(data, snapshotSum+"%x\n", sha256.Sum256(data))
}

// parseSnapshot reads what encode writes.
func parseSnapshot(data []byte) (Snapshot, error) {
	at := bytes.LastIndex(data, []byte(snapshotSum))
	if at < 0 {
		return Snapshot{}, errors.New("it has no checksum")
	}
	if string(data[at:]) != fmt.Sprintf(snapshotSum+"%x\n", sha256.Sum256(data[:at])) {
		return Snapshot{}, errors.New("its checksum does not match")
	}
	head, state, found := bytes.Cut(data[:at], []byte("\n"))
	s := Snapshot{State: state}
	_, err := fmt.Sscanf(string(head)+"\n", snapshotHead, &s.Sequence, &s.Position, &s.Plan)
	if err != nil || !found || string(head)+"\n" != fmt.Sprintf(snapshotHead, s.Sequence, s.Position, s.Plan) {
		return Snapshot{}, fmt.Errorf("it starts with %.60q, this program reads version 1", head)
	}
	return s, nil
}
