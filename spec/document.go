package spec

import (
	"io"
	"io/fs"
	"time"
)

// APIVersion is the language version that this package reads.
const APIVersion = "lukhas/v1"

// Kind is the kind of a document.
type Kind string

// The three kinds.
const (
	KindTopology Kind = "Topology"
	KindPolicy   Kind = "Policy"
	KindScenario Kind = "Scenario"
)

// Document is one YAML document, walked and typed. Its values may still hold
// ${params.x}, ${name} and ${replica}.
type Document struct {
	Kind   Kind
	Name   string // metadata.name
	File   string // as the user gave it, "-" for standard input
	Labels map[string]string
	Root   *Value
}

// Expired tells that a policy has dropped out by a time. What has no `expires` never does, and at the zero time nothing has.
func (d *Document) Expired(by time.Time) bool {
	expires := d.Root.Field("expires")
	return expires != nil && !by.IsZero() && !expires.Time().After(by)
}

// File is one file that a load read.
type File struct {
	Path   string // as given, or joined from the including file's directory
	Data   []byte
	SHA256 [32]byte
}

// Set is everything that one load produced. Topology is the one topology with
// its includes beside it; it is nil when only policies or scenarios were given.
type Set struct {
	Documents []*Document // all, in the order read
	Files     []File      // all, in the order read; for watching and identity
	Watch     []string    // include patterns, joined to paths, for watching
	Topology  *Document
	Included  []*Document // fragments that Topology includes, in order
	Policies  []*Document
	Scenarios []*Document
	Secrets   [][32]byte // SHA-256 of each secret read, for identity

	opts Options
}

// FileSystem is what Load needs of files. Paths are the operating system's.
type FileSystem interface {
	Stat(path string) (fs.FileInfo, error)
	ReadFile(path string) ([]byte, error)
	Glob(pattern string) ([]string, error)
}

// Options say where a load finds what is outside the files. The zero value has
// an empty environment and no secrets.
type Options struct {
	Env             func(name string) (string, bool)  // ${VAR}
	ReadSecretFile  func(path string) ([]byte, error) // ${file:/path}
	AllowMissingEnv bool                              // unset variables become "" with a warning
	Exe             string                            // ${exe}; empty leaves it as it is
	Stdin           io.Reader                         // for the path "-"
	Now             time.Time                         // policies expired by then drop out; zero: none does
}

// Topology is a resolved topology: includes, inheritance, templates, named
// policies, Policy documents and the override are merged into Root, which is
// complete but for the defaults of the table (see Value.At) and for replicas.
type Topology struct {
	Name   string
	File   string
	Labels map[string]string
	Root   *Value // of the topology type

	resolver *resolver
}
