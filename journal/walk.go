package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const windowSize = 256 << 10

// walker reads the frames of one segment in order. It belongs to one goroutine.
type walker struct {
	file   File
	offset int64 // of the next frame
	limit  int64 // where frames end, exclusive
	window []byte
	base   int64 // offset of window[0]
}

// badFrame says why no frame could be read at an offset. It is not an I/O error.
type badFrame struct{ reason string }

func (b *badFrame) Error() string { return b.reason }

// next reads the frame at w.offset and moves behind it. It returns io.EOF at
// the limit, a *badFrame for bytes that are no frame, else the error of the
// file. The frame is valid until the next call.
func (w *walker) next() (frame, error) {
	f, size, err := w.frameAt(w.offset)
	w.offset += int64(size)
	return f, err
}

func (w *walker) frameAt(offset int64) (frame, int, error) {
	if offset >= w.limit {
		return frame{}, 0, io.EOF
	}
	if w.limit-offset < frameHeaderSize {
		return frame{}, 0, &badFrame{fmt.Sprintf("%d bytes are too few for a frame", w.limit-offset)}
	}
	header, err := w.bytes(offset, frameHeaderSize)
	if err != nil {
		return frame{}, 0, err
	}
	size, err := frameSize(header)
	if err != nil {
		return frame{}, 0, &badFrame{err.Error()}
	}
	if w.limit-offset < int64(size) {
		return frame{}, 0, &badFrame{fmt.Sprintf("frame of %d bytes where %d are left", size, w.limit-offset)}
	}
	data, err := w.bytes(offset, size)
	if err != nil {
		return frame{}, 0, err
	}
	f, err := parseFrame(data)
	if err != nil {
		return frame{}, 0, &badFrame{err.Error()}
	}
	return f, size, nil
}

// bytes returns n bytes at offset, valid until the next call. A file that ends
// before the limit, cut by someone while it is read, gives a *badFrame.
func (w *walker) bytes(offset int64, n int) ([]byte, error) {
	if offset >= w.base && offset+int64(n) <= w.base+int64(len(w.window)) {
		at := int(offset - w.base)
		return w.window[at : at+n], nil
	}
	want := int(min(int64(max(n, windowSize)), w.limit-offset))
	if cap(w.window) < want {
		w.window = make([]byte, want)
	}
	w.window, w.base = w.window[:want], offset
	got, err := w.file.ReadAt(w.window, offset)
	w.window = w.window[:got]
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if got < n {
		return nil, &badFrame{"the file ends early"}
	}
	return w.window[:n], nil
}

// forget drops what was read ahead, so that the next read sees the file as it is.
func (w *walker) forget() { w.window = w.window[:0] }

// seek finds the first intact frame at or behind offset whose events all come
// at or behind number from. It returns io.EOF when there is none.
func (w *walker) seek(offset int64, from uint64) (int64, frame, error) {
	for offset+frameHeaderSize <= w.limit {
		chunk, err := w.bytes(offset, int(min(windowSize, w.limit-offset)))
		if err != nil {
			return 0, frame{}, endOr(err)
		}
		at := bytes.Index(chunk, []byte(frameMagic))
		if at < 0 {
			offset += int64(max(len(chunk)-len(frameMagic)+1, 1))
			continue
		}
		offset += int64(at)
		f, _, err := w.frameAt(offset)
		if err == nil && f.first >= from {
			return offset, f, nil
		}
		var bad *badFrame
		if err != nil && !errors.As(err, &bad) {
			return 0, frame{}, err
		}
		offset++
	}
	return 0, frame{}, io.EOF
}

func endOr(err error) error {
	var bad *badFrame
	if errors.As(err, &bad) {
		return io.EOF
	}
	return err
}

// evidence is what the bytes behind a bad frame tell about it.
type evidence struct {
	durable uint64 // largest durable-through seen
	frames  int    // intact frames
	next    int64  // offset of the first intact frame
	first   uint64 // number of its first event
}

// look collects the evidence behind a bad frame at offset where event number
// expected should have been.
func (w *walker) look(offset int64, expected uint64) (evidence, error) {
	var ev evidence
	at, f, err := w.seek(offset, expected)
	for err == nil {
		if ev.frames++; ev.frames == 1 {
			ev.next, ev.first = at, f.first
		}
		ev.durable = max(ev.durable, f.durable)
		at, f, err = w.seek(at+frameHeaderSize+int64(len(f.body)), f.last()+1)
	}
	if err != io.EOF {
		return evidence{}, err
	}
	return ev, nil
}
