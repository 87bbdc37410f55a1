package gateway

import (
	"bytes"
	"net/http"
	"strings"
)

// maxFields bounds the header fields of a request.
const maxFields = 200

// maxLengthDigits bounds a Content-Length, far above every limit on bodies and far below an overflow.
const maxLengthDigits = 15

// framing says what follows a request's head.
type framing struct {
	length  int64 // of the body; 0 without one
	chunked bool
	upgrade bool // the connection may become something else
}

// violation is why a head is refused: the status to answer and a reason.
type violation struct {
	status int
	reason string
}

func bad(reason string) *violation { return &violation{http.StatusBadRequest, reason} }

// fields is what a head's fields say about framing.
type fields struct {
	count, hosts, lengths, codings int
	length, coding                 []byte
	upgrade, upgrades              bool // the Upgrade field; Connection names it
}

// checkHead reads a request's head, ending in an empty line, by the strict rules of RFC 9112: one reading is possible or
// none. A line that ends in LF alone, white space around names, folded lines, a repeated or signed length, a length beside a
// transfer coding and any coding but chunked are refused.
func checkHead(head []byte) (framing, *violation) {
	line, rest, ok := nextLine(head)
	if !ok {
		return framing{}, bad("a line must end in CR LF")
	}
	http10, v := checkRequestLine(line)
	if v != nil {
		return framing{}, v
	}
	var f fields
	for {
		if line, rest, ok = nextLine(rest); !ok {
			return framing{}, bad("a line must end in CR LF")
		}
		if len(line) == 0 {
			break
		}
		if v := f.take(line); v != nil {
			return framing{}, v
		}
	}
	return f.settle(http10)
}

// nextLine cuts the first line off; its end must be CR LF and there may be no other CR in it.
func nextLine(text []byte) (line, rest []byte, ok bool) {
	end := bytes.IndexByte(text, '\n')
	if end < 1 || text[end-1] != '\r' {
		return nil, nil, false
	}
	line = text[:end-1]
	return line, text[end+1:], bytes.IndexByte(line, '\r') < 0
}

func checkRequestLine(line []byte) (http10 bool, v *violation) {
	method, rest, found := bytes.Cut(line, []byte(" "))
	target, version, found2 := bytes.Cut(rest, []byte(" "))
	if !found || !found2 || !isToken(method) || len(method) > 32 || len(target) == 0 {
		return false, bad("not a request line")
	}
	for _, c := range target {
		if c <= ' ' || c >= 0x7f {
			return false, bad("the target has a character that must be escaped")
		}
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		http10 = true
	default:
		return false, &violation{http.StatusHTTPVersionNotSupported, "only HTTP/1.1, HTTP/1.0 and, where it is on, HTTP/2"}
	}
	if string(method) == http.MethodConnect {
		return false, &violation{http.StatusMethodNotAllowed, "CONNECT is not for gateways"}
	}
	return http10, nil
}

// take reads one field line.
func (f *fields) take(line []byte) *violation {
	if f.count++; f.count > maxFields {
		return &violation{http.StatusRequestHeaderFieldsTooLarge, "too many header fields"}
	}
	name, value, found := bytes.Cut(line, []byte(":"))
	if !found || !isToken(name) {
		return bad("not a header field")
	}
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return bad("a header field has a control character")
		}
	}
	value = bytes.Trim(value, " \t")
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		f.lengths++
		f.length = value
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		f.codings++
		f.coding = value
	case bytes.EqualFold(name, []byte("Host")):
		f.hosts++
	case bytes.EqualFold(name, []byte("Upgrade")):
		f.upgrade = true
	case bytes.EqualFold(name, []byte("Connection")):
		f.upgrades = f.upgrades || hasToken(string(value), "upgrade")
	}
	return nil
}

// settle decides on the framing once all fields are known.
func (f *fields) settle(http10 bool) (framing, *violation) {
	var got framing
	switch {
	case f.hosts > 1 || f.hosts == 0 && !http10:
		return got, bad("exactly one Host field is needed")
	case f.lengths > 0 && f.codings > 0:
		return got, bad("both Content-Length and Transfer-Encoding")
	case f.lengths > 1 || f.codings > 1:
		return got, bad("the body's length is given twice")
	case f.codings > 0 && http10:
		return got, bad("HTTP/1.0 has no Transfer-Encoding")
	case f.codings > 0 && !bytes.EqualFold(f.coding, []byte("chunked")):
		return got, &violation{http.StatusNotImplemented, "no transfer coding but chunked"}
	}
	got.chunked = f.codings > 0
	if f.lengths > 0 {
		n, ok := decimal(f.length)
		if !ok {
			return got, bad("Content-Length must be a whole number")
		}
		got.length = n
	}
	if got.upgrade = f.upgrade && f.upgrades; got.upgrade && (got.chunked || got.length > 0) {
		return got, bad("an upgrade has no body")
	}
	return got, nil
}

func decimal(text []byte) (n int64, ok bool) {
	if len(text) == 0 || len(text) > maxLengthDigits {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// hasToken tells whether a comma-separated list has this token, in any case.
func hasToken(list, token string) bool {
	for part := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.Trim(part, " \t"), token) {
			return true
		}
	}
	return false
}

// isToken follows RFC 9110, section 5.6.2.
func isToken(text []byte) bool {
	for _, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return len(text) > 0
}
