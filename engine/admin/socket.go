package admin

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
)

// maxSocketPath is what the kernel takes, with room for its terminator: sun_path has 104 to 108 bytes.
const maxSocketPath = 100

// SocketPath is where the engine with this data directory listens. A path too long for the kernel is replaced by one in
// the user's temporary directory that both sides derive from it.
func SocketPath(data string) (string, error) {
	abs, err := filepath.Abs(data)
	if err != nil {
		return "", fmt.Errorf("admin socket in %q: %w", data, err)
	}
	path := filepath.Join(abs, "admin.sock")
	if len(path) <= maxSocketPath {
		return path, nil
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join(os.TempDir(), fmt.Sprintf("lukhas-%d-%x.sock", os.Getuid(), sum[:8])), nil
}
