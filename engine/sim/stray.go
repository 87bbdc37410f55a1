package sim

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strconv"
	"strings"

	"github.com/lukhasai/lukhas-run/internal/clock"
)

// strays finds the goroutines that behaviours have started and left behind: they do what no seed decides. A goroutine inherits
// the profiling labels of the one that started it, so a carrier wears those of the actor whose code it runs.
type strays struct {
	id string // of this engine among those of the process; "" until foreign code runs
}

// strayLabel is the label's key; its value is the engine's id and the actor's path.
const strayLabel = "simulated actor"

// wear gives the carrier at work the actor's labels. Scripts, consensus and models are our own code, which starts nothing.
func (f *frame) wear() {
	inc, l := f.inc, &f.eng.loop
	if inc.own || l.inside != nil || l.current == nil || l.current.wears == inc {
		return
	}
	if inc.labels == nil {
		inc.labels = f.eng.strays.labels(inc.a.path)
	}
	l.current.wears = inc
	pprof.SetGoroutineLabels(inc.labels)
}

// bare takes the labels off the goroutine at work.
func bare() { pprof.SetGoroutineLabels(context.Background()) }

func (s *strays) labels(path string) context.Context {
	if s.id == "" {
		s.id = strconv.FormatInt(clock.System().Wall().UnixNano(), 36) + " "
	}
	return pprof.WithLabels(context.Background(), pprof.Labels(strayLabel, s.id+path))
}

// found names an actor that has left a goroutine behind, "" when none has. It looks at all goroutines of the process, once at
// the end of a run with foreign code.
func (s *strays) found() string {
	if s.id == "" {
		return ""
	}
	var all bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		return ""
	}
	_, after, ok := strings.Cut(all.String(), strconv.Quote(strayLabel)+":"+strings.TrimSuffix(strconv.Quote(s.id), `"`))
	if !ok {
		return ""
	}
	path, _, _ := strings.Cut(after, `"`)
	return path
}

// left is an error when something of the engine's own is still there after Close, or of a behaviour.
func (e *Engine) left() error {
	n := 0
	for _, c := range e.loop.carriers {
		if !c.dead {
			n++
		}
	}
	if n > 0 {
		return fmt.Errorf("sim: %d of %d carriers have not ended", n, len(e.loop.carriers))
	}
	if who := e.strays.found(); who != "" {
		e.cheats(who, "it left a goroutine behind")
	}
	return nil
}
