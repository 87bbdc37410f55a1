package kernel

import (
	"encoding/json"
	"strings"

	"github.com/lukhasai/lukhas-run/engine"
)

// maxCarried is how many bytes of JSON the journal keeps of one payload.
const maxCarried = 16 << 10

// Carried is what the journal keeps of what a message carries, as JSON: nothing unless the plan records payloads and the message
// comes from outside, since what actors send each other follows from that. Of a larger one only the size is told. It must be
// called before anybody can change the payload.
func (v *View) Carried(m *engine.Msg, from string) (payload json.RawMessage, oversize int) {
	if !v.Payloads || m.Payload == nil || v.inside(from) {
		return nil, 0
	}
	payload = marshalled(m.Payload)
	if len(payload) > maxCarried {
		return nil, len(payload)
	}
	return payload, 0
}

// inside tells whether a sender is one of the actors.
func (v *View) inside(from string) bool {
	root := v.Plan.Actors[0].Path
	return from == root || strings.HasPrefix(from, root) && len(from) > len(root) && from[len(root)] == '/'
}

// marshalled is nil for what is no JSON. The types of an embedding program's messages may have methods that panic.
func marshalled(payload any) (text json.RawMessage) {
	defer func() {
		if recover() != nil {
			text = nil
		}
	}()
	text, err := json.Marshal(payload)
	if err != nil {
		return nil
	}
	return text
}
