package host_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/internal/clock"
	"github.com/lukhasai/lukhas-run/journal"
)

// calendar is a clock whose date is what the test says.
type calendar struct {
	clock.Clock
	date atomic.Pointer[time.Time]
}

func (c *calendar) Wall() time.Time { return *c.date.Load() }

// A policy drops out when its time is over, although no file changes, and a reload afterwards finds nothing left to do.
func TestAPolicyDropsOutWhenItExpires(t *testing.T) {
	const policy = "apiVersion: lukhas/v1\nkind: Policy\nmetadata: {name: on-call}\nexpires: 2026-12-01T06:00:00Z\nparams: {word: night}\n"
	expires := time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	before := expires.Add(-time.Minute)
	date := &calendar{Clock: clock.System()}
	date.date.Store(&before)
	o, path := options(t, "apiVersion: lukhas/v1\nkind: Topology\nmetadata: {name: shop}\nparams: {word: day}\n"+
		"root: {children: [{name: api, script: {handlers: {hi: {reply: params.word}}}}]}\n")
	night := filepath.Join(filepath.Dir(path), "night.yaml")
	write(t, night, policy)
	o.Source.Paths, o.Source.Now, o.Clock = append(o.Source.Paths, night), before, date
	h := start(t, o)
	word := func() any {
		t.Helper()
		answer, err := h.Ask(context.Background(), admin.AskRequest{Actor: "api", Message: "hi"})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if res, err := h.Reload(t.Context(), admin.ReloadRequest{By: "me"}); err != nil || res.Changed || word() != "night" {
		t.Fatalf("before it expires: %v, %+v, %v; want the policy's word and no change", word(), res, err)
	}
	events := h.Events().Subscribe(1000, 0)
	defer events.Close()
	date.date.Store(&expires)
	if by := committedBy(t, events.Wake(), func() []journal.Event { seen, _, _ := events.Take(); return seen }); by != "expiry" {
		t.Errorf("reloaded by %q, want expiry", by)
	}
	if res, err := h.Reload(t.Context(), admin.ReloadRequest{By: "me"}); err != nil || res.Changed {
		t.Errorf("a reload afterwards, which waits for the one under way: %+v, %v; want no change", res, err)
	}
	if p, err := h.Plan(t.Context(), admin.PlanRequest{Paths: o.Source.Paths}); err != nil || p.Old != p.New {
		t.Errorf("a plan of the same files afterwards: %+v, %v; want what runs", p, err)
	}
	if word() != "day" {
		t.Errorf("after the policy has expired: %v, want day", word())
	}
}

// committedBy waits for a reload and tells who asked for it.
func committedBy(t *testing.T, wake <-chan struct{}, take func() []journal.Event) string {
	t.Helper()
	for {
		for _, e := range take() {
			if body, err := e.Body(); err == nil {
				if c, ok := body.(journal.ReloadCommitted); ok {
					return c.Who
				}
			}
		}
		select {
		case <-wake:
		case <-t.Context().Done():
			t.Fatal("nobody has reloaded")
		}
	}
}
