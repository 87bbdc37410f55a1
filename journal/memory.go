package journal

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"
)

// MemoryFS is a file system that lasts as long as the value: for simulations and for tests. Nothing in it ever fails. The
// zero value is empty and ready; it is safe for concurrent use and must not be copied.
type MemoryFS struct {
	mu    sync.Mutex
	files map[string]*memoryFile
	locks map[string]bool
}

// memoryFile is one file; whoever has it open goes on seeing it after it was removed.
type memoryFile struct {
	mu   sync.Mutex
	data []byte
}

// MkdirAll does nothing: every directory is there.
func (m *MemoryFS) MkdirAll(string) error { return nil }

// SyncDir does nothing: there is no power to fail.
func (m *MemoryFS) SyncDir(string) error { return nil }

// Create opens a new, empty file.
func (m *MemoryFS) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = map[string]*memoryFile{}
	}
	f := &memoryFile{}
	m.files[name] = f
	return f, nil
}

// Open opens an existing file.
func (m *MemoryFS) Open(name string, _ bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f, nil
}

// Rename moves a file over another.
func (m *MemoryFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.files[from]
	if !ok {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(m.files, from)
	m.files[to] = f
	return nil
}

// Remove deletes a file.
func (m *MemoryFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.files[name]; !ok {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(m.files, name)
	return nil
}

// List gives the names of the files in a directory, sorted.
func (m *MemoryFS) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m.files)) {
		if path.Dir(name) == path.Clean(dir) {
			names = append(names, path.Base(name))
		}
	}
	return names, nil
}

// Lock takes a lock that only this value knows.
func (m *MemoryFS) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[name] {
		return nil, fmt.Errorf("%w: %q is held by this process", ErrLocked, name)
	}
	if m.locks == nil {
		m.locks = map[string]bool{}
	}
	m.locks[name] = true
	return &memoryLock{m, name}, nil
}

// memoryLock is a lock that is held.
type memoryLock struct {
	in   *MemoryFS
	name string
}

// Close gives the lock back.
func (l *memoryLock) Close() error {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	delete(l.in.locks, l.name)
	return nil
}

// ReadAt gives io.EOF at the end, as files do.
func (f *memoryFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt makes the file longer when need be.
func (f *memoryFile) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grow(off + int64(len(p)))
	return copy(f.data[off:], p), nil
}

// grow needs the lock.
func (f *memoryFile) grow(size int64) {
	if more := size - int64(len(f.data)); more > 0 {
		f.data = append(f.data, make([]byte, more)...)
	}
}

// Truncate changes the size.
func (f *memoryFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.grow(size)
	f.data = f.data[:size]
	return nil
}

// Size is the number of bytes.
func (f *memoryFile) Size() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.data)), nil
}

// Sync does nothing.
func (f *memoryFile) Sync() error { return nil }

// Close does nothing.
func (f *memoryFile) Close() error { return nil }
