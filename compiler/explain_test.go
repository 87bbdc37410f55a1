package compiler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/spec"
)

func TestSettingsTellTheirOrigin(t *testing.T) {
	text := annotated(t) + `---
apiVersion: lukhas/v1
kind: Policy
metadata: {name: on-call}
actors: {database: {guard: {timeout: 1s}}}
`
	set, diags := spec.Parse("t.yaml", []byte(text), options())
	over, more := spec.ParseOverride("o", []byte("{actors.database.guard.bulkhead.queue: 7}"), options())
	if diags.HasErrors() || more.HasErrors() {
		t.Fatal(diags, more)
	}
	settings, diags := compiler.Explain(set, compiler.Options{Override: over})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	got := map[string]string{}
	var all strings.Builder
	for _, s := range settings {
		if _, twice := got[s.Path]; twice {
			t.Errorf("%s stands twice", s.Path)
		}
		got[s.Path] = s.Value + " | " + s.Origin
		fmt.Fprintf(&all, "%s: %s  (%s)\n", s.Path, s.Value, s.Origin)
	}
	for path, want := range map[string]string{
		"root/services/database.guard.timeout":           `1s | policy document "on-call"`,
		"root/services/database.guard.bulkhead.queue":    `7 | override`,
		"root/services/database.guard.bulkhead.wait":     `100ms | written here`,
		"root/services/database.guard.breaker.open.for":  `5s | policy breaker "upstream"`,
		"root/services/database.guard.retry.attempts":    `3 | policy retry "quick"`,
		"root/services/database.restart.backoff.initial": `100ms | policy restart "gentle"`,
		"root/services/database.shutdown.drain":          `5s | built-in`,
		"root/services/database.mailbox.capacity":        `1024 | defaults`,
		"root/workers/resize.mailbox.attempts":           `3 | template "worker"`,
		"root/workers/resize.process.env.TOKEN":          `*** | written here`,
		"root.intensity.max":                             `3 | written here`,
		"journal.durability":                             `group | written here`,
		"observe.level":                                  `detailed | written here`,
		"gateway.public.idle":                            `60s | built-in`,
	} {
		if got[path] != want {
			t.Errorf("%s is %q, want %q", path, got[path], want)
		}
	}
	if strings.Contains(all.String(), "t0ps3cret") {
		t.Error("a secret is told")
	}
	if got["patterns.hotspot.sigma"] != "2 | written here" || got["patterns.flapping.changes"] != "5 | built-in" {
		t.Error("a pattern that is looked for has no settings")
	}
	if _, ok := got["root/services/cache.guard.timeout"]; ok {
		t.Error("a guard that is not there has settings")
	}
	golden(t, "annotated.settings", all.String())
}
