package engine

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/rules"
)

var update = flag.Bool("update", false, "write what the stories now say")

// TestStories plays testdata/*.txt. A story is a list of blocks: what happens, a line `----`, and every effect that the
// Machine decides on. Run with -update to accept what it says now.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := playStory(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s: the story is told differently now:\n%s", file, firstDifference(string(want), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			from := max(0, i-5)
			return fmt.Sprintf("line %d\nwant:\n%s\ngot:\n%s", i+1,
				strings.Join(w[from:min(len(w), i+6)], "\n"), strings.Join(g[from:min(len(g), i+6)], "\n"))
		}
	}
	return fmt.Sprintf("want %d lines, got %d", len(w), len(g))
}

func playStory(t *testing.T, text string) string {
	var out bytes.Buffer
	s := &stage{machine: NewMachine(), seed: 7}
	for block := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n\n") {
		script, _, _ := strings.Cut(block, "\n----")
		out.WriteString(script + "\n")
		if !strings.HasPrefix(script, "#") {
			s.log.Reset()
			if err := s.play(script); err != nil {
				t.Fatalf("%q: %v", script, err)
			}
			out.WriteString("----\n" + s.log.String())
		}
		out.WriteString("\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// stage is a runtime for stories: it remembers what was started and which timers are set, and prints all effects.
type stage struct {
	machine *Machine
	seed    uint64
	now     time.Duration
	paths   map[ID]string
	ids     map[string]ID
	epochs  map[string]Epoch
	timers  []SetTimer
	policy  policy

	generation uint64
	condemned  *RollBack
	starts     []Start // not answered yet
	stops      []Stop
	manual     bool // nothing is answered by itself
	ended      bool
	log        strings.Builder
}

// play runs one block. Its first word says what it is: a tree, or the time of what happens.
func (s *stage) play(script string) error {
	lines := strings.Split(script, "\n")
	switch fields := strings.Fields(lines[0]); fields[0] {
	case "tree":
		return s.tree(lines[1:])
	case "policy":
		var err error
		s.policy, err = growPolicy(lines[1:])
		return err
	case "reload":
		p, err := s.plant(lines[1:])
		if err != nil {
			return err
		}
		s.generation++
		s.step(Reloaded{Plan: p, Generation: s.generation, By: "file", Why: "changed", Before: growFigures(fields[1:])})
	case "manual":
		s.manual = true
	case "auto":
		s.manual = false
	case "seconds":
		s.machine.CountWholeSeconds()
	default:
		for _, line := range lines {
			if err := s.line(strings.Fields(line)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stage) tree(lines []string) error {
	p, err := s.plant(lines)
	if err != nil {
		return err
	}
	s.generation = 1
	s.paths, s.ids, s.epochs = map[ID]string{}, map[string]ID{}, map[string]Epoch{}
	s.step(Boot{Plan: p, Seed: s.seed})
	return nil
}

func (s *stage) plant(lines []string) (*plan.Plan, error) {
	p, err := growPlan(lines)
	if err != nil {
		return nil, err
	}
	p.Rules, p.Health, p.Emergency, p.Patterns = s.policy.rules, s.policy.health, s.policy.emergency, s.policy.patterns
	p.Params = s.policy.params
	p.Reload = s.policy.reload
	return p, p.Seal()
}

// line is `TIME` alone (time passes), or `TIME VERB PATH...`.
func (s *stage) line(fields []string) error {
	at, err := time.ParseDuration(fields[0])
	if err != nil {
		return err
	}
	s.pass(at)
	if len(fields) == 1 {
		return nil
	}
	return s.happen(fields[1], fields[2:])
}

func (s *stage) happen(verb string, args []string) error {
	switch verb {
	case "shutdown":
		s.step(Shutdown{Why: "signal"})
		return nil
	case "rolls_back":
		s.generation++
		s.step(Reloaded{Plan: s.condemned.Plan, Generation: s.generation, By: ByVerification, Why: s.condemned.Why})
		return nil
	case "cannot_roll_back":
		s.step(RollBackFailed{Generation: s.condemned.Generation, Why: "address in use"})
		return nil
	case "sample":
		in, err := growSample(args)
		s.step(in)
		return err
	case "command":
		a, err := growAction(args)
		action := Steer{
			Verb: a.Verb, Target: a.Target, For: a.For, MaxShare: a.MaxShare, Message: a.Message, Text: a.Text, Reason: a.Reason,
			Count: a.Count, By: a.By, Min: a.Min, Max: a.Max,
		}
		if a.Payload != nil {
			action.Payload, err = a.Payload.Build(&rules.Env{})
		}
		s.step(Commanded{Number: 1, By: "ann", Action: action})
		return err
	case "breaker":
		s.step(BreakerChanged{Breaker: args[0], From: args[1], To: args[2]})
		return nil
	}
	for _, arg := range args {
		path, kind, failed := strings.Cut(arg, "=")
		id, known := s.ids[path]
		if !known {
			return fmt.Errorf("unknown actor %q", path)
		}
		epoch := s.epochs[path]
		kind, incident, _ := strings.Cut(kind, "#")
		kind, by, _ := strings.Cut(kind, "@")
		f := Failure{Kind: kind, Correlation: incident, Message: "told to", By: or(by, path), ExitCode: -1}
		switch verb {
		case "started":
			s.step(Started{ID: id, Epoch: epoch})
		case "stopped":
			s.step(Stopped{ID: id, Epoch: epoch})
		case "failed":
			s.step(Failed{ID: id, Epoch: epoch, Failure: f})
		case "sick", "well":
			s.step(Probed{ID: id, Epoch: epoch, Healthy: verb == "well", Why: "said so"})
		case "exited":
			in := Exited{ID: id, Epoch: epoch}
			if failed {
				in.Failure = &f
			}
			s.step(in)
		default:
			return fmt.Errorf("unknown verb %q", verb)
		}
	}
	return nil
}

// pass lets time go by: timers come in order.
func (s *stage) pass(to time.Duration) {
	for {
		next := -1
		for i, t := range s.timers {
			if t.At <= to && (next < 0 || t.At < s.timers[next].At) {
				next = i
			}
		}
		if next < 0 {
			break
		}
		t := s.timers[next]
		s.timers = append(s.timers[:next], s.timers[next+1:]...)
		s.now = max(s.now, t.At)
		s.step(Due{Timer: t.Timer})
	}
	s.now = max(s.now, to)
}

// step tells the Machine, prints its effects, and answers Start and Stop unless the story wants to do that.
func (s *stage) step(in Input) {
	for _, e := range s.machine.Step(s.now, in, nil) {
		s.print(e)
	}
	for !s.manual && !s.ended && len(s.starts)+len(s.stops) > 0 {
		if len(s.starts) > 0 {
			next := s.starts[0]
			s.starts = s.starts[1:]
			s.step(Started{ID: next.ID, Epoch: next.Epoch})
			continue
		}
		next := s.stops[0]
		s.stops = s.stops[1:]
		s.step(Stopped{ID: next.ID, Epoch: next.Epoch})
	}
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(&s.log, "%-6s %s\n", s.now, fmt.Sprintf(format, args...))
}

func (s *stage) print(e Effect) {
	switch e := e.(type) {
	case *Create:
		s.paths[e.ID], s.ids[e.Path] = e.Path, e.ID
		s.say("create %s %d", e.Path, e.ID)
	case *Move:
		old := s.paths[e.ID]
		s.say("move %s to %s", old, e.Path)
		s.paths[e.ID], s.ids[e.Path], s.epochs[e.Path] = e.Path, e.ID, s.epochs[old]
		delete(s.ids, old)
	case *Start:
		s.epochs[s.paths[e.ID]] = e.Epoch
		s.starts = append(s.starts, *e)
		s.say("START %s #%d %s", s.paths[e.ID], e.Epoch, e.Why)
	case *Stop:
		s.stops = append(s.stops, *e)
		again := ""
		if e.Again {
			again = ", again"
		}
		s.say("STOP %s #%d (%s)%s", s.paths[e.ID], e.Epoch, e.Why, again)
	case *Continue:
		s.say("CONTINUE %s #%d", s.paths[e.ID], e.Epoch)
	case *Remove:
		s.say("remove %s (%s)", s.paths[e.ID], e.Why)
		if s.ids[s.paths[e.ID]] == e.ID {
			delete(s.ids, s.paths[e.ID])
		}
	case *SetTimer:
		s.timers = append(s.timers, *e)
		s.say("set timer %x at %s", uint64(e.Timer), e.At)
	case *CancelTimer:
		for i, t := range s.timers {
			if t.Timer == e.Timer {
				s.timers = append(s.timers[:i], s.timers[i+1:]...)
				break
			}
		}
		s.say("cancel timer %x", uint64(e.Timer))
	case *Emit:
		s.say("  %s: %s", or(e.Actor, "system"), describeBody(e.Body))
	case *RollBack:
		s.condemned = e
		s.say("ROLL BACK %d to %d (%s)", e.Generation, e.To, e.Why)
	case *Ended:
		s.ended = true
		s.say("ENDED %d (%s)", e.Code, e.Why)
	default:
		s.say("%s", s.other(e))
	}
}

// other prints the effects that name an actor by ID, or nothing at all.
func (s *stage) other(e Effect) string {
	v := reflect.ValueOf(e).Elem()
	text := strings.ToLower(v.Type().Name())
	for i := range v.NumField() {
		switch field := v.Field(i).Interface().(type) {
		case ID:
			text += " " + s.paths[field]
		case *plan.Plan:
		default:
			text += " " + v.Type().Field(i).Name + "=" + fmt.Sprintf("%v", field)
		}
	}
	return text
}

// describeBody prints a body as the journal would show it, from its encoded form, as readers get it.
func describeBody(b journal.Body) string {
	event := journal.New("", b)
	text := strings.ReplaceAll(strconv.Quote(string(event.Payload)), `\"`, `'`)
	return event.Type.String() + " " + regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(text, "DIGEST")
}
