package rules

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRewriteDurations(t *testing.T) {
	for text, want := range map[string]string{
		`took > 1m30s`:              `took > 90`,
		`800ms`:                     `0.8`,
		`1.5h+2d`:                   `5400+172800`,
		`.5m > x`:                   `30 > x`,
		`1w`:                        `604800`,
		`5us + 3ns + 7µs`:           `0.000005 + 0.000000003 + 0.000007`,
		`"5m" + '1s' + 1s`:          `"5m" + '1s' + 1`,
		`"a\"5m" == 5m`:             `"a\"5m" == 300`,
		"`5m``5m` == 5m":            "`5m``5m` == 300",
		`a5m + b_1s + x`:            `a5m + b_1s + x`,
		`/* 5m */ 5m // 5m`:         `/* 5m */ 300 // 5m`,
		`1e5 + 0xFF + 1_000 + 2E-3`: `1e5 + 0xFF + 1_000 + 2E-3`,
		`msg.items[1].x`:            `msg.items[1].x`,
		`1..3`:                      `1..3`,
		`x > 5m&&y`:                 `x > 300&&y`,
		`1e+5s`:                     "",
		`1x`:                        "",
		`5mm`:                       "",
		`1.2.3s`:                    "",
		`0xFFs`:                     "",
	} {
		got, problem := rewriteDurations(text)
		if want == "" {
			if problem == nil || problem.Code != "LR308" {
				t.Errorf("%s gives %q, want LR308", text, got.text)
			}
			continue
		}
		if problem != nil || got.text != want {
			t.Errorf("%s gives %q (%v), want %q", text, got.text, problem, want)
		}
	}
}

func TestSpansComeBackThroughLiterals(t *testing.T) {
	text := `800ms < x && 1m30s < yy`
	r, _ := rewriteDurations(text)
	for _, part := range []string{"x", "&&", "yy", "<"} {
		at := strings.LastIndex(r.text, part)
		from, to := r.span(at, at+len(part))
		if text[from:to] != part {
			t.Errorf("%q comes back as %q", part, text[from:to])
		}
	}
	at := strings.Index(r.text, "90")
	if from, to := r.span(at, at+2); text[from:to] != "1m30s" {
		t.Errorf("literal comes back as %q", text[from:to])
	}
	if from, to := r.span(0, len(r.text)); text[from:to] != text {
		t.Errorf("everything comes back as %q", text[from:to])
	}
}

func TestDurationsAgreeWithTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, math.MaxInt64/2).Draw(t, "ns"))
		seconds, err := parseDuration(d.String())
		if err != nil || math.Abs(seconds-d.Seconds()) > 1e-9*math.Max(1, seconds) {
			t.Fatalf("%s is %v (%v), want %v", d, seconds, err, d.Seconds())
		}
	})
}

func FuzzDurationRewrite(f *testing.F) {
	for _, seed := range []string{`took > 1m30s`, `"5m" == x`, "`1s`", `.5m`, `a.5s`, `1e-3s`, `/*1s`, `'\`, `µ5µs`, "5s\xff", `0x5m`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, problem := rewriteDurations(text)
		if problem != nil {
			if problem.Offset < 0 || problem.Len < 1 || problem.Offset+problem.Len > len(text) {
				t.Fatalf("problem outside the text: %+v", problem)
			}
			return
		}
		for at := 0; at <= len(r.text); at++ {
			from, to := r.span(at, at)
			if from < 0 || from > len(text) || to < 0 || to > len(text) {
				t.Fatalf("%q at %d comes back as %d to %d", r.text, at, from, to)
			}
		}
		again, problem := rewriteDurations(r.text)
		if problem != nil || again.text != r.text {
			t.Fatalf("%q is rewritten to %q and then to %q (%v)", text, r.text, again.text, problem)
		}
		if keep := outsideLiterals(text, r.moves); keep != outsideRewritten(r) {
			t.Fatalf("%q changed outside its literals: %q", text, r.text)
		}
	})
}

func outsideLiterals(text string, moves []move) string {
	var out strings.Builder
	at := 0
	for _, m := range moves {
		out.WriteString(text[at:m.origin] + "|")
		at = m.end
	}
	return out.String() + text[at:]
}

func outsideRewritten(r rewritten) string {
	var out strings.Builder
	at := 0
	for _, m := range r.moves {
		out.WriteString(r.text[at:m.from] + "|")
		at = m.to
	}
	return out.String() + r.text[at:]
}
