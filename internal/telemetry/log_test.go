package telemetry_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/telemetry"
)

func TestFormats(t *testing.T) {
	for format, isJSON := range map[string]bool{"json": true, "text": false, "": true} {
		var b bytes.Buffer
		log, end := telemetry.NewLogger(&b, format, &slog.LevelVar{})
		log.Info("hello", "n", 1)
		end()
		assert.Equal(t, isJSON, json.Valid(b.Bytes()), "%q: %s", format, b.String())
		assert.Contains(t, b.String(), "hello")
	}
}

// A file is no terminal; a character device is taken for one.
func TestFilesGetJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	require.NoError(t, err)
	log, end := telemetry.NewLogger(f, "", &slog.LevelVar{})
	log.Info("hello")
	end()
	require.NoError(t, f.Close())
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.True(t, json.Valid(written), "%s", written)
}

// A reload of the configuration changes the level of the logger that is in use.
func TestTheLevelIsReadAtEachLine(t *testing.T) {
	var b bytes.Buffer
	level := &slog.LevelVar{}
	log, end := telemetry.NewLogger(&b, "json", level)
	log.Debug("one")
	level.Set(slog.LevelDebug)
	log.Debug("two")
	level.Set(slog.LevelError)
	log.Warn("three")
	end()
	assert.NotContains(t, b.String(), "one")
	assert.Contains(t, b.String(), "two")
	assert.NotContains(t, b.String(), "three")
}
