package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lukhasai/lukhas-run/engine"
	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/watch"
	"github.com/lukhasai/lukhas-run/journal"
	"github.com/lukhasai/lukhas-run/spec"
)

// watch reloads whenever the files may have changed, until ctx ends.
func (h *Host) watch(ctx context.Context) {
	warn := func(err error) { h.tell("", journal.Logged{Level: "warn", Text: err.Error()}) }
	files, err := watch.New(h.watched(), watch.Options{Warn: warn})
	if err != nil {
		if !errors.Is(err, watch.ErrNoFiles) { // a topology on standard input never changes
			warn(err)
		}
		return
	}
	defer files.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-files.C:
			_, _ = h.reload(admin.ReloadRequest{By: "file"}) // the verdict is an event
			if err := files.Set(h.watched()); err != nil {
				warn(err)
			}
		}
	}
}

// watched lists what the running generation was read from, and what the last attempt to replace it was: one that was
// rejected is mended in a file that only it includes.
func (h *Host) watched() []string {
	paths := slices.Clone(h.running.Load().loaded.Watch)
	if tried := h.tried.Load(); tried != nil {
		paths = append(paths, tried.Watch...)
	}
	return paths
}

// Reload reads the files again and makes what they say the running generation. Nothing changes when they are what runs
// already, or when anything is wrong with them: the result then says what, and so does the error. When the request says so
// it waits until the running generation is off probation.
func (h *Host) Reload(ctx context.Context, r admin.ReloadRequest) (admin.ReloadResult, error) {
	res, err := h.reload(r)
	if err != nil || !r.Wait || res.Code != "" {
		return res, err // a verdict with a code has been given already
	}
	return h.await(ctx, res)
}

func (h *Host) reload(r admin.ReloadRequest) (admin.ReloadResult, error) {
	h.reloading.Lock()
	defer h.reloading.Unlock()
	now := h.running.Load()
	if h.phase == stopping {
		return admin.ReloadResult{Generation: now.number}, errStopping
	}
	next, err := Load(h.source())
	h.tried.Store(&next)
	if err != nil {
		return h.rejected(now, next, []string{err.Error()}, err)
	}
	if err := next.err(); err != nil {
		return h.rejected(now, next, problems(next.Diagnostics), err)
	}
	if bad := h.lineage.bad; bad != nil && bad.identity == next.Identity {
		h.drift.Store(&bad.drift)
		return admin.ReloadResult{Generation: now.number, Status: bad.status, Code: bad.code, Reason: bad.reason}, nil
	}
	h.lineage.bad = nil
	if next.Identity == now.loaded.Identity || next.Plan.Digest() == now.loaded.Plan.Digest() {
		h.drift.Store(nil)
		return admin.ReloadResult{Generation: now.number, Status: h.verdicts.on(now.number)}, nil
	}
	old := h.plan()
	to, err := old.Successor(next.Plan)
	if err != nil {
		return h.rejected(now, next, []string{err.Error()}, err)
	}
	changes := plan.Diff(old, to)
	if err := h.possible(old, to, changes, r.AllowDestroy); err != nil {
		return h.rejected(now, next, []string{err.Error()}, err)
	}
	return h.commit(now, next, changes, r.By)
}

// source is what to load now: a policy may have expired since the start.
func (h *Host) source() Source {
	src := h.options.Source
	if !src.Now.IsZero() {
		src.Now = h.clock.Wall()
	}
	return src
}

// Plan tells what the running plan would become if it were made of other files. It changes nothing.
func (h *Host) Plan(_ context.Context, r admin.PlanRequest) (admin.PlanResult, error) {
	src := h.source()
	src.Paths = r.Paths
	next, err := Load(src)
	if err == nil {
		err = next.err()
	}
	if err != nil {
		return admin.PlanResult{}, &engine.Error{Kind: engine.KindInvalid, Message: err.Error()}
	}
	old := h.plan()
	to, err := old.Successor(next.Plan)
	if err != nil {
		return admin.PlanResult{}, &engine.Error{Kind: engine.KindInvalid, Message: err.Error()}
	}
	res := admin.PlanResult{Name: to.Name, Old: old.Digest().String(), New: to.Digest().String()}
	for _, c := range plan.Diff(old, to) {
		res.Changes = append(res.Changes, admin.PlanChange{Path: c.Path, Actor: c.Actor, Class: c.Class.String(), Old: c.Old, New: c.New})
	}
	return res, nil
}

// possible refuses what cannot be changed in place, what would fail once it was begun, and what destroys more than the
// running plan lets a saved file destroy: a half-written file can be a valid one.
func (h *Host) possible(old, next *plan.Plan, changes plan.Changes, allowed bool) error {
	const wayOut = "lukhas-run reload --allow-destroy takes it over as it is"
	removed, remade := 0, ""
	for _, c := range changes {
		switch {
		case c.Class == plan.RestartEngine:
			return fmt.Errorf("LR411 %s: %s -> %s takes a restart of the engine; stop it and run it again, or take the change back", c.Path, c.Old, c.New)
		case c.Class == plan.Recreate && remade == "":
			remade = c.Path
		}
	}
	for i := range old.Actors {
		if next.Actor(old.Actors[i].Path) == nil {
			removed++
		}
	}
	for _, m := range plan.Moves(old, next) {
		if next.Actor(m.From) == nil {
			removed-- // it goes on elsewhere
		}
	}
	switch share := float64(removed) / float64(len(old.Actors)); {
	case allowed:
	case old.Reload.Mode == "off":
		return fmt.Errorf("LR412 reload.mode is off; %s", wayOut)
	case share > old.Reload.MaxRemoved:
		return fmt.Errorf("LR410 it removes %d of %d actors, more than reload.max_removed (%g%%); %s", removed, len(old.Actors), old.Reload.MaxRemoved*100, wayOut)
	case old.Reload.Mode == "confirm" && (remade != "" || removed > 0):
		return fmt.Errorf("LR410 it makes %s anew and removes %d of %d actors, and reload.mode is confirm; %s", or(remade, "nothing"), removed, len(old.Actors), wayOut)
	}
	return h.options.check(next)
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// commit makes what was read the running generation.
func (h *Host) commit(now *generation, next Loaded, changes plan.Changes, by string) (admin.ReloadResult, error) {
	if err := h.swap(now, next, by, "", engine.Cause{}); err != nil {
		return h.rejected(now, next, []string{err.Error()}, err)
	}
	v, _, _ := h.verdicts.now()
	result := admin.ReloadResult{Generation: now.number + 1, Changed: true, Status: v.status}
	for _, c := range changes {
		result.Changes = append(result.Changes, fmt.Sprintf("%s %s: %s -> %s", c.Class, c.Path, c.Old, c.New))
	}
	return result, nil
}

// swap prepares the gateway, lets the engine swap, and then the gateway: a request sees the old plan or the new one. It is
// the one way from a generation to the next; an error means that nothing has changed.
func (h *Host) swap(now *generation, next Loaded, by, why string, cause engine.Cause) error {
	if err := h.gateway.Prepare(next.Plan.Gateway); err != nil {
		return err
	}
	number := now.number + 1
	h.record.secrets.Store(newRedactor(next.Plan, h.plan())) // its commit is told before it is in force
	if err := h.engine.Reload(engine.Reloaded{Plan: next.Plan, Generation: number, By: by, Why: why}, cause); err != nil {
		h.unprepare(now)
		return err
	}
	if h.phase == serving {
		h.routed = h.plan()
		h.gateway.Swap(h.routed)
	}
	h.running.Store(&generation{number: number, loaded: next})
	_, _, proven := h.verdicts.now()
	h.lineage.leave(now, proven)
	h.drift.Store(nil)
	h.sampler.reloaded()
	h.need(h.plan())
	return nil
}

// unprepare takes the gateway back to the plan in force, which before the first Swap is itself only prepared.
func (h *Host) unprepare(now *generation) {
	if h.phase != starting {
		h.gateway.Abandon()
		return
	}
	if err := h.gateway.Prepare(now.loaded.Plan.Gateway); err != nil {
		h.Stop("the gateway: " + err.Error()) // an address that was ours a moment ago
	}
}

// rejected keeps the running generation and says why, in the stream and to the caller.
func (h *Host) rejected(now *generation, next Loaded, found []string, err error) (admin.ReloadResult, error) {
	hide := h.record.secrets.Load()
	for i := range found {
		found[i] = hide.text(found[i])
	}
	event := journal.ReloadRejected{Hash: fmt.Sprintf("%x", next.Identity), Diagnostics: found}
	h.drift.Store(&drift{text: found[0], code: event.Code()})
	h.tell("", event)
	return admin.ReloadResult{Generation: now.number, Problems: found, Status: engine.ReloadRejected, Code: event.Code()}, err
}

// problems are the errors as lines with place and code.
func problems(diags spec.Diagnostics) []string {
	var out []string
	for _, d := range diags {
		if d.Severity == spec.Error {
			out = append(out, d.Error())
		}
	}
	return out
}
