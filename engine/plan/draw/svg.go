package draw

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// MaxDrawn is how many nodes SVG draws; a picture of more shows nothing.
const MaxDrawn = 5000

// SVG writes the picture: dark on light, no scripts, no outside fonts. Each node and edge tells more when pointed at.
func SVG(w io.Writer, g Graph) error {
	if len(g.Nodes) > MaxDrawn {
		return fmt.Errorf("%d nodes are too many to draw, at most %d; use json or dot", len(g.Nodes), MaxDrawn)
	}
	l := arrange(g)
	s := svg{out: bufio.NewWriter(w), layout: l}
	s.put(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %s %s" width="%s" height="%s" font-family="Inter, 'Segoe UI', Roboto, 'DejaVu Sans', Verdana, sans-serif" role="img">`,
		Num(l.width), Num(l.height), Num(l.width), Num(l.height))
	s.put(`<title>%s</title><rect width="100%%" height="100%%" fill="#ffffff"/>`, Escape(g.Name))
	s.arrows()
	s.put(`<text x="%s" y="%s" font-size="18" font-weight="600" fill="%s">%s</text>`, Num(margin), Num(margin+14), ink, Escape(g.Name))
	for _, r := range l.rungs {
		s.put(`<path d="M%s %sL%s %s" stroke="%s" stroke-width="1.4" fill="none" stroke-linecap="round"/>`, Num(r.x1), Num(r.y1), Num(r.x2), Num(r.y2), rail)
	}
	for _, c := range l.curves() {
		s.curve(c)
	}
	for _, c := range l.cards {
		s.card(c)
	}
	s.legend()
	s.put(`</svg>`)
	return s.out.Flush()
}

type svg struct {
	out    *bufio.Writer
	layout *layout
}

func (s *svg) put(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// arrows defines a head in the colour of each kind of edge.
func (s *svg) arrows() {
	s.put(`<defs>`)
	for _, k := range edgeKinds() {
		s.put(`<marker id="to-%s" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0.6L8 4L0 7.4Z" fill="%s"/></marker>`, k, edgeColour(k))
	}
	s.put(`</defs>`)
}

func (s *svg) curve(c *curve) {
	x1, cx1, cx2, x2 := c.bend()
	s.put(`<g><title>%s</title><path d="M%s %sC%s %s %s %s %s %s" fill="none" %s/>`, Escape(s.told(c.edge)),
		Num(x1), Num(c.y1), Num(cx1), Num(c.y1), Num(cx2), Num(c.y2), Num(x2), Num(c.y2), stroke(c.edge.Kind))
	if c.edge.Breaker != "" {
		s.put(`<circle cx="%s" cy="%s" r="4" fill="#ffffff" stroke="#c92a2a" stroke-width="1.6"/>`, Num(x1+float64(c.out)*8), Num(c.y1))
	}
	s.put(`</g>`)
}

// told says an edge in words.
func (s *svg) told(e Edge) string {
	text := e.From + " " + edgeWord(e.Kind) + " " + e.To
	if label := edgeText(e); label != "" {
		text += ": " + label
	}
	return text
}

func stroke(kind string) string {
	dash := ""
	if dashed(kind) {
		dash = ` stroke-dasharray="5 4"`
	}
	return fmt.Sprintf(`stroke="%s" stroke-width="1.5" stroke-opacity="0.75"%s marker-end="url(#to-%s)"`, edgeColour(kind), dash, kind)
}

func (s *svg) card(c *card) {
	k := kindOf(c.node.Kind)
	s.put(`<g><title>%s</title>`, Escape(c.node.ID+"\n"+strings.Join(linesOf(*c.node)[1:], "\n")))
	if c.behind() > 0 {
		for i := c.behind(); i > 0; i-- {
			d := float64(i) * step
			s.put(`<rect x="%s" y="%s" width="%s" height="%s" rx="6" fill="#ffffff" stroke="%s" stroke-opacity="0.6"/>`, Num(c.x+d), Num(c.y+d), Num(c.w), Num(c.h), k.line)
		}
	}
	s.put(`<rect x="%s" y="%s" width="%s" height="%s" rx="6" fill="%s" stroke="%s" stroke-width="1.2"/>`, Num(c.x), Num(c.y), Num(c.w), Num(c.h), k.fill, k.line)
	s.pill(c)
	for i, ln := range c.lines {
		s.line(c, ln, c.y+7+(float64(i)+0.5)*lineStep)
	}
	s.put(`</g>`)
}

// pill frames the lines about the breaker.
func (s *svg) pill(c *card) {
	first, n, w := 0, 0, 0.0
	for i, ln := range c.lines {
		if !ln.pill {
			continue
		}
		if n == 0 {
			first = i
		}
		n++
		w = math.Max(w, TextWidth(ln.text, ln.size, ln.bold))
	}
	if n > 0 {
		s.put(`<rect x="%s" y="%s" width="%s" height="%s" rx="7" fill="#fff5f5" stroke="#e08585"/>`, Num(c.x+pad-6), Num(c.y+8+float64(first)*lineStep),
			Num(math.Min(c.w-2*pad+12, w+12)), Num(float64(n)*lineStep-2))
	}
}

func (s *svg) line(c *card, ln line, middle float64) {
	colour, weight := ink, ""
	switch {
	case ln.pill:
		colour = "#a61e1e"
	case ln.faint:
		colour = faint
	}
	if ln.bold {
		weight = ` font-weight="600"`
	}
	s.put(`<text x="%s" y="%s" font-size="%s"%s fill="%s">%s</text>`, Num(c.x+pad), Num(middle+ln.size*0.36), Num(ln.size), weight, colour, Escape(ln.text))
}

// legend explains the kinds that occur.
func (s *svg) legend() {
	x, y := margin, s.layout.height-margin-8
	for _, k := range kinds() {
		if !slices.ContainsFunc(s.layout.graph.Nodes, func(n Node) bool { return n.Kind == k.name }) {
			continue
		}
		s.put(`<rect x="%s" y="%s" width="12" height="12" rx="3" fill="%s" stroke="%s"/>`, Num(x), Num(y-10), k.fill, k.line)
		x += 18 + s.word(x+18, y, k.name)
	}
	x, y = margin, y+20
	for _, k := range edgeKinds() {
		if !slices.ContainsFunc(s.layout.graph.Edges, func(e Edge) bool { return e.Kind == k }) {
			continue
		}
		s.put(`<path d="M%s %sh26" fill="none" %s/>`, Num(x), Num(y-4), stroke(k))
		x += 34 + s.word(x+34, y, edgeWord(k))
	}
}

// word writes a word of the legend and gives the room it takes.
func (s *svg) word(x, y float64, text string) float64 {
	s.put(`<text x="%s" y="%s" font-size="11" fill="%s">%s</text>`, Num(x), Num(y), faint, Escape(text))
	return TextWidth(text, 11, false) + 18
}

// Num writes a coordinate, to a tenth.
func Num(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// Escape makes a text fit for XML, as content or within quotes.
func Escape(text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		return ""
	}
	return b.String()
}
