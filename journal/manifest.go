package journal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"strings"
)

const (
	manifestName = "MANIFEST"
	manifestTemp = "MANIFEST.tmp"
	lockName     = "LOCK"
	asideDir     = "aside"
	maxManifest  = 64 << 20
)

// manifest says which segments make up the journal. A manifest is never
// changed once others can see it; a new one takes its place.
type manifest struct {
	id       journalID
	segments []entry // ascending, without holes between them but for lost ranges
	lost     []span  // ascending
}

// entry is one segment of a manifest.
type entry struct {
	number uint64
	first  uint64
	last   uint64 // of a sealed segment
	end    int64  // where the frames end; of an open segment -1 when unknown
	sealed bool
	head   hash
	sum    hash
}

// span is a range of event numbers, both ends included.
type span struct{ from, to uint64 }

func (m *manifest) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "lukhas-journal %d\nid %s\n", formatVersion, m.id)
	lost := m.lost
	for _, e := range m.segments {
		for len(lost) > 0 && lost[0].from < e.first {
			fmt.Fprintf(&b, "lost %d %d\n", lost[0].from, lost[0].to)
			lost = lost[1:]
		}
		if !e.sealed {
			fmt.Fprintf(&b, "segment %d first %d open\n", e.number, e.first)
			continue
		}
		fmt.Fprintf(&b, "segment %d first %d last %d bytes %d head %x sha256 %x\n", e.number, e.first, e.last, e.end, e.head, e.sum)
	}
	for _, l := range lost {
		fmt.Fprintf(&b, "lost %d %d\n", l.from, l.to)
	}
	fmt.Fprintf(&b, "crc32c %08x\n", crc(b.Bytes()))
	return b.Bytes()
}

func parseManifest(data []byte) (*manifest, error) {
	body, sum, ok := cutLast(data, "crc32c ")
	if !ok || sum != fmt.Sprintf("%08x\n", crc(body)) {
		return nil, errors.New("checksum of the manifest does not match")
	}
	lines := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	if len(lines) < 2 || lines[0] != fmt.Sprintf("lukhas-journal %d", formatVersion) {
		return nil, fmt.Errorf("manifest starts with %.40q, this program reads version %d", lines[0], formatVersion)
	}
	m := &manifest{}
	id, found := strings.CutPrefix(lines[1], "id ")
	raw, err := hex.DecodeString(id)
	if !found || err != nil || len(raw) != len(m.id) {
		return nil, fmt.Errorf("manifest line 2: %.60q is not an id", lines[1])
	}
	m.id = journalID(raw)
	for i, line := range lines[2:] {
		if err := m.parseLine(line); err != nil {
			return nil, fmt.Errorf("manifest line %d: %w", i+3, err)
		}
	}
	return m, nil
}

// cutLast splits data before the last line that starts with prefix.
func cutLast(data []byte, prefix string) (before []byte, rest string, ok bool) {
	at := bytes.LastIndex(data, []byte("\n"+prefix))
	if at < 0 {
		return nil, "", false
	}
	return data[:at+1], string(data[at+1+len(prefix):]), true
}

func (m *manifest) parseLine(line string) error {
	var e entry
	var l span
	var head, sum []byte
	switch {
	case scan(line, "lost %d %d", &l.from, &l.to):
		if l.from == 0 || l.to < l.from {
			return fmt.Errorf("events %d to %d", l.from, l.to)
		}
		m.lost = append(m.lost, l)
		return nil
	case scan(line, "segment %d first %d open", &e.number, &e.first) && line == fmt.Sprintf("segment %d first %d open", e.number, e.first):
		e.end = -1
	case scan(line, "segment %d first %d last %d bytes %d head %x sha256 %x", &e.number, &e.first, &e.last, &e.end, &head, &sum):
		if len(head) != len(e.head) || len(sum) != len(e.sum) || e.last < e.first || e.end < segmentHeaderSize {
			return fmt.Errorf("segment %d does not fit together", e.number)
		}
		e.sealed, e.head, e.sum = true, hash(head), hash(sum)
	default:
		return fmt.Errorf("%.60q is no entry", line)
	}
	return m.addEntry(e)
}

// addEntry appends a segment that must follow the ones before it.
func (m *manifest) addEntry(e entry) error {
	if n := len(m.segments); n > 0 {
		before := m.segments[n-1]
		if !before.sealed || e.number <= before.number || e.first <= before.last {
			return fmt.Errorf("segment %d does not follow segment %d", e.number, before.number)
		}
	}
	if e.number == 0 || e.first == 0 {
		return fmt.Errorf("segment %d starts with event %d", e.number, e.first)
	}
	m.segments = append(m.segments, e)
	return nil
}

func scan(line, format string, into ...any) bool {
	n, err := fmt.Sscanf(line, format, into...)
	return err == nil && n == len(into)
}

// with returns a copy of m with other segments.
func (m *manifest) with(segments []entry) *manifest {
	next := &manifest{id: m.id, segments: segments}
	for _, l := range m.lost {
		if len(segments) > 0 && l.to >= segments[0].first {
			next.lost = append(next.lost, l)
		}
	}
	return next
}

// lastEntry returns the newest segment.
func (m *manifest) lastEntry() (entry, bool) {
	if len(m.segments) == 0 {
		return entry{}, false
	}
	return m.segments[len(m.segments)-1], true
}

func readManifest(files FS, dir string) (*manifest, error) {
	data, err := readFile(files, path.Join(dir, manifestName), maxManifest)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; `lukhas-run journal repair` rebuilds it from the segments", ErrDamaged, path.Join(dir, manifestName), err)
	}
	return m, nil
}

// writeManifest puts m in force: when it returns nil, m survives a power cut.
func writeManifest(files FS, dir string, m *manifest) error {
	temp := path.Join(dir, manifestTemp)
	if err := writeNew(files, temp, m.encode()); err != nil {
		return fmt.Errorf("write %s: %w", temp, err)
	}
	if err := files.Rename(temp, path.Join(dir, manifestName)); err != nil {
		return err
	}
	return files.SyncDir(dir)
}

// writeNew creates a file with the given content and syncs it.
func writeNew(files FS, name string, data []byte) error {
	f, err := files.Create(name)
	if err != nil {
		return err
	}
	if err := writeFull(f, data, 0); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// first returns the number of the oldest event kept, 0 when there is none.
func (m *manifest) first() uint64 {
	if len(m.segments) == 0 {
		return 0
	}
	return m.segments[0].first
}

// newest returns the number of the newest event, kept or lost.
func (m *manifest) newest() uint64 {
	newest := uint64(0)
	if e, ok := m.lastEntry(); ok {
		newest = e.last
	}
	if n := len(m.lost); n > 0 {
		newest = max(newest, m.lost[n-1].to)
	}
	return newest
}
