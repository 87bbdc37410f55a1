// Package journal is the engine's memory: the sealed set of events that can
// happen, their encoding, and a crash-safe, append-only, tamper-evident store
// for them. FORMAT.md describes what lies on disk.
//
// Events are written by Journal, which owns a directory, and read through
// Journal or, beside a running writer, through Reader.
package journal

import (
	"encoding/json"
	"fmt"
	"math"
)

// Limits on one event. Append refuses an event beyond them with ErrTooLarge.
const (
	MaxEventBytes       = 1 << 20 // payload, actor and correlation together
	MaxActorBytes       = 1 << 10
	MaxCorrelationBytes = 64
)

// Event is one immutable record of something that happened. A reader may keep
// it; neither writer nor reader may change Payload.
type Event struct {
	// Seq is the place in the journal, counted from 1 without holes. Append sets it.
	Seq uint64
	// Time is the wall clock in nanoseconds since 1970, UTC. Zero asks Append to
	// stamp it. It may go back between events when the machine's clock does.
	Time int64
	// Type says which Body the payload holds.
	Type Type
	// Actor is the path of the actor that the event is about, "" for the system.
	Actor string
	// Correlation names the incident or request that the event belongs to, "" for none.
	Correlation string
	// Causation is the Seq of the event that caused this one, 0 for none. In an
	// event given to Append it may also be the result of CauseInBatch.
	Causation uint64
	// Version is the schema version of the payload, counted from 1 for each type.
	Version uint8
	// Content says how Payload is encoded.
	Content ContentType
	// Payload is the encoded Body.
	Payload []byte
}

// ContentType says how a payload is encoded.
type ContentType uint8

// The content types. Numbers are part of the disk format and never change.
const (
	ContentNone   ContentType = 0 // no payload
	ContentJSON   ContentType = 1 // a JSON object with snake_case keys; durations are integer nanoseconds in keys ending _ns
	ContentBinary ContentType = 2 // bytes whose meaning belongs to the event's type
)

// String returns the media type.
func (c ContentType) String() string {
	switch c {
	case ContentNone:
		return ""
	case ContentJSON:
		return "application/json"
	case ContentBinary:
		return "application/octet-stream"
	}
	return fmt.Sprintf("content(%d)", uint8(c))
}

// maxBatch bounds the number of events in one Append, and with it the range of
// Causation values that CauseInBatch takes away from real sequence numbers.
const maxBatch = 1 << 16

// CauseInBatch returns a Causation that Append resolves to the Seq of event i of
// the same call, for effects journalled together with what caused them. i must
// be less than the index of the event that carries it.
func CauseInBatch(i int) uint64 { return math.MaxUint64 - uint64(i) }

// New returns an event about actor with b as payload and everything that Append
// fills in left zero. It never fails: a number that JSON cannot say, such as
// NaN, is written as a string.
func New(actor string, b Body) Event { return (*Ink)(nil).New(actor, b) }

// Ink is memory for payloads: those of small events share a piece. The zero Ink is ready to use; it is not safe for concurrent use.
type Ink struct{ free []byte }

// What events take of a piece of ink; larger ones have memory of their own.
const (
	inkPiece = 1 << 10
	mostInk  = inkPiece / 8
)

// room gives memory for a payload that takes about n bytes.
func (k *Ink) room(n int) []byte {
	if k == nil || n > mostInk {
		return make([]byte, 0, n)
	}
	if len(k.free) < n {
		k.free = make([]byte, inkPiece)
	}
	return k.free[:0:n]
}

// used takes what a payload has filled of the memory that room gave for it.
func (k *Ink) used(n, payload int) {
	if k != nil && n <= mostInk && payload <= n {
		k.free = k.free[payload:]
	}
}

// New is the function New with the payload in ink.
func (k *Ink) New(actor string, b Body) Event {
	e := Event{Type: b.Type(), Actor: actor, Version: 1}
	switch b := b.(type) {
	case Input:
		e.Content, e.Payload = ContentBinary, b.Data
	case Unknown:
		e.Version, e.Content, e.Payload = b.Version, b.Content, b.Data
	default:
		e.Content, e.Payload = ContentJSON, k.encodeJSON(b)
	}
	return e
}

// Body decodes the payload. A type, version or content that this program does
// not know is returned as Unknown with its bytes; only a payload that breaks
// the encoding it claims is an error.
func (e Event) Body() (Body, error) {
	decode := kindOf(e.Type).decode
	switch {
	case e.Type == TypeInput && e.Content == ContentBinary:
		return Input{Data: e.Payload}, nil
	case decode == nil || e.Version != 1 || e.Content != ContentJSON:
		return Unknown{Of: e.Type, Version: e.Version, Content: e.Content, Data: e.Payload}, nil
	}
	b, err := decode(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("event %d: %s payload: %w", e.Seq, e.Type, err)
	}
	return b, nil
}

func (k *Ink) encodeJSON(b Body) []byte {
	if s, ok := b.(swift); ok {
		room := s.room()
		payload := s.appendJSON(k.room(room))
		k.used(room, len(payload))
		return payload[:len(payload):len(payload)]
	}
	data, err := json.Marshal(b)
	if err != nil {
		// Number and Values encode whatever they hold, so no body of this
		// package reaches this line; say it in the record rather than lose it.
		data, _ = json.Marshal(map[string]string{"encoding_error": err.Error()})
	}
	return data
}

func decodeJSON[B Body](payload []byte) (Body, error) {
	var b B
	if err := json.Unmarshal(payload, &b); err != nil {
		return nil, err
	}
	return b, nil
}
