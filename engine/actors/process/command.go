package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/lukhasai/lukhas-run/engine/plan"
)

// inherited are the engine's own variables that every process gets: what programs need to find commands, a home, a
// language and a place for temporary files. Everything else must be declared, so that no secret of the engine leaks.
var inherited = [...]string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}

// Command is a command settled: what will be executed, where and with which environment.
type Command struct {
	Path string   // absolute
	Args []string // Args[0] is as declared
	Dir  string
	Env  []string
}

// Check tells whether the process of actor a could be started: the command exists and is executable, its directory is
// there, its signal is known. It starts nothing. The error names the place where the actor is declared and a way out.
func Check(a *plan.Actor, base string) error {
	if _, err := signalNamed(a.Process.Signal); err != nil {
		return at(a, err)
	}
	_, err := Resolve(a.Process.Command, a.Process.Dir, base, a.Process.Env)
	return at(a, err)
}

func at(a *plan.Actor, err error) error {
	if err == nil || a.Place == "" {
		return err
	}
	return fmt.Errorf("%s: actor %s: %w", a.Place, a.Path, err)
}

// Resolve settles a command: a relative path starts at base, a bare name is looked up in the PATH that the process gets.
func Resolve(command []string, dir, base string, declared []plan.EnvVar) (Command, error) {
	if len(command) == 0 || command[0] == "" {
		return Command{}, fmt.Errorf("%w: write command: [PROGRAM, ARGUMENT, …]", ErrNoCommand)
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return Command{}, fmt.Errorf("directory %q: %w", base, err)
	}
	dir = within(base, dir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return Command{}, fmt.Errorf("cwd %q: %w; create it or correct cwd", dir, ErrNoDir)
	}
	env := environment(declared)
	path, err := locate(command[0], base, env)
	if err != nil {
		return Command{}, err
	}
	return Command{Path: path, Args: command, Dir: dir, Env: env}, nil
}

func within(base, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}

func environment(declared []plan.EnvVar) []string {
	var env []string
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for _, v := range declared { // the last of equal names wins
		env = append(env, v.Name+"="+v.Value)
	}
	return env
}

func locate(name, base string, env []string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		path := within(base, name)
		return path, executable(path)
	}
	var found error
	for _, dir := range filepath.SplitList(pathOf(env)) {
		path := filepath.Join(within(base, dir), name)
		err := executable(path)
		if err == nil {
			return path, nil
		}
		var unseen *fs.PathError // nobody knows what is in a place that cannot be looked into
		if errors.Is(err, ErrNotExecutable) && !errors.As(err, &unseen) && found == nil {
			found = err
		}
	}
	if found != nil {
		return "", found
	}
	return "", fmt.Errorf("%q: %w in PATH; install it, give its path, or write ./%s for a file beside the topology", name, ErrNotFound, name)
}

func pathOf(env []string) string {
	path := ""
	for _, v := range env {
		if rest, ok := strings.CutPrefix(v, "PATH="); ok {
			path = rest
		}
	}
	return path
}

func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%q: %w; a relative command starts at the topology's directory", path, ErrNotFound)
	case err != nil:
		return fmt.Errorf("%q: %w: %w", path, ErrNotExecutable, err)
	case info.IsDir():
		return fmt.Errorf("%q: %w: it is a directory", path, ErrNotExecutable)
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%q: %w; run chmod +x %s, or name its interpreter first", path, ErrNotExecutable, path)
	}
	return nil
}

// signalNamed is the signal with this name, TERM for "".
func signalNamed(name string) (syscall.Signal, error) {
	if name == "" {
		return syscall.SIGTERM, nil
	}
	for _, s := range stopSignals {
		if s.name == name {
			return s.signal, nil
		}
	}
	return 0, fmt.Errorf("%w %q; use TERM, INT, HUP, QUIT, USR1, USR2 or KILL", ErrSignal, name)
}

// stopSignals are the signals that a topology may name.
var stopSignals = [...]struct {
	name   string
	signal syscall.Signal
}{
	{"TERM", syscall.SIGTERM}, {"INT", syscall.SIGINT}, {"HUP", syscall.SIGHUP}, {"QUIT", syscall.SIGQUIT},
	{"USR1", syscall.SIGUSR1}, {"USR2", syscall.SIGUSR2}, {"KILL", syscall.SIGKILL},
}
