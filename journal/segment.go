package journal

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path"
)

const (
	segmentMagic      = "LJSG"
	footerMagic       = "LJFT"
	endMagic          = "LJEN"
	segmentHeaderSize = 84
	footerFixed       = 20 + 32 + 32 + 4 + 8
	footerHeadSize    = 20
	maxFooter         = 256 << 20
)

// journalID tells journals apart, so that a segment cannot slip into another's directory.
type journalID [16]byte

// String returns the id in hexadecimal.
func (id journalID) String() string { return hex.EncodeToString(id[:]) }

type segmentHeader struct {
	id       journalID
	number   uint64
	first    uint64
	created  int64
	previous hash
}

func segmentName(dir string, number uint64) string {
	return path.Join(dir, fmt.Sprintf("%08d.seg", number))
}

func (h *segmentHeader) encode() []byte {
	le := binary.LittleEndian
	b := append(make([]byte, 0, segmentHeaderSize), segmentMagic...)
	b = append(b, formatVersion, 0, 0, 0)
	b = append(b, h.id[:]...)
	b = le.AppendUint64(b, h.number)
	b = le.AppendUint64(b, h.first)
	b = le.AppendUint64(b, uint64(h.created))
	b = append(b, h.previous[:]...)
	return le.AppendUint32(b, crc(b))
}

func parseSegmentHeader(b []byte) (segmentHeader, error) {
	le := binary.LittleEndian
	switch {
	case len(b) != segmentHeaderSize:
		return segmentHeader{}, fmt.Errorf("segment header has %d bytes instead of %d", len(b), segmentHeaderSize)
	case string(b[:4]) != segmentMagic:
		return segmentHeader{}, fmt.Errorf("not a segment")
	case crc(b[:80]) != le.Uint32(b[80:]):
		return segmentHeader{}, fmt.Errorf("checksum of the segment header does not match")
	case b[4] != formatVersion:
		return segmentHeader{}, fmt.Errorf("segment version %d, this program reads %d", b[4], formatVersion)
	}
	return segmentHeader{
		id: journalID(b[8:24]), number: le.Uint64(b[24:]), first: le.Uint64(b[32:]),
		created: int64(le.Uint64(b[40:])), previous: hash(b[48:80]),
	}, nil
}

// footer closes a sealed segment.
type footer struct {
	last  uint64 // number of the last event
	index []byte
	head  hash // of the last frame
	sum   hash // of all bytes before the footer
}

func (f *footer) encode() []byte {
	le := binary.LittleEndian
	size := footerFixed + len(f.index)
	b := append(make([]byte, 0, size), footerMagic...)
	b = append(b, formatVersion, 0, 0, 0)
	b = le.AppendUint32(b, uint32(len(f.index)))
	b = le.AppendUint64(b, f.last)
	b = append(b, f.index...)
	b = append(b, f.head[:]...)
	b = append(b, f.sum[:]...)
	b = le.AppendUint32(b, crc(b))
	b = le.AppendUint32(b, uint32(size))
	return append(b, endMagic...)
}

func parseFooter(b []byte) (footer, error) {
	le := binary.LittleEndian
	if len(b) < footerFixed || string(b[:4]) != footerMagic || string(b[len(b)-4:]) != endMagic {
		return footer{}, fmt.Errorf("no footer")
	}
	n := len(b) - footerFixed
	checked := b[:len(b)-12]
	switch {
	case le.Uint32(b[len(b)-12:]) != crc(checked):
		return footer{}, fmt.Errorf("checksum of the footer does not match")
	case b[4] != formatVersion:
		return footer{}, fmt.Errorf("footer version %d, this program reads %d", b[4], formatVersion)
	case int(le.Uint32(b[8:])) != n || int(le.Uint32(b[len(b)-8:])) != len(b):
		return footer{}, fmt.Errorf("lengths in the footer do not match")
	}
	at := footerHeadSize + n
	return footer{
		last: le.Uint64(b[12:]), index: b[footerHeadSize:at],
		head: hash(b[at : at+32]), sum: hash(b[at+32 : at+64]),
	}, nil
}

// readFooter reads the footer at the end of a segment file and returns it with
// its offset. An error means that there is no intact one.
func readFooter(f File) (footer, int64, error) {
	size, err := f.Size()
	if err != nil {
		return footer{}, 0, err
	}
	tail := make([]byte, 8)
	if size < segmentHeaderSize+footerFixed {
		return footer{}, 0, fmt.Errorf("no footer")
	}
	if _, err := f.ReadAt(tail, size-8); err != nil {
		return footer{}, 0, err
	}
	length := int64(binary.LittleEndian.Uint32(tail))
	if string(tail[4:]) != endMagic || length < footerFixed || length > maxFooter || length > size-segmentHeaderSize {
		return footer{}, 0, fmt.Errorf("no footer")
	}
	data := make([]byte, length)
	if _, err := f.ReadAt(data, size-length); err != nil {
		return footer{}, 0, err
	}
	ft, err := parseFooter(data)
	return ft, size - length, err
}
