package process

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// patience is how long a message without a deadline waits for its answer.
const patience = 5 * time.Minute

type afterFunc func(time.Duration, func()) clock.Timer

// New makes the behaviour of process actors. c measures grace periods.
func New(c clock.Clock) engine.Factory {
	return func(a *plan.Actor, p *plan.Plan) (engine.Behavior, error) {
		stop, err := signalNamed(a.Process.Signal)
		if err != nil {
			return nil, at(a, err)
		}
		actor := &actor{def: a, base: p.Dir, stop: stop, after: c.AfterFunc, done: make(chan struct{})}
		if a.Process.Protocol == "jsonl" {
			actor.exchange = newExchange(a.Path, a.Process.InFlight)
		}
		return actor, nil
	}
}

// actor is one incarnation of a process actor. Handle and the methods that look at it are safe for concurrent use; Start
// comes first, Stop last.
type actor struct {
	def      *plan.Actor
	base     string // where relative paths start
	stop     syscall.Signal
	after    afterFunc
	exchange *exchange // nil without a protocol

	life     engine.Life
	record   *record
	child    *child
	stopping atomic.Bool
	done     chan struct{} // closed when nothing of the process is left and its end has been told
	finished bool          // it ended normally while `ready: {exit: true}` waits for that; set before done is closed
}

// Start starts the process and what serves its streams.
func (a *actor) Start(life engine.Life) error {
	spec := a.def.Process
	command, err := Resolve(spec.Command, spec.Dir, a.base, spec.Env)
	if err != nil {
		return a.startError(err)
	}
	wanted := ""
	if a.def.Ready != nil {
		wanted = a.def.Ready.Line
	}
	a.life, a.record = life, newRecord(life.Emit, life.Now, wanted)
	streams, err := openStreams(a.exchange != nil)
	if err != nil {
		return a.startError(err)
	}
	a.child, err = spawn(command, streams.childIn, streams.childOut, streams.childErr)
	streams.closeChildEnds()
	if err != nil {
		streams.closeOwnEnds()
		return a.startError(err)
	}
	go a.run(streams)
	return nil
}

func (a *actor) startError(err error) error {
	close(a.done)
	return &engine.Error{Kind: engine.KindStart, Message: at(a.def, err).Error(), By: a.def.Path}
}

// run owns every goroutine of the incarnation and tells its end.
func (a *actor) run(s *streams) {
	defer close(a.done)
	var readers, writer sync.WaitGroup
	readers.Go(func() { lines(s.out, a.output) })
	readers.Go(func() { lines(s.err, a.errors) })
	if a.exchange != nil {
		writer.Go(func() { a.exchange.write(s.in) })
	}
	<-a.child.exited
	timer := a.after(outputDelay, s.closeOwnEnds)
	readers.Wait()
	timer.Stop()
	if a.exchange != nil {
		a.exchange.die(a.child.end.String())
	}
	s.closeOwnEnds()
	writer.Wait()
	a.tell(a.record.end())
}

func (a *actor) output(line []byte, cut bool) {
	if cut {
		a.record.warn("a line longer than 1 MiB was cut", journal.Values{"stream": "stdout"})
	}
	if a.exchange == nil || cut || !a.exchange.read(line) {
		a.record.line("stdout", line)
	}
}

func (a *actor) errors(line []byte, cut bool) { a.record.line("stderr", line) }

// tell says how the process ended, unless that was wanted.
func (a *actor) tell(last []string) {
	normal := a.normal(a.child.end)
	if a.stopping.Load() {
		return
	}
	if normal && a.def.Ready != nil && a.def.Ready.Exit {
		a.finished = true // its work is done and it stays: up without a process
		return
	}
	if normal {
		a.life.Exited(nil)
		return
	}
	end := a.child.end
	a.life.Exited(&engine.Failure{
		Kind: engine.KindExit, Message: end.String(), By: a.def.Path,
		ExitCode: end.code, Signal: end.signal, LastLines: last,
	})
}

func (a *actor) normal(e ending) bool {
	if e.signal != "" {
		return false
	}
	for _, code := range a.def.Process.NormalExit {
		if code == e.code {
			return true
		}
	}
	return e.code == 0 && len(a.def.Process.NormalExit) == 0
}

// Stop sends the stop signal to the group, kills it after the grace or when ctx is done, and returns when nothing is left.
func (a *actor) Stop(ctx context.Context) error {
	a.stopping.Store(true)
	if a.child != nil {
		a.child.stop(a.stop, a.def.Process.Grace, a.after, ctx.Done())
	}
	<-a.done
	return nil
}

// Handle sends the message to the process and answers with its reply. What goes wrong is the answer, never this actor's
// failure: the end of the process is told by itself.
func (a *actor) Handle(ctx engine.Context, m engine.Msg) error {
	if a.exchange == nil {
		ctx.Fail(&engine.Error{
			Kind: engine.KindInvalid, By: a.def.Path,
			Message: fmt.Sprintf("message %q: the process takes no messages; give it protocol: jsonl", m.Type),
		})
		return nil
	}
	reply, err := ctx.Call(engine.TimeLeft(ctx, patience), func(c context.Context) (any, error) { return a.exchange.ask(c, m) })
	if failed := engine.ErrorOf(err, a.def.Path); failed != nil {
		ctx.Fail(failed)
		return nil
	}
	ctx.Reply(reply)
	return nil
}

// Probe asks the process directly, past the mailbox: whether it answers at all.
func (a *actor) Probe(ctx context.Context, m engine.Msg) error {
	if a.exchange == nil {
		return fmt.Errorf("message %q: the process takes no messages; give it protocol: jsonl", m.Type)
	}
	_, err := a.exchange.ask(ctx, m)
	return err
}

// AwaitLine returns nil when a line of the output contained what `ready: {line: …}` wants.
func (a *actor) AwaitLine(ctx context.Context) error {
	select {
	case <-a.record.seen:
		return nil
	case <-a.done:
		return fmt.Errorf("the process ended before it wrote %q", a.def.Ready.Line)
	case <-ctx.Done():
		return fmt.Errorf("no line contains %q: %w", a.def.Ready.Line, ctx.Err())
	}
}

// AwaitExit returns nil when the process has ended normally.
func (a *actor) AwaitExit(ctx context.Context) error {
	select {
	case <-a.done:
	case <-ctx.Done():
		return fmt.Errorf("the process still runs: %w", ctx.Err())
	}
	if !a.finished {
		return fmt.Errorf("the process %s", a.child.end)
	}
	return nil
}

// Locate gives the process's number.
func (a *actor) Locate() (pid int, address string) {
	if a.child == nil {
		return 0, ""
	}
	return a.child.pid, ""
}

// Usage is what the process and its descendants take.
func (a *actor) Usage() (engine.Usage, bool) {
	var u engine.Usage
	if a.child == nil || !a.child.alive(func() { u = usageOf(a.child.pid) }) {
		return engine.Usage{}, false
	}
	return u, u != engine.Usage{}
}

// streams are both ends of a process's standard streams.
type streams struct {
	childIn, childOut, childErr *os.File // childIn is nil without a protocol: it reads nothing
	in, out, err                *os.File
}

func openStreams(input bool) (s *streams, err error) {
	s = &streams{}
	defer func() {
		if err != nil {
			s.closeChildEnds()
			s.closeOwnEnds()
		}
	}()
	if s.out, s.childOut, err = os.Pipe(); err != nil {
		return s, fmt.Errorf("pipe: %w", err)
	}
	if s.err, s.childErr, err = os.Pipe(); err != nil {
		return s, fmt.Errorf("pipe: %w", err)
	}
	if !input {
		return s, nil
	}
	if s.childIn, s.in, err = os.Pipe(); err != nil {
		return s, fmt.Errorf("pipe: %w", err)
	}
	return s, nil
}

func (s *streams) closeChildEnds() { closeAll(s.childIn, s.childOut, s.childErr) }

// closeOwnEnds may be called twice and beside readers and the writer, whom it wakes.
func (s *streams) closeOwnEnds() { closeAll(s.in, s.out, s.err) }

func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}
