package process

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/internal/clock"
)

// Run runs a command to its end, as exec probes do: in a group of its own that is killed when ctx is done. dir and base
// are as in Resolve. The error says how it ended and carries its last line.
func Run(ctx context.Context, c clock.Clock, command []string, dir, base string, env []plan.EnvVar) error {
	resolved, err := Resolve(command, dir, base, env)
	if err != nil {
		return err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	defer out.Close()
	p, err := spawn(resolved, nil, childOut, childOut)
	_ = childOut.Close()
	if err != nil {
		return err
	}
	last := ""
	var reader sync.WaitGroup
	reader.Go(func() {
		lines(out, func(line []byte, _ bool) { last = string(line[:min(len(line), maxKept)]) })
	})
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
	timer := c.AfterFunc(outputDelay, func() { _ = out.Close() })
	reader.Wait()
	timer.Stop()
	if ctx.Err() != nil {
		return fmt.Errorf("%q: %w", strings.Join(command, " "), ctx.Err())
	}
	if p.end.code != 0 {
		return fmt.Errorf("%q %s: %s", strings.Join(command, " "), p.end, last)
	}
	return nil
}
