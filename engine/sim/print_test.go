package sim

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

// Payloads that people can tell apart have prints that differ.
func TestPrintsTellPayloadsApart(t *testing.T) {
	seen := map[uint64]string{}
	note := func(v any) {
		t.Helper()
		p, what := payloadPrint(v, 0), fmt.Sprintf("%T %v", v, v)
		if other, twice := seen[p]; twice {
			t.Errorf("%s has the print of %s", what, other)
		}
		seen[p] = what
	}
	for _, v := range []any{nil, false, true, 0.0, 1.0, 0, 1, int64(2), "", "0", []any{}, []any{nil}, []any{nil, nil}, []any{1.0, 2.0}, []any{2.0, 1.0},
		map[string]any{}, map[string]any{"a": 1.0}, map[string]any{"a": 2.0}, map[string]any{"b": 1.0}, map[string]any{"a": 1.0, "b": 2.0},
		map[string]any{"a": 2.0, "b": 1.0}, map[string]any{"a": map[string]any{"b": 1.0}}, map[string]any{"a": "b"}, map[string]any{"b": "a"}} {
		note(v)
	}
	for n := 1; n <= 40; n++ { // each byte of a text counts
		text := strings.Repeat("x", n)
		note(text)
		for i := range n {
			note(text[:i] + "y" + text[i+1:])
		}
	}
}

// The order in which a mapping gives its entries does not matter.
func TestThePrintOfAMappingHasNoOrder(t *testing.T) {
	m := map[string]any{}
	for i := range 20 {
		m[fmt.Sprint("key", i)] = float64(i)
	}
	want := payloadPrint(m, 0)
	for range 50 {
		if got := payloadPrint(maps.Clone(m), 0); got != want {
			t.Fatalf("%x, then %x", want, got)
		}
	}
}

// The prints are the same on every machine and in every version: marks of two processes are compared.
func TestPrintsStayWhatTheyAre(t *testing.T) {
	v := map[string]any{"id": "a", "items": []any{1.0, true, nil}, "long": strings.Repeat("0123456789", 3)}
	const want = 0x882f58f84c56eef0
	if got := payloadPrint(v, 0); got != want {
		t.Errorf("%#x", got)
	}
}
