package sim

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/lukhasai/lukhas-run/engine"
)

const oneDesk = `
root:
  intensity: {max: 1000, within: 1s}
  children:
    - {name: desk, go: desk, mailbox: {capacity: 6}, restart: {policy: always, backoff: {initial: 100ms, max: 1s, jitter: 0}}}
`

// desks is a behaviour that stashes everything until it is opened. It notes what it handles with its incarnation.
func desks(into *[]string) making {
	return making{"desk": func() engine.Behavior {
		open := false
		return handler(func(ctx engine.Context, m engine.Msg) error {
			note := func(what string) {
				*into = append(*into, fmt.Sprintf("%s#%d", what, ctx.Incarnation()))
			}
			if strings.HasPrefix(m.Type, "crash") {
				note(m.Type)
				return errors.New("as told")
			}
			switch m.Type {
			case "sleep":
				return ctx.Sleep(time.Second)
			case "open":
				open = true
				note(fmt.Sprint("open ", ctx.Unstash()))
				return nil
			case "close":
				open = false
				return nil
			}
			if !open {
				err := ctx.Stash()
				if errors.Is(err, engine.ErrStashFull) {
					note("full " + m.Type)
					ctx.Fail(&engine.Error{Kind: engine.KindRefused, Message: err.Error()})
					return nil
				}
				if ctx.Reply("never") {
					return errors.New("a stashed message was answered")
				}
				return err
			}
			note(m.Type)
			if strings.HasPrefix(m.Type, "bomb") {
				return errors.New("as told")
			}
			ctx.Reply(m.Type)
			return nil
		})
	}}
}

func TestWhatIsStashedComesBackInOrderWithItsAsker(t *testing.T) {
	onBoth(t, func() play {
		var handled []string
		return play{oneDesk, desks(&handled), func(t *testing.T, r twin) {
			a, late := r.ask("desk", "a", nil, time.Minute), r.ask("desk", "late", nil, time.Second)
			_ = r.tell("desk", "b", nil)
			r.pass(2 * time.Second)
			if a.over || !late.over || kindOf(late.err) != engine.KindTimeout {
				t.Errorf("stashed: %+v %+v", *a, *late)
			}
			_ = r.tell("desk", "crash", nil) // while restarting, and again
			_ = r.tell("desk", "crash", nil)
			_ = r.tell("desk", "c", nil)
			if state, waiting := r.look("root/desk"); state != "restarting" || waiting != 5 {
				t.Errorf("it is %s with %d waiting", state, waiting)
			}
			r.pass(8 * time.Second)
			if state, waiting := r.look("root/desk"); state != "running" || waiting != 3 {
				t.Errorf("it is %s with %d waiting", state, waiting)
			}
			_ = r.tell("desk", "open", nil)
			r.pass(time.Second)
			if got := strings.Join(handled, " "); got != "crash#1 crash#2 open 3#3 a#3 b#3 c#3" {
				t.Errorf("handled %s", got)
			}
			if a.err != nil || a.value != "a" || a.at != 10*time.Second {
				t.Errorf("the ask that was stashed: %+v", *a)
			}
			if got := deadLetters(r, "root/desk"); got != "killed its actor: 2, asker gone: 1" {
				t.Errorf("dead letters: %s", got)
			}
		}}
	})
}

func TestAStashIsBoundedAndEndsWithItsActor(t *testing.T) {
	onBoth(t, func() play {
		var handled []string
		return play{oneDesk, desks(&handled), func(t *testing.T, r twin) {
			asks := make([]*outcome, 7)
			for i := range asks {
				asks[i] = r.ask("desk", fmt.Sprint(i), nil, time.Hour)
			}
			if last := asks[6]; !last.over || kindOf(last.err) != engine.KindRefused || !strings.Contains(last.err.Error(), "capacity 6") {
				t.Errorf("one too many: %+v", *last)
			}
			if err := r.steer(engine.Steer{Verb: "stop", Target: "desk"}); err != nil {
				t.Fatal(err)
			}
			r.pass(2 * time.Second)
			for i, a := range asks[:6] {
				if !a.over || kindOf(a.err) != engine.KindUnreachable {
					t.Errorf("ask %d: %+v", i, *a)
				}
			}
			if got := deadLetters(r, "root/desk"); got != "actor stopped: 6" {
				t.Errorf("dead letters: %s", got)
			}
		}}
	})
}

func TestAMessageStashedByAHandlerThatIsCutShortIsKept(t *testing.T) {
	onBoth(t, func() play {
		m := making{"desk": simple(func(ctx engine.Context, m engine.Msg) error {
			if ctx.Incarnation() == 1 {
				if err := ctx.Stash(); err != nil {
					return err
				}
				return ctx.Sleep(time.Hour)
			}
			ctx.Reply(float64(ctx.Incarnation()))
			return nil
		})}
		return play{oneDesk, m, func(t *testing.T, r twin) {
			a := r.ask("desk", "m", nil, time.Minute)
			if err := r.steer(engine.Steer{Verb: "restart", Target: "desk"}); err != nil {
				t.Fatal(err)
			}
			r.pass(30 * time.Second)
			if a.err != nil || a.value != 2.0 {
				t.Errorf("got %+v", *a)
			}
		}}
	})
}

func TestWhatCannotBeStashed(t *testing.T) {
	onBoth(t, func() play {
		var errs []error
		stash := handler(func(ctx engine.Context, m engine.Msg) error {
			if m.Type == "answered" {
				ctx.Reply(nil)
			}
			errs = append(errs, ctx.Stash())
			return nil
		})
		m := making{"desk": simple(stash), "init": func() engine.Behavior {
			return initer{stash, func(ctx engine.Context) error { errs = append(errs, ctx.Stash()); return nil }}
		}}
		text := `
root:
  children:
    - {name: one, go: desk}
    - {name: wide, go: desk, concurrency: 2}
    - {name: init, go: init}
`
		return play{text, m, func(t *testing.T, r twin) {
			r.ask("one", "answered", nil, time.Second)
			r.ask("wide", "m", nil, time.Second)
			r.pass(time.Second)
			if len(errs) != 3 {
				t.Fatalf("got %v", errs)
			}
			for i, want := range []string{"none at hand", "it was answered", "concurrency"} {
				if !errors.Is(errs[i], engine.ErrNoStash) || !strings.Contains(errs[i].Error(), want) {
					t.Errorf("got %v, want %s", errs[i], want)
				}
			}
		}}
	})
}

type initer struct {
	handler
	init func(engine.Context) error
}

func (i initer) Init(ctx engine.Context) error { return i.init(ctx) }

// deskModel says what a desk does with its messages, one after another.
type deskModel struct {
	again, mailbox, stash, handled []string
	open                           bool
	epoch, attempts                int
	tries                          map[string]int // of messages that the desk died of
}

func (d *deskModel) take() (m string, ok bool) {
	from := &d.again
	if len(d.again) == 0 {
		from = &d.mailbox
	}
	if len(*from) == 0 {
		return "", false
	}
	m, *from = (*from)[0], (*from)[1:]
	return m, true
}

// back puts what is stashed at the head of the mailbox.
func (d *deskModel) back() int {
	n := len(d.stash)
	d.again, d.stash = append(d.stash, d.again...), nil
	return n
}

func (d *deskModel) note(what string) {
	d.handled = append(d.handled, fmt.Sprintf("%s#%d", what, d.epoch))
}

// crash restarts the desk: what was put aside comes before the message that it died of, if that is tried again.
func (d *deskModel) crash(m string) {
	d.note(m)
	d.epoch, d.open = d.epoch+1, false
	if d.tries[m]++; d.tries[m] < d.attempts {
		d.again = append([]string{m}, d.again...)
	}
	d.back()
}

func (d *deskModel) drain() {
	for m, ok := d.take(); ok; m, ok = d.take() {
		switch {
		case strings.HasPrefix(m, "crash") || d.open && strings.HasPrefix(m, "bomb"):
			d.crash(m)
		case m == "open":
			d.open = true
			d.note(fmt.Sprint("open ", d.back()))
		case m == "close":
			d.open = false
		case d.open:
			d.note(m)
		case len(d.stash)+len(d.again) >= 6:
			d.note("full " + m)
		default:
			d.stash = append(d.stash, m)
		}
	}
}

// Whatever is stashed, put back and crashed on, in bursts that wait behind one another: both runtimes handle it in the order
// in which the model does, nothing twice and nothing lost.
func TestStashesFollowTheirModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		burst := rapid.SliceOfN(rapid.SampledFrom([]string{"n", "n", "n", "open", "open", "close", "crash", "bomb"}), 1, 5)
		bursts := rapid.SliceOfN(burst, 1, 8).Draw(rt, "bursts")
		model := &deskModel{epoch: 1, tries: map[string]int{}, attempts: rapid.IntRange(1, 2).Draw(rt, "attempts")}
		text := strings.Replace(oneDesk, "capacity: 6", fmt.Sprint("capacity: 6, attempts: ", model.attempts), 1)
		number := 0
		for _, b := range bursts {
			for i, m := range b {
				if m != "open" && m != "close" {
					number++
					b[i] = fmt.Sprint(m, number)
				}
			}
			model.mailbox = append(model.mailbox, b...)
			model.drain()
		}
		send := func(r twin) {
			for _, b := range bursts {
				_ = r.tell("desk", "sleep", nil)
				for _, m := range b {
					if err := r.tell("desk", m, nil); err != nil {
						rt.Errorf("telling %s: %v", m, err)
					}
				}
				r.pass(time.Minute)
			}
		}
		var simulated, real []string
		r := begin(t, text, desks(&simulated))
		send(simTwin{r})
		if err := r.Close(); err != nil {
			rt.Fatal(err)
		}
		p := compiled(t, text)
		synctest.Test(t, func(t *testing.T) {
			r := newLiveTwin(t, p, desks(&real))
			defer r.end()
			send(r)
		})
		want := strings.Join(model.handled, " ")
		if got := strings.Join(simulated, " "); got != want {
			rt.Errorf("%v: simulated\n%s\nwant\n%s", bursts, got, want)
		}
		if got := strings.Join(real, " "); got != want {
			rt.Errorf("%v: live\n%s\nwant\n%s", bursts, got, want)
		}
	})
}
