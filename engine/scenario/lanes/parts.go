package lanes

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan/draw"
	"github.com/lukhasai/lukhas-run/engine/scenario"
)

// loads draws how the calls of each load ended, stacked over time.
func (s *svg) loads() {
	if len(s.curves) == 0 {
		return
	}
	s.title("load")
	for i := range s.curves {
		c := &s.curves[i]
		most, top := peak(c)
		s.label(margin, s.y+14, c.Name, c.Name, ink, false)
		rate := float64(most) / c.Every.Seconds()
		s.put(`<text x="%s" y="%s" font-size="10" fill="%s">up to %s/s</text>`, draw.Num(margin), draw.Num(s.y+28), faint, rounded(rate))
		base := s.y + curve - 4
		layer := make([]uint32, len(c.OK))
		s.area(c, layer, c.OK, answeredFill, base, float64(top))
		s.area(c, layer, c.Degraded, degradedFill, base, float64(top))
		s.area(c, layer, c.Failed, failedFill, base, float64(top))
		s.put(`<path d="M%s %sH%s" stroke="%s"/>`, draw.Num(left), draw.Num(base), draw.Num(right), "#b8c3cf")
		s.y += curve
	}
}

// peak is the largest of a curve's totals, and up to where it is drawn: a short peak is cut, so that the rest can be seen.
func peak(c *scenario.Curve) (most, top uint32) {
	all := make([]uint32, len(c.OK))
	for i := range all {
		all[i] = c.OK[i] + c.Degraded[i] + c.Failed[i]
	}
	slices.Sort(all)
	most = max(all[len(all)-1], 1)
	if usual := all[len(all)*9/10]; usual > 0 {
		return most, min(most, 3*usual)
	}
	return most, most
}

// area draws one layer of a stack on top of those below it, which it grows.
func (s *svg) area(c *scenario.Curve, below, counts []uint32, fill string, base, top float64) {
	if !slices.ContainsFunc(counts, func(n uint32) bool { return n > 0 }) {
		return
	}
	if !slices.Contains(s.used, fill) {
		s.used = append(s.used, fill)
	}
	height := func(n uint32) string { return draw.Num(base - (curve-10)*math.Min(float64(n)/top, 1)) }
	var up, down strings.Builder
	for i, n := range counts {
		x1, x2 := draw.Num(s.x(time.Duration(i)*c.Every)), draw.Num(s.x(time.Duration(i+1)*c.Every))
		fmt.Fprintf(&up, "L%s %sH%s", x1, height(below[i]+n), x2)
	}
	for i := len(counts) - 1; i >= 0; i-- {
		x1, x2 := draw.Num(s.x(time.Duration(i)*c.Every)), draw.Num(s.x(time.Duration(i+1)*c.Every))
		fmt.Fprintf(&down, "L%s %sH%s", x2, height(below[i]), x1)
	}
	s.put(`<path d="M%s%sZ" fill="%s"/>`, strings.TrimPrefix(up.String(), "L"), down.String(), fill)
	for i, n := range counts {
		below[i] += n
	}
}

// rounded is a rate with three digits or so.
func rounded(v float64) string {
	switch {
	case v >= 100:
		return grouped(uint64(math.Round(v)))
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
}

// judgement is how a verdict looks.
func judgement(v scenario.Verdict) (sign, colour string) {
	switch v {
	case scenario.Pass:
		return "✓", good
	case scenario.Fail:
		return "✗", bad
	}
	return "?", doubt
}

// verdicts draws when each expectation counted, and where it was decided.
func (s *svg) verdicts() {
	if len(s.report.Results) == 0 {
		return
	}
	s.title("expectations")
	for i := range s.report.Results {
		s.verdict(&s.report.Results[i])
		s.y += row
	}
	s.y += 2
}

func (s *svg) verdict(r *scenario.Result) {
	sign, colour := judgement(r.Verdict)
	told := fmt.Sprintf("%s: %s\n%s: %s\n%s", r.Name, r.Verdict, r.Kind, r.Source, decided(r))
	s.put(`<text x="%s" y="%s" font-size="12" font-weight="600" fill="%s">%s</text>`, draw.Num(margin), draw.Num(s.y+14), colour, sign)
	s.label(margin+16, s.y+14, r.Name, told, ink, false)
	x1, x2, y := s.x(r.Since), s.x(r.At), s.y+row/2
	s.put(`<g><title>%s</title>`, draw.Escape(told))
	if x2 > x1 {
		s.put(`<path d="M%s %sH%s" stroke="%s" stroke-width="2.4" stroke-opacity="0.45"/><path d="M%s %sv8" stroke="%s" stroke-width="1.6"/>`,
			draw.Num(x1), draw.Num(y), draw.Num(x2), colour, draw.Num(x1), draw.Num(y-4), colour)
	}
	s.put(`<circle cx="%s" cy="%s" r="4.2" fill="%s"/>`, draw.Num(x2), draw.Num(y), colour)
	text := decided(r)
	w := draw.TextWidth(text, tiny, false)
	at, anchor := x2+9, "start"
	if at+w > right {
		at, anchor = math.Max(x2-9, left), "end"
		text = draw.Fit(text, tiny, false, at-left)
		w = draw.TextWidth(text, tiny, false)
	}
	behind := at - 2
	if anchor == "end" {
		behind -= w
	}
	s.put(`<rect x="%s" y="%s" width="%s" height="13" fill="#ffffff" fill-opacity="0.9"/><text x="%s" y="%s" font-size="10" fill="%s" text-anchor="%s">%s</text></g>`, draw.Num(behind), draw.Num(y-6.5), draw.Num(w+4),
		draw.Num(at), draw.Num(y+3.5), colour, anchor, draw.Escape(text))
}

// decided says when and why.
func decided(r *scenario.Result) string {
	text := "at " + brief(r.At)
	if r.Verdict != scenario.Pass {
		text = string(r.Verdict) + " " + text
	}
	if r.Why != "" {
		text += ": " + r.Why
	}
	return text
}

// legend explains what is on the page.
func (s *svg) legend() {
	s.y += 34
	x := margin
	room := func(text string) float64 {
		w := draw.TextWidth(text, small, false) + 36
		if x+w > right {
			x, s.y = margin, s.y+18
		}
		at := x
		x += w
		return at
	}
	word := func(at float64, text string) { s.word(at+18, s.y, text, faint) }
	for _, l := range looks() {
		if !slices.Contains(s.used, l.name) || l.name == "closed" || l.name == "healthy" {
			continue
		}
		fill, text := l.fill, strings.ReplaceAll(l.name, "_", " ")
		if l.striped {
			fill = "url(#s-" + l.name + ")"
		}
		if l.name == "ready" {
			text = "ready, closed, healthy"
		}
		at := room(text)
		s.put(`<rect x="%s" y="%s" width="13" height="11" rx="2" fill="%s" stroke="%s" stroke-width="0.8"/>`, draw.Num(at), draw.Num(s.y-9.5), fill, l.line)
		word(at, text)
	}
	s.signs(room, word)
	s.y += 20
}

// signs explains the marks that occur.
func (s *svg) signs(room func(string) float64, word func(float64, string)) {
	seen := map[string]bool{}
	for _, sec := range s.sections {
		for _, l := range sec.lanes {
			for _, m := range l.marks {
				seen[m.name] = true
			}
		}
	}
	for _, kind := range []struct{ name, text string }{{"failed", "failure"}, {"gave up", "gave up"}, {"fired", "rule fired"}, {"would open", "would open"}} {
		if !seen[kind.name] {
			continue
		}
		at := room(kind.text)
		s.glyph(kind.name, at+6, s.y-4)
		word(at, kind.text)
	}
	for _, part := range []struct{ text, fill string }{{"answered", answeredFill}, {"degraded", degradedFill}, {"failed", failedFill}} {
		if slices.Contains(s.used, part.fill) {
			at := room(part.text + " calls")
			s.put(`<rect x="%s" y="%s" width="13" height="11" fill="%s"/>`, draw.Num(at), draw.Num(s.y-9.5), part.fill)
			word(at, part.text+" calls")
		}
	}
}
