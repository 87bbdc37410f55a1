package plan

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"reflect"
)

// Digest is the SHA-256 of all that a plan says: of each leaf's path and text, secrets included, in order.
type Digest [sha256.Size]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether the digest is that of no plan.
func (d Digest) IsZero() bool { return d == Digest{} }

// Digest returns the digest that Seal computed, the zero Digest before.
func (p *Plan) Digest() Digest { return p.digest }

// computeDigest folds lengths before texts, so that no two lists of leaves run together to the same bytes.
func (p *Plan) computeDigest() (Digest, error) {
	sum := sha256.New()
	out := bufio.NewWriterSize(sum, 1<<15)
	var length [16]byte
	w := walk{emit: func(s seen) {
		binary.LittleEndian.PutUint64(length[:8], uint64(len(s.path)))
		binary.LittleEndian.PutUint64(length[8:], uint64(len(s.text)))
		out.Write(length[:])
		out.Write(s.path)
		out.Write(s.text)
	}}
	w.value(root(), reflect.ValueOf(p).Elem(), Hot)
	out.Flush()
	var d Digest
	sum.Sum(d[:0])
	return d, w.err
}
