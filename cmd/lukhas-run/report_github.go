package main

import (
	"fmt"
	"io"
	"strings"
)

// reportGitHub writes workflow commands, which GitHub shows as annotations at the lines.
func reportGitHub(w io.Writer, found findings) error {
	for _, d := range found.diags {
		props := []string{"title=" + githubProperty(d.Code)}
		if d.Pos.File != "" {
			props = append(props, "file="+githubProperty(d.Pos.File))
		}
		if d.Pos.Line > 0 {
			props = append(props, fmt.Sprintf("line=%d,col=%d", d.Pos.Line, max(1, d.Pos.Col)))
			if d.Pos.Len > 1 {
				props = append(props, fmt.Sprintf("endColumn=%d", d.Pos.Col+d.Pos.Len))
			}
		}
		text := d.Message
		if d.Suggestion != "" {
			text += "; " + d.Suggestion
		}
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", d.Severity, strings.Join(props, ","), githubData(text)); err != nil {
			return err
		}
	}
	return nil
}

// githubData escapes a message: the runner decodes percent signs and takes a line for the whole command.
func githubData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// githubProperty escapes a property, which commas and colons would end.
func githubProperty(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(text)
}
