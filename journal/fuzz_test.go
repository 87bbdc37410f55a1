package journal

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sampleChunk holds n events.
func sampleChunk(n int) *chunk {
	c := &chunk{}
	for i := range n {
		e := note(i)
		e.Seq, e.Causation = uint64(i+1), uint64(i)
		c.add(&e)
	}
	return c
}

func decodeAll(u *unpacker, f *frame) (events []Event, err error) {
	rows, err := u.rows(f)
	for more := err == nil; more; {
		var e Event
		if more, err = rows.next(&e); more {
			events = append(events, e)
		}
	}
	return events, err
}

func FuzzFrame(f *testing.F) {
	for _, n := range []int{1, 3, 100} {
		var p packer
		fr, err := p.pack(sampleChunk(n), hash{1}, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(appendFrame(nil, &fr))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fr, err := parseFrame(data)
		if err == nil {
			again, err := parseFrame(appendFrame(nil, &fr))
			if diff := cmp.Diff(fr, again, cmp.AllowUnexported(frame{})); err != nil || diff != "" {
				t.Errorf("a frame that was read and written again: %v\n%s", err, diff)
			}
		}
		// The body must be safe to decode even if the checksum were forged.
		if len(data) >= frameHeaderSize {
			forged := frame{
				encoding: data[5], compression: data[6], rawLength: uint32(data[12]) | uint32(data[13])<<8 | uint32(data[14])<<16,
				first: 1 + uint64(data[16]), count: 1 + uint32(data[24]), body: data[frameHeaderSize:],
			}
			var u unpacker
			defer u.close()
			decodeAll(&u, &forged)
		}
	})
}

func FuzzRows(f *testing.F) {
	f.Add(sampleChunk(5).rows, uint64(1), uint32(5))
	f.Fuzz(func(t *testing.T, rows []byte, seq uint64, count uint32) {
		r := rowReader{rest: rows, seq: seq, left: count}
		again := &chunk{}
		var e Event
		for {
			more, err := r.next(&e)
			if err != nil {
				return
			}
			if !more {
				break
			}
			if e.Causation >= e.Seq && e.Causation != 0 {
				t.Fatalf("event %d is caused by %d", e.Seq, e.Causation)
			}
			again.add(&e)
		}
		back := rowReader{rest: again.rows, seq: seq, left: count}
		for range count {
			if more, err := back.next(&e); !more || err != nil {
				t.Fatalf("rows that were read and written again give %v", err)
			}
		}
	})
}

func FuzzFooter(f *testing.F) {
	x := newIndex()
	for i := range 3 {
		c := sampleChunk(i + 1)
		fr := frame{first: c.first, count: c.count, minTime: c.minTime, maxTime: c.maxTime}
		if err := x.addFrame(&fr, int64(i*100), rowReader{rest: c.rows, seq: c.first, left: c.count}); err != nil {
			f.Fatal(err)
		}
	}
	ft := footer{last: 9, index: x.encode(nil)}
	f.Add(ft.encode(), ft.index)
	f.Fuzz(func(t *testing.T, data, rawIndex []byte) {
		if ft, err := parseFooter(data); err == nil {
			again, err := parseFooter(ft.encode())
			if diff := cmp.Diff(ft, again, cmp.AllowUnexported(footer{})); err != nil || diff != "" {
				t.Errorf("a footer that was read and written again: %v\n%s", err, diff)
			}
		}
		x, err := parseIndex(rawIndex)
		if err != nil {
			return
		}
		q := Query{Actor: "shop/w1", Correlation: "request-0"}
		x.choose(&q)
	})
}

func FuzzManifest(f *testing.F) {
	m := &manifest{lost: []span{{4, 5}}}
	for _, e := range []entry{{number: 1, first: 1, last: 3, end: 200, sealed: true}, {number: 2, first: 6, end: -1}} {
		if err := m.addEntry(e); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(m.encode(), true)
	f.Fuzz(func(t *testing.T, data []byte, fix bool) {
		if fix { // get past the checksum
			body, _, _ := cutLast(data, "crc32c ")
			data = fmt.Appendf(bytes.Clone(body), "crc32c %08x\n", crc(body))
		}
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		again, err := parseManifest(m.encode())
		if err != nil {
			t.Fatalf("a manifest that was read and written again: %v\n%s", err, m.encode())
		}
		if diff := cmp.Diff(m, again, cmp.AllowUnexported(manifest{}, entry{}, span{})); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzSegmentHeader(f *testing.F) {
	h := segmentHeader{number: 1, first: 1, created: 5}
	f.Add(h.encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parseSegmentHeader(data)
		if err == nil && !bytes.Equal(h.encode()[8:80], data[8:80]) {
			t.Error("a header that was read is written differently")
		}
	})
}

// TestAnyEventSurvivesItsFrame checks the row codec with arbitrary events, clock
// going back included, in frames with and without compression.
func TestAnyEventSurvivesItsFrame(t *testing.T) {
	text := rapid.StringN(0, 20, MaxCorrelationBytes)
	event := rapid.Custom(func(t *rapid.T) Event {
		return Event{
			Time: rapid.Int64().Draw(t, "time"), Type: Type(rapid.Uint16().Draw(t, "type")),
			Actor: text.Draw(t, "actor"), Correlation: text.Draw(t, "correlation"),
			Causation: rapid.Uint64().Draw(t, "cause"), Version: rapid.Uint8().Draw(t, "version"),
			Content: ContentType(rapid.Uint8().Draw(t, "content")),
			Payload: rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "payload"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Uint64Range(1, 1<<62).Draw(t, "first")
		events := rapid.SliceOfN(event, 1, 60).Draw(t, "events")
		c := &chunk{}
		for i := range events {
			e := &events[i]
			e.Seq = first + uint64(i)
			e.Causation %= e.Seq
			if len(e.Payload) == 0 {
				e.Payload = nil
			}
			c.add(e)
		}
		var p packer
		f, err := p.pack(c, hash{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseFrame(appendFrame(nil, &f))
		if err != nil {
			t.Fatal(err)
		}
		var u unpacker
		defer u.close()
		got, err := decodeAll(&u, &back)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(events, got); diff != "" {
			t.Fatal(diff)
		}
		for _, e := range events {
			if e.Time < back.minTime || e.Time > back.maxTime {
				t.Fatalf("time %v outside the frame's", time.Unix(0, e.Time))
			}
		}
	})
}

func TestABombIsRefused(t *testing.T) {
	var p packer
	small, err := p.compress(make([]byte, 2*maxBody))
	if err != nil {
		t.Fatal(err)
	}
	var u unpacker
	defer u.close()
	for _, says := range []uint32{10, maxBody} {
		f := frame{encoding: encodingRows, compression: compressZstd, rawLength: says, first: 1, count: 1, body: small}
		if _, err := u.rows(&f); err == nil {
			t.Errorf("%d bytes that unpack to %d were accepted", len(small), 2*maxBody)
		}
	}
}
