package host

import (
	"errors"
	"fmt"
	"os"

	"github.com/lukhasai/lukhas-run/engine/actors/process"
	"github.com/lukhasai/lukhas-run/engine/plan"
)

// ErrBusy is wrapped by errors about an address or a data directory that another program holds.
var ErrBusy = errors.New("in use")

// errStopping is the answer to a reload that comes too late.
var errStopping = errors.New("the engine is stopping")

// check refuses what is known to fail before anything starts: a command that cannot be run, a behaviour that nobody
// registered. A typing error then stops the start instead of showing up as a restart loop.
func (o Options) check(p *plan.Plan) error {
	var errs []error
	for i := range p.Actors {
		a := &p.Actors[i]
		switch a.Kind {
		case plan.Process:
			errs = append(errs, process.Check(a, p.Dir))
		case plan.Go:
			if o.Behaviours[a.Go.Behaviour] == nil {
				errs = append(errs, fmt.Errorf("%s: actor %s: no behaviour %q is registered by this program", a.Place, a.Path, a.Go.Behaviour))
			}
		}
	}
	return errors.Join(errs...)
}

// dataDirectory makes the directory, for its owner only.
func dataDirectory(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("data directory %q: %w (--data DIR says which)", path, err)
	}
	return nil
}
