package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"sync"
	"syscall"
)

var errPowerOff = errors.New("power is off")

// memFS is a file system in memory that knows what a power cut would leave and
// can fail at a chosen operation. Operations are everything that changes or
// syncs something.
type memFS struct {
	mu      sync.Mutex
	names   map[string]*inode // as the program sees it
	durable map[string]*inode // as a power cut leaves it at least
	locked  map[string]bool

	operations int
	failAt     int   // the operation that fails, counted from 1; 0 for none
	failWith   error // errPowerOff makes all later ones fail too
	half       bool  // a failing write writes half
}

// inode is one file's content: what is safe and what was written since.
type inode struct {
	data    []byte
	safe    []byte
	pending []func([]byte) []byte
}

func newMemFS() *memFS {
	return &memFS{names: map[string]*inode{}, durable: map[string]*inode{}, locked: map[string]bool{}}
}

// step counts an operation and says whether it fails. The caller holds mu.
func (m *memFS) step() error {
	m.operations++
	if m.failAt == 0 || m.operations < m.failAt {
		return nil
	}
	if m.operations == m.failAt || errors.Is(m.failWith, errPowerOff) {
		return m.failWith
	}
	return nil
}

// afterPowerCut returns the file system that a reboot finds: each change that
// was not synced is there with probability keep, cut to sectors.
func (m *memFS) afterPowerCut(r *rand.Rand, keep float64) *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := newMemFS()
	lucky := func() bool { return r.Float64() < keep }
	copies := map[*inode]*inode{}
	survive := func(i *inode) *inode {
		if c, ok := copies[i]; ok {
			return c
		}
		data := bytes.Clone(i.safe)
		for _, p := range i.pending {
			if lucky() {
				data = p(data)
			}
		}
		copies[i] = &inode{data: data, safe: bytes.Clone(data)}
		return copies[i]
	}
	for _, name := range slices.Sorted(maps.Keys(m.names)) {
		if m.durable[name] != m.names[name] && lucky() {
			next.names[name] = survive(m.names[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.durable)) {
		if _, there := next.names[name]; there {
			continue
		}
		// A name that was replaced keeps its old file; only a removed one may go.
		if _, replaced := m.names[name]; replaced || !lucky() {
			next.names[name] = survive(m.durable[name])
		}
	}
	next.durable = maps.Clone(next.names)
	return next
}

// copy returns what another process would see now, all of it safe.
func (m *memFS) copy() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := newMemFS()
	for name, i := range m.names {
		next.names[name] = &inode{data: bytes.Clone(i.data), safe: bytes.Clone(i.data)}
	}
	next.durable = maps.Clone(next.names)
	return next
}

func (m *memFS) MkdirAll(string) error { return nil }

func (m *memFS) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return nil, err
	}
	i := &inode{}
	m.names[name] = i
	return &memFile{fs: m, inode: i}, nil
}

func (m *memFS) Open(name string, _ bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, ok := m.names[name]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return &memFile{fs: m, inode: i}, nil
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return err
	}
	m.names[to] = m.names[from]
	delete(m.names, from)
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.names[name]; !ok {
		return fs.ErrNotExist
	}
	if err := m.step(); err != nil {
		return err
	}
	delete(m.names, name)
	return nil
}

func (m *memFS) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.names {
		if path.Dir(name) == dir {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *memFS) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.step(); err != nil {
		return err
	}
	maps.DeleteFunc(m.durable, func(name string, _ *inode) bool { return path.Dir(name) == dir })
	for name, i := range m.names {
		if path.Dir(name) == dir {
			m.durable[name] = i
		}
	}
	return nil
}

func (m *memFS) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked[name] {
		return nil, ErrLocked
	}
	m.locked[name] = true
	return unlock(func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.locked, name)
	}), nil
}

type unlock func()

func (u unlock) Close() error { u(); return nil }

type memFile struct {
	fs    *memFS
	inode *inode
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off >= int64(len(f.inode.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.inode.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

const sector = 64 // small, so that small journals tear in many places

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	err := f.fs.step()
	if err != nil && (!f.fs.half || errors.Is(err, errPowerOff) && f.fs.operations > f.fs.failAt) {
		return 0, err
	}
	if err != nil {
		p = p[:len(p)/2]
	}
	written := bytes.Clone(p)
	f.inode.data = overwrite(f.inode.data, written, off)
	for at := int64(0); at < int64(len(written)); {
		to := min(int64(len(written)), (off+at)/sector*sector+sector-off)
		piece, where := written[at:to], off+at
		f.inode.pending = append(f.inode.pending, func(d []byte) []byte { return overwrite(d, piece, where) })
		at = to
	}
	return len(p), err
}

func overwrite(data, p []byte, off int64) []byte {
	if grow := off + int64(len(p)) - int64(len(data)); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	copy(data[off:], p)
	return data
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return err
	}
	cut := func(d []byte) []byte { return d[:min(size, int64(len(d)))] }
	f.inode.data = cut(f.inode.data)
	f.inode.pending = append(f.inode.pending, cut)
	return nil
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return err
	}
	f.inode.safe, f.inode.pending = bytes.Clone(f.inode.data), nil
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.inode.data)), nil
}

func (f *memFile) Close() error { return nil }

// diskErrors are what a failing disk answers.
func diskErrors() []error { return []error{syscall.ENOSPC, syscall.EIO} }
