package draw

import (
	"cmp"
	"math"
	"slices"
)

// curve is an edge with its place.
type curve struct {
	edge     Edge
	from, to *card
	out, in  side
	y1, y2   float64
}

// side of a card that an edge touches.
type side int

const (
	leftSide  side = -1
	rightSide side = 1
)

func (s side) x(c *card) float64 {
	if s == leftSide {
		return c.x
	}
	return c.x + c.w + float64(c.behind())*step
}

// curves finds where each edge leaves and arrives. Edges at one side of a card are spread in the order of where they lead,
// so that they do not cross there.
func (l *layout) curves() []*curve {
	var out []*curve
	for _, e := range l.graph.Edges {
		from, to := l.byID[e.From], l.byID[e.To]
		if from == nil || to == nil || from == to {
			continue
		}
		c := &curve{edge: e, from: from, to: to, out: rightSide, in: leftSide, y1: from.middle(), y2: to.middle()}
		switch {
		case to.x >= from.x+from.w:
		case to.x+to.w <= from.x:
			c.out, c.in = leftSide, rightSide
		default:
			c.in = rightSide
		}
		out = append(out, c)
	}
	l.spread(out)
	return out
}

// port is one end of a curve at a card.
type port struct {
	y     *float64
	other float64
	route int // -1: anywhere
}

// shore is the side of a card that ports share.
type shore struct {
	card *card
	side side
}

func (l *layout) spread(curves []*curve) {
	ports := map[shore][]port{}
	for _, c := range curves {
		route := -1
		if c.edge.Kind == "route" {
			route = c.edge.Port
		}
		from, to := c.from.middle(), c.to.middle()
		first, second := port{&c.y1, to, route}, port{&c.y2, from, -1}
		if c.out == c.in {
			first.other, second.other = nested(from, to), nested(to, from)
		}
		leaves, arrives := shore{c.from, c.out}, shore{c.to, c.in}
		ports[leaves] = append(ports[leaves], first)
		ports[arrives] = append(ports[arrives], second)
	}
	for _, c := range l.cards {
		for _, s := range []side{leftSide, rightSide} {
			here := ports[shore{c, s}]
			slices.SortStableFunc(here, func(a, b port) int { return cmp.Compare(a.other, b.other) })
			for i, p := range here {
				*p.y = c.y + c.h*float64(i+1)/float64(len(here)+1)
				if p.route >= 0 {
					*p.y = c.routeY(p.route)
				}
			}
		}
	}
}

// nested orders the arcs at one side of a card: those that go up above those that go down, and of each the far ones
// around the near ones.
func nested(here, there float64) float64 {
	const beyond = 1e6
	if there < here {
		return -beyond - there
	}
	return beyond - there
}

// routeY is the height of a listener's route.
func (c *card) routeY(route int) float64 {
	at := min(2+route, len(c.lines)-1)
	return c.y + 7 + (float64(at)+0.5)*lineStep
}

// bend gives the control points of the curve: level where it leaves and arrives.
func (c *curve) bend() (x1, cx1, cx2, x2 float64) {
	x1, x2 = c.out.x(c.from), c.in.x(c.to)
	reach := math.Max(30, math.Min(180, math.Abs(x2-x1)*0.45))
	if c.out == c.in {
		reach = 22 + math.Min(40, math.Abs(c.y2-c.y1)*0.15)
	}
	return x1, x1 + float64(c.out)*reach, x2 + float64(c.in)*reach, x2
}
