package compiler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/rules"
	"github.com/lukhasai/lukhas-run/spec"
)

// message is what a message type was declared to carry. A nil shape is open.
type message struct {
	fields     *rules.Shape
	reply      *rules.Shape
	idempotent bool
}

// declare reads params and messages, which give the names in expressions their types.
func (c *compiler) declare() {
	for _, e := range c.root.Entry("params").Entries() {
		value := c.param(e.Value)
		c.plan.Params = append(c.plan.Params, plan.Param{Name: e.Key, Value: value})
		c.params = append(c.params, rules.Field{Name: e.Key, Kind: kindOfValue(value)})
	}
	for _, e := range c.root.Entry("messages").Entries() {
		m := message{idempotent: e.Value.At("idempotent").Bool()}
		out := plan.Message{Name: e.Key, Idempotent: m.idempotent}
		m.fields, out.Fields = shape(e.Value.Entry("fields"))
		m.reply, out.Reply = shape(e.Value.Entry("reply"))
		c.messages[e.Key] = m
		c.plan.Messages = append(c.plan.Messages, out)
	}
	slices.SortFunc(c.plan.Params, func(a, b plan.Param) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.plan.Messages, func(a, b plan.Message) int { return strings.Compare(a.Name, b.Name) })
}

// param gives a param the value that expressions see: durations in seconds, sizes in bytes.
func (c *compiler) param(v *spec.Value) any {
	switch v.Type.Shape {
	case spec.Bool:
		return v.Bool()
	case spec.Duration:
		return v.Duration().Seconds()
	case spec.Int, spec.Size:
		return float64(v.Int())
	case spec.Number, spec.Ratio, spec.Rate:
		return v.Float()
	}
	return c.text(v, nil)
}

// ParamValue reads a literal as those under params are read: durations in seconds, ratios as 0..1, sizes in bytes. The error
// says why it is none.
func ParamValue(text string) (any, error) {
	v, diags := spec.ParseOverride("VALUE", []byte("params.value: "+text), spec.Options{})
	for _, d := range diags {
		if d.Severity == spec.Error {
			return nil, fmt.Errorf("%q is no value of a param: %w", text, d)
		}
	}
	value := v.Entry("params").Entry("value")
	if value == nil {
		return nil, fmt.Errorf("%q is no value of a param; write a number, a duration, a ratio, a size, a text or true or false", text)
	}
	return newCompiler(&spec.Topology{}, Options{}).param(value), nil
}

func kindOfValue(value any) rules.Kind {
	switch value.(type) {
	case bool:
		return rules.BoolKind
	case float64:
		return rules.NumberKind
	case string:
		return rules.TextKind
	case []any:
		return rules.ListKind
	case map[string]any:
		return rules.ObjectKind
	}
	return rules.AnyKind
}

// shape reads the declared fields of a message; nil when none are declared.
func shape(v *spec.Value) (*rules.Shape, []plan.MessageField) {
	if v == nil {
		return nil, nil
	}
	out := &rules.Shape{}
	var fields []plan.MessageField
	for _, e := range v.Entries() {
		f, text := fieldType(e.Key, e.Value)
		out.Fields = append(out.Fields, f)
		fields = append(fields, plan.MessageField{Name: e.Key, Kind: text})
	}
	slices.SortFunc(fields, func(a, b plan.MessageField) int { return strings.Compare(a.Name, b.Name) })
	return out, fields
}

// fieldType reads the type of one declared field, also as text.
func fieldType(name string, v *spec.Value) (rules.Field, string) {
	switch v.Type.Shape {
	case spec.Table:
		inner, fields := shape(v)
		var parts []string
		for _, f := range fields {
			parts = append(parts, f.Name+": "+f.Kind)
		}
		return rules.Field{Name: name, Kind: rules.ObjectKind, Shape: inner}, "{" + strings.Join(parts, ", ") + "}"
	case spec.List:
		var parts []string
		for _, item := range v.Items() {
			_, text := fieldType("", item)
			parts = append(parts, text)
		}
		return rules.Field{Name: name, Kind: rules.ListKind}, "[" + strings.Join(parts, ", ") + "]"
	}
	kinds := map[string]rules.Kind{"text": rules.TextKind, "number": rules.NumberKind, "bool": rules.BoolKind, "list": rules.ListKind, "map": rules.ObjectKind}
	return rules.Field{Name: name, Kind: kinds[v.Text()]}, v.Text()
}
