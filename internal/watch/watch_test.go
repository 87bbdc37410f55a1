package watch_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lukhasai/lukhas-run/internal/calm"
	"github.com/lukhasai/lukhas-run/internal/watch"
)

func TestMain(m *testing.M) { calm.Main(m) }

// open starts a watcher with times that suit a test.
func open(t *testing.T, poll time.Duration, paths ...string) *watch.Watcher {
	t.Helper()
	w, err := watch.New(paths, watch.Options{Quiet: 5 * time.Millisecond, Most: 200 * time.Millisecond, Poll: poll})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// changed waits for a report.
func changed(t *testing.T, w *watch.Watcher, after string) {
	t.Helper()
	calm.Await(t, "a report after "+after, w.C)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The ways in which editors, tools and orchestrators replace a file, one after the other on one watcher.
func TestEveryWayOfReplacingAFileIsSeen(t *testing.T) {
	for _, poll := range []time.Duration{time.Hour, 20 * time.Millisecond} { // by events alone, and with the net
		dir := t.TempDir()
		path := filepath.Join(dir, "spec.yaml")
		write(t, path, "a: 1")
		w := open(t, poll, path)

		write(t, path, "a: 2")
		changed(t, w, "a write in place")

		tmp := filepath.Join(dir, ".spec.tmp")
		write(t, tmp, "a: 3")
		must(t, os.Rename(tmp, path))
		changed(t, w, "a rename over it")

		must(t, os.Rename(path, path+"~"))
		write(t, path, "a: 4")
		changed(t, w, "a backup and a new file")

		must(t, os.Remove(path))
		changed(t, w, "its removal")
		write(t, path, "a: 5")
		changed(t, w, "its return")

		must(t, os.RemoveAll(dir))
		must(t, os.Mkdir(dir, 0o700))
		write(t, path, "a: 6")
		changed(t, w, "a new directory in place of the old")
		write(t, path, "a: 7")
		changed(t, w, "a write in the new directory")
	}
}

func TestSymlinkSwapOfADirectoryIsSeen(t *testing.T) {
	dir := t.TempDir()
	release := func(name, text string) string {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		write(t, filepath.Join(dir, name, "spec.yaml"), text)
		return name
	}
	must(t, os.Symlink(release("..r1", "a: 1"), filepath.Join(dir, "..data")))
	must(t, os.Symlink(filepath.Join("..data", "spec.yaml"), filepath.Join(dir, "spec.yaml")))
	w := open(t, time.Hour, filepath.Join(dir, "spec.yaml"))
	for i, name := range []string{"..r2", "..r3", "..r4"} {
		must(t, os.Symlink(release(name, "a: "+name), filepath.Join(dir, "..tmp")))
		must(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
		changed(t, w, name)
		must(t, os.RemoveAll(filepath.Join(dir, []string{"..r1", "..r2", "..r3"}[i])))
	}
}

func TestTargetRewrittenElsewhereIsSeen(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	target := filepath.Join(there, "real.yaml")
	write(t, target, "a: 1")
	link := filepath.Join(here, "spec.yaml")
	must(t, os.Symlink(target, link))
	w := open(t, time.Hour, link)
	write(t, target, "a: 22")
	changed(t, w, "a write to the target")
}

func TestSetWatchesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(t.TempDir(), "two")
	write(t, one, "1")
	w := open(t, time.Hour, one)
	must(t, w.Set([]string{one, two}))
	write(t, two, "2")
	changed(t, w, "a write to the added file")
}

// What a pattern matches comes and goes, in a directory that is made later too.
func TestAPatternIsWatchedForFilesToCome(t *testing.T) {
	for _, poll := range []time.Duration{time.Hour, 20 * time.Millisecond} {
		dir := t.TempDir()
		w := open(t, poll, filepath.Join(dir, "inc", "*.yaml"))
		must(t, os.Mkdir(filepath.Join(dir, "inc"), 0o700))
		path := filepath.Join(dir, "inc", "a.yaml")
		write(t, path, "a: 1")
		changed(t, w, "a new file")
		write(t, path, "a: 22")
		changed(t, w, "a write")
		must(t, os.Rename(path, filepath.Join(dir, "inc", "b.yaml")))
		changed(t, w, "a rename")
		must(t, os.Remove(filepath.Join(dir, "inc", "b.yaml")))
		changed(t, w, "a removal")
	}
}

func TestNothingToWatchIsRefused(t *testing.T) {
	if _, err := watch.New(nil, watch.Options{}); err != watch.ErrNoFiles {
		t.Fatalf("got %v, want ErrNoFiles", err)
	}
}
