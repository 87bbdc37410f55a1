package lanes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan/draw"
	"github.com/lukhasai/lukhas-run/engine/scenario"
)

// ErrNoTape is given for a report of a run that was not recorded.
var ErrNoTape = errors.New("the run was not recorded, so there is nothing to draw")

// Measures of the page.
const (
	width  = 1240.0
	margin = 28.0
	gutter = 236.0 // where the labels stand
	left   = margin + gutter
	right  = width - margin
	row    = 20.0
	bar    = 12.0
	curve  = 44.0
	least  = 2.0 // width of a state
	small  = 11.0
	tiny   = 10.0
)

// SVG draws a recorded run: dark on light, no scripts, no outside fonts. What is pointed at tells more.
func SVG(w io.Writer, r *scenario.Report) error {
	if r.Tape == nil || r.Virtual <= 0 {
		return ErrNoTape
	}
	p := compose(r)
	s := &svg{picture: p}
	s.heading()
	s.top = s.y
	s.timeline()
	s.loads()
	for _, sec := range p.sections {
		s.section(sec)
	}
	s.verdicts()
	if len(s.reloads) > 0 {
		s.y += 12 // for their names
	}
	s.bottom = s.y
	s.legend()
	return s.write(w)
}

// svg writes the picture from the top down. What lies behind the lanes is only known when their height is.
type svg struct {
	*picture
	body        strings.Builder
	y           float64
	top, bottom float64 // of the part with an axis
	used        []string
}

func (s *svg) put(format string, args ...any) { fmt.Fprintf(&s.body, format+"\n", args...) }

// x is where a time stands.
func (s *svg) x(at time.Duration) float64 {
	at = max(0, min(at, s.duration))
	return left + (right-left)*float64(at)/float64(s.duration)
}

func (s *svg) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	name := draw.Escape(s.report.Name)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" font-family="Inter, 'Segoe UI', Roboto, 'DejaVu Sans', Verdana, sans-serif" role="img">`+"\n",
		draw.Num(width), draw.Num(s.y), draw.Num(width), draw.Num(s.y))
	fmt.Fprintf(out, "<title>%s</title>\n<defs>\n", name)
	for _, l := range looks() {
		if l.striped {
			fmt.Fprintf(out, `<pattern id="s-%s" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="%s"/><rect width="2" height="6" fill="%s" fill-opacity="0.55"/></pattern>`+"\n", l.name, l.fill, l.line)
		}
	}
	fmt.Fprint(out, "</defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n")
	s.axis(out)
	if _, err := io.WriteString(out, s.body.String()); err != nil {
		return err
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

// axis draws what lies behind the lanes: ticks, the shade of faults, reloads.
func (s *svg) axis(out io.Writer) {
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	for _, f := range s.faulty() {
		line(`<rect x="%s" y="%s" width="%s" height="%s" fill="#d64545" fill-opacity="0.05"/>`, draw.Num(s.x(f.from)), draw.Num(s.top), draw.Num(s.x(f.to)-s.x(f.from)), draw.Num(s.bottom-s.top))
	}
	for _, at := range ticks(s.duration) {
		x := draw.Num(s.x(at))
		line(`<path d="M%s %sV%s" stroke="%s"/>`, x, draw.Num(s.top-4), draw.Num(s.bottom), rule)
		for _, y := range []float64{s.top - 8, s.bottom + 13} {
			line(`<text x="%s" y="%s" font-size="10" fill="%s" text-anchor="middle">%s</text>`, x, draw.Num(y), faint, short(at))
		}
	}
	for _, m := range s.reloads {
		colour := tint("reload").line
		line(`<g><title>%s %s</title><path d="M%s %sV%s" stroke="%s" stroke-dasharray="4 3"/><text x="%s" y="%s" font-size="10" fill="%s">%s</text></g>`, brief(m.at), draw.Escape(m.note),
			draw.Num(s.x(m.at)), draw.Num(s.top), draw.Num(s.bottom), colour, draw.Num(math.Min(s.x(m.at)+3, right-70)), draw.Num(s.bottom-4), colour, draw.Escape(m.name))
	}
}

// heading says what ran and how it ended.
func (s *svg) heading() {
	r := s.report
	word, colour := "PASS", good
	if !r.Passed() {
		word, colour = "FAIL", bad
	}
	title := draw.Fit(r.Name, 19, true, right-margin-90)
	s.put(`<text x="%s" y="42" font-size="19" font-weight="600" fill="%s">%s</text>`, draw.Num(margin), ink, draw.Escape(title))
	s.put(`<rect x="%s" y="25" width="58" height="23" rx="11.5" fill="%s"/><text x="%s" y="41" font-size="12" font-weight="600" fill="#ffffff" text-anchor="middle">%s</text>`,
		draw.Num(right-58), colour, draw.Num(right-29), word)
	about := fmt.Sprintf("%s of virtual time · seed %d · %s messages", short(s.duration), r.Seed, grouped(r.Messages))
	if r.Tape.Plan.Name != "" {
		about = "topology " + r.Tape.Plan.Name + " · " + about
	}
	s.put(`<text x="%s" y="63" font-size="12" fill="%s">%s</text>`, draw.Num(margin), faint, draw.Escape(about))
	s.y = 80
	for _, text := range []string{r.Problem, ended(r)} {
		if text != "" {
			s.put(`<text x="%s" y="%s" font-size="12" fill="%s">%s</text>`, draw.Num(margin), draw.Num(s.y), bad, draw.Escape(draw.Fit(text, 12, false, right-margin)))
			s.y += 16
		}
	}
	s.y += 16
}

func ended(r *scenario.Report) string {
	if r.Ended == "" {
		return ""
	}
	return "the engine ended by itself: " + r.Ended
}

// grouped writes a number with a comma at each thousand.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// title begins a part of the page.
func (s *svg) title(text string) {
	s.y += 8
	s.put(`<text x="%s" y="%s" font-size="10" font-weight="600" letter-spacing="0.8" fill="%s">%s</text>`, draw.Num(margin), draw.Num(s.y+8), faint, draw.Escape(strings.ToUpper(text)))
	s.y += 14
}

// timeline draws the steps, as many in a row as find room.
func (s *svg) timeline() {
	if len(s.steps) == 0 {
		return
	}
	s.title("timeline")
	var ends []float64 // of each row
	for i := range s.steps {
		begin := s.x(s.steps[i].spans[0].from)
		at := slices.IndexFunc(ends, func(end float64) bool { return end <= begin })
		if at < 0 {
			at, ends = len(ends), append(ends, 0)
		}
		ends[at] = s.stage(&s.steps[i], s.y+float64(at)*row) + 12
	}
	s.y += float64(len(ends)) * row
	if s.more > 0 {
		s.put(`<text x="%s" y="%s" font-size="10" fill="%s">and %d more steps</text>`, draw.Num(left), draw.Num(s.y+10), faint, s.more)
		s.y += 14
	}
}

// stage draws one step, each time that it came, and gives where its room ends.
func (s *svg) stage(st *stage, y float64) float64 {
	look := tint(st.kind)
	end := 0.0
	for i := range st.spans {
		end = s.span(&st.spans[i], look, y)
	}
	first := st.spans[0]
	x1, x2 := s.x(first.from), s.x(first.to)
	w := draw.TextWidth(st.label, small, false)
	switch {
	case w+10 <= x2-x1:
		s.word(x1+6, y+14, st.label, look.line)
	case end+9+w <= right:
		s.word(end+6, y+14, st.label, look.line)
		end += 9 + w
	default: // before it, or where the labels stand
		at, room := x1-7, x1-left-10
		if w > room {
			at, room = left-8, gutter-8
		}
		s.put(`<text x="%s" y="%s" font-size="11" fill="%s" text-anchor="end">%s</text>`, draw.Num(at), draw.Num(y+14), look.line, draw.Escape(draw.Fit(st.label, small, false, room)))
		end = right
	}
	return end
}

// span draws one time that a step came, and gives where it ends.
func (s *svg) span(sp *span, look look, y float64) float64 {
	x1, x2 := s.x(sp.from), s.x(sp.to)
	s.put(`<g><title>%s %s</title>`, brief(sp.from), draw.Escape(sp.note))
	if sp.to > sp.from {
		x2 = math.Max(x2, x1+2)
		s.put(`<rect x="%s" y="%s" width="%s" height="%s" rx="3" fill="%s" stroke="%s"/></g>`, draw.Num(x1), draw.Num(y+2), draw.Num(x2-x1), draw.Num(bar+4), look.fill, look.line)
		return x2
	}
	s.put(`<path d="M%s %sl4.5 6l-4.5 6l-4.5 -6Z" fill="%s"/></g>`, draw.Num(x1), draw.Num(y+4), look.line)
	return x1 + 4
}

func (s *svg) word(x, y float64, text, colour string) {
	s.put(`<text x="%s" y="%s" font-size="11" fill="%s">%s</text>`, draw.Num(x), draw.Num(y), colour, draw.Escape(text))
}

// label names a lane.
func (s *svg) label(x, y float64, text, note, colour string, bold bool) {
	weight := ""
	if bold {
		weight = ` font-weight="600"`
	}
	s.put(`<text x="%s" y="%s" font-size="11"%s fill="%s"><title>%s</title>%s</text>`, draw.Num(x), draw.Num(y), weight, colour, draw.Escape(note),
		draw.Escape(draw.Fit(text, small, bold, left-8-x)))
}

func (s *svg) section(sec section) {
	s.title(sec.title)
	for _, l := range sec.lanes {
		s.lane(l)
	}
	if sec.more != "" {
		s.put(`<text x="%s" y="%s" font-size="10" fill="%s">%s</text>`, draw.Num(margin), draw.Num(s.y+10), faint, draw.Escape(sec.more))
		s.y += 16
	}
}

func (s *svg) lane(l *lane) {
	s.label(margin+float64(l.depth)*9, s.y+14, l.label, l.path, ink, l.group)
	thick := bar
	if l.group {
		thick = 4
	}
	top := s.y + (row-thick)/2
	tiny := func(st *state) bool { return s.x(st.to)-s.x(st.from) < least }
	for i := range l.states {
		if !tiny(&l.states[i]) {
			s.state(&l.states[i], top, thick)
		}
	}
	for i := range l.states { // on top, so that they are seen
		if tiny(&l.states[i]) {
			s.state(&l.states[i], top, thick)
		}
	}
	for _, m := range l.marks {
		s.mark(m, s.y+row/2)
	}
	s.y += row
}

func (s *svg) state(st *state, top, thick float64) {
	if st.name == "" {
		return
	}
	look := lookOf(st.name)
	if !slices.Contains(s.used, st.name) {
		s.used = append(s.used, st.name)
	}
	fill := look.fill
	if look.striped {
		fill = "url(#s-" + look.name + ")"
	}
	x1, x2 := s.x(st.from), s.x(st.to)
	s.put(`<rect x="%s" y="%s" width="%s" height="%s" rx="2" fill="%s" stroke="%s" stroke-width="0.8"><title>%s</title></rect>`, draw.Num(x1), draw.Num(top),
		draw.Num(math.Max(x2-x1, least)), draw.Num(thick), fill, look.line, draw.Escape(st.told()))
}

// told is a state in words.
func (st *state) told() string {
	text := fmt.Sprintf("%s from %s to %s", st.name, brief(st.from), brief(st.to))
	if st.note != "" {
		text += "\n" + st.note
	}
	return text
}

// mark draws one moment of a lane.
func (s *svg) mark(m moment, y float64) {
	s.put(`<g><title>%s %s</title>`, brief(m.at), draw.Escape(m.note))
	s.glyph(m.name, s.x(m.at), y)
	s.put(`</g>`)
}

// glyph draws a cross for a failure, a triangle for a supervisor that gave up, a diamond for what was decided.
func (s *svg) glyph(name string, x, y float64) {
	switch name {
	case "failed":
		s.put(`<path d="M%s %sl6 6m0 -6l-6 6" stroke="%s" stroke-width="1.8" stroke-linecap="round"/>`, draw.Num(x-3), draw.Num(y-3), bad)
	case "gave up":
		s.put(`<path d="M%s %sl5 9h-10Z" fill="%s"/>`, draw.Num(x), draw.Num(y-5), bad)
	default:
		s.put(`<path d="M%s %sl4 5l-4 5l-4 -5Z" fill="#b02a72"/>`, draw.Num(x), draw.Num(y-5))
	}
}
