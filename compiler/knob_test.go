package compiler_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

func full(t testing.TB) string {
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// knob is one scalar of a document.
type knob struct {
	path  string
	value *spec.Value
	class spec.Reload
	field *spec.Field
}

// knobs lists the scalars below v; class is what a change there costs by the table of fields.
func knobs(v *spec.Value, path string, class spec.Reload, field *spec.Field, out []knob) []knob {
	for _, e := range v.Entries() {
		inner, f := class, v.Type.Field(e.Key)
		if f == nil {
			f = field
		} else if f.Reload != "" {
			inner = f.Reload
		}
		out = knobs(e.Value, path+"."+e.Key, inner, f, out)
	}
	for i, item := range v.Items() {
		name := strconv.Itoa(i)
		if n := item.Entry("name"); n != nil {
			name = n.Text()
		}
		out = knobs(item, path+"."+name, class, field, out)
	}
	if len(v.Entries()) == 0 && len(v.Items()) == 0 && v.Type.Shape != spec.Map && v.Type.Shape != spec.Table && v.Type.Shape != spec.List {
		out = append(out, knob{strings.TrimPrefix(path, "."), v, class, field})
	}
	return out
}

// turned lists other values that a knob might have, as YAML.
func turned(v *spec.Value) []string {
	switch v.Type.Shape {
	case spec.Int:
		return []string{fmt.Sprint(v.Int() + 1), fmt.Sprint(v.Int() - 1)}
	case spec.Number:
		return []string{fmt.Sprint(v.Float() + 1)}
	case spec.Ratio:
		return []string{fmt.Sprint(v.Float()*0.9 + 0.01)}
	case spec.Duration:
		return []string{(v.Duration() + v.Duration()/10 + time.Millisecond).String(), (v.Duration() - v.Duration()/10).String()}
	case spec.Hold:
		return []string{"4s of 9s"}
	case spec.Size:
		return []string{fmt.Sprintf("%dB", v.Bytes()+1), fmt.Sprintf("%dKiB", v.Bytes()/1024+1)}
	case spec.Rate:
		return []string{fmt.Sprintf("%v/s", v.Float()+1)}
	case spec.Bool:
		return []string{fmt.Sprint(!v.Bool())}
	case spec.Enum:
		return slices.DeleteFunc(slices.Clone(v.Type.Values), func(s string) bool { return s == v.Text() })
	case spec.Expression, spec.Built:
		e := v.Text()
		return quoted("("+e+") && now > 1", "("+e+") + 1", "("+e+`) + "x"`, `"escalate"`, "msg.other", "request.other", `"ignored"`, "now")
	case spec.Name, spec.Ident, spec.Target:
		return []string{v.Text() + "x", "spare", "other", "tick", "plain", "base", "go", "many", "worker-1", "worker-2", "cold", "root"}
	}
	return quoted(v.Text()+"x", "/order", "127.0.0.1:9", "http://127.0.0.1:9", "number", "bool")
}

func quoted(texts ...string) []string {
	for i := range texts {
		texts[i] = strconv.Quote(texts[i])
	}
	return texts
}

// replace puts another scalar in a value's place.
func replace(text string, pos spec.Pos, with string) string {
	lines := strings.SplitAfter(text, "\n")
	line := lines[pos.Line-1]
	begin := byteOf(line, pos.Col-1)
	end := begin + byteOf(line[begin:], pos.Len)
	lines[pos.Line-1] = line[:begin] + with + line[end:]
	return strings.Join(lines, "")
}

func byteOf(text string, runes int) int {
	at := 0
	for ; runes > 0 && at < len(text); runes-- {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}

// fixed are knobs that this topology leaves no other value for, and why.
func fixed(k knob) bool {
	unused := strings.HasPrefix(k.path, "policies.") || strings.HasPrefix(k.path, "templates.")
	return identity(k) || unused && strings.Contains(k.path, ".cold.") || slices.Contains([]string{
		"apiVersion", "kind", "include.0", // they say what is read, not what it says
		"root.enabled", // the root cannot be off
		"root.children.balance.consensus.members.0", // the quorum counts on it; members.1 is turned
		"root.children.mover.adopt",                 // the rule counts on it; that of other is turned
		"rules.bad-worker.for_each",                 // its conditions read an actor; that of cold is turned
	}, k.path)
}

// identity are knobs whose change makes another thing of it: the old one goes and the new one comes.
func identity(k knob) bool {
	return k.field != nil && k.field.Name == "name" && k.value.Type.Shape == spec.Name
}

// TestNoKnobIsDead turns every scalar of a topology that sets every field. Each turn must change the plan's digest, and
// the differences must have the class that the table of fields promises.
func TestNoKnobIsDead(t *testing.T) {
	text := full(t)
	set, diags := spec.Parse("t.yaml", []byte(text), options())
	before, more := compile(t, text)
	if before == nil {
		t.Fatalf("the full topology has findings: %v", append(diags, more...))
	}
	turnedSome := 0
	for _, k := range knobs(set.Topology.Root, "", "", nil, nil) {
		after := turn(t, text, k)
		switch {
		case fixed(k) && (after == nil || after.Digest() == before.Digest()):
		case after == nil:
			t.Errorf("%s (%s): no other value compiles", k.path, k.value.Text())
		case after.Digest() == before.Digest():
			t.Errorf("%s is a dead knob", k.path)
		default:
			turnedSome++
			checkClass(t, k, plan.Diff(before, after))
		}
	}
	t.Logf("%d knobs", turnedSome)
	if turnedSome < 280 {
		t.Errorf("only %d knobs were turned", turnedSome)
	}
}

// turn compiles the text with another value of the knob: the first that is allowed, preferring one that changes the plan.
func turn(t *testing.T, text string, k knob) *plan.Plan {
	for _, with := range turned(k.value) {
		if with == k.value.Text() {
			continue
		}
		changed := replace(text, k.value.Pos, with)
		if p, _ := compile(t, changed); p != nil {
			return p
		}
	}
	return nil
}

func checkClass(t *testing.T, k knob, changes plan.Changes) {
	got, want := changes.Worst().String(), string(k.class)
	switch {
	case identity(k):
		return
	case strings.Contains(k.path, ".use."):
		return // costs what the template's fields cost
	case strings.HasSuffix(k.path, ".replicas") && want == "":
		want = "start"
	case k.path == "gateway.public.enabled":
		want = "stop"
	}
	if got != want {
		t.Errorf("%s costs %s, the table of fields says %q: %v", k.path, got, want, changes[0])
	}
}

// TestFullTopologyIsFull holds the full topology against the table of fields, so that a new field cannot be forgotten.
func TestFullTopologyIsFull(t *testing.T) {
	set, _ := spec.Parse("t.yaml", []byte(full(t)), options())
	given := map[*spec.Field]bool{}
	seen := map[*spec.Type]bool{}
	var visit func(v *spec.Value)
	visit = func(v *spec.Value) {
		seen[v.Type] = true
		for _, e := range v.Entries() {
			if f := v.Type.Field(e.Key); f != nil {
				given[f] = true
			}
			visit(e.Value)
		}
		for _, item := range v.Items() {
			visit(item)
		}
	}
	visit(set.Topology.Root)
	for typ := range seen {
		for _, f := range typ.Fields {
			partial := strings.HasPrefix(typ.Title, "defaults") || typ.Title == "template" || typ.Title == "root supervisor"
			if !given[f] && !partial {
				t.Errorf("%s has no %s", typ.Title, f.Name)
			}
		}
	}
}
