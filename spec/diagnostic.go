package spec

import (
	"cmp"
	"fmt"
	"slices"
)

// Pos is where a value stands in a file. Line and Col count from 1, Col and Len
// in runes. The zero Pos means "nowhere in a file" (a built-in default).
type Pos struct {
	File string // as the user gave it
	Line int
	Col  int
	Len  int // runes to underline, 0 when unknown
}

// IsZero reports whether p names no place at all.
func (p Pos) IsZero() bool { return p == Pos{} }

// String gives file:line:col, or just the file when no line is known.
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// Severity says whether a finding stops the load.
type Severity uint8

// The two severities.
const (
	Error   Severity = iota // the spec cannot be used
	Warning                 // it can, but it probably says something else than meant
)

// String gives the word printed before the code.
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Related is a second place that a finding is about, such as the first of two
// equal names.
type Related struct {
	Pos     Pos
	Message string
}

// Diagnostic is one finding. Message never contains a secret.
type Diagnostic struct {
	Severity   Severity
	Code       string // stable: "LR104", see Codes
	Message    string
	Pos        Pos
	Related    []Related
	Suggestion string // printed beside the caret: `did you mean "failures"?`
	Help       string // an extra line of advice; empty: how to explain the code
}

// Error makes a Diagnostic usable as an error, in one line.
func (d Diagnostic) Error() string {
	text := fmt.Sprintf("%s %s", d.Code, d.Message)
	if d.Suggestion != "" {
		text += "; " + d.Suggestion
	}
	if d.Pos.IsZero() {
		return text
	}
	return d.Pos.String() + ": " + text
}

// MaxDiagnostics bounds what one load reports; Summary says so when it is reached.
const MaxDiagnostics = 50

// maxCollected bounds what a walk keeps before it is sorted. A file with more
// findings is not what its writer thinks it is.
const maxCollected = 20 * MaxDiagnostics

// Diagnostics are the findings of one load.
type Diagnostics []Diagnostic

// HasErrors reports whether any finding is an error.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
}

// Count returns the number of errors and warnings.
func (ds Diagnostics) Count() (errors, warnings int) {
	for _, d := range ds {
		if d.Severity == Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// Sorted returns the findings in file order, errors before warnings at one
// place, without repetitions and at most MaxDiagnostics of them; errors are
// kept before warnings when there are more.
func (ds Diagnostics) Sorted() Diagnostics {
	out := slices.Clone(ds)
	slices.SortStableFunc(out, compareDiagnostics)
	out = slices.CompactFunc(out, func(a, b Diagnostic) bool {
		return a.Pos == b.Pos && a.Code == b.Code && a.Message == b.Message
	})
	if len(out) <= MaxDiagnostics {
		return out
	}
	slices.SortStableFunc(out, func(a, b Diagnostic) int { return cmp.Compare(a.Severity, b.Severity) })
	out = out[:MaxDiagnostics]
	slices.SortStableFunc(out, compareDiagnostics)
	return out
}

func compareDiagnostics(a, b Diagnostic) int {
	return cmp.Or(
		cmp.Compare(a.Pos.File, b.Pos.File),
		cmp.Compare(a.Pos.Line, b.Pos.Line),
		cmp.Compare(a.Pos.Col, b.Pos.Col),
		cmp.Compare(a.Severity, b.Severity),
		cmp.Compare(a.Code, b.Code),
	)
}
