package telemetry_test

import (
	"bufio"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/inference-gateway/envoy-inference-gateway/internal/telemetry"
)

// Who logs does not wait for a reader who does not read; when it reads again, it is told what it has missed.
func TestAReaderWhoIsStuckHoldsNobodyUp(t *testing.T) {
	r, w := io.Pipe()
	log, end := telemetry.NewLogger(w, "text", &slog.LevelVar{})
	const written = 3000 // more than may wait
	for i := range written {
		log.Info("a line", "n", i)
	}
	closed := make(chan struct{})
	go func() { defer close(closed); end(); _ = w.Close() }()
	var got, missing int
	for s := bufio.NewScanner(r); s.Scan(); {
		if strings.Contains(s.Text(), "lines are missing here") {
			assert.Regexp(t, `lines=[1-9]\d*$`, s.Text())
			missing++
			continue
		}
		assert.True(t, got > 0 || strings.HasSuffix(s.Text(), "n=0"), "what came first is not lost: %s", s.Text())
		got++
	}
	<-closed
	assert.Equal(t, 1, missing)
	assert.Greater(t, got, 1000)
	assert.Less(t, got, written)
}

func TestEveryLineArrivesBeforeTheEnd(t *testing.T) {
	var b strings.Builder
	log, end := telemetry.NewLogger(&b, "json", &slog.LevelVar{})
	for range 5000 {
		log.Info("a line")
	}
	end()
	assert.Equal(t, 5000, strings.Count(b.String(), "a line"))
	log.Info("too late") // and harms nothing
}
