package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// This is the only file that knows the YAML library, so that another parser is
// a change of this file.

type node = yaml.Node

const (
	mappingNode  = yaml.MappingNode
	sequenceNode = yaml.SequenceNode
	scalarNode   = yaml.ScalarNode
	aliasNode    = yaml.AliasNode

	flowStyle   = yaml.FlowStyle
	taggedStyle = yaml.TaggedStyle
	foldedStyle = yaml.FoldedStyle
	quotedStyle = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle
)

// parseYAML returns the root nodes of all documents up to the first syntax
// error, and that error. An empty document has a nil root.
func parseYAML(data []byte) (roots []*node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		document := new(node)
		err := decoder.Decode(document)
		switch {
		case errors.Is(err, io.EOF):
			return roots, nil
		case err != nil:
			return roots, err
		case len(document.Content) == 0, document.Content[0].Tag == "!!null":
			roots = append(roots, nil)
		default:
			roots = append(roots, document.Content[0])
		}
	}
}

// plainKind says what YAML takes an unquoted scalar for.
func plainKind(n *node) string {
	switch n.Tag {
	case "!!int":
		return "int"
	case "!!float":
		return "float"
	case "!!bool":
		return "bool"
	case "!!timestamp":
		return "time"
	}
	return ""
}

// kindOf says what YAML would take text for if it stood there unquoted.
func kindOf(text string) string {
	n := &node{Kind: scalarNode, Value: text}
	n.Tag = n.ShortTag()
	return plainKind(n)
}

// isCustomTag reports whether the author wrote a tag.
func isCustomTag(n *node) bool {
	return n.Style&taggedStyle != 0 && n.Tag != "" && !strings.HasPrefix(n.Tag, "!!")
}

// Plain returns each document of a file as plain data (map[string]any, []any,
// string, float64, bool, nil), read by YAML 1.2's core schema, for validation
// against a JSON Schema. Aliases are followed within the walker's bounds.
func Plain(file string, data []byte) ([]any, Diagnostics) {
	var diags Diagnostics
	l := &loader{set: &Set{}, diags: &diags}
	src := &source{name: file, data: bytes.TrimPrefix(data, []byte("\ufeff"))}
	roots, _ := l.roots(src)
	var out []any
	for _, root := range roots {
		if root == nil {
			continue
		}
		p := plainer{}
		out = append(out, p.value(root, 0))
		if p.exceeded {
			diags = append(diags, Diagnostic{Code: "LR013", Pos: Pos{File: file, Line: root.Line, Col: root.Column}, Message: fmt.Sprintf("nested deeper than %d, or too many aliases", maxDepth)})
		}
	}
	return out, diags
}

// plainer turns nodes into plain data.
type plainer struct {
	nodes    int
	exceeded bool
}

func (p *plainer) value(n *node, depth int) any {
	if p.nodes++; depth > maxDepth || p.nodes > 1<<22 {
		p.exceeded = true
		return nil
	}
	switch n.Kind {
	case aliasNode:
		p.nodes += maxAliasNodes / 100
		return p.value(n.Alias, depth+1)
	case mappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = p.value(n.Content[i+1], depth+1)
		}
		return out
	case sequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			out[i] = p.value(item, depth+1)
		}
		return out
	}
	return plainScalar(n)
}

func plainScalar(n *node) any {
	switch {
	case n.Style&quotedStyle != 0:
	case n.Tag == "!!null":
		return nil
	case n.Tag == "!!bool":
		return n.Value == "true"
	case n.Tag == "!!int", n.Tag == "!!float":
		if f, ok := decimal(n.Value); ok {
			return f
		}
	}
	return n.Value
}
