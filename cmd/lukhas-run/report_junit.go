package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lukhasai/lukhas-run/spec"
)

// The elements of JUnit's XML that its consumers read. Jenkins' schema knows no sum of what is skipped.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr,omitempty"` // seconds
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr,omitempty"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name     string         `xml:"name,attr"`
		Class    string         `xml:"classname,attr"`
		File     string         `xml:"file,attr,omitempty"`
		Line     int            `xml:"line,attr,omitempty"`
		Time     string         `xml:"time,attr,omitempty"`
		Skipped  *junitSkipped  `xml:"skipped"`
		Failures []junitFailure `xml:"failure"`
		Output   *junitText     `xml:"system-out"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	junitSkipped struct {
		Message string `xml:"message,attr"`
	}
	junitText struct {
		Text string `xml:",chardata"`
	}
)

// reportJUnit writes a suite for each file: a passed case when nothing is wrong with it, else a failed one for each error.
// Warnings pass, with their text.
func reportJUnit(w io.Writer, found findings) error {
	return writeJUnit(w, junitFiles("lukhas-run validate", found))
}

// junitFiles is a suite for each file.
func junitFiles(verb string, found findings) junitSuites {
	names := slices.Clone(found.checked)
	for _, d := range found.diags {
		if !slices.Contains(names, d.Pos.File) {
			names = append(names, d.Pos.File)
		}
	}
	all := junitSuites{Name: verb}
	for _, name := range names {
		s := junitFile(name, found.diags)
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Suites = append(all.Suites, s)
	}
	return all
}

func writeJUnit(w io.Writer, all junitSuites) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitFile(name string, diags spec.Diagnostics) junitSuite {
	s := junitSuite{Name: name}
	for _, d := range diags {
		if d.Pos.File != name {
			continue
		}
		c := junitCase{Name: fmt.Sprintf("%s %s", d.Code, d.Message), Class: name, File: name, Line: d.Pos.Line}
		text := printableXML(d.Error())
		if d.Severity == spec.Error {
			c.Failures = []junitFailure{{Message: printableXML(d.Message), Type: d.Code, Text: text}}
			s.Failures++
		} else {
			c.Output = &junitText{text}
		}
		c.Name = printableXML(c.Name)
		s.Cases = append(s.Cases, c)
	}
	if len(s.Cases) == 0 {
		s.Cases = []junitCase{{Name: "is valid", Class: name, File: name}}
	}
	s.Tests = len(s.Cases)
	return s
}

// printableXML leaves out what XML 1.0 cannot hold even escaped.
func printableXML(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, text)
}
