package journal

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// everyBody holds one filled value of each body: its event must survive the
// codec and read well.
func everyBody() []struct {
	body Body
	line string
} {
	return []struct {
		body Body
		line string
	}{
		{EngineStarted{"shop", 3, "abcdef0123456789", 42, "v1", []string{"/etc/shop.yaml"}}, `engine "shop" started: generation 3, plan abcdef012345, pid 42, version v1`},
		{EngineStopped{"interrupt", 0}, "engine stopped with code 0: interrupt"},
		{Gap{1, int64(time.Second) + 1, 1, "the buffer was full"}, "1 event missing: the buffer was full for 1s"},
		{JournalRecovered{2, 100, 7, "short frame"}, "journal recovered: cut 7 unfinished bytes from segment 2 at 100 (short frame)"},
		{Checkpoint{"before deploy", "ana"}, `checkpoint "before deploy" by ana`},
		{Logged{"info", "hello", Values{"n": 1.5, "a": "b"}}, "info: hello (a=b n=1.5)"},
		{Input{[]byte{1, 2}}, "input of 2 bytes"},
		{ActorStarting{2}, "starting (incarnation 2)"},
		{ActorStarted{2, 99, "127.0.0.1:80"}, "started pid 99 at 127.0.0.1:80 (incarnation 2)"},
		{ActorReady{2, 30 * time.Millisecond}, "ready after 30ms"},
		{ActorStopping{2, "shutdown"}, "stopping: shutdown"},
		{ActorStopped{2, "asked", time.Second}, "stopped in 1s: asked"},
		{ActorFailed{1, "exit", "exit status 3", 3, "", []string{"a", "boom"}, "", "job"}, "failed (exit): exit status 3 while handling job; last line: boom"},
		{ActorRestarting{2, 400 * time.Millisecond, "restart", 7}, "restarting in 400ms (attempt 2, restart 7, directive restart)"},
		{SupervisorGaveUp{3, 5 * time.Second, 4, "w1"}, "gave up: 4 restarts within 5s, allowed 3: w1"},
		{ActorLeaked{1, "a goroutine"}, "leaked a goroutine (incarnation 1)"},
		{Paused{"ana", "deploy"}, "paused by ana: deploy"},
		{Resumed{"ana", ""}, "resumed by ana"},
		{DeadLetter{"mailbox full", "job", 3}, "dead letter: 3 x job, mailbox full"},
		{Injected{"job", "ana", ""}, "was sent job by ana"},
		{StateSet{[]string{"a", "b"}, "ana", ""}, "state changed: a, b by ana"},
		{StateChanged{7, false, []byte(`{"n":1}`)}, `state changed (7): {"n":1}`},
		{Message{"web", "job", "ok", time.Millisecond, 0, nil, 0}, "handled job from web in 1ms: ok"},
		{BreakerChanged{"pay", "closed", "open", 4, "error rate", Values{"rate": 0.5, "calls": 20.0}, int64(3 * time.Second)},
			"breaker pay closed -> open: error rate (calls=20 rate=0.5) until 00:00:03.000Z"},
		{Quarantined{time.Minute, 0.25, "errors", "sick"}, "quarantined for 1m0s by rule sick: errors (25% of its group)"},
		{Released{"time is up"}, "released: time is up"},
		{HealthChanged{0.5, "healthy", "degraded"}, "health healthy -> degraded (score 0.5)"},
		{EmergencyChanged{true, "score"}, "emergency mode entered: score"},
		{Probe{false, "503", 0}, "probe unhealthy: 503"},
		{PatternFound{"cascade", []string{"root/db", "root/api"}, "root/db", 0.75, 3, "3 failures within 5s"},
			"pattern cascade found: 3 failures within 5s (confidence 0.75, seen 3 times): root/db, root/api; likely root root/db"},
		{PatternCleared{"cascade", "root/db", 7, 9 * time.Second}, "pattern cascade is over at root/db: it lasted 9s, seen 7 times"},
		{Infected{0.5, "two failures reached it", []string{"root/db", "root/api"}}, "infected (score 0.5): two failures reached it along root/db -> root/api"},
		{Call{"web", "charge", "pay", "failure", "timeout", time.Second, 1, 0, "pay-1", 504, nil, 0}, "called with charge by web: failure (timeout) in 1s"},
		{RuleFired{"sick", "w1", Values{"rate": 0.5}, []string{"quarantine"}}, "rule sick fired for w1 (rate=0.5): quarantine"},
		{RuleCleared{"sick", "w1", nil}, "rule sick cleared for w1"},
		{RuleFailed{"sick", "w1", "no data"}, "rule sick failed for w1: no data"},
		{ActionDone{"quarantine", "w1", "sick", "", "done"}, "quarantine w1 by sick: done"},
		{Commanded{"pause", "w1", "ana", "deploy", Values{"for": "1m"}}, "command pause w1 (for=1m) by ana: deploy"},
		{ReloadCommitted{4, "ff", []Change{{"hot", "x.y", "1", "2"}}, 0, "ana", "tune", time.Millisecond, 5 * time.Second},
			"generation 4 in force after 1ms, on probation for 5s: 1 change (hot x.y 1 -> 2) by ana: tune"},
		{PlanVaried{"ff", []Change{{"start", "actors.w-2", "", "script"}}, 0, "ana", "scale w from 2 to 3"},
			"plan changed in place: 1 change (start actors.w-2  -> script) by ana: scale w from 2 to 3"},
		{ReloadVerified{4, 5 * time.Second}, "generation 4 has proved itself in 5s"},
		{ReloadRolledBack{4, 3, "LR422", "abort_if: new.error_rate > 0.1", Values{"new.error_rate": 0.5}, time.Second},
			"generation 4 is rolled back to 3 after 1s: LR422 abort_if: new.error_rate > 0.1 (new.error_rate=0.5)"},
		{ReloadRejected{"ff", []string{"a.yaml:1:2: no", "b"}, ""}, "configuration ff rejected with 2 problems: a.yaml:1:2: no"},
		{Sample{map[string]Number{"cpu": 0.5}}, "sample (cpu=0.5)"},
		{Dissent{[]string{"a", "b"}, []string{"c"}, []string{"d"}}, "consensus of 2 against c; silent: d"},
	}
}

func TestEveryTypeRoundTripsAndReadsWell(t *testing.T) {
	seen := map[Type]bool{}
	for _, c := range everyBody() {
		seen[c.body.Type()] = true
		e := New("", c.body)
		back, err := e.Body()
		if err != nil {
			t.Errorf("%s: %v", e.Type, err)
			continue
		}
		if diff := cmp.Diff(c.body, back); diff != "" {
			t.Errorf("%s changed in the codec (-in +out):\n%s", e.Type, diff)
		}
		if got := Describe(e); got != c.line {
			t.Errorf("%s reads\n%s\nwant\n%s", e.Type, got, c.line)
		}
	}
	for _, known := range Types() {
		if !seen[known] {
			t.Errorf("no example of %s", known)
		}
		if back, err := ParseType(known.String()); err != nil || back != known {
			t.Errorf("ParseType(%q) = %d, %v", known, back, err)
		}
	}
	if len(seen) != len(Types()) {
		t.Errorf("%d bodies for %d types", len(seen), len(Types()))
	}
}

func TestKeysAreSnakeCase(t *testing.T) {
	for _, c := range everyBody() {
		bt := reflect.TypeOf(c.body)
		if c.body.Type() == TypeInput {
			continue
		}
		for i := range bt.NumField() {
			key, _, _ := strings.Cut(bt.Field(i).Tag.Get("json"), ",")
			if key == "" || strings.ToLower(key) != key {
				t.Errorf("%s.%s has key %q", bt.Name(), bt.Field(i).Name, key)
			}
			if bt.Field(i).Type == reflect.TypeFor[time.Duration]() && !strings.HasSuffix(key, "_ns") {
				t.Errorf("duration %s.%s has key %q without its unit", bt.Name(), bt.Field(i).Name, key)
			}
		}
	}
}

func TestNumbersThatJSONCannotSay(t *testing.T) {
	e := New("a", RuleFired{Rule: "r", Values: Values{"nan": math.NaN(), "inf": math.Inf(1), "f": func() {}, "list": []int{1}}})
	var fields map[string]any
	if err := json.Unmarshal(e.Payload, &fields); err != nil {
		t.Fatal(err)
	}
	values := fields["values"].(map[string]any)
	if values["nan"] != "NaN" || values["inf"] != "+Inf" || values["list"] == nil {
		t.Errorf("values = %v", values)
	}
	b, err := New("a", HealthChanged{Score: Number(math.NaN())}).Body()
	if err != nil || !math.IsNaN(float64(b.(HealthChanged).Score)) {
		t.Errorf("NaN came back as %v, %v", b, err)
	}
}

func TestUnknownEventsAreCarriedUntouched(t *testing.T) {
	for _, e := range []Event{
		{Type: 9999, Version: 3, Content: 77, Payload: []byte{0xff}},
		{Type: 8, Version: 1, Content: ContentJSON, Payload: []byte("{}")},
		{Type: TypeActorReady, Version: 2, Content: ContentJSON, Payload: []byte(`{"x":1}`)},
		{Type: TypeActorReady, Version: 1, Content: 9, Payload: []byte(`?`)},
	} {
		b, err := e.Body()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, New("", b)); diff != "" {
			t.Errorf("changed on the way through Unknown:\n%s", diff)
		}
	}
	if _, err := (Event{Seq: 7, Type: TypeActorReady, Version: 1, Content: ContentJSON, Payload: []byte("{")}).Body(); err == nil || !strings.Contains(err.Error(), "event 7: actor_ready") {
		t.Errorf("broken JSON gave %v", err)
	}
}

func TestDescriptionsCannotSteerATerminal(t *testing.T) {
	got := Describe(New("w", Logged{Level: "info", Text: "a\x1b[2Jb\nc\xffd\n"}))
	if want := `w info: a\x1b[2Jb\nc�d`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if long := Describe(New("w", Logged{Text: strings.Repeat("é", 10000)})); len([]rune(long)) != maxDescription+1 {
		t.Errorf("a long line kept %d runes", len([]rune(long)))
	}
}

func FuzzBody(f *testing.F) {
	for _, c := range everyBody() {
		e := New("", c.body)
		f.Add(uint16(e.Type), e.Version, uint8(e.Content), e.Payload)
	}
	f.Fuzz(func(t *testing.T, typ uint16, version, content uint8, payload []byte) {
		e := Event{Type: Type(typ), Version: version, Content: ContentType(content), Payload: payload}
		line := Describe(e)
		if strings.ContainsFunc(line, unprintable) {
			t.Errorf("unprintable line %q", line)
		}
		if b, err := e.Body(); err == nil {
			New("", b)
		}
	})
}
