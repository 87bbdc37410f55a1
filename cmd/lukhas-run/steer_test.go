package main

import (
	"strings"
	"testing"
)

// What an action cannot mean is refused before an engine is asked.
func TestSteerRefusesWhatMeansNothing(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"pause api --for 0s", "--for 0s: expected more than 0"},
		{"pause api --for -1s", "--for -1s: expected more than 0"},
		{"pause api --max-share 0.5", "--max-share belongs to quarantine, not to pause"},
		{"scale worker -1", "scale TARGET --by -1"},
		{"scale worker -- -2", "steer scale worker --by -2"},
		{"scale worker -x", "unknown shorthand flag: 'x' in -x\n"},
		{"pause api loud", `pause takes nothing after its target, got "loud"`},
		{"set-state api", "steer set-state api '{"},
		{"set-state api n=1", `"n=1" is no state, which is JSON: invalid`},
		{"set-state api {} --payload {}", "or with --payload"},
		{"pause api --by 1", "--by belongs to scale, not to pause"},
	} {
		if got := lukhas(t, "", append([]string{"steer", "--data", t.TempDir()}, strings.Fields(c.args)...)...); got.code != exitUsage || !strings.Contains(got.err, c.want) {
			t.Errorf("%s: %+v", c.args, got)
		}
	}
}
