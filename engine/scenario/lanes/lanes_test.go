package lanes_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/scenario"
	"github.com/lukhasai/lukhas-run/engine/scenario/lanes"
	"github.com/lukhasai/lukhas-run/spec"
)

var update = flag.Bool("update", false, "write the pictures anew")

// draws plays the scenarios of a file and draws each.
func draws(t *testing.T, path string) [][]byte {
	t.Helper()
	l := scenario.Load(spec.OS(), path, spec.Options{}, compiler.Options{})
	if l.Diagnostics.HasErrors() {
		t.Fatal(l.Diagnostics)
	}
	var out [][]byte
	for _, s := range l.Scenarios {
		r, err := scenario.Run(s, scenario.Options{Record: true})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := lanes.SVG(&b, r); err != nil {
			t.Fatal(err)
		}
		out = append(out, b.Bytes())
	}
	return out
}

// wellFormed reads a picture to its end as XML.
func wellFormed(t *testing.T, picture []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(picture))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// one draws a single scenario given as text.
func one(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	picture := draws(t, path)[0]
	wellFormed(t, picture)
	return string(picture)
}

func TestEveryStoryOfTheLibraryIsDrawn(t *testing.T) {
	files, err := filepath.Glob("../../../examples/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, path := range files {
		for _, picture := range draws(t, path) {
			wellFormed(t, picture)
		}
	}
}

// The picture in the documentation is what the program draws today, to the byte: go test ./engine/scenario/lanes -update.
func TestThePictureOfTheDocumentationIsTrue(t *testing.T) {
	const path = "../../../docs/scenario-timeline.svg"
	got := draws(t, "../../../examples/scenarios/cascade.yaml")[0]
	if again := draws(t, "../../../examples/scenarios/cascade.yaml")[0]; !bytes.Equal(got, again) {
		t.Fatal("two runs give two pictures")
	}
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is drawn today; go test ./engine/scenario/lanes -update", path)
	}
}

const stage = `apiVersion: lukhas/v1
kind: Topology
metadata: {name: "a & b"}
policies:
  breakers: {b: {window: 10s, min_calls: 5, trip: {consecutive_failures: 3}, open: {for: 2s, factor: 1}, half_open: {probes: 1, successes: 1, lease: 1s}}}
root:
  intensity: {max: 50, within: 60s}
  children:
    - name: database
      restart: {backoff: {initial: 2s, factor: 1, max: 2s}}
      upstream: {url: "http://127.0.0.1:9001"}
      guard: {breaker: b, fallback: [{reply: {stale: true}}]}
    - name: worker
      replicas: 100
      process: {command: [x], protocol: jsonl}
    - name: api
      script: {handlers: {get: {reply: {n: msg.n}}}}
rules: [{name: sick, for_each: system, when: breaker("database").state == "open", then: [{checkpoint: {name: sick}}]}]
---
apiVersion: lukhas/v1
kind: Scenario
metadata: {name: 'tags <b> & "quotes"'}
duration: 20s
load: [{name: l, to: database, message: get, rate: 20/s}]
timeline:
  - {id: outage, at: 5s, for: 3s, fail: {target: database, status: 503}}
  - {at: 12s, crash: database}
  - {at: 10s, for: 2s, pause: api}
  - {at: 10s, for: 2s, quarantine: worker-40}
  - {at: 16s, reload: {set: {observe.window: 20s}}}
  - {every: 1s, crash: worker-99}
  - {id: never, when: actor("api").restarts > 5}
expect:
  - {name: '1 < 2', sometimes: breaker("database").state == "open"}
  - {name: wrong, after: 2s, never: 'actor("api").state == "paused"'}
  - {name: too late, after: 19s, eventually: 'actor("api").state == "paused"', within: 10s}
  - {name: after nothing, after: never, always: now > 0}
`

func TestAPictureShowsWhatHappened(t *testing.T) {
	picture := one(t, stage)
	for _, want := range []string{
		`tags &lt;b&gt; &amp; &#34;quotes&#34;`, `topology a &amp; b`, `>FAIL<`, `>outage: fail database<`, `>crash database<`, `>pause api<`,
		`open from 5.101s to 6.959s`, `half_open from `, `paused from 10s to 12s`, `quarantined from 10s to 12s`, `restarting from 12s to 13.965s`, `fired from `,
		`>generation 2<`, `>and 96 more, in which less happened<`, `>worker-40<`, `>worker-99<`, `>degraded calls<`,
		`>at 5.101s<`, `>fail at 10s: it was true<`, `>undecided at 20s: the scenario ended before 10s had passed<`, `>vacuous at 20s: the moment after which it counts never came<`, `>1 &lt; 2<`,
	} {
		if !strings.Contains(picture, want) {
			t.Errorf("the picture lacks %s", want)
		}
	}
	if n := strings.Count(picture, ">worker-"); n != 4 {
		t.Errorf("%d labels of replicas", n)
	}
}

func TestARunThatWasNotRecordedIsNotDrawn(t *testing.T) {
	if err := lanes.SVG(io.Discard, &scenario.Report{Virtual: 1}); !errors.Is(err, lanes.ErrNoTape) {
		t.Error(err)
	}
}
