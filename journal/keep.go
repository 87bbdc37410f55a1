package journal

import (
	"errors"
	"fmt"
	"math"
	"path"
)

// prune drops the oldest sealed segments that retention no longer wants: from
// the manifest first, then from the directory. The newest segment always stays,
// since it carries the numbering and the chain. It returns how many are gone, and
// the newest event that only Need has kept, 0 for none.
func (w *writer) prune(r Retention, now int64) (n int, held uint64, err error) {
	n, err = w.expired(r, now)
	if err != nil || n == 0 {
		return 0, 0, err
	}
	n, held = w.spared(n, r.Need)
	if n == 0 {
		return 0, held, nil
	}
	gone := w.manifest.segments[:n]
	if err := w.install(append([]entry(nil), w.manifest.segments[n:]...)); err != nil {
		return 0, held, err
	}
	for _, e := range gone {
		if err := w.options.FS.Remove(segmentName(w.dir, e.number)); err != nil && !isNotExist(err) {
			return 0, held, fmt.Errorf("retention: %w", err)
		}
	}
	return n, held, nil
}

// spared is how many of the n oldest segments hold nothing from event need on,
// and the newest event of the others.
func (w *writer) spared(n int, need uint64) (fewer int, held uint64) {
	for fewer < n && (need == 0 || w.manifest.segments[fewer].last < need) {
		fewer++
	}
	if fewer < n {
		held = w.manifest.segments[n-1].last
	}
	return fewer, held
}

// expired counts the segments at the old end that retention does not want.
func (w *writer) expired(r Retention, now int64) (int, error) {
	segments := w.manifest.segments
	total := int64(0)
	for _, e := range segments {
		total += max(e.end, 0)
	}
	n := 0
	for ; n < len(segments)-1; n++ {
		drop := r.Bytes > 0 && total > r.Bytes
		if !drop && r.Age > 0 {
			newest, err := newestTime(w.options.FS, w.dir, segments[n])
			if err != nil {
				return 0, err
			}
			drop = newest < now-int64(r.Age)
		}
		if !drop {
			break
		}
		total -= segments[n].end
	}
	return n, nil
}

// newestTime returns the largest time in a sealed segment. A damaged index
// counts as new: age alone does not sweep damage away.
func newestTime(files FS, dir string, e entry) (int64, error) {
	f, err := files.Open(segmentName(dir, e.number), false)
	if err != nil {
		return 0, fmt.Errorf("retention: %w", err)
	}
	defer f.Close()
	ft, _, err := readFooter(f)
	if err != nil {
		return math.MaxInt64, nil
	}
	x, err := parseIndex(ft.index)
	if err != nil || len(x.frames) == 0 {
		return math.MaxInt64, nil
	}
	newest := x.frames[0].maxTime
	for _, ref := range x.frames {
		newest = max(newest, ref.maxTime)
	}
	return newest, nil
}

// Prune applies a retention to a journal that no engine has open and returns
// how many segments it dropped. A running Journal does the same by
// Options.Retain whenever it seals a segment. What actors still need to be rebuilt
// from only their engine knows: without it r.Need is the caller's to give.
func Prune(dir string, r Retention, o Options) (dropped int, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return 0, err
	}
	if _, err := openReader(dir, o.FS, o.Clock); err != nil {
		return 0, err
	}
	lock, err := o.FS.Lock(path.Join(dir, lockName))
	if err != nil {
		return 0, fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	m, err := readManifest(o.FS, dir)
	if err != nil {
		return 0, err
	}
	dropped, _, err = newWriter(dir, o, m).prune(r, o.Clock.Wall().UnixNano())
	return dropped, err
}
