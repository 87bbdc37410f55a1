package plan

// Digest is the SHA-256 of all that a plan says.
type Digest [32]byte
