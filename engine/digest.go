package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/journal"
)

// RunDigest folds a run into one line: every time, input and effect, in order. Two runs that decided the same have the
// same digest, on every machine. The zero RunDigest is ready to use; it is not safe for concurrent use.
type RunDigest struct {
	sum   hash.Hash
	buf   []byte
	steps uint64
}

// Fold adds one Step. The effects are only read.
func (d *RunDigest) Fold(now time.Duration, in Input, effects []Effect) {
	if d.sum == nil {
		d.sum = sha256.New()
	}
	d.steps++
	d.buf = binary.LittleEndian.AppendUint64(d.buf[:0], uint64(now))
	if b, err := AppendInput(d.buf, in); err == nil {
		d.buf = b
	} else {
		d.buf = fmt.Appendf(d.buf, "%T %+v", in, in) // numbers that JSON does not have
	}
	for _, e := range effects {
		d.buf = appendEffect(append(d.buf, '\n'), e)
	}
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(d.buf)))
	d.sum.Write(length[:])
	d.sum.Write(d.buf)
}

// Steps is how many steps were folded.
func (d *RunDigest) Steps() uint64 { return d.steps }

// String is the digest so far, in hexadecimal; folding may go on.
func (d *RunDigest) String() string {
	if d.sum == nil {
		return fmt.Sprintf("%x", sha256.Sum256(nil))
	}
	return fmt.Sprintf("%x", d.sum.Sum(nil))
}

// appendEffect writes an effect in a form that depends on its content only.
func appendEffect(dst []byte, e Effect) []byte {
	switch e := e.(type) {
	case *Swap:
		return fmt.Appendf(dst, "swap %d %s", e.Generation, e.Plan.Digest())
	case *RollBack:
		return fmt.Appendf(dst, "roll back %d to %d %s %q", e.Generation, e.To, e.Plan.Digest(), e.Why)
	case *Emit:
		event := journal.New(e.Actor, e.Body)
		dst = fmt.Appendf(dst, "emit %q %s ", e.Actor, event.Type)
		return append(dst, event.Payload...)
	}
	dst = fmt.Appendf(dst, "%T ", e)
	b, err := json.Marshal(e)
	if err != nil {
		return fmt.Appendf(dst, "%+v", e)
	}
	return append(dst, b...)
}

// StepText tells a step of the Machine in one line: its input, and what it decided.
func StepText(in Input, effects []Effect) string {
	var text []byte
	switch in := in.(type) {
	case Boot:
		text = fmt.Appendf(nil, "Boot %s seed %d", in.Plan.Digest(), in.Seed)
	case Reloaded:
		text = fmt.Appendf(nil, "Reloaded generation %d %s", in.Generation, in.Plan.Digest())
	default:
		text = fmt.Appendf(nil, "%s ", strings.TrimPrefix(fmt.Sprintf("%T", in), "engine."))
		if b, err := json.Marshal(in); err == nil {
			text = append(text, b...)
		} else {
			text = fmt.Appendf(text, "%+v", in) // numbers that JSON does not have
		}
	}
	for _, e := range effects {
		text = append(text, "; "...)
		text = append(text, bytes.TrimPrefix(appendEffect(nil, e), []byte("*engine."))...)
	}
	return string(text)
}
