package host

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lukhasai/lukhas-run/compiler"
	"github.com/lukhasai/lukhas-run/engine/plan"
	"github.com/lukhasai/lukhas-run/spec"
)

// Source says where a topology comes from. It is the one way in for run, validate, plan and reload: what validates, runs.
type Source struct {
	Paths           []string // files; "-" is Stdin
	Stdin           io.Reader
	Env             func(name string) (string, bool) // nil: the process's environment
	Exe             string                           // what ${exe} stands for; "": this binary
	AllowMissingEnv bool
	Now             time.Time // policies that expired before it drop out; zero: none does
}

// Loaded is what a Source gave. Plan is nil when Diagnostics has errors.
type Loaded struct {
	Set         *spec.Set
	Plan        *plan.Plan
	Diagnostics spec.Diagnostics
	Identity    [sha256.Size]byte // of all that was read: equal identities make equal plans
	Watch       []string          // files, include patterns and secret files that decide what it is
}

// Invalid is the error of a topology that does not compile.
type Invalid struct {
	Diagnostics spec.Diagnostics
	Files       []spec.File // for showing the lines
}

// Error gives the first problem and how many more there are.
func (e *Invalid) Error() string {
	first := "the topology is invalid"
	for _, d := range e.Diagnostics {
		if d.Severity == spec.Error {
			first = d.Error()
			break
		}
	}
	if n, _ := e.Diagnostics.Count(); n > 1 {
		return fmt.Sprintf("%s (and %d more)", first, n-1)
	}
	return first
}

// Load reads, checks and compiles. It starts nothing.
func Load(src Source) (Loaded, error) {
	src, err := src.withDefaults()
	if err != nil {
		return Loaded{}, err
	}
	o := src.options()
	var secrets []string
	o.ReadSecretFile = func(path string) ([]byte, error) {
		secrets = append(secrets, path)
		return os.ReadFile(path)
	}
	set, diags := spec.Load(spec.OS(), src.Paths, o)
	l := Loaded{Set: set, Diagnostics: diags, Watch: secrets}
	if set != nil {
		l.Identity = identity(set, src.Now)
		l.Watch = append(l.Watch, watched(set)...)
	}
	if diags.HasErrors() {
		l.Diagnostics = slices.Concat(diags, unresolved(set)).Sorted()
		return l, nil
	}
	p, more := compiler.Compile(set, compiler.Options{})
	l.Diagnostics = slices.Concat(diags, more).Sorted()
	if !more.HasErrors() {
		l.Plan = p
	}
	return l, nil
}

// watched lists the files and include patterns of a set; standard input never changes.
func watched(set *spec.Set) []string {
	paths := slices.Clone(set.Watch)
	for _, f := range set.Files {
		if f.Path != "-" {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// unresolved finds wrong references beside errors that already stop the compiler, so that both are shown at once.
func unresolved(set *spec.Set) spec.Diagnostics {
	if set == nil || set.Topology == nil {
		return nil
	}
	_, diags := spec.Resolve(set, nil)
	return slices.DeleteFunc(diags, func(d spec.Diagnostic) bool { return d.Severity == spec.Warning })
}

// Options are what Load reads files with, for those who read them without compiling.
func (src Source) Options() (spec.Options, error) {
	src, err := src.withDefaults()
	return src.options(), err
}

func (src Source) options() spec.Options {
	return spec.Options{
		Env: src.Env, ReadSecretFile: os.ReadFile, AllowMissingEnv: src.AllowMissingEnv, Exe: src.Exe, Stdin: src.Stdin, Now: src.Now,
	}
}

func (src Source) withDefaults() (Source, error) {
	if len(src.Paths) == 0 {
		return src, errors.New("no topology file is given")
	}
	if src.Env == nil {
		src.Env = os.LookupEnv
	}
	if src.Exe != "" {
		return src, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return src, fmt.Errorf("the path of this binary, for ${exe}: %w", err)
	}
	src.Exe = exe
	return src, nil
}

// whole are the source's files with their whole paths.
func (src Source) whole() []string {
	var out []string
	for _, p := range src.Paths {
		if p == "-" {
			continue
		}
		if at, err := filepath.Abs(p); err == nil {
			p = at
		}
		out = append(out, p)
	}
	return out
}

// identity folds every file and secret, so that rewriting the same bytes is no change, and which policies have expired.
func identity(set *spec.Set, now time.Time) [sha256.Size]byte {
	files := slices.Clone(set.Files)
	slices.SortFunc(files, func(a, b spec.File) int { return strings.Compare(a.Path, b.Path) })
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%q %x\n", f.Path, f.SHA256)
	}
	for _, s := range set.Secrets {
		fmt.Fprintf(h, "%x\n", s)
	}
	for _, d := range set.Policies {
		fmt.Fprintf(h, "%t\n", d.Expired(now))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// errors of a load as an error value, nil when there are none.
func (l Loaded) err() error {
	if l.Diagnostics.HasErrors() {
		return &Invalid{Diagnostics: l.Diagnostics, Files: l.Set.Files}
	}
	return nil
}
