package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lukhasai/lukhas-run/breaker/detect"
)

// maxRow bounds a line of detect's input.
const maxRow = 4096

func newDetect() *cobra.Command {
	var name string
	var params []string
	var raw bool
	cmd := &cobra.Command{
		Use:   "detect",
		Short: "score `timestamp,value` lines from standard input, one score a line",
		Long: "A timestamp is RFC 3339, `2006-01-02 15:04:05` (UTC) or seconds since 1970; a first line whose value is no number is a header.\n" +
			"A score goes from 0 to 1: 0.5 is the detector's own threshold, 0 is usual, or too early to tell, or a missing value (NaN or\n" +
			"nothing). What belongs to an incident already alerted on scores 0 too, so that each incident counts once; --raw shows it.\n" +
			"Values that are too low are strange as well, where a detector can tell (--params both=0 turns that off).\n" +
			"Each line is answered at once. Exit: 0, 1 when a line cannot be read: the error names it.\n\n" + detectorHelp(),
		Args: cobra.NoArgs,
		Example: `  lukhas-run detect --detector spike < rows.csv
  lukhas-run detect --detector zscore --params window=50 --params threshold=4 < rows.csv`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given, err := readParams(name, params)
			if err != nil {
				return exit{exitUsage, err}
			}
			d, err := detect.New(name, given)
			if err != nil {
				return exit{exitUsage, err}
			}
			if err := score(d, raw, cmd.InOrStdin(), cmd.OutOrStdout()); err != nil {
				return exit{exitFailed, err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "detector", "record", "which: "+strings.Join(detect.Names(), ", "))
	cmd.Flags().StringSliceVar(&params, "params", nil, "settings of the detector, as `NAME=NUMBER`")
	cmd.Flags().BoolVar(&raw, "raw", false, "score every line for itself, not each incident once")
	return cmd
}

// detectorHelp lists the settings of each detector.
func detectorHelp() string {
	var b strings.Builder
	for _, name := range detect.Names() {
		var settings []string
		for _, p := range detect.Params(name) {
			settings = append(settings, fmt.Sprintf("%s=%v", p.Name, p.Default))
		}
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(settings, " "))
	}
	return "Settings with their defaults in a topology:\n" + strings.TrimSuffix(b.String(), "\n")
}

// readParams reads NAME=NUMBER words. Both sides count unless they are turned off.
func readParams(name string, words []string) (map[string]float64, error) {
	given := map[string]float64{}
	for _, p := range detect.Params(name) {
		if p.Name == "both" {
			given["both"] = 1
		}
	}
	for _, w := range words {
		key, text, found := strings.Cut(w, "=")
		value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if !found || err != nil {
			return nil, fmt.Errorf("--params is %q, want NAME=NUMBER", w)
		}
		given[strings.TrimSpace(key)] = value
	}
	return given, nil
}

// score answers each row. It writes out what it has whenever it would have to wait for more.
func score(d detect.Detector, raw bool, in io.Reader, out io.Writer) (err error) {
	rows, answers := bufio.NewReaderSize(in, maxRow), bufio.NewWriter(out)
	defer func() { err = errors.Join(err, answers.Flush()) }()
	for number := 1; ; number++ {
		line, more, err := readRow(rows)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if text := strings.TrimSpace(line); text != "" {
			at, value, err := parseRow(text)
			switch {
			case err == nil:
				r := d.Observe(at, value)
				if r.Known && !raw {
					r.Score = 0
				}
				fmt.Fprintln(answers, strconv.FormatFloat(r.Score, 'g', -1, 64))
			case number > 1 || !isHeader(text):
				return fmt.Errorf("line %d: %w", number, err)
			}
		}
		if !more {
			return nil
		}
		if rows.Buffered() == 0 {
			if err := answers.Flush(); err != nil {
				return err
			}
		}
	}
}

// readRow reads one line of bounded length; more is false after the last one.
func readRow(rows *bufio.Reader) (line string, more bool, err error) {
	data, err := rows.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", false, fmt.Errorf("longer than %d bytes; a line is TIMESTAMP,VALUE", maxRow)
	case errors.Is(err, io.EOF):
		return string(data), false, nil
	}
	return string(data), err == nil, err
}

// parseRow reads TIMESTAMP,VALUE. A missing value is NaN, which detectors ignore.
func parseRow(text string) (time.Duration, float64, error) {
	stamp, number, found := strings.Cut(text, ",")
	if !found || strings.Contains(number, ",") {
		return 0, 0, fmt.Errorf("%.80q is not TIMESTAMP,VALUE", text)
	}
	at, err := parseStamp(strings.Trim(strings.TrimSpace(stamp), `"`))
	if err != nil {
		return 0, 0, err
	}
	number = strings.Trim(strings.TrimSpace(number), `"`)
	if number == "" {
		return at, math.NaN(), nil
	}
	value, err := strconv.ParseFloat(number, 64)
	if err != nil && !math.IsInf(value, 0) {
		return 0, 0, fmt.Errorf("value %.80q is not a number", number)
	}
	return at, value, nil
}

// parseStamp gives the time since 1970.
func parseStamp(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < math.MaxInt64/1e9 {
		return time.Duration(seconds * 1e9), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 1677 && t.Year() < 2262 {
			return time.Duration(t.UnixNano()), nil
		}
	}
	return 0, fmt.Errorf("timestamp %.80q is neither RFC 3339, nor 2006-01-02 15:04:05, nor seconds since 1970", text)
}

// isHeader tells names of columns from a row that went wrong: neither field begins like a number.
func isHeader(text string) bool {
	for field := range strings.SplitSeq(text, ",") {
		field = strings.Trim(strings.TrimSpace(field), `"`)
		if field == "" || strings.ContainsAny(field[:1], "0123456789+-.") {
			return false
		}
	}
	return true
}
