package compiler

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

// recorded reads the calls that a load repeats, each to whom it goes now.
func (c *scripted) recorded(v *spec.Value, out *plan.Load) {
	recording := v.Entry("recorded")
	file := recording.Entry("file")
	switch {
	case c.opts.Recorded == nil:
		c.errorf("LR510", file.Pos, "no files can be read here")
		return
	case !filepath.IsLocal(file.Text()):
		c.errorf("LR510", file.Pos, "%q leaves the directory of %s; recordings stand in it or below", file.Text(), filepath.Base(file.Pos.File))
		return
	}
	all, err := c.opts.Recorded(filepath.Dir(file.Pos.File), file.Text())
	if err != nil {
		c.errorf("LR510", file.Pos, "%v", err)
		return
	}
	caller := recording.Entry("caller")
	out.Recorded = cut(all, caller.Text(), recording.At("skip").Duration(), recording.At("speed").Float())
	if len(out.Recorded) == 0 {
		c.errorf("LR510", file.Pos, "%s", nothing(all, caller))
		return
	}
	c.redirect(v, out)
}

// cut keeps the calls of a caller, "" for all, that come after a stretch of the recording, at another speed.
func cut(all []plan.Arrival, caller string, skip time.Duration, speed float64) []plan.Arrival {
	var out []plan.Arrival
	for _, a := range all {
		if a.At < skip || caller != "" && a.From != caller {
			continue
		}
		a.At = time.Duration(float64(a.At-skip) / speed)
		out = append(out, a)
	}
	return out
}

// nothing says why no recorded call is left.
func nothing(all []plan.Arrival, caller *spec.Value) string {
	if len(all) == 0 {
		return "the recording has no calls"
	}
	if caller == nil {
		return "the recording is over before what is skipped"
	}
	var have []string
	for _, a := range all {
		if a.From != "" && !slices.Contains(have, a.From) && len(have) < 5 {
			have = append(have, a.From)
		}
	}
	return "the recording has no calls of " + caller.Text() + "; it has those of " + strings.Join(have, ", ")
}

// redirect settles whom recorded calls go to and what they say: what the load names, else what was recorded.
func (c *scripted) redirect(v *spec.Value, out *plan.Load) {
	known := map[[2]string]string{}
	for i := range out.Recorded {
		a := &out.Recorded[i]
		if out.Route != nil {
			continue
		}
		if out.To != "" {
			a.To = out.To
		}
		if out.Message != "" {
			a.Message = out.Message
		}
		key := [2]string{a.To, a.Message}
		path, seen := known[key]
		if !seen {
			path = c.repeats(v.Entry("recorded"), a)
			known[key] = path
		}
		a.To = path
	}
}

// repeats checks that a recorded call can come again, and gives the path that it goes to.
func (c *scripted) repeats(recording *spec.Value, a *plan.Arrival) string {
	t, ok := c.lookup(a.To, recording.Pos, "actor in the recording")
	if !ok {
		return ""
	}
	c.answers(t, recording)
	c.takes(t, recording, a.Message)
	return t.path()
}
