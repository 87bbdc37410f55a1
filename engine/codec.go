package engine

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
)

// MaxInput is the most bytes that DecodeInput reads: one journal event's.
const MaxInput = 1 << 20

// codecVersion is the version of the input codec; it grows with each change that an older reader cannot take.
const codecVersion = 2

// ErrInput is wrapped by DecodeInput's errors.
var ErrInput = errors.New("not a machine input")

// PlanOf finds the plan with a digest; inputs name plans by it.
type PlanOf func(plan.Digest) (*plan.Plan, error)

// envelope is the encoded form: a version, the input's name, its fields.
type envelope struct {
	Version int             `json:"v"`
	Input   string          `json:"input"`
	Data    json.RawMessage `json:"data"`
}

// The wire forms of inputs whose own form does not fit: plans go by digest, stacks stay out, zero measurements cost
// nothing. Structs that differ from their model in tags only are converted, so a forgotten field does not compile.
type (
	wireBoot struct {
		Plan string
		Seed uint64
	}
	wireReloaded struct {
		Plan       string
		Generation uint64
		By         string  `json:",omitzero"`
		Why        string  `json:",omitzero"`
		Before     Figures `json:",omitzero"`
	}
	wireFailure struct {
		Kind        string
		Message     string   `json:",omitzero"`
		By          string   `json:",omitzero"`
		MessageType string   `json:",omitzero"`
		Correlation string   `json:",omitzero"`
		ExitCode    int      `json:",omitzero"`
		Signal      string   `json:",omitzero"`
		LastLines   []string `json:",omitzero"`
		Starting    bool     `json:",omitzero"`
	}
	wireFailed struct {
		ID      ID
		Epoch   Epoch
		Failure wireFailure
	}
	wireExited struct {
		ID      ID
		Epoch   Epoch
		Failure *wireFailure `json:",omitzero"`
	}
	wireSampled struct {
		Actors   []wireActor   `json:",omitzero"`
		Breakers []wireBreaker `json:",omitzero"`
		System   rules.System
		Node     rules.Node
		Since    Figures `json:",omitzero"`
	}
	wireActor struct {
		Name, Path, Group string             `json:",omitzero"`
		Replica           int                `json:",omitzero"`
		Labels            map[string]string  `json:",omitzero"`
		State             string             `json:",omitzero"`
		Ready             bool               `json:",omitzero"`
		Quarantined       bool               `json:",omitzero"`
		Infected          float64            `json:",omitzero"`
		Anomaly           float64            `json:",omitzero"`
		Mailbox, Capacity float64            `json:",omitzero"`
		Calls             float64            `json:",omitzero"`
		Retries           float64            `json:",omitzero"`
		ErrorRate         float64            `json:",omitzero"`
		Latency           rules.Latency      `json:",omitzero"`
		InFlight          float64            `json:",omitzero"`
		Restarts          float64            `json:",omitzero"`
		Uptime            float64            `json:",omitzero"`
		Memory            float64            `json:",omitzero"`
		Metrics           map[string]float64 `json:",omitzero"`
	}
	wireBreaker struct {
		Name, Key       string        `json:",omitzero"`
		State           string        `json:",omitzero"`
		Since           float64       `json:",omitzero"`
		Calls           float64       `json:",omitzero"`
		ErrorRate       float64       `json:",omitzero"`
		SlowRate        float64       `json:",omitzero"`
		Consecutive     float64       `json:",omitzero"`
		Latency         rules.Latency `json:",omitzero"`
		Rejected, Opens float64       `json:",omitzero"`
	}
	wireSteer struct {
		Verb     string
		Target   string        `json:",omitzero"`
		For      time.Duration `json:",omitzero"`
		MaxShare float64       `json:",omitzero"`
		Message  string        `json:",omitzero"`
		Payload  any           `json:",omitzero"`
		Text     string        `json:",omitzero"`
		Level    string        `json:",omitzero"`
		Count    int           `json:",omitzero"`
		By       int           `json:",omitzero"`
		Min, Max int           `json:",omitzero"`
		Reason   string        `json:",omitzero"`
		Headers  []plan.Label  `json:",omitzero"`
		Timeout  time.Duration `json:",omitzero"`
	}
	wireCommanded struct {
		Number uint64
		Action wireSteer
		By     string
	}
)

// AppendInput appends an input's encoded form to dst. It fails on numbers that JSON does not have (NaN, infinities) and on
// payloads that are not JSON-like; dst is then returned as it was.
func AppendInput(dst []byte, in Input) ([]byte, error) {
	name, wire := wireOf(in)
	data, err := json.Marshal(wire)
	if err != nil {
		return dst, fmt.Errorf("input %q: %w", name, err)
	}
	dst = fmt.Appendf(dst, `{"v":%d,"input":%q,"data":`, codecVersion, name)
	dst = append(dst, data...)
	return append(dst, '}'), nil
}

func wireOf(in Input) (name string, wire any) {
	switch in := in.(type) {
	case Boot:
		return "boot", wireBoot{Plan: in.Plan.Digest().String(), Seed: in.Seed}
	case Started:
		return "started", in
	case *Started:
		return "started", in
	case Failed:
		return "failed", wireFailed{ID: in.ID, Epoch: in.Epoch, Failure: *wireFailureOf(&in.Failure)}
	case Exited:
		return "exited", wireExited{ID: in.ID, Epoch: in.Epoch, Failure: wireFailureOf(in.Failure)}
	case Stopped:
		return "stopped", in
	case Due:
		return "due", in
	case BreakerChanged:
		return "breaker_changed", in
	case Probed:
		return "probed", in
	case Sampled:
		return "sampled", wireSampledOf(in)
	case Commanded:
		return "commanded", wireCommanded{Number: in.Number, Action: wireSteer(in.Action), By: in.By}
	case Reloaded:
		return "reloaded", wireReloaded{Plan: in.Plan.Digest().String(), Generation: in.Generation, By: in.By, Why: in.Why, Before: in.Before}
	case RollBackFailed:
		return "roll_back_failed", in
	case Shutdown:
		return "shutdown", in
	}
	return fmt.Sprintf("%T", in), in
}

func wireFailureOf(f *Failure) *wireFailure {
	if f == nil {
		return nil
	}
	return &wireFailure{
		Kind: f.Kind, Message: f.Message, By: f.By, MessageType: f.MessageType, Correlation: f.Correlation,
		ExitCode: f.ExitCode, Signal: f.Signal, LastLines: f.LastLines, Starting: f.Starting,
	}
}

func (w *wireFailure) failure() *Failure {
	if w == nil {
		return nil
	}
	return &Failure{
		Kind: w.Kind, Message: w.Message, By: w.By, MessageType: w.MessageType, Correlation: w.Correlation,
		ExitCode: w.ExitCode, Signal: w.Signal, LastLines: w.LastLines, Starting: w.Starting,
	}
}

func wireSampledOf(in Sampled) wireSampled {
	out := wireSampled{System: in.System, Node: in.Node, Since: in.Since}
	for _, a := range in.Actors {
		out.Actors = append(out.Actors, wireActor(a))
	}
	for _, b := range in.Breakers {
		out.Breakers = append(out.Breakers, wireBreaker(b))
	}
	return out
}

func (w wireSampled) sampled() Sampled {
	in := Sampled{System: w.System, Node: w.Node, Since: w.Since}
	for _, a := range w.Actors {
		in.Actors = append(in.Actors, rules.Actor(a))
	}
	for _, b := range w.Breakers {
		in.Breakers = append(in.Breakers, rules.Breaker(b))
	}
	return in
}

// DecodeInput reads what AppendInput wrote. The error wraps ErrInput and says what is wrong, or is planOf's. Numbers in
// payloads become float64, as they are everywhere in expressions; a failure's stack is not kept.
func DecodeInput(data []byte, planOf PlanOf) (Input, error) {
	if len(data) > MaxInput {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrInput, len(data), MaxInput)
	}
	var e envelope
	if err := strictly(data, &e); err != nil {
		return nil, err
	}
	if e.Version < 1 || e.Version > codecVersion { // 1 knew no probation and has nothing that 2 lacks
		return nil, fmt.Errorf("%w: version %d, this program reads up to %d", ErrInput, e.Version, codecVersion)
	}
	switch e.Input {
	case "boot", "reloaded":
		return decodePlanned(e, planOf)
	case "started":
		return decodeAs[Started](e.Data)
	case "stopped":
		return decodeAs[Stopped](e.Data)
	case "due":
		return decodeAs[Due](e.Data)
	case "breaker_changed":
		return decodeAs[BreakerChanged](e.Data)
	case "probed":
		return decodeAs[Probed](e.Data)
	case "roll_back_failed":
		return decodeAs[RollBackFailed](e.Data)
	case "shutdown":
		return decodeAs[Shutdown](e.Data)
	case "failed", "exited", "sampled", "commanded":
		return decodeWired(e)
	}
	return nil, fmt.Errorf("%w: unknown input %q", ErrInput, e.Input)
}

func decodeAs[I Input](data []byte) (Input, error) {
	var in I
	if err := strictly(data, &in); err != nil {
		return nil, err
	}
	return in, nil
}

func decodeWired(e envelope) (Input, error) {
	switch e.Input {
	case "failed":
		var w wireFailed
		err := strictly(e.Data, &w)
		return Failed{ID: w.ID, Epoch: w.Epoch, Failure: *w.Failure.failure()}, err
	case "exited":
		var w wireExited
		err := strictly(e.Data, &w)
		return Exited{ID: w.ID, Epoch: w.Epoch, Failure: w.Failure.failure()}, err
	case "sampled":
		var w wireSampled
		err := strictly(e.Data, &w)
		return w.sampled(), err
	default:
		var w wireCommanded
		err := strictly(e.Data, &w)
		return Commanded{Number: w.Number, Action: Steer(w.Action), By: w.By}, err
	}
}

func decodePlanned(e envelope, planOf PlanOf) (Input, error) {
	if e.Input == "boot" {
		var w wireBoot
		p, err := planIn(e.Data, &w, &w.Plan, planOf)
		return Boot{Plan: p, Seed: w.Seed}, err
	}
	var w wireReloaded
	p, err := planIn(e.Data, &w, &w.Plan, planOf)
	return Reloaded{Plan: p, Generation: w.Generation, By: w.By, Why: w.Why, Before: w.Before}, err
}

// planIn decodes into wire and finds the plan whose digest is then in text.
func planIn(data []byte, wire any, text *string, planOf PlanOf) (*plan.Plan, error) {
	if err := strictly(data, wire); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(*text)
	var digest plan.Digest
	if err != nil || len(raw) != len(digest) {
		return nil, fmt.Errorf("%w: plan is %.80q, want a digest in hexadecimal", ErrInput, *text)
	}
	copy(digest[:], raw)
	p, err := planOf(digest)
	if err == nil && p == nil {
		err = fmt.Errorf("%w: no plan has the digest %s", ErrInput, digest)
	}
	return p, err
}

// strictly decodes one JSON value and nothing else; a field that is not known would change what is decided.
func strictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the value", ErrInput)
	}
	return nil
}
