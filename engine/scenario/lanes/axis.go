package lanes

import (
	"strconv"
	"strings"
	"time"
)

// maxTicks is how many ticks an axis has at most, its ends included.
const maxTicks = 13

// ticks are round times, evenly apart, from 0 to at most the end.
func ticks(end time.Duration) []time.Duration {
	step := stepFor(end)
	var out []time.Duration
	for at := time.Duration(0); at <= end; at += step {
		out = append(out, at)
	}
	return out
}

// stepFor is the smallest round span that gives few enough ticks.
func stepFor(end time.Duration) time.Duration {
	for _, unit := range []struct {
		span  time.Duration
		times []int64
	}{
		{time.Microsecond, []int64{1, 2, 5, 10, 20, 50, 100, 200, 500}},
		{time.Millisecond, []int64{1, 2, 5, 10, 20, 50, 100, 200, 500}},
		{time.Second, []int64{1, 2, 5, 10, 15, 30}},
		{time.Minute, []int64{1, 2, 5, 10, 15, 30}},
		{time.Hour, []int64{1, 2, 3, 6, 12}},
	} {
		for _, n := range unit.times {
			if step := time.Duration(n) * unit.span; end/step < maxTicks {
				return step
			}
		}
	}
	const day = 24 * time.Hour
	return max(end/(maxTicks-1)/day+1, 1) * day
}

// short is a time as people write it: 1m30s, 250ms, 2h.
func short(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	out := ""
	for _, unit := range []struct {
		span time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / unit.span; n > 0 {
			out += strconv.FormatInt(int64(n), 10) + unit.name
			d -= n * unit.span
		}
	}
	switch {
	case d == 0:
	case out != "" || d >= time.Second:
		out += decimal(d, time.Second) + "s"
	case d >= time.Millisecond:
		out += decimal(d, time.Millisecond) + "ms"
	default:
		out += decimal(d, time.Microsecond) + "µs"
	}
	return out
}

// brief is a time to the millisecond.
func brief(d time.Duration) string { return short(d.Round(time.Millisecond)) }

// decimal is a time in units, without zeros at the end.
func decimal(d, unit time.Duration) string {
	whole, rest := strconv.FormatInt(int64(d/unit), 10), strconv.FormatInt(int64(unit+d%unit), 10)[1:]
	if rest = strings.TrimRight(rest, "0"); rest != "" {
		whole += "." + rest
	}
	return whole
}
