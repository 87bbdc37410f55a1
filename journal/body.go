package journal

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Body is the sealed set of typed payloads: one small struct for each thing
// that can happen. The structs are plain values; they may be built anywhere.
type Body interface {
	// Type returns the number under which the body is stored.
	Type() Type
	// describe returns what happened as the rest of a sentence whose subject is
	// the event's actor.
	describe() string
}

// Number is a float64 that JSON can always carry: NaN and the infinities are
// written as the strings "NaN", "+Inf" and "-Inf".
type Number float64

// MarshalJSON writes a JSON number, or a string for what is not a finite number.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(f, 'g', -1, 64)), nil
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(data []byte) error {
	text := string(data)
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("not a number: %.40q", text)
	}
	*n = Number(f)
	return nil
}

// String formats the number as briefly as possible.
func (n Number) String() string { return strconv.FormatFloat(float64(n), 'g', 6, 64) }

// Values are named values that a decision was made from. Keys are written in
// sorted order. Strings, booleans, numbers and what JSON can encode keep their
// shape; anything else is written as text.
type Values map[string]any

// MarshalJSON writes an object with sorted keys. It never fails.
func (v Values) MarshalJSON() ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	safe := make(map[string]any, len(v))
	for name, value := range v {
		switch value := value.(type) {
		case float64:
			safe[name] = Number(value)
		case float32:
			safe[name] = Number(value)
		case string, bool, int, int64, uint64, nil:
			safe[name] = value
		default:
			safe[name] = plain(value)
		}
	}
	return json.Marshal(safe)
}

func plain(value any) any {
	if encoded, err := json.Marshal(value); err == nil {
		return json.RawMessage(encoded)
	}
	return fmt.Sprint(value)
}

// Unknown is an event of a type, version or content that this program does not
// know: it is carried, shown and copied, never interpreted.
type Unknown struct {
	Of      Type
	Version uint8
	Content ContentType
	Data    []byte
}

// Type returns the type under which the event was stored.
func (u Unknown) Type() Type { return u.Of }
