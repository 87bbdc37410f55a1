package scenario

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// Events are a journal, or a part of one.
type Events interface {
	// Scan yields the events that match, in order.
	Scan(q journal.Query) iter.Seq2[journal.Event, error]
}

// Slice says which part of a journal is wanted. The zero value is the newest run of the engine.
type Slice struct {
	Since, Until time.Time // zero: no bound
	From, To     uint64    // numbers; 0: no bound
	Actor        string    // only what concerns this actor and those below it; "": all
	Correlation  string    // only this incident or request; "": all
}

// Incident is what a part of a journal tells: of one run of the engine.
type Incident struct {
	Name        string   // of the topology
	Files       []string // of the topology, as the run was given them; none when the journal does not say
	Digest      string   // of the plan in force when it began
	Later       []string // digests of those that came into force meanwhile
	First, Last uint64   // numbers of its events
	Start, End  time.Time
	Left        int            // events of earlier runs within the bounds, left out
	Damage      []string       // parts of the journal that cannot be read
	Calls       []plan.Arrival // from outside, since Start
	Oversize    int            // how many of them carried too much to be recorded

	booted   bool // the run's start is part of it
	attempts map[string][]attempt
	recorded int                    // calls and messages
	whole    map[string]bool        // correlations of calls of which is known what they carried
	came     []came                 // what came from outside
	last     map[string]lastHandled // by actor, so far
	lives    []life
	known    map[string]int // of lives, by actor and incarnation
	probes   []probed
	orders   []order
	reloads  []reloaded
	facts    []fact
	through  map[string]bool // breakers that calls went through
	passing  map[string]bool // actors that came or went meanwhile
	level    string          // of health, at the end; "" when it never changed
}

// attempt is one attempt of a call, or a handled message, with its end.
type attempt struct {
	began  time.Duration
	took   time.Duration
	class  string // of a failure; "" when it went well
	status int
}

// life is one incarnation of an actor, as far as it is seen.
type life struct {
	actor                   string
	incarnation             uint64
	starting, ready, failed time.Duration // unseen is none
	took                    time.Duration // to be ready
	kind, message           string        // of the failure
	on, correlation         string        // the type of the message that it failed on, and its correlation
}

// lastHandled is the message that an actor handled last.
type lastHandled struct{ message, outcome, correlation string }

// unseen is the time of what was not seen.
const unseen = time.Duration(-1)

// probed is a health check's change.
type probed struct {
	actor   string
	at      time.Duration
	healthy bool
}

// order is an operator's command.
type order struct {
	seq     uint64
	at      time.Duration
	what    journal.Commanded
	refused string // why; "": it was not, or the journal does not say
}

type reloaded struct {
	at      time.Duration
	changes []journal.Change
	omitted int
}

// fact is a decision worth expecting again.
type fact struct {
	at   time.Duration
	kind string // opened, closed, gave_up, quarantined, rule, emergency or reload
	whom string // the breaker, actor, rule or level
}

// Bounds of one incident.
const (
	maxLives    = 100_000   // incarnations
	maxAttempts = 2_000_000 // calls and messages
)

// errIncident is given for an incident beyond its bounds.
var errIncident = errors.New("too much has happened for one scenario; take a shorter stretch of time, or one actor")

// ReadIncident reads what a part of a journal tells. Damaged parts are left out, and named in Damage.
func ReadIncident(j Events, s Slice) (*Incident, error) {
	in := &Incident{attempts: map[string][]attempt{}, known: map[string]int{}, through: map[string]bool{}, passing: map[string]bool{}, last: map[string]lastHandled{}}
	begin, err := in.locate(j, &s)
	if err != nil {
		return nil, err
	}
	q := journal.Query{Since: s.Since, Until: s.Until, From: max(s.From, begin), To: s.To, Correlation: s.Correlation}
	q.Types = slices.DeleteFunc(journal.Types(), func(t journal.Type) bool {
		return t == journal.TypeInput || t == journal.TypeSample || t == journal.TypeLogged
	})
	var calls arrivalsFound
	for e, err := range j.Scan(q) {
		if err != nil {
			if !in.damaged(err) {
				return nil, err
			}
			continue
		}
		if s.Actor != "" && e.Actor != s.Actor && !strings.HasPrefix(e.Actor, s.Actor+"/") && groupOf(e.Actor) != s.Actor {
			continue
		}
		if in.First == 0 {
			in.First, in.Start = e.Seq, time.Unix(0, e.Time).UTC()
		}
		in.Last, in.End = e.Seq, time.Unix(0, e.Time).UTC()
		if err := in.take(e); err != nil {
			return nil, err
		}
		if err := calls.take(e); err != nil {
			return nil, err
		}
	}
	in.Calls, in.Oversize, in.whole, in.came = calls.settle(in.Start), calls.oversize, calls.whole, calls.came
	for _, all := range in.attempts {
		slices.SortStableFunc(all, func(a, b attempt) int { return int(min(max(a.began-b.began, -1), 1)) })
	}
	return in, nil
}

// damaged notes a part that cannot be read.
func (in *Incident) damaged(err error) bool {
	var d *journal.Damage
	if !errors.As(err, &d) {
		return false
	}
	in.Damage = append(in.Damage, d.Error())
	return true
}

// locate finds the run that the part belongs to, and which plan was in force. It gives the number of the run's first event.
func (in *Incident) locate(j Events, s *Slice) (uint64, error) {
	begin := uint64(0)
	for e, err := range j.Scan(journal.Query{Types: []journal.Type{journal.TypeEngineStarted, journal.TypeReloadCommitted}, Until: s.Until, To: s.To}) {
		if err != nil {
			if !in.damaged(err) {
				return 0, err
			}
			continue
		}
		body, err := e.Body()
		if err != nil {
			return 0, err
		}
		before := e.Seq < s.From || !s.Since.IsZero() && e.Time < s.Since.UnixNano()
		switch b := body.(type) {
		case journal.EngineStarted:
			if begin > 0 && begin >= s.From {
				in.Left = int(e.Seq - max(begin, s.From))
			}
			begin = e.Seq
			in.Name, in.Files, in.Digest, in.Later = b.Name, b.Files, b.Digest, nil
			in.booted = !before
		case journal.ReloadCommitted:
			if before {
				in.Digest = b.Digest
			} else {
				in.Later = append(in.Later, b.Digest)
			}
		}
	}
	return begin, nil
}

// take notes what one event tells.
func (in *Incident) take(e journal.Event) error {
	body, err := e.Body()
	if err != nil {
		return err
	}
	if in.recorded > maxAttempts || len(in.lives) > maxLives {
		return errIncident
	}
	at := time.Duration(e.Time - in.Start.UnixNano())
	switch b := body.(type) {
	case journal.Call:
		in.recorded++
		in.called(e.Actor, at, &b)
	case journal.Message:
		in.recorded++
		in.handled(e.Actor, at, &b)
		in.last[e.Actor] = lastHandled{b.Message, b.Outcome, e.Correlation}
	case journal.ActorStarting:
		in.life(e.Actor, b.Incarnation).starting = at
	case journal.ActorReady:
		l := in.life(e.Actor, b.Incarnation)
		l.ready, l.took = at, b.Took
	case journal.ActorFailed:
		l := in.life(e.Actor, b.Incarnation)
		l.failed, l.kind, l.message, l.on, l.correlation = at, b.Kind, b.Message, b.MessageType, e.Correlation
		if h := in.last[e.Actor]; h.message == b.MessageType && h.outcome == b.Kind { // a message without a correlation
			l.correlation = h.correlation
		}
	case journal.Probe:
		in.probes = append(in.probes, probed{e.Actor, at, b.Healthy})
	case journal.Commanded:
		in.orders = append(in.orders, order{seq: e.Seq, at: at, what: b})
	case journal.ActionDone:
		in.answered(e.Causation, &b)
	case journal.ReloadCommitted:
		if b.Who != engine.ByVerification { // which takes a reload back again by itself
			in.reloads = append(in.reloads, reloaded{at, b.Changes, b.Omitted})
		}
		in.passed(b.Changes)
	case journal.PlanVaried:
		in.passed(b.Changes)
	case journal.HealthChanged:
		in.level = b.To
	}
	in.decided(at, e.Actor, body)
	return nil
}

// passed notes who came or went by a change of what runs.
func (in *Incident) passed(changes []journal.Change) {
	for _, c := range changes {
		if path, ok := strings.CutPrefix(c.Path, "actors."); ok && (c.Class == plan.Start.String() || c.Class == plan.Stop.String()) {
			in.passing[path] = true // or a field of an actor: no actor's path
		}
	}
}

// answered notes what became of a command: the action that its event caused, and not one of a rule that it ran. One that
// only some of its targets refused was carried out.
func (in *Incident) answered(to uint64, b *journal.ActionDone) {
	at, found := slices.BinarySearchFunc(in.orders, to, func(o order, seq uint64) int { return cmp.Compare(o.seq, seq) })
	if !found || b.Result == "done" || partly.MatchString(b.Result) {
		return
	}
	o := &in.orders[at]
	if o.what.Verb == b.Verb && cmp.Or(o.what.Who, "operator") == b.By {
		o.refused = b.Result
	}
}

// partly is the verdict on a command of which a part was done.
var partly = regexp.MustCompile(`^[0-9]+ of [0-9]+ refused`)

// decided notes the decisions that a test of the incident would want to see again.
func (in *Incident) decided(at time.Duration, actor string, body journal.Body) {
	f := fact{at: at}
	switch b := body.(type) {
	case journal.BreakerChanged:
		switch b.To {
		case "open":
			f.kind, f.whom = "opened", b.Breaker
		case "closed":
			f.kind, f.whom = "closed", b.Breaker
		}
	case journal.SupervisorGaveUp:
		f.kind, f.whom = "gave_up", actor
	case journal.Quarantined:
		f.kind, f.whom = "quarantined", actor
	case journal.RuleFired:
		f.kind, f.whom = "rule", b.Rule
	case journal.EmergencyChanged:
		f.kind, f.whom = "emergency", "left"
		if b.On {
			f.whom = "entered"
		}
	case journal.ReloadCommitted:
		f.kind, f.whom = "reload", "committed"
	}
	if f.kind != "" {
		in.facts = append(in.facts, f)
	}
}

// life finds an incarnation, which may have begun before the part of the journal.
func (in *Incident) life(actor string, incarnation uint64) *life {
	key := fmt.Sprint(incarnation, " ", actor)
	if at, known := in.known[key]; known {
		return &in.lives[at]
	}
	in.known[key] = len(in.lives)
	in.lives = append(in.lives, life{actor: actor, incarnation: incarnation, starting: unseen, ready: unseen, failed: unseen})
	return &in.lives[len(in.lives)-1]
}

// called notes an attempt of a call that reached its callee.
func (in *Incident) called(actor string, at time.Duration, c *journal.Call) {
	if c.Outcome != "success" && c.Outcome != "failure" {
		return
	}
	in.through[c.Breaker] = true
	if c.Replica != "" {
		actor = actor[:strings.LastIndexByte(actor, '/')+1] + c.Replica
	}
	a := attempt{began: at - c.Duration, took: c.Duration, status: c.Status}
	if c.Outcome == "failure" {
		if a.class = c.Class; a.class == "" {
			a.class = "failed"
		}
	}
	in.attempts[actor] = append(in.attempts[actor], a)
}

// handled notes a message that was handled, unless calls tell the same better.
func (in *Incident) handled(actor string, at time.Duration, m *journal.Message) {
	a := attempt{began: at - m.Took, took: m.Took, class: m.Outcome}
	if m.Outcome == "ok" {
		a.class = ""
	}
	key := messages + actor
	in.attempts[key] = append(in.attempts[key], a)
}

// messages marks the attempts that were seen as handled messages.
const messages = "m "

// tried are the attempts to reach an actor: calls through guards, or else handled messages.
func (in *Incident) tried(actor string) []attempt {
	if all := in.attempts[actor]; len(all) > 0 {
		return all
	}
	return in.attempts[messages+actor]
}

// String says what the incident is a part of.
func (in *Incident) String() string {
	return fmt.Sprintf("%s from %s to %s UTC, events %d to %d", in.Name, in.Start.Format("2006-01-02 15:04:05.000"), in.End.Format("15:04:05.000"), in.First, in.Last)
}
