package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// record is an event as JSON: one line of an export, one message of a stream.
type record struct {
	Seq         uint64          `json:"seq"`
	Time        string          `json:"time"` // RFC 3339 with nanoseconds, UTC
	Type        string          `json:"type"`
	Actor       string          `json:"actor,omitempty"`
	Correlation string          `json:"correlation,omitempty"`
	Causation   uint64          `json:"causation,omitempty"`
	Version     uint8           `json:"version"`
	Content     ContentType     `json:"content,omitempty"`
	Payload     json.RawMessage `json:"payload,omitempty"` // of ContentJSON, when it is JSON
	Bytes       []byte          `json:"bytes,omitempty"`   // any other payload, base64
}

// MarshalJSON writes the event as one JSON object with its payload inside. What
// it writes, UnmarshalJSON reads back to an equal event, but for insignificant
// white space in a JSON payload.
func (e Event) MarshalJSON() ([]byte, error) {
	r := record{
		Seq: e.Seq, Time: time.Unix(0, e.Time).UTC().Format(time.RFC3339Nano), Type: e.Type.String(),
		Actor: e.Actor, Correlation: e.Correlation, Causation: e.Causation, Version: e.Version, Content: e.Content,
	}
	if e.Content == ContentJSON && json.Valid(e.Payload) {
		r.Payload = e.Payload
	} else {
		r.Bytes = e.Payload
	}
	return json.Marshal(r)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Event) UnmarshalJSON(data []byte) error {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	kind, err := ParseType(r.Type)
	if err != nil {
		return fmt.Errorf("event %d: %w", r.Seq, err)
	}
	at, err := time.Parse(time.RFC3339Nano, r.Time)
	if err != nil {
		return fmt.Errorf("event %d: time %q: %w", r.Seq, r.Time, err)
	}
	if r.Payload != nil && r.Bytes != nil {
		return errors.New("event has both payload and bytes")
	}
	*e = Event{
		Seq: r.Seq, Time: at.UnixNano(), Type: kind, Actor: r.Actor, Correlation: r.Correlation,
		Causation: r.Causation, Version: r.Version, Content: r.Content, Payload: r.Bytes,
	}
	if r.Payload != nil {
		e.Payload = r.Payload
	}
	return nil
}
