package spec

import (
	"os"
	"strings"
	"testing"
)

var layouts = []struct{ name, text, want string }{
	{"indentation", "a:\n    b: 1\n    c:\n        d: 2\n", "a:\n  b: 1\n  c:\n    d: 2\n"},
	{"lists below their key", "a:\n- x\n- y:   1\n  z: 2\nb: 1\n", "a:\n  - x\n  - y: 1\n    z: 2\nb: 1\n"},
	{"deep lists", "a:\n    -   b: 1\n        c:\n        -   d\n", "a:\n  - b: 1\n    c:\n      - d\n"},
	{"lists in lists", "- - a\n  - b\n-   - c\n", "- - a\n  - b\n- - c\n"},
	{"one space", "a:    1\nb:  # nothing\n  c: 2\n", "a: 1\nb:  # nothing\n  c: 2\n"},
	{"comments move along", "# top\na:\n    # of b\n    b: 1 # behind\n    # last in a\n# of c\nc: 2\n",
		"# top\na:\n  # of b\n  b: 1 # behind\n  # last in a\n# of c\nc: 2\n"},
	{"empty lines", "\n\na: 1\n\n\n\nb: 2\n\n\n", "a: 1\n\nb: 2\n"},
	{"block scalars", "a:\n    b: |\n        # text\n          deeper\n\n\n        end  \n    c: 1\n", "a:\n  b: |\n      # text\n        deeper\n\n\n      end  \n  c: 1\n"},
	{"quoted over lines", "a:\n    b: \"x\n\n\n      y\"\n", "a:\n  b: \"x\n\n\n    y\"\n"},
	{"flow over lines", "a:\n    b: [1,\n        2, # two\n        3]\n", "a:\n  b: [1,\n      2, # two\n      3]\n"},
	{"documents", "a:\n    b: 1\n---\n\nc:\n    d: 1\n", "a:\n  b: 1\n---\n\nc:\n  d: 1\n"},
	{"line ends", "\ufeffa: 1  \r\nb: 2\t\r\n", "a: 1\nb: 2\n"},
	{"no line end", "a: 1", "a: 1\n"},
	{"quotes a tag", "a:\n  when: !ready\n", "a:\n  when: '!ready'\n"},
	{"quotes what YAML refuses", "when: !ready && x\nb: x ? a: 'b'\nc: *d # e\n", "when: '!ready && x'\nb: 'x ? a: ''b'''\nc: '*d' # e\n"},
	{"dash alone", "a:\n-\n  b: 1\n  c: 2\n", "a:\n  -\n    b: 1\n    c: 2\n"},
}

func TestFormat(t *testing.T) {
	for _, c := range layouts {
		t.Run(c.name, func(t *testing.T) {
			got, diags := Format("x.yaml", []byte(c.text))
			if len(diags) > 0 || string(got) != c.want {
				t.Fatalf("%v\ngot\n%s\nwant\n%s", diags, got, c.want)
			}
			if again, _ := Format("x.yaml", got); string(again) != string(got) {
				t.Errorf("not idempotent:\n%s\nthen\n%s", got, again)
			}
		})
	}
}

func TestFormatLeavesBrokenFilesAlone(t *testing.T) {
	got, diags := Format("x.yaml", []byte("a: [1\n"))
	if string(got) != "a: [1\n" || !diags.HasErrors() {
		t.Errorf("%q, %v", got, diags)
	}
}

func TestTheAnnotatedExamplesAreFormatted(t *testing.T) {
	for _, file := range []string{"testdata/topology.yaml", "testdata/policy.yaml", "testdata/scenario.yaml", "../examples/quickstart.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, diags := Format(file, data); string(got) != string(data) || len(diags) > 0 {
			t.Errorf("%v\n%s", diags, Diff(file, data, got))
		}
	}
}

func TestDiff(t *testing.T) {
	if got := Diff("f", []byte("a\nb\n"), []byte("a\nb\n")); got != "" {
		t.Error(got)
	}
	if got := Diff("f", []byte("a\nb\nc\n"), []byte("a\nx\nc\n")); !strings.HasSuffix(got, "@@ -2,1 +2,1 @@\n-b\n+x\n") {
		t.Error(got)
	}
}
