// Package watch tells when the content of a set of files may have changed.
//
// File-system events are only hints: editors rename, Kubernetes swaps a symlinked directory, a truncating writer fires many
// events, and a directory that is removed goes silent without an error. So the Watcher watches every directory on the way
// to each file and on each symlink hop, takes any event as "look again", looks again every Poll as a net, and compares a
// cheap fingerprint of what the paths lead to now with the last one it reported.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Options bound how a Watcher waits. Zero values take the defaults.
type Options struct {
	Quiet time.Duration // no further change for this long before a report; default 100ms
	Most  time.Duration // a report comes at the latest after this long of changes; default 1s
	Poll  time.Duration // how often to look without any event; default 2s
	// Warn is told when watching is impaired (a limit reached, an overflow); polling goes on. May be nil.
	Warn func(error)
}

// maxHops bounds a chain of symlinks; the kernel gives up at 40.
const maxHops = 40

// ErrNoFiles is returned by New when there is nothing to watch.
var ErrNoFiles = errors.New("no files to watch")

// Watcher reports possible changes on C. Its methods are safe for concurrent use.
type Watcher struct {
	// C gets a value after each burst of changes. It holds one: a slow reader sees bursts merged, never missed.
	C <-chan struct{}

	out    chan struct{}
	opts   Options
	events *fsnotify.Watcher // nil when the system refused one: polling only
	cancel context.CancelFunc
	done   chan struct{} // closed when the one goroutine, started by New, has returned

	mu      sync.Mutex
	paths   []string // sorted, absolute; patterns among them
	watched []string // directories that events come from, sorted
}

// New starts to watch the files. They need not exist yet, and a path may be a pattern of filepath.Match, for all files that
// match it at any time. Close ends it.
func New(paths []string, opts Options) (*Watcher, error) {
	if len(paths) == 0 {
		return nil, ErrNoFiles
	}
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan struct{}, 1)
	w := &Watcher{C: out, out: out, opts: withDefaults(opts), cancel: cancel, done: make(chan struct{})}
	events, err := fsnotify.NewWatcher()
	if err != nil {
		w.opts.Warn(fmt.Errorf("watching by events is not possible, looking every %s instead: %w", w.opts.Poll, err))
	} else {
		w.events = events
	}
	if err := w.Set(paths); err != nil {
		cancel()
		w.closeEvents()
		return nil, err
	}
	go w.run(ctx, w.fingerprint()) // taken before New returns: no later change is missed
	return w, nil
}

func withDefaults(o Options) Options {
	if o.Quiet <= 0 {
		o.Quiet = 100 * time.Millisecond
	}
	if o.Most <= 0 {
		o.Most = time.Second
	}
	if o.Poll <= 0 {
		o.Poll = 2 * time.Second
	}
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	return o
}

// Set replaces the files and patterns that are watched.
func (w *Watcher) Set(paths []string) error {
	abs := make([]string, 0, len(paths))
	for _, p := range paths {
		a, err := filepath.Abs(p)
		if err != nil {
			return fmt.Errorf("watch %q: %w", p, err)
		}
		abs = append(abs, a)
	}
	slices.Sort(abs)
	w.mu.Lock()
	w.paths = slices.Compact(abs)
	w.mu.Unlock()
	w.follow()
	return nil
}

// Close ends the watching and waits for its goroutine.
func (w *Watcher) Close() error {
	w.cancel()
	<-w.done
	return w.closeEvents()
}

func (w *Watcher) closeEvents() error {
	if w.events == nil {
		return nil
	}
	return w.events.Close()
}

// run is the Watcher's one goroutine. A report comes Quiet after the last change of a burst, Most after its first.
func (w *Watcher) run(ctx context.Context, seen string) {
	defer close(w.done)
	poll := time.NewTicker(w.opts.Poll)
	defer poll.Stop()
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	defer quiet.Stop()
	since := time.Time{} // of the burst under way
	events, failures := w.channels()
	look := func() {
		w.follow()
		now := w.fingerprint()
		if now == seen {
			return
		}
		seen = now
		if since.IsZero() {
			since = time.Now()
		}
		quiet.Reset(min(w.opts.Quiet, max(0, w.opts.Most-time.Since(since))))
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
			look()
		case err := <-failures:
			w.opts.Warn(fmt.Errorf("watching files: %w", err))
			look()
		case <-poll.C:
			look()
		case <-quiet.C:
			since = time.Time{}
			select {
			case w.out <- struct{}{}:
			default: // a report is waiting already
			}
		}
	}
}

func (w *Watcher) channels() (<-chan fsnotify.Event, <-chan error) {
	if w.events == nil {
		return nil, nil
	}
	return w.events.Events, w.events.Errors
}

// follow brings the watched directories in line with where the paths lead now. A directory that was removed and made
// again is a new one to the kernel, so each is added every time; adding one that is watched costs a system call.
func (w *Watcher) follow() {
	if w.events == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var want []string
	for _, p := range w.paths {
		for _, place := range places(p) {
			want = append(want, directories(place)...)
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	for _, old := range w.watched {
		if _, found := slices.BinarySearch(want, old); !found {
			_ = w.events.Remove(old) // gone with the directory itself, or no longer of interest
		}
	}
	var held []string
	for _, dir := range want {
		err := w.events.Add(dir)
		switch {
		case err == nil:
			held = append(held, dir)
		case !errors.Is(err, fs.ErrNotExist) && slices.Contains(w.watched, dir):
			w.opts.Warn(fmt.Errorf("watching %q by events is not possible, looking every %s instead: %w", dir, w.opts.Poll, err))
		}
	}
	w.watched = held
}

// places are the path itself, and for a pattern also what it matches now and, in each directory where it could match more,
// a name that stands for whatever comes.
func places(path string) []string {
	out := []string{path}
	if !strings.ContainsAny(path, `*?[`) {
		return out
	}
	matches, _ := filepath.Glob(path) // a malformed pattern matches nothing
	out = append(out, matches...)
	for _, dir := range places(filepath.Dir(path)) {
		out = append(out, filepath.Join(dir, "*"))
	}
	return out
}

// directories lists the directories whose entries decide what path leads to: its own and those of each symlink on the way.
func directories(path string) []string {
	var dirs []string
	for hop := 0; hop < maxHops; hop++ {
		dir := filepath.Dir(path)
		dirs = append(dirs, dir)
		if parent := filepath.Dir(dir); parent != dir {
			dirs = append(dirs, parent) // tells when dir itself is replaced
		}
		next, ok := resolveOnce(path)
		if !ok {
			break
		}
		path = next
	}
	return dirs
}

// resolveOnce follows the first symlink among the path's own elements.
func resolveOnce(path string) (string, bool) {
	for at := path; ; {
		if target, err := os.Readlink(at); err == nil {
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			rest, err := filepath.Rel(at, path)
			if err != nil {
				return "", false
			}
			return filepath.Join(target, rest), true
		}
		parent := filepath.Dir(at)
		if parent == at {
			return "", false
		}
		at = parent
	}
}

// print is what tells one content from another without reading it.
type print struct {
	ino, size, changed, ctime int64
}

// fingerprint folds what all paths lead to. It notices new content of the same size and time by the inode's change time,
// which no program can set.
func (w *Watcher) fingerprint() string {
	w.mu.Lock()
	paths := w.paths
	w.mu.Unlock()
	out := make([]byte, 0, 64*len(paths))
	for _, p := range paths {
		for _, place := range places(p) {
			out = fmt.Appendf(out, "%q %v;", place, identify(place))
		}
	}
	return string(out)
}
