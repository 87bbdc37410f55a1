package gateway

import "errors"

// Limits on chunked bodies.
const (
	maxSizeDigits = 15      // of a chunk's size in hexadecimal
	maxExtension  = 1 << 10 // bytes of chunk extensions in a line
	maxTrailers   = 8 << 10 // bytes of all trailer fields
)

var errChunk = errors.New("the chunked body is malformed")

// chunks follows a chunked body byte by byte, strictly: RFC 9112, section 7.1, and every line ends in CR LF.
type chunks struct {
	at      chunkPlace
	size    int64 // still to come of the chunk
	digits  int
	line    int // bytes of the extension, or of a trailer line
	total   int // bytes of all trailers
	trailer []byte
}

type chunkPlace uint8

const (
	chunkSize chunkPlace = iota
	chunkExtension
	chunkSizeEnd // LF after the size line's CR
	chunkData
	chunkDataCR
	chunkDataLF
	trailerLine
	trailerLF
)

// scan follows data and tells how much of it belongs to the body and whether the body ended there.
func (c *chunks) scan(data []byte) (n int, done bool, err error) {
	for n < len(data) {
		if c.at == chunkData {
			take := min(c.size, int64(len(data)-n))
			c.size -= take
			n += int(take)
			if c.size == 0 {
				c.at = chunkDataCR
			}
			continue
		}
		done, err := c.step(data[n])
		if err != nil {
			return n, false, err
		}
		n++
		if done {
			return n, true, nil
		}
	}
	return n, false, nil
}

// step takes one byte outside a chunk's data.
func (c *chunks) step(b byte) (done bool, err error) {
	switch c.at {
	case chunkSize:
		return false, c.sizeByte(b)
	case chunkExtension:
		if c.line++; c.line > maxExtension || b == '\n' || b < ' ' && b != '\t' && b != '\r' {
			return false, errChunk
		}
		if b == '\r' {
			c.at = chunkSizeEnd
		}
	case chunkSizeEnd:
		return false, c.sizeEnd(b)
	case chunkDataCR:
		c.at = chunkDataLF
		return false, want(b, '\r')
	case chunkDataLF:
		c.at, c.digits = chunkSize, 0
		return false, want(b, '\n')
	case trailerLine:
		return false, c.trailerByte(b)
	case trailerLF:
		if err := want(b, '\n'); err != nil {
			return false, err
		}
		return c.trailerEnd()
	}
	return false, nil
}

func want(got, wanted byte) error {
	if got != wanted {
		return errChunk
	}
	return nil
}

func (c *chunks) sizeByte(b byte) error {
	digit := -1
	switch {
	case '0' <= b && b <= '9':
		digit = int(b - '0')
	case 'a' <= b && b <= 'f':
		digit = int(b-'a') + 10
	case 'A' <= b && b <= 'F':
		digit = int(b-'A') + 10
	}
	switch {
	case digit >= 0 && c.digits < maxSizeDigits:
		c.size, c.digits = c.size<<4|int64(digit), c.digits+1
		return nil
	case c.digits == 0:
		return errChunk
	case b == '\r':
		c.at = chunkSizeEnd
		return nil
	case b == ';':
		c.at, c.line = chunkExtension, 0
		return nil
	}
	return errChunk
}

func (c *chunks) sizeEnd(b byte) error {
	c.at = chunkData
	if c.size == 0 {
		c.at = trailerLine
	}
	return want(b, '\n')
}

func (c *chunks) trailerByte(b byte) error {
	if c.total++; c.total > maxTrailers || b == '\n' {
		return errChunk
	}
	if b == '\r' {
		c.at = trailerLF
		return nil
	}
	c.trailer = append(c.trailer, b)
	return nil
}

// trailerEnd checks a whole trailer line; an empty one ends the body. Fields that frame or route a message may not come
// behind it.
func (c *chunks) trailerEnd() (done bool, err error) {
	if len(c.trailer) == 0 {
		return true, nil
	}
	var f fields
	if v := f.take(c.trailer); v != nil || f.hosts+f.lengths+f.codings > 0 {
		return false, errChunk
	}
	c.at, c.trailer = trailerLine, c.trailer[:0]
	return false, nil
}
