package config

import (
	"context"
	"crypto/sha256"
	"time"
)

// Watcher notices when the content of a file changes. It compares content rather than waiting for file events, because
// editors replace files and Kubernetes swaps symlinks, and both would leave an event watch on the old file.
type Watcher struct {
	path  string
	known [sha256.Size]byte // of the content last reported, or seen by NewWatcher
}

// NewWatcher remembers what the file holds now. Make it before the file is loaded, so that no change falls between.
func NewWatcher(path string) *Watcher {
	w := &Watcher{path: path}
	w.known, _ = w.hash() // a file that is not there yet counts as empty
	return w
}

// Run looks at the file every interval and calls onChange, in its own goroutine's time, once the content is another
// than before and has stayed the same for two looks: a file that is still being written is left to finish. A file that
// is missing or cannot be read is no change. Run returns when ctx ends.
func (w *Watcher) Run(ctx context.Context, interval time.Duration, onChange func()) {
	ticker := time.NewTicker(max(interval, time.Millisecond))
	defer ticker.Stop()
	last := w.known
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, ok := w.hash()
		if !ok {
			continue
		}
		if now == last && now != w.known {
			w.known = now
			onChange()
		}
		last = now
	}
}

// Watch is NewWatcher and Run: it blocks until ctx ends.
func Watch(ctx context.Context, path string, interval time.Duration, onChange func()) {
	NewWatcher(path).Run(ctx, interval, onChange)
}

func (w *Watcher) hash() ([sha256.Size]byte, bool) {
	content, err := readFile(w.path)
	if err != nil {
		return sha256.Sum256(nil), false
	}
	return sha256.Sum256(content), true
}
