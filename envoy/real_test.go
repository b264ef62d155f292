package envoy

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// patience bounds every wait; nothing is measured by it.
const patience = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// realEnvoy is the Envoy of ENVOY_PATH, else the one that `make envoy` installs.
func realEnvoy(t *testing.T) string {
	t.Helper()
	path := os.Getenv("ENVOY_PATH")
	if path == "" {
		path = filepath.Join("..", ".cache", "envoy", Version, "envoy")
	}
	path, err := Find(t.Context(), path)
	require.NoError(t, err, "run `make envoy`, or set ENVOY_PATH")
	return path
}
