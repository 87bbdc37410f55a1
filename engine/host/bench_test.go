package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/lukhasai/lukhas-run/engine/admin"
	"github.com/lukhasai/lukhas-run/engine/host"
)

// BenchmarkPersisted is an ask that changes the state of a script, by how its state is kept and how safe the journal is: of one
// actor by one asker, where each waits for the journal alone, and of 64 actors by as many, where they share its syncs.
func BenchmarkPersisted(b *testing.B) {
	b.Run("floor/sync", func(b *testing.B) { // of a file that grows by as much as a change takes
		f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		line := make([]byte, 256)
		for b.Loop() {
			if _, err := f.Write(line); err != nil {
				b.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, c := range []struct{ persist, durability string }{
		{"none", "group"}, {"state", "group"}, {"events", "memory"}, {"events", "async"}, {"events", "group"}, {"events", "each"},
	} {
		o, _ := options(b, fmt.Sprintf(`apiVersion: lukhas/v1
kind: Topology
metadata: {name: persisted}
journal: {durability: %s}
root:
  children:
    - {name: one, use: counter}
    - {name: many, use: counter, replicas: 64}
templates:
  counter:
    persist: {mode: %s, snapshot: {every: 1000}}
    script: {state: {n: 0}, handlers: {hit: {set: {n: state.n + 1}, reply: {n: state.n}}}}
`, c.durability, c.persist))
		name := c.persist
		if c.persist == "events" {
			name += "-" + c.durability
		}
		h := start(b, o)
		hit := func(b *testing.B, actor string) {
			if _, err := h.Ask(b.Context(), admin.AskRequest{Actor: actor, Message: "hit"}); err != nil {
				b.Error(err)
			}
		}
		b.Run(name+"/one", func(b *testing.B) {
			for b.Loop() {
				hit(b, "one")
			}
		})
		b.Run(name+"/many", func(b *testing.B) {
			var next atomic.Int64
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				actor := fmt.Sprintf("many-%d", next.Add(1)%64)
				for pb.Next() {
					hit(b, actor)
				}
			})
		})
		end(h)
	}
}

// BenchmarkRebuild is a restart of an actor with so many changes since its newest saved state, from the failure to the next answer. A
// millisecond of each is backoff.
func BenchmarkRebuild(b *testing.B) {
	for _, changes := range []int{0, 100, 1000} {
		b.Run(fmt.Sprint(changes), func(b *testing.B) {
			o, _ := options(b, `apiVersion: lukhas/v1
kind: Topology
metadata: {name: rebuild}
journal: {durability: async}
root:
  intensity: {max: 1000000, within: 1s}
  children:
    - name: one
      restart: {backoff: {initial: 1ms, factor: 1, max: 1ms, jitter: 0%}}
      persist: {mode: events, snapshot: {every: 100000}}
      script: {state: {n: 0}, handlers: {hit: {set: {n: state.n + 1}}, boom: {fail: {kind: asked}}, peek: {reply: state.n}}}
`)
			h := start(b, o)
			for range changes {
				if _, err := h.Ask(b.Context(), admin.AskRequest{Actor: "one", Message: "hit"}); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				_, _ = h.Ask(b.Context(), admin.AskRequest{Actor: "one", Message: "boom"}) // it fails, as asked
				if n, err := h.Ask(b.Context(), admin.AskRequest{Actor: "one", Message: "peek"}); err != nil || n != float64(changes) {
					b.Fatal(n, err)
				}
			}
			end(h)
		})
	}
}

// BenchmarkColdStart is a start of an engine that was killed, of so many script actors with five changes each.
func BenchmarkColdStart(b *testing.B) {
	for _, mode := range []string{"none", "events"} {
		for _, actors := range []int{100, 1000, 5000} {
			b.Run(fmt.Sprintf("%s/%d", mode, actors), func(b *testing.B) {
				o, _ := options(b, fmt.Sprintf(`apiVersion: lukhas/v1
kind: Topology
metadata: {name: cold}
journal: {durability: async}
root:
  children:
    - {name: many, replicas: %d, persist: %s, script: {state: {n: 0}, handlers: {hit: {set: {n: state.n + 1}}}}}
`, actors, mode))
				h := start(b, o)
				for i := range 5 * actors {
					if _, err := h.Ask(b.Context(), admin.AskRequest{Actor: fmt.Sprintf("many-%d", i%actors), Message: "hit"}); err != nil {
						b.Fatal(err)
					}
				}
				killed := filepath.Join(b.TempDir(), "killed") // what a kill would leave
				if err := os.CopyFS(killed, os.DirFS(filepath.Join(o.Data, "journal"))); err != nil {
					b.Fatal(err)
				}
				end(h)
				for b.Loop() {
					b.StopTimer()
					o.Data = filepath.Join(b.TempDir(), "data")
					if err := os.CopyFS(filepath.Join(o.Data, "journal"), os.DirFS(killed)); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					h, err := host.Start(b.Context(), o)
					if err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					h.Stop("the round is over")
					<-h.Done()
					b.StartTimer()
				}
			})
		}
	}
}
