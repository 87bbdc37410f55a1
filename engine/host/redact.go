package host

import (
	"bytes"
	"encoding/json"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// redactor keeps secrets out of what is recorded: an actor may print one, or fail with one in its message. Immutable.
type redactor struct {
	marks [][]byte // the secrets as they stand in JSON; a payload with none of them is left as it is
	hide  []func(string) string
}

// newRedactor knows the secrets of the plans: the one in force and, across a reload, the one before it, whose processes
// may still be stopping.
func newRedactor(plans ...*plan.Plan) *redactor {
	r := &redactor{}
	for _, p := range plans {
		r.hide = append(r.hide, p.Hider())
		for _, s := range p.Secrets {
			if text, err := json.Marshal(s); err == nil && s != "" {
				r.marks = append(r.marks, text[1:len(text)-1])
			}
		}
	}
	return r
}

// payload is an event's payload with every secret in its texts hidden. Names and numbers stay.
func (r *redactor) payload(data []byte) []byte {
	if !r.suspects(data) {
		return data
	}
	var value any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // digits stay as they are
	if err := d.Decode(&value); err != nil {
		return data // no JSON: no text that anybody is shown
	}
	clean, err := json.Marshal(r.value(value))
	if err != nil {
		return data
	}
	return clean
}

func (r *redactor) suspects(data []byte) bool {
	for _, m := range r.marks {
		if bytes.Contains(data, m) {
			return true
		}
	}
	return false
}

func (r *redactor) value(v any) any {
	switch v := v.(type) {
	case string:
		return r.text(v)
	case []any:
		for i := range v {
			v[i] = r.value(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = r.value(v[k])
		}
	}
	return v
}

// text is a text with every secret in it hidden.
func (r *redactor) text(s string) string {
	for _, hide := range r.hide {
		s = hide(s)
	}
	return s
}
