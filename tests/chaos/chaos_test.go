// Package chaos lets ten thousand actors crash, pause, restart, be reloaded and scaled at random while others talk to them,
// and checks all the time what must hold.
package chaos

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/live"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

var (
	span = flag.Duration("for", 3*time.Second, "how long the chaos lasts")
	seed = flag.Uint64("seed", 1, "of the chaos")
)

const (
	supervisors = 100
	workers     = 99 // of each supervisor
	replicas    = 100
	senders     = 4
	pool        = "root/pool/" // where the replicas are
)

// order is the state of one receiver that outlives its incarnations: which message of each sender came last.
type order struct {
	mu   sync.Mutex
	last [senders]int
	up   int // incarnations that exist now
}

// world is everything under test and what is known of it from outside.
type world struct {
	t       *testing.T
	eng     *live.Engine
	plan    *plan.Plan // the running one
	orders  sync.Map   // *order by path
	events  events
	handled atomic.Int64
	crashes atomic.Int64
	failed  atomic.Bool
}

// broken reports a broken invariant, at most a few times.
func (w *world) broken(format string, args ...any) {
	w.failed.Store(true)
	w.t.Errorf(format, args...)
}

// events is a journal that follows starts and ends of each actor as they are recorded, and counts restarts.
type events struct {
	mu       sync.Mutex
	n        uint64
	begun    map[string]uint64 // incarnation that was started last
	restarts map[string]uint64
	starts   int
	bad      []string
}

func (e *events) Record(ev journal.Event) uint64 {
	body, err := ev.Body()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.n++
	if err != nil {
		e.bad = append(e.bad, err.Error())
		return e.n
	}
	switch body := body.(type) {
	case journal.ActorStarting:
		e.starts++
		// A replica that was removed and added again is another actor: it begins anew.
		anew := body.Incarnation == 1 && strings.HasPrefix(ev.Actor, pool)
		if before := e.begun[ev.Actor]; body.Incarnation != before+1 && !anew {
			e.bad = append(e.bad, fmt.Sprintf("%s starts incarnation %d after %d", ev.Actor, body.Incarnation, before))
		}
		e.begun[ev.Actor] = body.Incarnation
		if anew {
			e.restarts[ev.Actor] = 0
		}
	case journal.ActorRestarting:
		e.restarts[ev.Actor]++
	}
	return e.n
}

// parcel is a numbered message of one sender to one receiver.
type parcel struct{ sender, n int }

// behavior is a receiver's incarnation.
type behavior struct {
	w    *world
	path string
	own  *order
}

func (w *world) make(a *plan.Actor, _ *plan.Plan) (engine.Behavior, error) {
	own, _ := w.orders.LoadOrStore(a.Path, &order{})
	return &behavior{w: w, path: a.Path, own: own.(*order)}, nil
}

// Start and Stop frame an incarnation: two at once are a double start.
func (b *behavior) Start(engine.Life) error {
	b.own.mu.Lock()
	defer b.own.mu.Unlock()
	if b.own.up++; b.own.up != 1 {
		b.w.broken("%s has %d incarnations at once", b.path, b.own.up)
	}
	return nil
}

func (b *behavior) Stop(context.Context) error {
	b.own.mu.Lock()
	defer b.own.mu.Unlock()
	b.own.up--
	return nil
}

func (b *behavior) Handle(_ engine.Context, m engine.Msg) error {
	switch m.Type {
	case "panic":
		b.w.crashes.Add(1)
		panic("chaos")
	case "fail":
		b.w.crashes.Add(1)
		return errors.New("chaos")
	}
	got := m.Payload.(parcel)
	b.own.mu.Lock()
	defer b.own.mu.Unlock()
	before := b.own.last[got.sender]
	// What was accepted comes once and in order. A replica may be removed with what waits for it, so there are gaps.
	if got.n != before+1 && !(got.n > before && strings.HasPrefix(b.path, pool)) {
		b.w.broken("%s handles message %d of sender %d after %d", b.path, got.n, got.sender, before)
	}
	b.own.last[got.sender] = got.n
	b.w.handled.Add(1)
	return nil
}

// grow makes the plan: supervisors of every strategy with their workers, and a pool of n replicas. A generation's number
// shows in the workers' mailboxes, so that every reload changes something that is hot.
func grow(n, generation int) (*plan.Plan, error) {
	p := &plan.Plan{Name: "chaos"}
	p.Actors = append(p.Actors, supervisor("root", "root", -1, plan.OneForOne))
	add := func(parent int, a plan.Actor) int {
		up := &p.Actors[parent]
		a.Parent, a.Path = parent, up.Path+"/"+a.Name
		up.Supervisor.Children = append(up.Supervisor.Children, len(p.Actors))
		p.Actors = append(p.Actors, a)
		return len(p.Actors) - 1
	}
	for s := range supervisors {
		strategy := plan.OneForOne
		if s%10 == 1 {
			strategy = plan.AllForOne
		} else if s%10 == 2 {
			strategy = plan.RestForOne
		}
		at := add(0, supervisor(fmt.Sprintf("s%d", s), "", 0, strategy))
		p.Actors[at].Order = s
		for i := range workers {
			w := worker(fmt.Sprintf("w%d", i), i, 64+generation%2)
			add(at, w)
		}
	}
	at := add(0, supervisor("pool", "", 0, plan.OneForOne))
	p.Actors[at].Order = supervisors
	group := plan.Group{Name: "r", Path: "root/pool/r", Route: plan.Route{Pick: "least_loaded"}}
	for i := range n {
		w := worker(fmt.Sprintf("r-%d", i), 0, 64)
		w.Group, w.Replica = group.Path, i
		group.Members = append(group.Members, fmt.Sprintf("%s-%d", group.Path, i))
		add(at, w)
	}
	p.Groups = append(p.Groups, group)
	return p, p.Seal()
}

func supervisor(name, path string, parent int, strategy plan.Strategy) plan.Actor {
	return plan.Actor{
		Name: name, Path: path, Parent: parent, Definition: &plan.Definition{
			Kind: plan.Supervisor, Concurrency: 1, Restart: plan.Restart{Policy: plan.Always},
			Supervisor: &plan.SupervisorSpec{
				Strategy: strategy, AutoShutdown: "never", Intensity: plan.Intensity{Max: 1 << 30, Within: time.Second},
			},
		}}
}

func worker(name string, order, capacity int) plan.Actor {
	return plan.Actor{
		Name: name, Definition: &plan.Definition{
			Order: order, Kind: plan.Go, Concurrency: 1, Go: &plan.GoSpec{Behaviour: "worker"},
			Restart:  plan.Restart{Policy: plan.Always},
			Mailbox:  plan.Mailbox{Capacity: capacity, Overflow: "reject", OnRestart: "keep", Attempts: 1},
			Shutdown: plan.Shutdown{Drain: time.Second, Kill: time.Second},
		}}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, events: events{begun: map[string]uint64{}, restarts: map[string]uint64{}}}
	var err error
	if w.plan, err = grow(replicas, 0); err != nil {
		t.Fatal(err)
	}
	w.eng, err = live.New(live.Options{
		Plan: w.plan, Machine: engine.NewMachine(), Clock: clock.System(), Seed: *seed, Recorder: &w.events,
		Factories: func(plan.Kind) engine.Factory { return w.make },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.eng.Start()
	<-w.eng.Up()
	return w
}

// pick names a random worker.
func pick(r *rand.Rand) string {
	if n := r.IntN(supervisors + 1); n < supervisors {
		return fmt.Sprintf("root/s%d/w%d", n, r.IntN(workers))
	}
	return fmt.Sprintf("root/pool/r-%d", r.IntN(replicas/2)) // those that are always there
}

// send tells random workers numbered messages until over, now and then one that kills.
func (w *world) send(ctx context.Context, sender int) (accepted map[string]int) {
	r := rand.New(rand.NewPCG(*seed, uint64(sender)))
	accepted = map[string]int{}
	for sent := 0; ctx.Err() == nil && !w.failed.Load(); sent++ {
		if sent%64 == 0 {
			pause(ctx, time.Millisecond) // the others have their turn
		}
		to := pick(r)
		switch r.IntN(300) {
		case 0:
			_ = w.eng.Tell(ctx, to, engine.Msg{Type: "panic"}, live.CallOptions{})
		case 1:
			_ = w.eng.Tell(ctx, to, engine.Msg{Type: "fail"}, live.CallOptions{})
		default:
			n := accepted[to] + 1
			if w.eng.Tell(context.Background(), to, engine.Msg{Type: "n", Payload: parcel{sender, n}}, live.CallOptions{}) == nil {
				accepted[to] = n
			}
		}
	}
	return accepted
}

// steer pauses, resumes and restarts at random until over, and leaves nobody paused.
func (w *world) steer(ctx context.Context) (done int) {
	r := rand.New(rand.NewPCG(*seed, 1000))
	paused := map[string]bool{}
	for ctx.Err() == nil && !w.failed.Load() {
		target, verb := pick(r), "restart"
		switch r.IntN(4) {
		case 0:
			verb, paused[target] = "pause", true
		case 1, 2:
			for target = range paused {
				break
			}
			verb = "resume"
			delete(paused, target)
		case 3:
			if r.IntN(20) == 0 {
				target = fmt.Sprintf("root/s%d", r.IntN(supervisors))
			}
		}
		err := w.eng.Command(context.Background(), engine.Steer{Verb: verb, Target: target}, "chaos")
		if err != nil && !strings.Contains(err.Error(), "cannot start: its supervisor") {
			w.broken("%s %s: %v", verb, target, err)
		}
		done++
	}
	for target := range paused {
		if err := w.eng.Command(context.Background(), engine.Steer{Verb: "resume", Target: target}, "chaos"); err != nil {
			w.broken("resume %s: %v", target, err)
		}
	}
	return done
}

// reload changes the plan and the number of replicas at random until over.
func (w *world) reload(ctx context.Context) (done int) {
	r := rand.New(rand.NewPCG(*seed, 2000))
	for generation := 2; ctx.Err() == nil && !w.failed.Load(); generation++ {
		n := replicas/2 + r.IntN(replicas)
		next, err := grow(n, generation)
		if err != nil {
			w.broken("reload: %v", err)
			return done
		}
		if err := w.eng.Reload(engine.Reloaded{Plan: next, Generation: uint64(generation), By: "chaos"}, engine.Cause{}); err != nil {
			w.broken("reload: %v", err)
			return done
		}
		w.plan = next
		done++
		pause(ctx, 50*time.Millisecond)
	}
	return done
}

// scale changes the number of replicas by actions at random until over, some of them for a moment only.
func (w *world) scale(ctx context.Context) (done int) {
	r := rand.New(rand.NewPCG(*seed, 3000))
	for ctx.Err() == nil && !w.failed.Load() {
		a := engine.Steer{Verb: "scale", Target: "root/pool/r", Count: replicas/2 + r.IntN(replicas)}
		switch r.IntN(3) {
		case 0:
			a.Count, a.By, a.Min, a.Max = 0, 1+r.IntN(20), replicas/2, 2*replicas
		case 1:
			a.For = time.Duration(1+r.IntN(100)) * time.Millisecond
		}
		err := w.eng.Command(context.Background(), a, "chaos")
		if err != nil && !strings.Contains(err.Error(), "is the most") {
			w.broken("scale: %v", err)
		}
		done++
		pause(ctx, 20*time.Millisecond)
	}
	return done
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Nothing is lost, reordered, handled twice or started twice, whatever happens; in the end everybody is up and restarts
// agree with the journal.
func TestChaos(t *testing.T) {
	defer calm.Ended(t)
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(context.Background(), *span)
	defer cancel()
	accepted := make([]map[string]int, senders)
	var steered, reloaded, scaled int
	var all sync.WaitGroup
	for i := range senders {
		all.Go(func() { accepted[i] = w.send(ctx, i) })
	}
	all.Go(func() { steered = w.steer(ctx) })
	all.Go(func() { reloaded = w.reload(ctx) })
	all.Go(func() { scaled = w.scale(ctx) })
	all.Wait()
	w.settle(accepted)
	w.audit()
	w.eng.Shutdown("over")
	<-w.eng.Done()
	w.orders.Range(func(path, own any) bool {
		if up := own.(*order).up; up != 0 {
			t.Errorf("%s has %d incarnations after the end", path, up)
		}
		return true
	})
	t.Logf("seed %d: %d messages handled, %d crashes, %d commands, %d reloads, %d scalings, %d starts",
		*seed, w.handled.Load(), w.crashes.Load(), steered, reloaded, scaled, w.events.starts)
	if w.handled.Load() == 0 || w.crashes.Load() == 0 || steered == 0 || reloaded == 0 || scaled == 0 {
		t.Error("there was no chaos")
	}
}

// settle waits until every accepted message has been handled, and everybody is up.
func (w *world) settle(accepted []map[string]int) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*calm.Long)
	defer cancel()
	for why := "?"; why != "" && !w.failed.Load(); pause(ctx, 10*time.Millisecond) {
		if why = w.unsettled(accepted); why != "" && ctx.Err() != nil {
			w.broken("not at rest after %s: %s", 3*calm.Long, why)
		}
	}
}

// unsettled says what is still to come; "" when nothing is.
func (w *world) unsettled(accepted []map[string]int) string {
	for sender, sent := range accepted {
		for path, n := range sent {
			own, _ := w.orders.Load(path)
			own.(*order).mu.Lock()
			last := own.(*order).last[sender]
			own.(*order).mu.Unlock()
			if last != n && !strings.HasPrefix(path, pool) {
				return fmt.Sprintf("%s has handled %d of %d messages of sender %d", path, last, n, sender)
			}
		}
	}
	for _, a := range w.eng.Status().Actors {
		if a.State != "running" {
			return a.Path + " is " + a.State
		}
	}
	return ""
}

// audit compares what the engine counts with what the journal has, and what runs with the plan.
func (w *world) audit() {
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	for _, what := range w.events.bad[:min(len(w.events.bad), 5)] {
		w.broken("journal: %s", what)
	}
	var running, planned []string
	for _, a := range w.eng.Status().Actors {
		running = append(running, a.Path)
		if got := w.events.restarts[a.Path]; got != a.Restarts {
			w.broken("%s has restarted %d times, the journal says %d", a.Path, a.Restarts, got)
		}
	}
	inForce := w.eng.Plan()
	for i := range inForce.Actors {
		planned = append(planned, inForce.Actors[i].Path)
	}
	if inForce.Base() != w.plan {
		w.broken("the last reload is not what lies below the plan in force")
	}
	slices.Sort(running)
	slices.Sort(planned)
	if !slices.Equal(running, planned) {
		w.broken("%d actors are known, the plan has %d", len(running), len(planned))
	}
}
