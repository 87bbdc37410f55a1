package spec

import (
	"fmt"
	"io"
	"strings"
)

// Render prints findings for people, with the line and a caret below what is
// wrong, and a last line that counts. Files supply the source lines; a place in
// another file is printed without its line.
func Render(out io.Writer, diags Diagnostics, files []File, colour bool) error {
	r := renderer{sources: map[string]*source{}, colour: colour}
	for _, f := range files {
		r.sources[f.Path] = &source{name: f.Path, data: []byte(strings.TrimPrefix(string(f.Data), "\ufeff"))}
	}
	for _, d := range diags {
		r.diagnostic(d)
	}
	if len(diags) > 0 {
		r.line("%s", Summary(diags))
	}
	_, err := io.WriteString(out, r.text.String())
	return err
}

// Summary counts: 3 errors, 1 warning in 2 files.
func Summary(diags Diagnostics) string {
	errors, warnings := diags.Count()
	files := map[string]bool{}
	for _, d := range diags {
		files[d.Pos.File] = true
	}
	var parts []string
	if errors > 0 {
		parts = append(parts, plural(errors, "error"))
	}
	if warnings > 0 {
		parts = append(parts, plural(warnings, "warning"))
	}
	if len(parts) == 0 {
		return "no findings"
	}
	more := ""
	if len(diags) >= MaxDiagnostics {
		more = fmt.Sprintf("; no more than %d are shown: mend these and look again", MaxDiagnostics)
	}
	return strings.Join(parts, ", ") + " in " + plural(len(files), "file") + more
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

type renderer struct {
	text    strings.Builder
	sources map[string]*source
	colour  bool
}

const (
	bold   = "1"
	red    = "1;31"
	yellow = "1;33"
	blue   = "1;34"
)

func (r *renderer) paint(code, text string) string {
	if !r.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (r *renderer) line(format string, args ...any) { fmt.Fprintf(&r.text, format+"\n", args...) }

func (r *renderer) diagnostic(d Diagnostic) {
	colour := red
	if d.Severity == Warning {
		colour = yellow
	}
	r.line("%s: %s", r.paint(colour, fmt.Sprintf("%s[%s]", d.Severity, d.Code)), r.paint(bold, printable(d.Message)))
	gutter := len(fmt.Sprint(d.Pos.Line))
	for _, related := range d.Related {
		gutter = max(gutter, len(fmt.Sprint(related.Pos.Line)))
	}
	r.place(d.Pos, gutter, "^", printable(d.Suggestion), colour)
	for _, related := range d.Related {
		r.place(related.Pos, gutter, "-", printable(related.Message), blue)
	}
	help := d.Help
	if help == "" {
		help = "lukhas-run explain " + d.Code
	}
	r.line("%s %s help: %s", strings.Repeat(" ", gutter), r.paint(blue, "="), help)
}

// printable keeps control characters of the input off the terminal.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' || c == 0x7F {
			return '\uFFFD'
		}
		return c
	}, text)
}

func (r *renderer) place(pos Pos, gutter int, mark, note, colour string) {
	if pos.IsZero() {
		if note != "" {
			r.line("%s %s", strings.Repeat(" ", gutter+1), note)
		}
		return
	}
	pad := strings.Repeat(" ", gutter)
	bar := r.paint(blue, "|")
	r.line("%s%s %s", pad, r.paint(blue, "-->"), pos)
	src := r.sources[pos.File]
	if src == nil || pos.Line == 0 {
		return
	}
	text, before, under := window(src.line(pos.Line), pos)
	r.line("%s %s", pad, bar)
	r.line("%s %s %s", r.paint(blue, fmt.Sprintf("%*d", gutter, pos.Line)), bar, printable(text))
	r.line("%s %s %s%s", pad, bar, before, strings.TrimRight(r.paint(colour, strings.Repeat(mark, under))+" "+note, " "))
}

// maxShown bounds how many runes of a source line are printed.
const maxShown = 160

// window cuts a long line around the place, replaces tabs by spaces, and
// returns the text, the blanks before the mark and the mark's length.
func window(line string, pos Pos) (text, before string, length int) {
	runes := []rune(strings.ReplaceAll(line, "\t", " "))
	col := min(max(pos.Col-1, 0), len(runes))
	start := 0
	if len(runes) > maxShown && col > maxShown/2 {
		start = col - maxShown/2
	}
	end := min(len(runes), start+maxShown)
	length = max(1, min(pos.Len, end-col))
	return string(runes[start:end]), strings.Repeat(" ", col-start), length
}
