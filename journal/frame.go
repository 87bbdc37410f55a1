package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
)

// MaxBatchBytes bounds the events of one Append together, in bytes.
const MaxBatchBytes = 4 << 20

const (
	frameMagic      = "LJFR"
	formatVersion   = 1
	encodingRows    = 1
	compressNone    = 0
	compressZstd    = 1
	frameHeaderSize = 92
	maxBody         = 8 << 20 // of a frame, stored or decompressed
	frameTarget     = 256 << 10
	compressFrom    = 1 << 10
)

// hash is the SHA-256 of a frame or a file.
type hash = [sha256.Size]byte

// frame is one decoded frame header with its stored body.
type frame struct {
	encoding, compression uint8
	rawLength             uint32
	first                 uint64
	count                 uint32
	minTime, maxTime      int64
	durable               uint64 // events up to here were synced before this frame was written
	previous              hash
	body                  []byte
}

func (f *frame) last() uint64 { return f.first + uint64(f.count) - 1 }

func crc(parts ...[]byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := uint32(0)
	for _, p := range parts {
		sum = crc32.Update(sum, table, p)
	}
	return sum
}

// appendFrame appends the frame's bytes to dst.
func appendFrame(dst []byte, f *frame) []byte {
	start := len(dst)
	le := binary.LittleEndian
	dst = append(dst, frameMagic...)
	dst = append(dst, formatVersion, f.encoding, f.compression, 0)
	dst = le.AppendUint32(dst, uint32(len(f.body)))
	dst = le.AppendUint32(dst, f.rawLength)
	dst = le.AppendUint64(dst, f.first)
	dst = le.AppendUint32(dst, f.count)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint64(dst, uint64(f.minTime))
	dst = le.AppendUint64(dst, uint64(f.maxTime))
	dst = le.AppendUint64(dst, f.durable)
	dst = append(dst, f.previous[:]...)
	dst = le.AppendUint32(dst, crc(dst[start:], f.body))
	return append(dst, f.body...)
}

// frameSize returns the length of the frame that starts with header, or an
// error when it cannot be one. It does not look at the CRC.
func frameSize(header []byte) (int, error) {
	le := binary.LittleEndian
	switch {
	case len(header) < frameHeaderSize:
		return 0, fmt.Errorf("%d bytes are too few for a frame", len(header))
	case string(header[:4]) != frameMagic:
		return 0, fmt.Errorf("no frame starts here")
	case header[4] != formatVersion:
		return 0, fmt.Errorf("frame version %d, this program reads %d", header[4], formatVersion)
	case le.Uint32(header[8:]) > maxBody || le.Uint32(header[12:]) > maxBody:
		return 0, fmt.Errorf("frame of %d bytes is larger than %d", le.Uint32(header[8:]), maxBody)
	}
	return frameHeaderSize + int(le.Uint32(header[8:])), nil
}

// parseFrame decodes the frame that data holds exactly. The body shares data.
func parseFrame(data []byte) (frame, error) {
	size, err := frameSize(data)
	if err != nil {
		return frame{}, err
	}
	if size != len(data) {
		return frame{}, fmt.Errorf("frame of %d bytes in %d", size, len(data))
	}
	le := binary.LittleEndian
	body := data[frameHeaderSize:]
	if crc(data[:88], body) != le.Uint32(data[88:]) {
		return frame{}, fmt.Errorf("checksum does not match")
	}
	f := frame{
		encoding: data[5], compression: data[6], rawLength: le.Uint32(data[12:]),
		first: le.Uint64(data[16:]), count: le.Uint32(data[24:]),
		minTime: int64(le.Uint64(data[32:])), maxTime: int64(le.Uint64(data[40:])),
		durable: le.Uint64(data[48:]), previous: hash(data[56:88]), body: body,
	}
	if f.count == 0 || f.first == 0 || f.first+uint64(f.count) < f.first {
		return frame{}, fmt.Errorf("frame of %d events from %d", f.count, f.first)
	}
	return f, nil
}

// packer turns chunks into frames. It belongs to one goroutine. Its encoder is
// made when the first body is large enough to need one.
type packer struct {
	zstd   *zstd.Encoder
	packed []byte
}

func (p *packer) compress(raw []byte) ([]byte, error) {
	if p.zstd == nil {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
			zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("zstd encoder: %w", err)
		}
		p.zstd = enc
	}
	p.packed = p.zstd.EncodeAll(raw, p.packed[:0])
	return p.packed, nil
}

// pack returns the chunk as a frame whose body is valid until the next pack.
func (p *packer) pack(c *chunk, previous hash, durable uint64) (frame, error) {
	f := frame{
		encoding: encodingRows, rawLength: uint32(len(c.rows)), first: c.first, count: c.count,
		minTime: c.minTime, maxTime: c.maxTime, durable: durable, previous: previous, body: c.rows,
	}
	if len(c.rows) < compressFrom {
		return f, nil
	}
	packed, err := p.compress(c.rows)
	if err == nil && len(packed) < len(c.rows) {
		f.compression, f.body = compressZstd, packed
	}
	return f, err
}

// unpacker turns frames into rows. It belongs to one goroutine. The zero value
// is ready; its decoder is made when the first compressed body comes.
type unpacker struct{ zstd *zstd.Decoder }

func (u *unpacker) decompress(raw, body []byte) ([]byte, error) {
	if u.zstd == nil {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderMaxWindow(maxBody))
		if err != nil {
			return nil, fmt.Errorf("zstd decoder: %w", err)
		}
		u.zstd = dec
	}
	return u.zstd.DecodeAll(body, raw)
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
	}
}

// rows returns a reader over the frame's events, on bytes of its own.
func (u *unpacker) rows(f *frame) (rowReader, error) {
	if f.encoding != encodingRows {
		return rowReader{}, fmt.Errorf("body encoding %d, this program reads %d", f.encoding, encodingRows)
	}
	raw := make([]byte, 0, f.rawLength)
	switch f.compression {
	case compressNone:
		raw = append(raw, f.body...)
	case compressZstd:
		var err error
		if raw, err = u.decompress(raw, f.body); err != nil {
			return rowReader{}, fmt.Errorf("decompress: %w", err)
		}
	default:
		return rowReader{}, fmt.Errorf("unknown compression %d", f.compression)
	}
	if len(raw) != int(f.rawLength) {
		return rowReader{}, fmt.Errorf("body has %d bytes, its header says %d", len(raw), f.rawLength)
	}
	return rowReader{rest: raw, seq: f.first, left: f.count}, nil
}
