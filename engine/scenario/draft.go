package scenario

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Draft is an incident as a scenario.
type Draft struct {
	Text      []byte
	Recording []plan.Arrival // that the scenario wants beside it; none: it names no recording
	Notes     []string       // what could not be told, for people
}

// drafting makes a draft.
type drafting struct {
	in     *Incident
	plan   *plan.Plan
	lead   time.Duration // from the scenario's start until everything is up: what the journal tells comes after it
	fails  map[string][]window
	slows  map[string][]window
	lives  map[string][]*life // by actor
	first  map[string]uint64  // an actor's first incarnation
	causes []cause
	loaded bool // recorded calls are repeated
	notes  []string
}

// cause is something that went wrong, as a moment to hang expectations on.
type cause struct {
	at     time.Duration // in the scenario
	moment string
	whom   string // a path, or what a command aimed at; "": anybody
}

// planned is a line of the timeline.
type planned struct {
	at   time.Duration // in the scenario
	text string
}

// Source is what a draft is about beside the incident.
type Source struct {
	Plan      *plan.Plan // of the topology
	Topology  string     // its file, as the scenario names it
	Recording string     // the file that will hold the recorded calls, as the scenario names it; "": there is none
	Reloads   int        // how many of the incident's reloads the file has had already
}

// Draft writes the incident as a scenario. The text may name what the topology does not have: Settle makes sure that it
// compiles.
func (in *Incident) Draft(src Source) Draft {
	d := &drafting{in: in, plan: src.Plan, fails: map[string][]window{}, slows: map[string][]window{}, lives: map[string][]*life{}, first: map[string]uint64{}}
	d.look()
	out := Draft{}
	var b strings.Builder
	loads, calls := d.load(src.Recording)
	d.loaded = len(loads) > 0
	timeline := d.timeline()
	end := d.lead + in.End.Sub(in.Start) + 2*time.Second
	fmt.Fprintf(&b, "# What the journal tells of %s.\n# Drafted by journal export: review what is expected, and say more.\n", in)
	fmt.Fprintf(&b, "apiVersion: lukhas/v1\nkind: Scenario\nmetadata: {name: %s}\ntopology: %s\n", quoted("incident of "+in.Name), quoted(src.Topology))
	fmt.Fprintf(&b, "seed: 1\nduration: %s\nclock: %s\n", end.Round(time.Second), in.Start.Add(-d.lead).Format(time.RFC3339))
	section(&b, "override", d.before(src.Reloads))
	section(&b, "load", loads)
	section(&b, "world", d.world())
	section(&b, "timeline", timeline)
	section(&b, "expect", d.expect())
	out.Text, out.Recording, out.Notes = []byte(b.String()), calls, d.notes
	return out
}

// section writes a list, or a mapping, with one entry a line.
func section(b *strings.Builder, name string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "%s:\n", name)
	for _, l := range lines {
		fmt.Fprintf(b, "  %s\n", l)
	}
}

// note says what could not be told.
func (d *drafting) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

// quoted is text as a YAML value.
func quoted(text string) string {
	if regexp.MustCompile(`^[A-Za-z_./][A-Za-z0-9_./-]*$`).MatchString(text) && !slices.Contains([]string{"true", "false", "null", "yes", "no"}, text) {
		return text
	}
	return "'" + strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "'", "''") + "'"
}

// name is what the scenario calls an actor or group: its bare name where that is enough.
func (d *drafting) name(path string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	if found, err := d.plan.Resolve(name); err == nil && len(found) == 1 && d.plan.Actors[found[0]].Path == path {
		return name
	}
	return path
}

// outside tells the actors that a world stands in for.
func (d *drafting) outside(a *plan.Actor) bool {
	return a != nil && (a.Kind == plan.Process || a.Kind == plan.Upstream || a.Kind == plan.Go)
}

// look works out what several parts of the draft need.
func (d *drafting) look() {
	for i := range d.in.lives {
		l := &d.in.lives[i]
		d.lives[l.actor] = append(d.lives[l.actor], l)
		if first, seen := d.first[l.actor]; !seen || l.incarnation < first {
			d.first[l.actor] = l.incarnation
		}
	}
	var boot time.Duration
	for i := range d.plan.Actors {
		a := &d.plan.Actors[i]
		if !d.outside(a) {
			continue
		}
		boot += d.startup(a.Path)
		dead := d.outages(a.Path)
		all := slices.DeleteFunc(slices.Clone(d.in.tried(a.Path)), func(t attempt) bool { return t.class != "" && down(dead, t) })
		end := d.in.End.Sub(d.in.Start)
		d.fails[a.Path] = failing(a.Path, all, end)
		if len(d.fails[a.Path]) > maxWindows { // it fails now and then
			d.fails[a.Path] = slices.DeleteFunc(d.fails[a.Path], func(w window) bool { return w.attempts < calmAfter })
		}
		d.slows[a.Path] = slow(a.Path, all, end)
	}
	d.lead = (boot + time.Second).Truncate(100 * time.Millisecond)
	if d.in.booted {
		d.lead = 0
	}
}

// maxWindows is how many stretches of failures of one actor are told apart before small ones count as its error rate.
const maxWindows = 12

// startup is how long an actor usually takes to be ready, and longer than any of its incarnations that died before it was.
func (d *drafting) startup(path string) time.Duration {
	var all []time.Duration
	var least time.Duration
	for _, l := range d.lives[path] {
		switch {
		case l.ready != unseen:
			all = append(all, l.took)
		case l.failed != unseen && l.starting != unseen:
			least = max(least, l.failed-l.starting+time.Millisecond)
		}
	}
	slices.Sort(all)
	return max(quantile(all, 0.5), least)
}

// outages are the stretches in which an actor was dead, from just before it failed until it was ready again.
func (d *drafting) outages(path string) []window {
	const about = 5 * time.Millisecond
	var ready []time.Duration
	for _, l := range d.lives[path] {
		if l.ready != unseen {
			ready = append(ready, l.ready)
		}
	}
	slices.Sort(ready)
	var out []window
	for _, l := range d.lives[path] {
		if l.failed == unseen {
			continue
		}
		w := window{actor: path, from: l.failed - about, to: time.Duration(math.MaxInt64)}
		if at, _ := slices.BinarySearch(ready, l.failed+1); at < len(ready) {
			w.to = ready[at]
		}
		out = append(out, w)
	}
	slices.SortStableFunc(out, func(a, b window) int { return cmp.Compare(a.from, b.from) })
	return out
}

// down tells whether an attempt met a dead actor: the outage that began last before the attempt ended had not ended when it
// began.
func down(outages []window, t attempt) bool {
	at, _ := slices.BinarySearchFunc(outages, t.began+t.took+1, func(w window, end time.Duration) int { return cmp.Compare(w.from, end) })
	return at > 0 && t.began <= outages[at-1].to
}

// world lists the models of what is outside, as the recorded calls show them.
func (d *drafting) world() []string {
	var out []string
	for i := range d.plan.Actors {
		a := &d.plan.Actors[i]
		if !d.outside(a) {
			continue
		}
		var parts []string
		troubled, dead := slices.Concat(d.fails[a.Path], d.slows[a.Path]), d.outages(a.Path)
		usual := slices.DeleteFunc(slices.Clone(d.in.tried(a.Path)), func(t attempt) bool {
			return during(troubled, t.began) || t.class != "" && down(dead, t)
		})
		if took := tookWell(usual); len(took) > 0 {
			p50 := max(brief(quantile(took, 0.5)), time.Microsecond)
			parts = append(parts, fmt.Sprintf("latency: {p50: %s, p99: %s}", p50, max(brief(quantile(took, 0.99)), p50)))
		}
		parts = append(parts, errorRate(usual)...)
		if up := brief(d.startup(a.Path)); up > 0 && a.Kind == plan.Process {
			parts = append(parts, "startup: "+up.String())
		}
		if len(parts) > 0 {
			out = append(out, d.unless(a.Path, "", d.name(a.Path)+": {"+strings.Join(parts, ", ")+"}"))
		}
	}
	return out
}

// passes tells whether an actor is a replica that was there for a part of the incident only. Nothing may name it: while it
// is away nobody has the name, and a group is not scaled below those that are named.
func (d *drafting) passes(path string) bool {
	a := d.plan.Actor(path)
	return d.in.passing[path] && a != nil && a.Group != ""
}

// unless is an entry of a list, or of a mapping with no dash, that stands in a comment when the actor that it names was not
// always there.
func (d *drafting) unless(path, dash, entry string) string {
	if d.passes(path) {
		return fmt.Sprintf("# left out (%s is there for a part of the run only): %s", d.name(path), entry)
	}
	return dash + entry
}

// errorRate is how often usual attempts fail, and how.
func errorRate(usual []attempt) []string {
	bad, last := 0, attempt{}
	for _, a := range usual {
		if a.class != "" {
			bad, last = bad+1, a
		}
	}
	if bad == 0 {
		return nil
	}
	out := []string{"error_rate: " + ratio(float64(bad)/float64(len(usual)))}
	switch {
	case last.status >= 100:
		out = append(out, "status: "+strconv.Itoa(last.status))
	case ident.MatchString(last.class):
		out = append(out, "kind: "+last.class)
	}
	return out
}

var ident = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// ratio is a share with three digits.
func ratio(x float64) string { return strconv.FormatFloat(x, 'g', 3, 64) }

// brief keeps three digits of a duration.
func brief(d time.Duration) time.Duration {
	for unit := time.Duration(1); unit < time.Hour; unit *= 10 {
		if d < 1000*unit {
			return d.Round(unit)
		}
	}
	return d.Round(time.Minute)
}

// load lists the loads, one for each caller, and the calls that they repeat.
func (d *drafting) load(recording string) ([]string, []plan.Arrival) {
	if len(d.in.Calls) == 0 {
		if d.in.recorded == 0 {
			d.note("the journal has no messages and no calls of that time (journal.record), so the scenario has faults and no load")
		}
		return nil, nil
	}
	if recording == "" {
		d.note("%d recorded calls are left out: with a file to write to, they go into a recording beside it", len(d.in.Calls))
		return nil, nil
	}
	from := d.lead
	if d.in.booted { // calls begin to count when everything is up
		for _, l := range d.in.lives {
			if l.incarnation == 1 && l.ready > from && d.plan.Actor(l.actor) != nil {
				from = l.ready.Truncate(time.Millisecond) + time.Millisecond
				if l.actor == d.plan.Actors[0].Path {
					break
				}
			}
		}
	}
	calls := slices.Clone(d.in.Calls)
	var callers, out []string
	for i := range calls {
		calls[i].At = max(0, calls[i].At+d.lead-from)
		if d.passes(calls[i].To) {
			calls[i].To = groupOf(calls[i].To)
		}
		if calls[i].From == "" {
			calls[i].From = "outside"
		}
		if !slices.Contains(callers, calls[i].From) {
			callers = append(callers, calls[i].From)
		}
	}
	for _, c := range callers {
		to := ""
		if via := d.route(c, calls); via != "" {
			to = ", via: " + via
		}
		out = append(out, fmt.Sprintf("- {name: %s, from: %s%s, recorded: {file: %s, caller: %s}}", loadName(c), from, to, quoted(recording), quoted(c)))
	}
	switch n := len(slices.DeleteFunc(slices.Clone(calls), func(a plan.Arrival) bool { return a.Payload == nil })); {
	case d.in.Oversize > 0:
		d.note("%d calls carried too much to be recorded; they come with nothing", d.in.Oversize)
	case n == 0:
		d.note("what calls carried is not recorded (journal.record: payloads): give a load a payload, or a request, where handlers read it")
	}
	return out, calls
}

// loadName makes a name of a caller.
func loadName(caller string) string {
	name := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(caller), "-"), "-")
	if name == "" || name[0] < 'a' {
		name = "load-" + name
	}
	return strings.TrimSuffix(name, "-")
}

// route is the route of the gateway that a caller is, with the method of its calls; "" when it is none.
func (d *drafting) route(caller string, calls []plan.Arrival) string {
	listener, name, ok := strings.Cut(caller, "/")
	for i := range d.plan.Gateway {
		for j := range d.plan.Gateway[i].Routes {
			r := &d.plan.Gateway[i].Routes[j]
			if !ok || d.plan.Gateway[i].Name != listener || r.Name != name {
				continue
			}
			method := "GET"
			if r.Message == "" {
				at := slices.IndexFunc(calls, func(a plan.Arrival) bool { return a.From == caller })
				method = strings.ToUpper(calls[at].Message)
			}
			if len(r.Methods) > 0 && !slices.Contains(r.Methods, method) {
				method = r.Methods[0]
			}
			if method != "GET" {
				return caller + ", request: {method: " + method + "}"
			}
			return caller
		}
	}
	return ""
}

// timeline lists what went wrong and what operators did, in order.
func (d *drafting) timeline() []string {
	var all []planned
	all = append(all, d.windows()...)
	all = append(all, d.crashes()...)
	all = append(all, d.commands()...)
	all = append(all, d.reloads()...)
	slices.SortStableFunc(all, func(a, b planned) int { return cmp.Compare(a.at, b.at) })
	slices.SortStableFunc(d.causes, func(a, b cause) int { return cmp.Compare(a.at, b.at) })
	var out []string
	for _, p := range all {
		out = append(out, p.text)
	}
	return out
}

// at is a moment of the incident in the scenario, in whole milliseconds.
func (d *drafting) at(t time.Duration) time.Duration {
	return max(0, d.lead+t).Truncate(time.Millisecond)
}

// windows are the stretches in which something outside failed or was slow.
func (d *drafting) windows() []planned {
	var all []window
	for i := range d.plan.Actors {
		path := d.plan.Actors[i].Path
		all = append(all, d.fails[path]...)
		all = append(all, d.slows[path]...)
		if len(d.in.tried(path)) == 0 && d.plan.Actors[i].Kind == plan.Upstream {
			all = append(all, d.unhealthy(path)...)
		}
	}
	var out []planned
	used := map[string]int{}
	for _, w := range all {
		id := identOf(d.name(w.actor)) + "_fails"
		verb := "fail: {target: " + d.name(w.actor)
		switch {
		case w.by > 0:
			id = identOf(d.name(w.actor)) + "_slow"
			verb = "slow: {target: " + d.name(w.actor) + ", by: " + brief(w.by).String()
		case w.status >= 100:
			verb += ", status: " + strconv.Itoa(w.status)
		case ident.MatchString(w.class):
			verb += ", kind: " + w.class
		}
		if w.rate < 0.995 {
			verb += ", rate: " + ratio(max(w.rate, 0.01))
		}
		if used[id]++; used[id] > 1 {
			id += "_" + strconv.Itoa(used[id])
		}
		at := d.at(w.from - time.Millisecond)
		long := max((w.to - w.from).Round(time.Millisecond), 2*time.Millisecond)
		d.blame(cause{at, id + ".start", w.actor})
		out = append(out, planned{at, d.unless(w.actor, "- ", fmt.Sprintf("{id: %s, at: %s, for: %s, %s}}", id, at, long, verb))})
	}
	return out
}

// blame notes what went wrong, unless the scenario leaves it out.
func (d *drafting) blame(c cause) {
	if !d.passes(c.whom) {
		d.causes = append(d.causes, c)
	}
}

// unhealthy are the stretches in which an upstream's health check failed, for want of calls that tell more.
func (d *drafting) unhealthy(path string) []window {
	var out []window
	for _, p := range d.in.probes {
		switch {
		case p.actor != path:
		case !p.healthy:
			out = append(out, window{actor: path, from: p.at, to: d.in.End.Sub(d.in.Start), rate: 1, class: "unreachable", unfinished: true})
		case len(out) > 0 && out[len(out)-1].unfinished:
			out[len(out)-1].to, out[len(out)-1].unfinished = p.at, false
		}
	}
	return out
}

// identOf makes an id of a name.
func identOf(name string) string {
	id := strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(name), "_"), "_")
	if id == "" || id[0] < 'a' {
		id = "it_" + id
	}
	return id
}

// maxCrashes bounds the crashes of one draft.
const maxCrashes = 200

// crashes are the failures of actors. The first incarnation's comes when it came; those of later ones so long after they
// were up, since waits between restarts have their own jitter. A handler's failure comes by itself where its message comes again
// with all that matters to it, and else with its kind, for the supervisor to decide about.
func (d *drafting) crashes() []planned {
	var out []planned
	left := 0
	for _, l := range d.in.lives {
		a := d.plan.Actor(l.actor)
		if l.failed == unseen || a == nil || a.Kind == plan.Supervisor {
			continue
		}
		if len(out) >= 2*maxCrashes {
			left++
			continue
		}
		at := d.at(l.failed)
		n := l.incarnation - d.first[l.actor]
		if n == 0 && (l.ready != unseen || l.starting == unseen) {
			d.blame(cause{at, "start + " + at.String(), l.actor})
			out = append(out, planned{at, d.failure(&l, a, at.String())})
			continue
		}
		state, since := `state == "starting"`, l.failed-l.starting
		if l.ready != unseen {
			state, since = "ready", l.failed-l.ready
		}
		id := fmt.Sprintf("%s_%d", identOf(d.name(l.actor)), n+1)
		since = max(since.Truncate(time.Millisecond), time.Millisecond)
		d.blame(cause{at, id + " + " + since.String(), l.actor})
		out = append(out,
			planned{at, d.unless(l.actor, "- ", fmt.Sprintf("{id: %s, when: 'actor(%q).restarts >= %d && actor(%q).%s'}", id, d.name(l.actor), n, d.name(l.actor), state))},
			planned{at, d.failure(&l, a, id+" + "+since.String())})
	}
	if left > 0 {
		d.note("%d more crashes are left out", left)
	}
	return out
}

// failure is the line of a failure that comes at a moment.
func (d *drafting) failure(l *life, a *plan.Actor, at string) string {
	why := comment(l.kind + ": " + l.message)
	if d.loaded && a.Kind == plan.Script && l.on != "" && d.in.comesAgain(l, failsWithAnything(a.Script, l.on)) {
		return fmt.Sprintf("# at %s %s fails by itself, on what %s carries: %s", at, d.name(l.actor), l.on, why)
	}
	what := d.name(l.actor)
	if !d.outside(a) && l.kind != engine.KindCrash && ident.MatchString(l.kind) {
		what = fmt.Sprintf("{target: %s, kind: %s}", what, l.kind)
	}
	return d.unless(l.actor, "- ", fmt.Sprintf("{at: %s, crash: %s} # %s", at, what, why))
}

// comment is text that can stand behind a # on its line.
func comment(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 80 {
		text = strings.ToValidUTF8(text[:80], "") + "…"
	}
	return text
}

// commands are what operators did. What was refused changed nothing: it is told in a comment.
func (d *drafting) commands() []planned {
	var out []planned
	for _, o := range d.in.orders {
		at := d.at(o.at)
		if whom := d.meant(o.what.Target); o.what.Verb == "scale" && d.passes(whom) {
			o.what.Target = groupOf(whom)
		}
		step := "{" + strings.Join(steering(at, &o.what), ", ") + "}"
		if o.refused != "" {
			out = append(out, planned{at, fmt.Sprintf("# left out (refused: %s): %s", comment(o.refused), step)})
			continue
		}
		whom := d.meant(o.what.Target)
		d.blame(cause{at, "start + " + at.String(), whom})
		out = append(out, planned{at, d.unless(whom, "- ", step)})
	}
	return out
}

// meant is the path of the one actor that a command aimed at, else what it aimed at.
func (d *drafting) meant(target string) string {
	if found, err := d.plan.Resolve(target); err == nil && len(found) == 1 {
		return d.plan.Actors[found[0]].Path
	}
	return target
}

// steering writes a command as the parts of a step.
func steering(at time.Duration, c *journal.Commanded) []string {
	parts := []string{"at: " + at.String()}
	if span, ok := c.Args["for"].(string); ok {
		parts = append(parts, "for: "+value(span))
	}
	text, _ := c.Args["text"].(string)
	var does []string
	switch c.Verb {
	case "emergency":
		return append(parts, "emergency: "+quoted(text))
	case "checkpoint", "run":
		return append(parts, c.Verb+": "+quoted(text))
	case "set_param":
		does = append(does, "name: "+quoted(text), "value: "+literal(c.Args["value"]))
	default:
		does = append(does, "target: "+quoted(c.Target))
	}
	if c.Verb == "adopt" {
		does = append(does, "under: "+quoted(text))
	}
	if message, ok := c.Args["message"].(string); ok {
		does = append(does, "message: "+quoted(message))
	}
	for _, name := range []string{"replicas", "by", "min", "max", "max_share"} {
		if n, ok := c.Args[name]; ok {
			does = append(does, fmt.Sprintf("%s: %v", name, n))
		} else if c.Verb == "quarantine" && name == "max_share" {
			does = append(does, "max_share: 1") // an order without a share has no bound, a step has one
		}
	}
	if c.Why != "" {
		does = append(does, "reason: "+quoted(c.Why))
	}
	return append(parts, c.Verb+": {"+strings.Join(does, ", ")+"}")
}

// literal is a param's value as an expression in YAML.
func literal(value any) string {
	switch v := value.(type) {
	case string:
		return "'" + strings.ReplaceAll(strconv.Quote(v), "'", "''") + "'"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return quoted(fmt.Sprint(value))
}

// reloads are the reloads that were committed, with what a scenario can set.
func (d *drafting) reloads() []planned {
	var out []planned
	for _, r := range d.in.reloads {
		at := d.at(r.at)
		var sets []string
		left := r.omitted
		for _, c := range r.changes {
			path := setPath(c)
			if path == "" {
				left++
				continue
			}
			sets = append(sets, path+": "+value(c.To))
		}
		if left > 0 {
			d.note("the reload at %s made %d changes that a step cannot say, such as new actors", at, left)
		}
		if len(sets) > 0 {
			d.causes = append(d.causes, cause{at, "start + " + at.String(), ""})
			out = append(out, planned{at, fmt.Sprintf("- {at: %s, reload: {set: {%s}}}", at, strings.Join(sets, ", "))})
		}
	}
	return out
}

// before is how things stood before the first reloads.
func (d *drafting) before(reloads int) []string {
	var out []string
	seen := map[string]bool{}
	for _, r := range d.in.reloads[:min(reloads, len(d.in.reloads))] {
		for _, c := range r.changes {
			if path := setPath(c); path != "" && !seen[path] {
				seen[path] = true
				out = append(out, path+": "+value(c.From))
			}
		}
	}
	return out
}

// setPath is where a scenario sets what a reload has changed; "" when it cannot.
func setPath(c journal.Change) string {
	if c.From == "" || c.To == "" || c.From == c.To {
		return ""
	}
	return strings.Replace(c.Path, "groups.", "actors.", 1)
}

// value is a value of a plan as YAML.
func value(text string) string {
	if regexp.MustCompile(`^[A-Za-z0-9_.%/-]+$`).MatchString(text) {
		return text
	}
	return quoted(text)
}

// expect lists what the incident decided, in the order it did, and how it ended.
func (d *drafting) expect() []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range d.in.facts {
		key := f.kind + " " + f.whom
		if seen[key] || f.kind == "closed" {
			continue
		}
		seen[key] = true
		if line := d.expectation(f); line != "" {
			out = append(out, line)
		}
	}
	return append(out, d.ending()...)
}

// expectation says that a decision comes again.
func (d *drafting) expectation(f fact) string {
	who, event := f.whom, f.kind
	kind := ""
	switch f.kind {
	case "opened":
		if !strings.Contains(who, "/") {
			return d.opens(f)
		}
		event, kind = "breaker", "open"
	case "gave_up", "quarantined":
		if why := d.undriven(f); why != "" {
			return fmt.Sprintf("# left out (%s): %s %s at %s", why, comment(d.name(who)), strings.ReplaceAll(f.kind, "_", " "), d.at(f.at))
		}
		who = d.name(who)
	case "rule", "emergency", "reload":
		who, kind = "", f.whom
	}
	cond := fmt.Sprintf("event.type == %q", event)
	name := strings.ReplaceAll(strings.TrimSpace(who+" "+f.kind+" "+kind), "_", " ")
	if who != "" {
		cond += fmt.Sprintf(" && event.actor == %q", who)
	}
	if kind != "" {
		cond += fmt.Sprintf(" && event.kind == %q", kind)
	}
	return fmt.Sprintf("- {name: %s, sometimes: %s}", quoted(name), quoted(cond))
}

// undriven says why a decision about an actor is not expected: it was about one that is left out, or came of its crashes.
func (d *drafting) undriven(f fact) string {
	for _, l := range d.in.lives {
		if f.kind == "gave_up" && l.failed != unseen && l.failed <= f.at && d.passes(l.actor) && strings.HasPrefix(l.actor, f.whom+"/") {
			return "crashes of " + d.name(l.actor) + ", which is there for a part of the run only, are left out"
		}
	}
	if d.passes(f.whom) {
		return "it is there for a part of the run only"
	}
	return ""
}

// opens says that a breaker opens, soon after what made it open.
func (d *drafting) opens(f fact) string {
	at := d.at(f.at)
	if d.over(f.at) {
		return fmt.Sprintf("# left out (the root had given up, so nothing is judged any more): %s opens at %s", comment(f.whom), at)
	}
	if !d.driven(f.whom, at) {
		return fmt.Sprintf("# left out (no recorded call and no fault before it would do this): %s opens at %s", comment(f.whom), at)
	}
	after, waited := "", at
	for _, c := range d.causes {
		if c.at <= at {
			after, waited = "after: "+c.moment+", ", at-c.at
		}
	}
	within := max((2 * waited).Round(time.Second), time.Second)
	return fmt.Sprintf("- {name: %s, %seventually: %s, within: %s}", quoted(f.whom+" opens"), after,
		quoted(fmt.Sprintf("breaker(%q).state == \"open\"", f.whom)), within)
}

// driven tells whether something in the draft can open a breaker by then: calls that are repeated, or something that went
// wrong with those it may count. Who stands for something outside fails only by faults of its own.
func (d *drafting) driven(breaker string, by time.Duration) bool {
	if d.loaded && d.called(breaker) {
		return true
	}
	path := ""
	if found, err := d.plan.Resolve(breaker); err == nil && len(found) == 1 && d.outside(&d.plan.Actors[found[0]]) {
		path = d.plan.Actors[found[0]].Path
	}
	return slices.ContainsFunc(d.causes, func(c cause) bool {
		return c.at <= by && (path == "" || slices.Contains([]string{"", path, breaker}, c.whom) || strings.Contains(c.whom, "*"))
	})
}

// called tells whether calls that are repeated go through a breaker: some did then, or, where only messages are recorded,
// its actor had some.
func (d *drafting) called(breaker string) bool {
	if d.in.through[breaker] {
		return true
	}
	found, err := d.plan.Resolve(breaker)
	if err != nil { // a breaker with a name of its own
		return len(d.in.through) == 0
	}
	return slices.ContainsFunc(found, func(at int) bool { return len(d.in.tried(d.plan.Actors[at].Path)) > 0 })
}

// unsettled tells whether the level of health was still open to chance when the journal ended: what lowers it came or went so late
// that a level which began or ended one sample later would be another one then.
func (d *drafting) unsettled() bool {
	settled := d.in.End.Sub(d.in.Start) - d.plan.Health.RecoverFor - 3*d.plan.Observe.Interval
	return slices.ContainsFunc(d.in.facts, func(f fact) bool {
		return f.at > settled && slices.Contains([]string{"opened", "closed", "quarantined"}, f.kind)
	})
}

// over tells whether the root had given up by then: the engine only comes to its end after that.
func (d *drafting) over(by time.Duration) bool {
	return slices.ContainsFunc(d.in.facts, func(f fact) bool { return f.kind == "gave_up" && f.whom == d.plan.Actors[0].Path && f.at <= by })
}

// ending says how things stood in the end.
func (d *drafting) ending() []string {
	var out []string
	last := map[string]string{}
	var breakers []string
	for _, f := range d.in.facts {
		if f.kind == "opened" || f.kind == "closed" {
			if !slices.Contains(breakers, f.whom) && !strings.Contains(f.whom, "/") && d.driven(f.whom, d.at(f.at)) {
				breakers = append(breakers, f.whom)
			}
			last[f.whom] = f.kind
		}
	}
	for _, b := range breakers {
		if last[b] == "closed" {
			out = append(out, fmt.Sprintf("- {name: %s, finally: %s}", quoted(b+" closes again"), quoted(fmt.Sprintf("breaker(%q).state == \"closed\"", b))))
		}
	}
	restarts := map[string]uint64{}
	var crashed []string
	for _, l := range d.in.lives {
		a := d.plan.Actor(l.actor)
		if a == nil || a.Kind == plan.Supervisor {
			continue
		}
		if l.failed != unseen && !slices.Contains(crashed, l.actor) {
			crashed = append(crashed, l.actor)
		}
		restarts[l.actor] = max(restarts[l.actor], l.incarnation-d.first[l.actor])
	}
	for _, path := range crashed {
		name := d.name(path)
		if n := restarts[path]; n > 0 {
			out = append(out, d.unless(path, "- ", fmt.Sprintf("{name: %s, sometimes: %s}", quoted(fmt.Sprintf("%s is started again, %d in all", name, n)),
				quoted(fmt.Sprintf("actor(%q).restarts == %d", name, n)))))
		}
	}
	if d.in.level == "healthy" && len(out) > 0 && !d.over(math.MaxInt64) && !d.unsettled() {
		out = append(out, "- {name: healthy in the end, finally: 'system.level == \"healthy\"'}")
	}
	return out
}
