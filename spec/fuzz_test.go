package spec

import (
	"os"
	"strings"
	"testing"
)

func seedFiles(f *testing.F) {
	for _, file := range []string{"testdata/topology.yaml", "testdata/policy.yaml", "testdata/scenario.yaml", "../examples/quickstart.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	for _, c := range nastyFiles {
		if len(c.text) < 4096 {
			f.Add(c.text)
		}
	}
	for _, c := range layouts {
		f.Add(c.text)
	}
}

// Whatever is read, loading ends with findings or with a tree whose every
// accessor works.
func FuzzParse(f *testing.F) {
	seedFiles(f)
	f.Fuzz(func(t *testing.T, text string) {
		set, diags := Parse("f.yaml", []byte(text), testOptions())
		if set.Topology != nil {
			_, more := Resolve(set, nil)
			diags = append(diags, more...)
		}
		for _, d := range set.Documents {
			d.Root.Interface()
		}
		for _, d := range diags {
			if d.Code == "" || d.Message == "" {
				t.Errorf("empty finding %+v", d)
			}
			if d.Pos.Line > strings.Count(text, "\n")+2 {
				t.Errorf("finding beyond the file: %v", d)
			}
		}
		var out strings.Builder
		if err := Render(&out, diags, set.Files, true); err != nil {
			t.Error(err)
		}
	})
}

func FuzzFormat(f *testing.F) {
	seedFiles(f)
	f.Fuzz(func(t *testing.T, text string) {
		once, diags := Format("f.yaml", []byte(text))
		if len(diags) > 0 {
			return
		}
		twice, diags := Format("f.yaml", once)
		if len(diags) > 0 || string(once) != string(twice) {
			t.Errorf("%v\nonce  %q\ntwice %q", diags, once, twice)
		}
	})
}

func FuzzInterpolate(f *testing.F) {
	for _, text := range []string{"", "a", "${HOME}", "${X:-y}", "$${HOME}", "a${name}b${params.x}", "${file:/x}", "${secret:PASSWORD}", "${", "${}", "$$$${a}", "${a b}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		opts := testOptions()
		failed := false
		in := interpolation{opts: &opts, report: func(_ Severity, offset, length int, p *problem) {
			failed = true
			if offset < 0 || length < 1 || offset > len(text) || strings.Contains(p.message, "hunter2") || strings.Contains(p.message, "s3cret") {
				t.Errorf("%q: %d, %d, %s", text, offset, length, p.message)
			}
		}}
		in.fill(text)
		if !failed && !needsInterpolation(text) && joined(in.parts) != text {
			t.Errorf("%q became %q", text, joined(in.parts))
		}
	})
}

// A scalar of any type is refused or typed within its bounds.
func FuzzUnits(f *testing.F) {
	for _, text := range []string{"5", "5.7", "010", "1e400", "-3", "30s", "1m30s", "1:30", "50%", "64KiB", "200/s", "3s of 5s", "a.end + 5s", "true", "2026-12-01", ".5h", "1w2d", "9999999h", "0x10", "1_0"} {
		f.Add(text)
	}
	types := []*Type{intType, countType, numberType, factorType, ratioType, durationType, spanType, signedType, sizeType, rateType, boolType, timeType, holdType, momentType, nameType, identType, targetType, textType}
	f.Fuzz(func(t *testing.T, text string) {
		for _, typ := range types {
			v, problem := parseScalar(typ, scalar{text: text, plain: kindOf(text)})
			if problem != nil {
				if problem.code == "" || problem.message == "" {
					t.Errorf("%s %q: %+v", typ.Title, text, problem)
				}
				continue
			}
			if float64(v.whole) < typ.Min && typ.Shape != Time && typ.Shape != Number || v.number < 0 && typ.Min >= 0 || typ == ratioType && v.number > 1 || v.number != v.number {
				t.Errorf("%s %q: %d, %v", typ.Title, text, v.whole, v.number)
			}
		}
		if d, err := ParseDuration(text); err == nil {
			if again, err := ParseDuration(d.String()); d != 0 && (err != nil || again != d) {
				t.Errorf("%q is %v, which is %v, %v", text, d, again, err)
			}
		}
	})
}
