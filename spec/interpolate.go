package spec

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A scalar may hold, after YAML is done with it:
//
//	${VAR} ${VAR:-default}      from the environment
//	${file:/path} ${secret:VAR} secrets, redacted everywhere
//	${exe}                      the running binary
//	${params.x}                 filled in by Resolve
//	${name} ${replica}          filled in by the compiler, see Value.TextFor
//	$${                         a literal ${
//
// Expressions are never interpolated.

type partKind uint8

const (
	partText    partKind = iota
	partParam            // text is the param's name
	partReplica          // text is "name" or "replica"
)

// part is a piece of a scalar that is not filled in yet.
type part struct {
	kind partKind
	text string
}

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// maxSecret bounds a file read by ${file:…}.
const maxSecret = 64 << 10

// interpolation fills in one scalar.
type interpolation struct {
	opts    *Options
	parts   []part
	secret  bool
	missing bool
	secrets *[][32]byte
	report  func(severity Severity, offset, length int, p *problem)
}

// needsInterpolation is the cheap test before the work.
func needsInterpolation(text string) bool { return strings.Contains(text, "${") }

// fill splits text and fills in all that is known now. It reports problems with
// rune offsets into text.
func (in *interpolation) fill(text string) {
	offset := 0
	for text != "" {
		at := strings.Index(text, "${")
		if at < 0 {
			in.add(partText, text)
			return
		}
		if at > 0 && text[at-1] == '$' {
			in.add(partText, text[:at-1]+"${")
			offset += utf8.RuneCountInString(text[:at+2])
			text = text[at+2:]
			continue
		}
		in.add(partText, text[:at])
		offset += utf8.RuneCountInString(text[:at])
		end := strings.IndexByte(text[at:], '}')
		if end < 0 {
			in.report(Error, offset, 2, problemf("LR602", `"${" is never closed; write "}" after the name, or "$${" for a literal "${"`))
			return
		}
		whole := text[at : at+end+1]
		length := utf8.RuneCountInString(whole)
		in.variable(whole[2:len(whole)-1], offset, length)
		offset += length
		text = text[at+end+1:]
	}
}

func (in *interpolation) add(kind partKind, text string) {
	last := len(in.parts) - 1
	switch {
	case kind == partText && text == "":
	case kind == partText && last >= 0 && in.parts[last].kind == partText:
		in.parts[last].text += text
	default:
		in.parts = append(in.parts, part{kind, text})
	}
}

func (in *interpolation) variable(body string, offset, length int) {
	fail := func(p *problem) { in.report(Error, offset, length, p) }
	param, isParam := strings.CutPrefix(body, "params.")
	path, isFile := strings.CutPrefix(body, "file:")
	secret, isSecret := strings.CutPrefix(body, "secret:")
	name, fallback, hasFallback := strings.Cut(body, ":-")
	switch {
	case body == "name", body == "replica":
		in.add(partReplica, body)
	case body == "exe":
		in.exe()
	case isParam:
		in.add(partParam, param)
	case isFile:
		in.file(path, fail)
	case isSecret:
		in.secret = true
		in.environment(secret, "", false, offset, length)
	case !variablePattern.MatchString(name):
		fail(problemf("LR602", `%q is not a variable; write ${VAR}, ${VAR:-default}, ${file:/path}, ${secret:VAR} or ${params.x}`, "${"+body+"}"))
	default:
		in.environment(name, fallback, hasFallback, offset, length)
	}
}

func (in *interpolation) exe() {
	if in.opts.Exe == "" {
		in.add(partText, "${exe}")
		return
	}
	in.add(partText, in.opts.Exe)
}

func (in *interpolation) environment(name, fallback string, hasFallback bool, offset, length int) {
	if in.opts.Env != nil {
		if value, ok := in.opts.Env(name); ok && (value != "" || !hasFallback) {
			in.found(value)
			return
		}
	}
	if hasFallback {
		in.add(partText, fallback)
		return
	}
	p := problemf("LR601", "%s is not set; use ${%s:-default}", name, name)
	if in.secret {
		p = problemf("LR601", "%s is not set", name)
	}
	severity := Error
	if in.opts.AllowMissingEnv {
		severity, in.missing = Warning, true
	}
	in.report(severity, offset, length, p)
}

func (in *interpolation) file(path string, fail func(*problem)) {
	in.secret = true
	if in.opts.ReadSecretFile == nil {
		in.missing = true
		return
	}
	data, err := in.opts.ReadSecretFile(path)
	switch {
	case err != nil && in.opts.AllowMissingEnv:
		in.missing = true
	case err != nil:
		fail(problemf("LR606", "cannot read the secret: %v", err))
	case len(data) > maxSecret:
		fail(problemf("LR606", "secret file %s has %d bytes; at most %d", path, len(data), maxSecret))
	default:
		in.found(strings.TrimRight(string(data), "\r\n"))
	}
}

// found adds a value from outside; of secrets it keeps the hash.
func (in *interpolation) found(value string) {
	if in.secret && in.secrets != nil {
		*in.secrets = append(*in.secrets, sha256.Sum256([]byte(value)))
	}
	in.add(partText, value)
}

// joined returns the text with what is still open spelled as written.
func joined(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		switch p.kind {
		case partText:
			b.WriteString(p.text)
		case partParam:
			fmt.Fprintf(&b, "${params.%s}", p.text)
		case partReplica:
			fmt.Fprintf(&b, "${%s}", p.text)
		}
	}
	return b.String()
}

// open reports whether parts still wait for something.
func open(parts []part) bool {
	for _, p := range parts {
		if p.kind != partText {
			return true
		}
	}
	return false
}

func waitsFor(parts []part, kind partKind) bool {
	for _, p := range parts {
		if p.kind == kind {
			return true
		}
	}
	return false
}
