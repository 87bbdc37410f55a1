package main

import (
	"encoding/json"
	"io"

	"github.com/lukhasai/lukhas-run/spec"
)

// The JSON report. Its shape is stable: fields are added, never renamed or removed while version is 1.
type jsonReport struct {
	Version     int           `json:"version"`
	OK          bool          `json:"ok"` // no errors; warnings may be there
	Errors      int           `json:"errors"`
	Warnings    int           `json:"warnings"`
	Summary     tally         `json:"summary"`
	Files       []string      `json:"files"`
	Diagnostics []jsonFinding `json:"diagnostics"`
}

type jsonFinding struct {
	Severity   string      `json:"severity"` // error, warning
	Code       string      `json:"code"`
	Message    string      `json:"message"`
	Place      jsonPlace   `json:"place"`
	Suggestion string      `json:"suggestion,omitempty"`
	Help       string      `json:"help,omitempty"`
	Related    []jsonOther `json:"related,omitempty"`
}

// jsonPlace counts lines and columns from 1, columns in characters; 0 is unknown.
type jsonPlace struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Length int    `json:"length"`
}

type jsonOther struct {
	Place   jsonPlace `json:"place"`
	Message string    `json:"message"`
}

func reportJSON(w io.Writer, found findings) error {
	r := jsonReport{Version: 1, OK: !found.diags.HasErrors(), Summary: found.count, Files: found.checked, Diagnostics: []jsonFinding{}}
	r.Errors, r.Warnings = found.diags.Count()
	r.Diagnostics = append(r.Diagnostics, jsonFindings(found.diags)...)
	return writeJSON(w, r)
}

func jsonFindings(diags spec.Diagnostics) []jsonFinding {
	var out []jsonFinding
	for _, d := range diags {
		f := jsonFinding{Severity: d.Severity.String(), Code: d.Code, Message: d.Message, Place: placeOf(d.Pos), Suggestion: d.Suggestion, Help: d.Help}
		for _, o := range d.Related {
			f.Related = append(f.Related, jsonOther{placeOf(o.Pos), o.Message})
		}
		out = append(out, f)
	}
	return out
}

func placeOf(p spec.Pos) jsonPlace {
	return jsonPlace{File: p.File, Line: p.Line, Column: p.Col, Length: p.Len}
}

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}
