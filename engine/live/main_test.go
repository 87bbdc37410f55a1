package live

import (
	"testing"

	"github.com/lukhasai/lukhas-run/internal/calm"
)

// No test leaves a goroutine behind.
func TestMain(m *testing.M) { calm.Main(m) }
