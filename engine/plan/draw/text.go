package draw

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Mermaid writes a flowchart, which code hosts and many wikis show as a picture.
func Mermaid(w io.Writer, g Graph) error {
	out := bufio.NewWriter(w)
	names := numbered(g)
	fmt.Fprintln(out, "flowchart LR")
	for _, n := range roots(g) {
		mermaidNode(out, g, n, names, "  ")
	}
	for _, e := range g.Edges {
		arrow := map[bool]string{true: "-.->", false: "-->"}[dashed(e.Kind)]
		fmt.Fprintf(out, "  %s %s", names[e.From], arrow)
		if text := edgeText(e); text != "" {
			fmt.Fprintf(out, "|\"%s\"|", mermaidText(text))
		}
		fmt.Fprintf(out, " %s\n", names[e.To])
	}
	for _, k := range kinds() {
		fmt.Fprintf(out, "  classDef %s fill:%s,stroke:%s,color:%s\n", k.name, k.fill, k.line, ink)
	}
	return out.Flush()
}

func mermaidNode(out io.Writer, g Graph, n Node, names map[string]string, indent string) {
	if below := children(g, n.ID); n.Kind == "supervisor" {
		fmt.Fprintf(out, "%ssubgraph box%s [\"%s\"]\n", indent, names[n.ID], mermaidText(n.Name))
		fmt.Fprintf(out, "%s  %s([\"%s\"]):::%s\n", indent, names[n.ID], mermaidText(n.Detail), n.Kind)
		for _, c := range below {
			mermaidNode(out, g, c, names, indent+"  ")
		}
		fmt.Fprintf(out, "%send\n", indent)
		return
	}
	fmt.Fprintf(out, "%s%s[\"%s\"]:::%s\n", indent, names[n.ID], mermaidText(strings.Join(linesOf(n), "\n")), n.Kind)
}

// mermaidText escapes what would end a label.
func mermaidText(text string) string {
	return strings.NewReplacer(`"`, "#quot;", "#", "#35;", "<", "#lt;", ">", "#gt;", "\n", "<br/>").Replace(text)
}

// Dot writes the graph for Graphviz.
func Dot(w io.Writer, g Graph) error {
	out := bufio.NewWriter(w)
	names := numbered(g)
	fmt.Fprintf(out, "digraph %s {\n  rankdir=LR; compound=true; fontname=\"sans-serif\";\n", strconv.Quote(g.Name))
	fmt.Fprintf(out, "  node [shape=box style=\"rounded,filled\" fillcolor=white fontname=\"sans-serif\" fontsize=11]; edge [fontname=\"sans-serif\" fontsize=9];\n")
	for _, n := range roots(g) {
		dotNode(out, g, n, names, "  ")
	}
	for _, e := range g.Edges {
		style := map[bool]string{true: "dashed", false: "solid"}[dashed(e.Kind)]
		fmt.Fprintf(out, "  %s -> %s [style=%s color=%q label=%s];\n", names[e.From], names[e.To], style, edgeColour(e.Kind), strconv.Quote(edgeText(e)))
	}
	fmt.Fprintln(out, "}")
	return out.Flush()
}

func dotNode(out io.Writer, g Graph, n Node, names map[string]string, indent string) {
	k := kindOf(n.Kind)
	line := fmt.Sprintf("%s%s [label=%s color=%q fillcolor=%q];\n", indent, names[n.ID], strconv.Quote(strings.Join(linesOf(n), "\n")), k.line, k.fill)
	if n.Kind != "supervisor" {
		io.WriteString(out, line)
		return
	}
	fmt.Fprintf(out, "%ssubgraph cluster_%s {\n%s  label=\"\"; style=rounded; color=%q;\n  %s", indent, names[n.ID], indent, k.line, line)
	for _, c := range children(g, n.ID) {
		dotNode(out, g, c, names, indent+"  ")
	}
	fmt.Fprintf(out, "%s}\n", indent)
}

// numbered gives each node a name that every format takes.
func numbered(g Graph) map[string]string {
	names := make(map[string]string, len(g.Nodes))
	for i, n := range g.Nodes {
		names[n.ID] = "n" + strconv.Itoa(i)
	}
	return names
}

// roots are the nodes that stand in no supervisor.
func roots(g Graph) []Node { return children(g, "") }

func children(g Graph, parent string) []Node {
	var out []Node
	for _, n := range g.Nodes {
		if n.Parent == parent {
			out = append(out, n)
		}
	}
	return out
}

// breakerWord begins the line about a node's breaker.
const breakerWord = "breaker: "

// linesOf is what a node says about itself: its name, what it is, its breaker, its other guards.
func linesOf(n Node) []string {
	name := n.Name
	if n.Replicas > 0 {
		name += " ×" + strconv.Itoa(n.Replicas)
	}
	lines := []string{name}
	if n.Detail != "" {
		lines = append(lines, n.Detail)
	}
	lines = append(lines, n.Routes...)
	if n.Breaker != "" {
		lines = append(lines, breakerWord+n.Breaker)
	}
	if len(n.Guards) > 0 {
		lines = append(lines, strings.Join(n.Guards, ", "))
	}
	return lines
}

func edgeText(e Edge) string {
	if e.Breaker == "" {
		return e.Label
	}
	return strings.TrimSpace(e.Label + " (" + breakerWord + e.Breaker + ")")
}
