package draw

import (
	"math"
	"slices"
	"strings"
)

// Distances of the layout, in pixels.
const (
	margin    = 28.0
	gutter    = 64.0 // between columns: lines run here
	stack     = 14.0 // between cards of a column
	drop      = 46.0 // from a supervisor down to its children
	trunk     = 16.0 // from a column to the line its cards hang on
	narrowest = 128.0
	widest    = 236.0
	pad       = 12.0
	lineStep  = 17.0
)

// card is a node with its place.
type card struct {
	node       *Node
	lines      []line
	x, y, w, h float64
}

// step is how far the cards behind that of a group stand out.
const step = 3.0

// behind is how many cards stand behind it: others of its group.
func (c *card) behind() int { return max(0, min(2, c.node.Replicas-1)) }

func (c *card) middle() float64 { return c.y + c.h/2 }

// line is one text of a card, already short enough for it.
type line struct {
	text  string
	size  float64
	bold  bool
	faint bool
	pill  bool // in a frame of its own: a breaker
}

// rung is a straight piece of the lines between a supervisor and its children.
type rung struct{ x1, y1, x2, y2 float64 }

// layout is a placed graph.
type layout struct {
	graph         Graph
	cards         []*card
	byID          map[string]*card
	rungs         []rung
	width, height float64
	ideal         float64 // width that suits the number of nodes
	below         map[string][]*card
}

// arrange places everything: listeners on the left, the tree in the middle, rules on the right. A supervisor stands above
// its children; children without children hang below it in columns, so the picture grows in both directions. The shape of
// the tree is that of Reingold and Tilford's tidy trees, with leaves stacked.
func arrange(g Graph) *layout {
	l := &layout{graph: g, byID: map[string]*card{}, below: map[string][]*card{}}
	var listeners, rules, tops []*card
	for i := range g.Nodes {
		c := measure(&g.Nodes[i])
		l.cards = append(l.cards, c)
		l.byID[c.node.ID] = c
		switch {
		case c.node.Kind == "listener":
			listeners = append(listeners, c)
		case c.node.Kind == "rule":
			rules = append(rules, c)
		case c.node.Parent == "":
			tops = append(tops, c)
		default:
			l.below[c.node.Parent] = append(l.below[c.node.Parent], c)
		}
	}
	l.ideal = math.Max(1000, math.Sqrt(float64(len(g.Nodes))*260*110*1.6))
	x, y := margin, margin+44
	if len(listeners) > 0 {
		w, _ := l.columns(listeners, x, y, math.Inf(1))
		x += w + gutter
	}
	bottom := y
	for _, c := range tops {
		b := l.block(c)
		b.move(x, y)
		x += b.w + gutter
		bottom = math.Max(bottom, y+b.h)
	}
	if len(rules) > 0 {
		l.columns(rules, x, y, math.Max(bottom-y, 300))
	}
	l.extent()
	return l
}

// extent measures the whole picture.
func (l *layout) extent() {
	for _, c := range l.cards {
		l.width = math.Max(l.width, c.x+c.w)
		l.height = math.Max(l.height, c.y+c.h)
	}
	l.width = math.Max(l.width, 720) + margin + gutter/2
	l.height += margin + 60 // the legend
}

// columns stacks cards below each other, in as many columns as the height asks for, and gives the size.
func (l *layout) columns(cards []*card, x, y, height float64) (w, h float64) {
	left, top := x, y
	for len(cards) > 0 {
		n, used := 0, 0.0
		for n < len(cards) && (n == 0 || used+cards[n].h <= height) {
			used += cards[n].h + stack
			n++
		}
		column := equalWidth(cards[:n])
		at := top
		for _, c := range cards[:n] {
			c.x, c.y = left, at
			at += c.h + stack
		}
		h = math.Max(h, at-stack-top)
		left += column + gutter
		cards = cards[n:]
	}
	return left - gutter - x, h
}

func equalWidth(cards []*card) float64 {
	w := 0.0
	for _, c := range cards {
		w = math.Max(w, c.w)
	}
	for _, c := range cards {
		c.w = w
	}
	return w
}

// block is a part of the tree, placed relative to its own corner.
type block struct {
	w, h  float64
	top   *card // what hangs on a line from above
	cards []*card
	rungs []*rung
	tree  *layout
}

// move puts the block where it belongs; its straight lines become the layout's once nothing moves them any more.
func (b *block) move(dx, dy float64) {
	b.shift(dx, dy)
	for _, r := range b.rungs {
		b.tree.rungs = append(b.tree.rungs, *r)
	}
}

func (b *block) shift(dx, dy float64) {
	for _, c := range b.cards {
		c.x += dx
		c.y += dy
	}
	for _, r := range b.rungs {
		r.x1 += dx
		r.x2 += dx
		r.y1 += dy
		r.y2 += dy
	}
}

func (b *block) rung(x1, y1, x2, y2 float64) { b.rungs = append(b.rungs, &rung{x1, y1, x2, y2}) }

func (b *block) take(inner *block, x, y float64) {
	inner.shift(x, y)
	b.cards = append(b.cards, inner.cards...)
	b.rungs = append(b.rungs, inner.rungs...)
}

// block places a supervisor and all below it.
func (l *layout) block(c *card) *block {
	b := &block{top: c, cards: []*card{c}, w: c.w, h: c.h, tree: l}
	items := l.items(c)
	if len(items) == 0 {
		return b
	}
	shelves := l.shelves(items)
	indent := 0.0
	if len(shelves) > 1 {
		indent = trunk * 1.5
	}
	y := c.h + drop
	var buses []float64
	for _, shelf := range shelves {
		x, tallest := indent, 0.0
		bus := y - drop/2
		for _, item := range shelf {
			b.take(item, x, y)
			b.hang(item, x, bus)
			x += item.w + gutter
			tallest = math.Max(tallest, item.h)
		}
		b.w = math.Max(b.w, x-gutter)
		buses = append(buses, bus)
		y += tallest + drop
	}
	b.h = y - drop
	c.x = (b.w - c.w) / 2
	b.connect(c, shelves, buses, indent)
	return b
}

// hang draws the line from a bus to the item below it: to its top card, or down beside a column of leaves.
func (b *block) hang(item *block, x, bus float64) {
	if item.top != nil {
		middle := item.top.x + item.top.w/2
		b.rung(middle, bus, middle, item.top.y)
		return
	}
	last := map[float64]float64{} // by column: its lowest card
	for _, c := range item.cards {
		b.rung(c.x-trunk, c.middle(), c.x, c.middle())
		last[c.x] = math.Max(last[c.x], c.middle())
	}
	for i, c := range item.cards {
		if i == 0 || c.x != item.cards[i-1].x {
			b.rung(c.x-trunk, bus, c.x-trunk, last[c.x])
		}
	}
}

// connect draws the buses and what leads to them from the supervisor.
func (b *block) connect(c *card, shelves [][]*block, buses []float64, indent float64) {
	middle := c.x + c.w/2
	b.rung(middle, c.y+c.h, middle, buses[0])
	for i, shelf := range shelves {
		from, to := middle, middle
		if i > 0 {
			from, to = indent-trunk*1.5, indent-trunk*1.5
		}
		for _, item := range shelf {
			first, last := item.ends()
			from, to = math.Min(from, first), math.Max(to, last)
		}
		if len(shelves) > 1 {
			from = math.Min(from, indent-trunk*1.5)
		}
		b.rung(from, buses[i], to, buses[i])
	}
	if n := len(buses); n > 1 {
		left := indent - trunk*1.5
		b.rung(left, buses[0], left, buses[n-1])
	}
}

// ends are the leftmost and rightmost places where a bus meets the item.
func (b *block) ends() (first, last float64) {
	if b.top != nil {
		return b.top.x + b.top.w/2, b.top.x + b.top.w/2
	}
	first, last = math.Inf(1), math.Inf(-1)
	for _, c := range b.cards {
		first, last = math.Min(first, c.x-trunk), math.Max(last, c.x-trunk)
	}
	return first, last
}

// items are the parts below a supervisor from left to right in start order: runs of leaves as columns, supervisors as
// blocks.
func (l *layout) items(c *card) []*block {
	var items []*block
	var leaves []*card
	flush := func() {
		if len(leaves) > 0 {
			items = append(items, l.leaves(leaves))
			leaves = nil
		}
	}
	for _, child := range l.below[c.node.ID] {
		if child.node.Kind != "supervisor" {
			leaves = append(leaves, child)
			continue
		}
		flush()
		items = append(items, l.block(child))
	}
	flush()
	return items
}

// leaves stacks cards in columns about twice as tall as wide.
func (l *layout) leaves(cards []*card) *block {
	rows := math.Max(6, math.Ceil(math.Sqrt(float64(len(cards))*2)))
	columns := math.Ceil(float64(len(cards)) / rows)
	each := int(math.Ceil(float64(len(cards)) / columns))
	b := &block{w: trunk, cards: cards, tree: l}
	for column := range slices.Chunk(cards, each) {
		w, h := l.columns(column, b.w, 0, math.Inf(1))
		b.w += w + gutter
		b.h = math.Max(b.h, h)
	}
	b.w -= gutter
	return b
}

// shelves breaks items into rows when one row would be too wide.
func (l *layout) shelves(items []*block) [][]*block {
	var out [][]*block
	var row []*block
	width := 0.0
	for _, item := range items {
		if len(row) > 0 && width+item.w > l.ideal {
			out, row, width = append(out, row), nil, 0
		}
		row = append(row, item)
		width += item.w + gutter
	}
	return append(out, row)
}

// measure makes a node's card.
func measure(n *Node) *card {
	c := &card{node: n}
	for i, text := range linesOf(*n) {
		ln := line{text: text, size: 11, faint: i > 0}
		if i == 0 {
			ln.size, ln.bold = 13, true
		}
		if n.Breaker != "" && strings.HasPrefix(text, breakerWord) {
			c.lines = append(c.lines, wrapped(text)...)
			continue
		}
		ln.text = Fit(ln.text, ln.size, ln.bold, widest-2*pad)
		c.lines = append(c.lines, ln)
	}
	for _, ln := range c.lines {
		c.w = math.Max(c.w, TextWidth(ln.text, ln.size, ln.bold))
	}
	c.w = math.Ceil(math.Max(narrowest, math.Min(widest, c.w+2*pad)))
	c.h = float64(len(c.lines))*lineStep + 14
	return c
}

// wrapped breaks what trips a breaker into lines, at its commas.
func wrapped(text string) []line {
	const size = 11
	var out []line
	row := ""
	flush := func() {
		out = append(out, line{text: Fit(strings.TrimSpace(row), size, false, widest-2*pad), size: size, pill: true})
		row = ""
	}
	for _, part := range strings.SplitAfter(text, ", ") {
		if row != "" && TextWidth(row+part, size, false) > widest-2*pad {
			flush()
		}
		row += part
	}
	flush()
	return out
}

// TextWidth is about how wide a text is drawn, in the units of size. It estimates on the wide side, since every reader has
// another font.
func TextWidth(text string, size float64, bold bool) float64 {
	units := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune("iljtfrI.,:;|'!()[] ", r):
			units += 0.4
		case strings.ContainsRune("mwMW@%…", r):
			units += 0.98
		case r >= 'A' && r <= 'Z' || r > 0x2E80:
			units += 0.74
		default:
			units += 0.63
		}
	}
	if bold {
		units *= 1.1
	}
	return units * size
}

// Fit cuts a text that is wider than width, and ends it with an ellipsis.
func Fit(text string, size float64, bold bool, width float64) string {
	if TextWidth(text, size, bold) <= width {
		return text
	}
	runes := []rune(text)
	for len(runes) > 1 && TextWidth(string(runes)+"…", size, bold) > width {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimRight(string(runes), " ,") + "…"
}
