package plan

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// Print writes the plan for people: the leaves that are not zero, those of an actor under its own heading. Secrets are
// shown as Hidden. The layout is stable, so a printed plan can be compared with another.
func Print(w io.Writer, p *Plan) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "plan %s  %s\n", p.Name, p.digest)
	pr := printer{out: out, plan: p, hide: p.hider()}
	n := root()
	v := reflect.ValueOf(p).Elem()
	for i := range n.fields {
		f := &n.fields[i]
		switch f.name {
		case "name":
		case "actors":
			pr.actors(f)
		default:
			var r record
			f.walk(v.Field(f.index), "", r.add)
			pr.section(f.name, r)
		}
	}
	return out.Flush()
}

type printer struct {
	out  *bufio.Writer
	plan *Plan
	hide func(string) string
}

func (pr *printer) actors(f *field) {
	for i := range pr.plan.Actors {
		a := &pr.plan.Actors[i]
		var r record
		w := walk{emit: r.add}
		w.fields(f.node.elem, reflect.ValueOf(a).Elem(), f.class, f.node.elem.key)
		pr.section(fmt.Sprintf("%v %s", a.Kind, a.Path), r)
	}
}

func (pr *printer) section(title string, r record) {
	headed := false
	for i, m := range r.marks {
		path, text := r.at(i)
		if path = strings.TrimPrefix(path, "."); m.zero || m.order {
			continue
		}
		if path == "" {
			fmt.Fprintf(pr.out, "\n%s: %s\n", title, pr.text(text, m))
			continue
		}
		if !headed {
			fmt.Fprintf(pr.out, "\n%s\n", title)
			headed = true
		}
		fmt.Fprintf(pr.out, "  %s: %s\n", path, pr.text(text, m))
	}
}

func (pr *printer) text(text string, m mark) string {
	if m.secret {
		return Hidden
	}
	return oneLine(pr.hide(text))
}

// oneLine quotes a text that would not stand on one line, or that would look like nothing.
func oneLine(text string) string {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		return strconv.Quote(text)
	}
	return text
}

// PrintChanges writes the changes for people, those of an actor under its own heading with its class, and a summary.
func PrintChanges(w io.Writer, changes Changes) error {
	out := bufio.NewWriter(w)
	heading := ""
	for _, c := range changes {
		if c.Actor != heading && c.Actor != "" {
			fmt.Fprintf(out, "%s\n", c.Actor)
		}
		heading = c.Actor
		printChange(out, c)
	}
	fmt.Fprintln(out, changes.Summary())
	return out.Flush()
}

func printChange(out io.Writer, c Change) {
	path, indent := c.Path, ""
	if c.Actor != "" {
		indent = "  "
		_, path, _ = strings.Cut(path, c.Actor)
		path = strings.TrimPrefix(path, ".")
	}
	switch {
	case c.Old == "" && path == "":
		fmt.Fprintf(out, "%s+ %s  [%v]\n", indent, c.New, c.Class)
	case c.New == "" && path == "":
		fmt.Fprintf(out, "%s- %s  [%v]\n", indent, c.Old, c.Class)
	case c.Old == "":
		fmt.Fprintf(out, "%s+ %s: %s  [%v]\n", indent, path, oneLine(c.New), c.Class)
	case c.New == "":
		fmt.Fprintf(out, "%s- %s: %s  [%v]\n", indent, path, oneLine(c.Old), c.Class)
	default:
		fmt.Fprintf(out, "%s~ %s: %s -> %s  [%v]\n", indent, path, oneLine(c.Old), oneLine(c.New), c.Class)
	}
}
