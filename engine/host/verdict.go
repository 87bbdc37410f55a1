package host

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/journal"
)

// verdicts follow what the Machine decides about generations, from the events in which it tells. Safe for concurrent use.
type verdicts struct {
	mu      sync.Mutex
	last    verdict
	proven  uint64        // the last generation known to have passed
	changed chan struct{} // closed, and replaced, at each change
}

// verdict is what has become of a generation.
type verdict struct {
	generation   uint64 // that it is about
	inForce      uint64 // afterwards: another one after a rollback
	status       string // as system.reload.status; "" before the first reload
	code, reason string
	settled      bool
}

func newVerdicts() *verdicts {
	return &verdicts{last: verdict{generation: 1, inForce: 1, settled: true}, proven: 1, changed: make(chan struct{})}
}

// note takes in one event.
func (v *verdicts) note(e journal.Event) {
	switch e.Type {
	case journal.TypeReloadCommitted, journal.TypeReloadVerified, journal.TypeReloadRolledBack, journal.TypeReloadRejected:
	default:
		return
	}
	body, err := e.Body()
	if err != nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch b := body.(type) {
	case journal.ReloadCommitted:
		v.committed(b)
	case journal.ReloadVerified:
		v.last.status, v.last.settled, v.proven = engine.ReloadActive, true, b.Generation
	case journal.ReloadRolledBack:
		v.last.status, v.last.code, v.last.reason = engine.ReloadRolledBack, b.Code, b.Reason
	case journal.ReloadRejected:
		if b.Who != engine.ByVerification {
			return
		}
		v.last.status, v.last.code, v.last.reason, v.last.settled = engine.ReloadActive, engine.CodeStays, b.Diagnostics[0], true
	}
	close(v.changed)
	v.changed = make(chan struct{})
}

func (v *verdicts) committed(b journal.ReloadCommitted) {
	if b.Probation == 0 {
		v.proven = b.Generation
	}
	if v.last.status == engine.ReloadRolledBack && !v.last.settled && b.Who == engine.ByVerification {
		v.last.inForce, v.last.settled = b.Generation, true
		return
	}
	v.last = verdict{generation: b.Generation, inForce: b.Generation, status: engine.ReloadActive, settled: true}
	if b.Probation > 0 {
		v.last.status, v.last.settled = engine.ReloadVerifying, false
	}
}

// now gives the last verdict, what is closed when there is another, and the last generation known to have passed.
func (v *verdicts) now() (last verdict, changed <-chan struct{}, proven uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last, v.changed, v.proven
}

// on tells what has become of the generation in force: one that a rollback put there is active, whatever the one before.
func (v *verdicts) on(generation uint64) string {
	last, _, _ := v.now()
	if last.generation != generation {
		return engine.ReloadActive
	}
	return last.status
}

// await waits until a generation's probation is over: passed, rolled back, or cut short by another reload.
func (h *Host) await(ctx context.Context, res admin.ReloadResult) (admin.ReloadResult, error) {
	for {
		v, changed, _ := h.verdicts.now()
		if v.settled && v.inForce == res.Generation && v.generation != res.Generation {
			return res, nil // a rollback put it in force
		}
		if v.generation != res.Generation {
			res.Replaced, res.Generation = true, v.inForce
			return res, nil
		}
		if v.settled {
			res.Status, res.Code, res.Reason = v.status, v.code, v.reason
			res.Generation = h.inOrder(v.inForce)
			return res, nil
		}
		select {
		case <-changed:
		case <-h.done:
			return res, errStopping
		case <-ctx.Done():
			return res, ctx.Err()
		}
	}
}

// inOrder waits until who put a generation in force is done with all that belongs to it.
func (h *Host) inOrder(generation uint64) uint64 {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	return generation
}

// lineage is what a generation may be rolled back to, and what was rolled back. It is guarded by the reloading lock.
type lineage struct {
	past []*generation // since the last that is known to have passed, oldest first
	bad  *taken
}

// taken is content that was rolled back. It is not tried again until it changes.
type taken struct {
	identity [sha256.Size]byte
	verdict
	drift drift
}

// leave remembers a generation that is replaced.
func (l *lineage) leave(old *generation, proven uint64) {
	l.past = append(l.past, old)
	l.past = slices.DeleteFunc(l.past, func(g *generation) bool { return g.number < proven })
}

// find gives the generation of a plan, nil when it is forgotten.
func (l *lineage) find(p *plan.Plan) *generation {
	at := slices.IndexFunc(l.past, func(g *generation) bool { return g.loaded.Plan == p })
	if at < 0 {
		return nil
	}
	return l.past[at]
}

// condemned is a generation to be rolled back, and why.
type condemned struct {
	engine.RollBack
	cause engine.Cause
}

// condemn is told by the Machine, under its lock, to roll back. There is never more than one at a time: the next
// generation can be condemned only after this one is replaced, and what is out of date by then may go.
func (h *Host) condemn(x engine.RollBack, cause engine.Cause) {
	select {
	case <-h.condemned:
	default:
	}
	h.condemned <- condemned{x, cause}
}

// rollBacks carries out what the Machine decides, until ctx ends.
func (h *Host) rollBacks(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case x := <-h.condemned:
			h.rollBack(x)
		}
	}
}

// rollBack makes an earlier generation's plan the running one, by the way of any reload, unless another reload was faster.
func (h *Host) rollBack(x condemned) {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	now := h.running.Load()
	if now.number != x.Generation || h.phase == stopping {
		return
	}
	to := h.lineage.find(x.Plan)
	err := fmt.Errorf("generation %d is forgotten", x.To)
	if to != nil {
		err = h.swap(now, to.loaded, engine.ByVerification, fmt.Sprintf("generation %d does not hold: %s", x.Generation, x.Why), x.cause)
	}
	if err != nil {
		h.engine.Submit(engine.RollBackFailed{Generation: x.Generation, Why: err.Error()})
		return
	}
	v, _, _ := h.verdicts.now()
	d := drift{rolledBack: true, text: fmt.Sprintf("the files say what was rolled back as generation %d: %s %s", x.Generation, v.code, v.reason)}
	h.lineage.bad = &taken{now.loaded.Identity, v, d}
	h.drift.Store(&d)
}
