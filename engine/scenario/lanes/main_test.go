package lanes

import (
	"testing"

	"github.com/lukhasai/lukhas-run/internal/calm"
)

func TestMain(m *testing.M) { calm.Main(m) }
