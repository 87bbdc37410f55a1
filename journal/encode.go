package journal

import (
	"encoding/json"
	"strconv"
)

// swift is a Body that encodes itself: those that come with every start and restart of an actor and with every
// message, so that a million of them do not spend their time in reflection. The bytes are those that encoding/json gives; a test compares.
type swift interface {
	room() int // about how many bytes that takes
	appendJSON(to []byte) []byte
}

// fixedRoom is what the keys and usual numbers of a swift body without text take; more only costs another array.
const fixedRoom = 64

func appendUint(to []byte, key string, n uint64) []byte {
	return strconv.AppendUint(append(to, key...), n, 10)
}

func appendInt(to []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(to, key...), n, 10)
}

func appendText(to []byte, key, text string) []byte {
	return appendString(append(to, key...), text)
}

// appendString quotes text as encoding/json does. Text with more than newlines and tabs to escape is left to it.
func appendString(to []byte, text string) []byte {
	start, plain := len(to), 0
	to = append(to, '"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\n', c == '\t':
			to = append(append(to, text[plain:i]...), '\\', 'n')
			if c == '\t' {
				to[len(to)-1] = 't'
			}
			plain = i + 1
		case c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
			quoted, _ := json.Marshal(text) // a string always encodes
			return append(to[:start], quoted...)
		}
	}
	return append(append(to, text[plain:]...), '"')
}

func (ActorStarting) room() int     { return fixedRoom / 2 }
func (b ActorStarted) room() int    { return fixedRoom/2 + len(b.Address) }
func (ActorReady) room() int        { return fixedRoom }
func (b ActorStopping) room() int   { return fixedRoom + len(b.Why) }
func (b ActorStopped) room() int    { return fixedRoom + len(b.Reason) }
func (b ActorRestarting) room() int { return fixedRoom + 16 + len(b.Directive) }

// room has a part more for a stack's newlines and tabs, which take two bytes each.
func (b ActorFailed) room() int {
	return 2*fixedRoom + len(b.Kind) + len(b.Message) + len(b.Stack) + len(b.Stack)/8 + len(b.MessageType)
}

func (b ActorStarting) appendJSON(to []byte) []byte {
	return append(appendUint(to, `{"incarnation":`, b.Incarnation), '}')
}

func (b ActorStarted) appendJSON(to []byte) []byte {
	to = appendUint(to, `{"incarnation":`, b.Incarnation)
	if b.PID != 0 {
		to = appendInt(to, `,"pid":`, int64(b.PID))
	}
	if b.Address != "" {
		to = appendText(to, `,"address":`, b.Address)
	}
	return append(to, '}')
}

func (b ActorReady) appendJSON(to []byte) []byte {
	to = appendUint(to, `{"incarnation":`, b.Incarnation)
	return append(appendInt(to, `,"took_ns":`, int64(b.Took)), '}')
}

func (b ActorStopping) appendJSON(to []byte) []byte {
	to = appendUint(to, `{"incarnation":`, b.Incarnation)
	return append(appendText(to, `,"why":`, b.Why), '}')
}

func (b ActorStopped) appendJSON(to []byte) []byte {
	to = appendUint(to, `{"incarnation":`, b.Incarnation)
	to = appendText(to, `,"reason":`, b.Reason)
	return append(appendInt(to, `,"took_ns":`, int64(b.Took)), '}')
}

func (b ActorRestarting) appendJSON(to []byte) []byte {
	to = appendInt(to, `{"attempt":`, int64(b.Attempt))
	to = appendInt(to, `,"delay_ns":`, int64(b.Delay))
	to = appendText(to, `,"directive":`, b.Directive)
	return append(appendUint(to, `,"restarts":`, b.Restarts), '}')
}

func (b StateChanged) room() int { return fixedRoom + len(b.Change) }

// appendJSON takes Change as encoding/json gave it.
func (b StateChanged) appendJSON(to []byte) []byte {
	to = append(to, '{')
	if b.Sequence != 0 {
		to = append(appendUint(to, `"sequence":`, b.Sequence), ',')
	}
	if b.Whole {
		to = append(to, `"whole":true,`...)
	}
	to = append(to, `"change":`...)
	if b.Change == nil {
		to = append(to, "null"...)
	}
	return append(append(to, b.Change...), '}')
}

func (b Message) room() int {
	return 2*fixedRoom + len(b.From) + len(b.Message) + len(b.Outcome) + len(b.Payload)
}

func (b Message) appendJSON(to []byte) []byte {
	to = append(to, '{')
	if b.From != "" {
		to = append(appendText(to, `"from":`, b.From), ',')
	}
	to = appendText(to, `"message":`, b.Message)
	to = appendText(to, `,"outcome":`, b.Outcome)
	to = appendInt(to, `,"took_ns":`, int64(b.Took))
	if b.Waited != 0 {
		to = appendInt(to, `,"waited_ns":`, int64(b.Waited))
	}
	return append(appendCarried(to, b.Payload, b.Oversize), '}')
}

func (b Call) room() int {
	return 3*fixedRoom + len(b.From) + len(b.Message) + len(b.Breaker) + len(b.Class) + len(b.Payload)
}

func (b Call) appendJSON(to []byte) []byte {
	to = append(to, '{')
	for _, f := range [...]struct{ key, text string }{{`"from":`, b.From}, {`"message":`, b.Message}, {`"breaker":`, b.Breaker}} {
		if f.text != "" {
			to = append(appendText(to, f.key, f.text), ',')
		}
	}
	to = appendText(to, `"outcome":`, b.Outcome)
	if b.Class != "" {
		to = appendText(to, `,"class":`, b.Class)
	}
	to = appendInt(to, `,"duration_ns":`, int64(b.Duration))
	if b.Attempt != 0 {
		to = appendInt(to, `,"attempt":`, int64(b.Attempt))
	}
	if b.Hedge != 0 {
		to = appendInt(to, `,"hedge":`, int64(b.Hedge))
	}
	if b.Replica != "" {
		to = appendText(to, `,"replica":`, b.Replica)
	}
	if b.Status != 0 {
		to = appendInt(to, `,"status":`, int64(b.Status))
	}
	return append(appendCarried(to, b.Payload, b.Oversize), '}')
}

// appendCarried writes what a call or message carried, or how much that was.
func appendCarried(to, payload []byte, oversize int) []byte {
	if len(payload) > 0 {
		to = append(append(to, `,"payload":`...), payload...)
	}
	if oversize != 0 {
		to = appendInt(to, `,"oversize":`, int64(oversize))
	}
	return to
}

func (b ActorFailed) appendJSON(to []byte) []byte {
	to = appendUint(to, `{"incarnation":`, b.Incarnation)
	to = appendText(to, `,"kind":`, b.Kind)
	to = appendText(to, `,"message":`, b.Message)
	if b.ExitCode != 0 {
		to = appendInt(to, `,"exit_code":`, int64(b.ExitCode))
	}
	if b.Signal != "" {
		to = appendText(to, `,"signal":`, b.Signal)
	}
	for i, line := range b.LastLines {
		key := ","
		if i == 0 {
			key = `,"last_lines":[`
		}
		to = appendText(to, key, line)
	}
	if len(b.LastLines) > 0 {
		to = append(to, ']')
	}
	if b.Stack != "" {
		to = appendText(to, `,"stack":`, b.Stack)
	}
	if b.MessageType != "" {
		to = appendText(to, `,"message_type":`, b.MessageType)
	}
	return append(to, '}')
}
