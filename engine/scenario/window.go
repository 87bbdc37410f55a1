package scenario

import (
	"slices"
	"time"
)

// window is a stretch in which something outside failed or was slow.
type window struct {
	actor      string
	from, to   time.Duration
	rate       float64 // of the attempts in it
	class      string  // of the failures; "" for slowness
	status     int
	by         time.Duration // of slowness, added to what is usual
	attempts   int
	unfinished bool // it lasted beyond what is known
}

// calmAfter is how many attempts in a row must go well before a stretch counts as over.
const calmAfter = 3

// failing finds the stretches in which attempts to reach an actor failed. End is when the known past ends.
func failing(actor string, all []attempt, end time.Duration) []window {
	var out []window
	for i := 0; i < len(all); i++ {
		if all[i].class == "" {
			continue
		}
		last, well := i, 0
		for j := i + 1; j < len(all) && well < calmAfter; j++ {
			if all[j].class != "" {
				last, well = j, 0
			} else {
				well++
			}
		}
		out = append(out, failed(actor, all, i, last, end))
		i = last
	}
	return out
}

// failed describes the stretch from attempt first to attempt last.
func failed(actor string, all []attempt, first, last int, end time.Duration) window {
	w := window{actor: actor, from: all[first].began, attempts: last - first + 1}
	bad := map[string]int{}
	var longest time.Duration
	for _, a := range all[first : last+1] {
		if a.class == "" {
			continue
		}
		w.rate++
		bad[a.class]++
		longest = max(longest, a.took)
		if bad[a.class] > bad[w.class] || w.class == "" {
			w.class, w.status = a.class, a.status
		}
	}
	w.rate /= float64(w.attempts)
	if w.class == "timeout" { // nothing came in time: it was slow rather than wrong
		w.by = 2 * max(longest, time.Millisecond)
	}
	w.to, w.unfinished = end, true
	if last+1 < len(all) { // between the last failure and what went well next
		w.to, w.unfinished = all[last].began+(all[last+1].began-all[last].began+1)/2, false
	}
	return w
}

// Slowness counts when it is clear: so many times the usual, by at least so much, so many times in a row.
const (
	slowFactor = 4
	slowLeast  = 50 * time.Millisecond
	slowRun    = 5
)

// slow finds the stretches in which attempts that went well took far longer than half of all do.
func slow(actor string, all []attempt, end time.Duration) []window {
	usual := quantile(tookWell(all), 0.5)
	limit := max(slowFactor*usual, usual+slowLeast)
	var out []window
	for i := 0; i < len(all); i++ {
		j := i
		for j < len(all) && all[j].class == "" && all[j].took > limit {
			j++
		}
		if j-i < slowRun {
			i = max(i, j-1)
			continue
		}
		w := window{actor: actor, from: all[i].began, to: end, rate: 1, attempts: j - i, unfinished: j == len(all)}
		w.by = quantile(tookWell(all[i:j]), 0.5) - usual
		if j < len(all) {
			w.to = all[j-1].began + (all[j].began-all[j-1].began+1)/2
		}
		out = append(out, w)
		i = j - 1
	}
	return out
}

// tookWell are the durations of attempts that went well, in order of size.
func tookWell(all []attempt) []time.Duration {
	var out []time.Duration
	for _, a := range all {
		if a.class == "" {
			out = append(out, a.took)
		}
	}
	slices.Sort(out)
	return out
}

// quantile of sorted durations, 0 of none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// during tells whether a moment lies in one of the windows.
func during(windows []window, at time.Duration) bool {
	return slices.ContainsFunc(windows, func(w window) bool { return at >= w.from && at <= w.to })
}
