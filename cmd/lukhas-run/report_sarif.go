package main

import (
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/spec"
)

// The parts of SARIF 2.1.0 that code scanning reads.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID    string       `json:"id"`
		Name  string       `json:"name"`
		Short sarifMessage `json:"shortDescription"`
		Full  sarifMessage `json:"fullDescription"`
		Help  sarifMessage `json:"help"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
		Related   []sarifLocation `json:"relatedLocations,omitempty"`
	}
	sarifLocation struct {
		ID       int           `json:"id,omitempty"`
		Physical sarifPhysical `json:"physicalLocation"`
		Message  *sarifMessage `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
		EndColumn   int `json:"endColumn,omitempty"`
	}
)

// reportSARIF writes one run; its rules are the codes that occur.
func reportSARIF(w io.Writer, found findings) error {
	driver := sarifDriver{Name: "lukhas-run", Version: buildVersion().Version, Rules: []sarifRule{}}
	results := []sarifResult{}
	index := map[string]int{}
	for _, d := range found.diags {
		at, ok := index[d.Code]
		if !ok {
			at = len(driver.Rules)
			index[d.Code] = at
			driver.Rules = append(driver.Rules, sarifRuleOf(d.Code))
		}
		results = append(results, sarifResultOf(d, at, found.checked))
	}
	return writeJSON(w, sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{{Tool: sarifTool{driver}, ColumnKind: "unicodeCodePoints", Results: results}},
	})
}

func sarifRuleOf(code string) sarifRule {
	c, _ := spec.Explain(code)
	r := sarifRule{ID: code, Name: sarifName(c.Title), Short: sarifMessage{c.Title}, Full: sarifMessage{c.Text}, Help: sarifMessage{"lukhas-run explain " + code}}
	if c.Title == "" {
		r.Name, r.Short.Text, r.Full.Text = code, code, code
	}
	return r
}

// sarifName turns a title into an identifier: "unknown field" into UnknownField.
func sarifName(title string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(title, func(r rune) bool { return r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func sarifResultOf(d spec.Diagnostic, rule int, checked []string) sarifResult {
	pos := d.Pos
	if pos.File == "" && len(checked) > 0 {
		pos.File = checked[0] // a result has a place; code scanning drops those without
	}
	text := d.Message
	if d.Suggestion != "" {
		text += "; " + d.Suggestion
	}
	r := sarifResult{RuleID: d.Code, RuleIndex: rule, Level: d.Severity.String(), Message: sarifMessage{text},
		Locations: []sarifLocation{{Physical: sarifPlace(pos)}}}
	for i, o := range d.Related {
		if !o.Pos.IsZero() {
			r.Related = append(r.Related, sarifLocation{ID: i + 1, Physical: sarifPlace(o.Pos), Message: &sarifMessage{o.Message}})
		}
	}
	return r
}

func sarifPlace(pos spec.Pos) sarifPhysical {
	out := sarifPhysical{Artifact: sarifArtifact{sarifURI(pos.File)}}
	if pos.Line > 0 {
		out.Region = &sarifRegion{StartLine: pos.Line, StartColumn: max(1, pos.Col)}
		if pos.Len > 0 {
			out.Region.EndColumn = pos.Col + pos.Len
		}
	}
	return out
}

// sarifURI is a path as a URI reference: relative stays relative.
func sarifURI(path string) string {
	parts := strings.Split(filepath.ToSlash(filepath.Clean(path)), "/")
	for i, p := range parts {
		parts[i] = escapeSegment(p)
	}
	uri := strings.Join(parts, "/")
	if filepath.IsAbs(path) {
		return "file://" + uri
	}
	return uri
}

// escapeSegment escapes one part of a path. A colon in the first part would look like a scheme.
func escapeSegment(part string) string {
	const plain = "-._~!$&'()*+,;=@"
	var b strings.Builder
	for _, c := range []byte(part) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if letter || slices.Contains([]byte(plain), c) {
			b.WriteByte(c)
			continue
		}
		const hex = "0123456789ABCDEF"
		b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
	}
	return b.String()
}
