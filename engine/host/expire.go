package host

import (
	"context"
	"slices"
	"time"

	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/spec"
)

// expiryCheck is how late a policy may drop out. The time is looked at again and again instead of waited for, because a
// machine's calendar is put right now and then.
const expiryCheck = time.Second

// expire reloads when a policy's time is over, until ctx ends. No file has changed then, so nobody else would notice.
func (h *Host) expire(ctx context.Context) {
	last := h.options.Source.Now
	if last.IsZero() {
		return // who started the host wants policies to stay
	}
	for {
		due := make(chan struct{})
		t := h.clock.AfterFunc(expiryCheck, func() { close(due) })
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-due:
		}
		now := h.clock.Wall()
		over := func(d *spec.Document) bool { return d.Expired(now) && !d.Expired(last) }
		if slices.ContainsFunc(h.running.Load().loaded.Set.Policies, over) {
			_, _ = h.reload(admin.ReloadRequest{By: "expiry"}) // the verdict is an event
		}
		last = now
	}
}
