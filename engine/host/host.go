// Package host puts the engine together: it loads a topology, opens the data directory, starts the runtime with its
// actors, gateway and admin socket, and keeps the running generation in line with the files. It is the one entry for
// embedders and for the run command.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/actors/persist"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/gateway"
	"github.com/lukhasai/lukhas-run/engine/live"
	"github.com/lukhasai/lukhas-run/engine/observe"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// Options are what a Host is made of. Source and Data are needed.
type Options struct {
	Source     Source
	Data       string                    // directory for the journal, the admin socket and all else that is kept
	Behaviours map[string]engine.Factory // what `go: {behaviour: NAME}` names
	Watch      bool                      // reload when the files change
	Version    string                    // of the program, for the journal
	Seed       uint64                    // of jitter and random routing; 0: a new one each start
	Clock      clock.Clock               // nil: the machine's
	Events     *observe.Stream           // gets every event; nil: a stream of the host's own
}

// Host is a running engine and all around it. All methods are safe for concurrent use.
type Host struct {
	options Options
	clock   clock.Clock
	journal *journal.Journal
	record  *recorder
	kept    *persist.Keeper
	engine  *live.Engine
	machine *engine.Machine
	gateway *gateway.Gateway
	admin   *admin.Server
	sampler *sampler
	started time.Duration // engine time of Start

	reloading sync.Mutex // one reload at a time; guards phase, lineage and routed
	phase     phase
	lineage   lineage
	routed    *plan.Plan    // whose routes the gateway has, while serving
	swapped   chan struct{} // holds one: the plan in force is another
	running   atomic.Pointer[generation]
	tried     atomic.Pointer[Loaded] // what the last reload read; nil: none was asked for
	ready     atomic.Bool            // everything has been up, and the gateway serves
	drift     atomic.Pointer[drift]  // why the files are not what runs; nil: they are
	verdicts  *verdicts
	condemned chan condemned // holds the one that the Machine has asked for

	stop    chan string // the first reason wins
	done    chan struct{}
	workers sync.WaitGroup // those that oversee starts
	code    int            // with why valid once done is closed
	why     string
}

// phase is what the host is about, as far as reloads care.
type phase uint8

const (
	starting phase = iota // the gateway is bound and does not serve yet
	serving
	stopping
)

// drift is a difference between the files and what runs.
type drift struct {
	text       string
	code       string // of the refusal
	rolledBack bool   // what the files say was in force and did not hold
}

// generation is one plan in force.
type generation struct {
	number uint64
	loaded Loaded
}

// Start loads, prepares and starts. When it fails nothing is left running and nothing was half-started: *Invalid is a
// topology that does not compile, ErrBusy an address or data directory that another program holds. It returns when
// everything is ready for the first time, or at once when ctx ends, after stopping what had begun.
func Start(ctx context.Context, o Options) (*Host, error) {
	loaded, err := Load(o.Source)
	if err != nil {
		return nil, err
	}
	if err := loaded.err(); err != nil {
		return nil, err
	}
	if err := o.check(loaded.Plan); err != nil {
		return nil, err
	}
	h, err := open(o, loaded)
	if err != nil {
		return nil, err
	}
	h.tell("", journal.EngineStarted{Name: loaded.Plan.Name, Generation: 1, Digest: loaded.Plan.Digest().String(), PID: os.Getpid(), Version: o.Version,
		Files: o.Source.whole()})
	h.kept.Preload()
	h.engine.Start()
	h.reloading.Unlock()
	go h.oversee()
	select {
	case <-h.engine.Up():
	case <-h.done:
		return nil, fmt.Errorf("the topology did not come up: %s", h.why)
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		h.Stop("interrupted while starting")
		<-h.done
		return nil, ctx.Err()
	}
	h.serve()
	h.ready.Store(true)
	return h, nil
}

// serve opens the gateway, whose addresses are bound since open, with the plan in force: a reload may have come since.
func (h *Host) serve() {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	if h.phase == starting {
		h.phase, h.routed = serving, h.plan()
		h.gateway.Swap(h.routed)
	}
}

// inForce is told of every plan before anything of it starts. The one before it may still be stopping, with its secrets.
func (h *Host) inForce(p *plan.Plan) {
	h.record.secrets.Store(newRedactor(p, h.plan()))
	h.kept.Follow(p) // before its actors begin to need the journal
	select {
	case h.swapped <- struct{}{}:
	default: // it is told already
	}
}

// follow gives the gateway the plan in force, where an action has changed what its expressions see.
func (h *Host) follow() {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	if p := h.plan(); h.phase == serving && p != h.routed {
		h.gateway.Reroute(p)
		h.routed = p
	}
}

// followAll follows until ctx ends.
func (h *Host) followAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.swapped:
			h.follow()
		}
	}
}

// open takes the data directory, the addresses and the socket, and makes the engine without starting it. On an error all
// that was opened is closed again, in reverse order.
func open(o Options, loaded Loaded) (h *Host, err error) {
	var opened []io.Closer
	defer func() {
		if err != nil {
			for i := len(opened) - 1; i >= 0; i-- {
				_ = opened[i].Close() // the first error is the one to tell
			}
		}
	}()
	h = &Host{options: o, clock: o.Clock, stop: make(chan string, 1), done: make(chan struct{}), verdicts: newVerdicts(),
		condemned: make(chan condemned, 1), swapped: make(chan struct{}, 1)}
	if h.clock == nil {
		h.clock = clock.System()
	}
	h.started = time.Duration(h.clock.Now())
	h.sampler = newSampler(h)
	h.running.Store(&generation{number: 1, loaded: loaded})
	if err = h.openJournal(loaded.Plan.Journal); err != nil {
		return nil, err
	}
	opened = append(opened, h.journal)
	if err = h.makeEngine(loaded.Plan); err != nil {
		return nil, err
	}
	h.gateway = gateway.New(ingress{h.engine}, h.clock)
	if err = h.gateway.Prepare(loaded.Plan.Gateway); err != nil {
		return nil, busy(err)
	}
	h.reloading.Lock() // until the engine has booted: a reload before that would be taken by nobody
	if err = h.openAdmin(); err != nil {
		h.gateway.Abandon()
		return nil, err
	}
	return h, nil
}

func (h *Host) openJournal(p plan.Journal) error {
	if err := dataDirectory(h.options.Data); err != nil {
		return err
	}
	durability, err := journal.ParseDurability(p.Durability)
	if err != nil {
		return err
	}
	o := journal.Options{Durability: durability, Clock: h.clock, Retain: retention(p, 1), SegmentBytes: segmentSize(p)}
	if p.Overflow != "block" { // halt stops at the first event that is dropped
		o.Full = journal.FullDrop
	}
	h.journal, err = journal.Open(filepath.Join(h.options.Data, "journal"), o)
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("data directory %q is %w: %w; stop that engine or choose another directory with --data", h.options.Data, ErrBusy, err)
	}
	return err
}

func retention(p plan.Journal, need uint64) journal.Retention {
	return journal.Retention{Age: p.RetentionAge, Bytes: p.RetentionSize, Need: need}
}

// segmentSize is small enough that a journal of the size that may be kept has several segments: whole ones are dropped.
func segmentSize(p plan.Journal) int64 {
	const usual, least, parts = 64 << 20, 1 << 20, 8
	if p.RetentionSize <= 0 {
		return usual
	}
	return min(usual, max(least, p.RetentionSize/parts))
}

func (h *Host) makeEngine(p *plan.Plan) error {
	stream := h.options.Events
	if stream == nil {
		stream = observe.NewStream(8192)
	}
	h.record = &recorder{
		journal: h.journal, stream: stream, last: h.journal.Stats().Last, overflow: p.Journal.Overflow, goOn: p.Journal.OnFailure == "continue",
		stop:   func(err error) { h.Stop("the journal failed: " + err.Error()) },
		shapes: shapes{wall: h.clock.Wall}, verdicts: h.verdicts,
	}
	h.record.secrets.Store(newRedactor(p))
	h.kept = h.newKeeper(p)
	h.machine = engine.NewMachine()
	seed := h.options.Seed
	if seed == 0 {
		seed = uint64(h.clock.Wall().UnixNano())
	}
	var err error
	h.engine, err = live.New(live.Options{
		Plan: p, Machine: h.machine, Clock: h.clock, Seed: seed, Recorder: h.record,
		LastSeq: h.journal.Stats().Last, Factories: h.factories(), RollBack: h.condemn, Swapped: h.inForce,
	})
	return err
}

func (h *Host) openAdmin() error {
	path, err := admin.SocketPath(h.options.Data)
	if err != nil {
		return err
	}
	h.admin, err = admin.Listen(path, h)
	return err
}

// oversee runs beside the engine until it has ended, then closes what Start opened. It owns the sampler, the
// watcher, what looks after the journal and who rolls back.
func (h *Host) oversee() {
	ctx, cancel := context.WithCancel(context.Background())
	h.workers.Add(5)
	go func() { defer h.workers.Done(); h.sampler.run(ctx) }()
	go func() { defer h.workers.Done(); h.retain(ctx) }()
	go func() { defer h.workers.Done(); h.rollBacks(ctx) }()
	go func() { defer h.workers.Done(); h.followAll(ctx) }()
	go func() { defer h.workers.Done(); h.expire(ctx) }()
	if h.options.Watch {
		h.workers.Add(1)
		go func() { defer h.workers.Done(); h.watch(ctx) }()
	}
	select {
	case reason := <-h.stop:
		h.drain(ctx)
		h.engine.Shutdown(reason)
		<-h.engine.Done()
	case <-h.engine.Done():
	}
	cancel()
	h.workers.Wait()
	h.close()
}

// drainTime is how long requests may take to end once a stop began. Actors still run meanwhile.
const drainTime = 5 * time.Second

// drain takes no new requests and lets those under way have their answers.
func (h *Host) drain(ctx context.Context) {
	h.closing()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := h.clock.AfterFunc(drainTime, cancel)
	defer t.Stop()
	h.gateway.Shutdown(ctx)
}

// closing waits for a reload that is under way and refuses those to come: one would open the gateway again.
func (h *Host) closing() {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	h.phase = stopping
}

// close ends everything around the engine. The journal is last: it has the engine's last word.
func (h *Host) close() {
	h.code, h.why = h.engine.Result()
	h.closing()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	h.gateway.Shutdown(over) // after a give-up it still serves
	errs := []error{h.admin.Close()}
	if err := h.record.failure(); err != nil && h.code == 0 {
		h.code = 1
	}
	h.tell("", journal.EngineStopped{Reason: h.why, Code: h.code})
	errs = append(errs, h.journal.Close())
	if err := errors.Join(errs...); err != nil && h.code == 0 && !h.record.goOn {
		h.code, h.why = 1, "closing down: "+err.Error()
	}
	if h.options.Events == nil {
		h.record.stream.Close()
	}
	close(h.done)
}

// tell records an event of the host's own.
func (h *Host) tell(actor string, body journal.Body) {
	e := journal.New(actor, body)
	e.Time = h.clock.Wall().UnixNano()
	h.record.Record(e)
}

// Stop begins an orderly stop, in reverse start order. Done tells when it is over; later calls change nothing.
func (h *Host) Stop(why string) {
	select {
	case h.stop <- why:
	default:
	}
}

// Done is closed when everything has stopped.
func (h *Host) Done() <-chan struct{} { return h.done }

// Result tells how the run ended, once Done is closed: 0 after Stop, 70 when the root supervisor gave up.
func (h *Host) Result() (code int, why string) { return h.code, h.why }

// Events is the stream of all that happens.
func (h *Host) Events() *observe.Stream { return h.record.stream }

// busy marks an error about an address that is taken.
func busy(err error) error {
	if errors.Is(err, gateway.ErrInUse) {
		return busyError{err}
	}
	return err
}

// busyError is an ErrBusy that says no more than err does.
type busyError struct{ error }

func (e busyError) Is(target error) bool { return target == ErrBusy }
func (e busyError) Unwrap() error        { return e.error }
