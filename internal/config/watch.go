package config

import (
	"context"
	"crypto/sha256"
	"maps"
	"os"
	"time"
)

// Watcher notices when the content of files changes. It compares content rather than waiting for file events, because
// editors replace files and Kubernetes swaps symlinks, and both would leave an event watch on the old file.
//
// Its methods are called by one goroutine at a time; onChange of Run may call them too.
type Watcher struct {
	// Gone, when set, is called once for a file that was there and for two looks cannot be read any more. What it held
	// stays in use; the next start would fail.
	Gone func(path string)

	known map[string][sha256.Size]byte // of each file: the content last reported, or read through the watcher
	gone  map[string]int               // of each file that cannot be read: for how many looks
	pipes map[string][]byte            // what came out of those that can be read only once
}

// NewWatcher remembers what the files hold now. Make it before they are loaded, so that no change falls between, or
// load them through it (ReadFile).
func NewWatcher(paths ...string) *Watcher {
	w := &Watcher{known: map[string][sha256.Size]byte{}, gone: map[string]int{}, pipes: map[string][]byte{}}
	for _, path := range paths {
		w.known[path], _ = hash(path) // a file that is not there yet counts as empty
	}
	return w
}

// ReadFile reads a file and watches it from now on: a FileReader, so that a configuration brings its own files to watch.
// One that cannot be read is watched too, since it may appear. A pipe, such as a shell makes of <(command), is read once:
// who opens it again gets nothing, or waits for ever.
func (w *Watcher) ReadFile(path string) ([]byte, error) {
	if content, read := w.pipes[path]; read {
		return content, nil
	}
	content, err := readFile(path)
	if err == nil && !isRegular(path) {
		w.pipes[path] = content
		return content, nil
	}
	w.known[path] = sha256.Sum256(content)
	return content, err
}

// Run looks at the files every interval and calls onChange, in its own goroutine's time, once one's content is another
// than before and all have stayed the same for two looks: what is still being written, or written one after the other
// as a certificate and its key are, is left to finish. A file that is missing or cannot be read is no change. Run
// returns when ctx ends.
func (w *Watcher) Run(ctx context.Context, interval time.Duration, onChange func()) {
	ticker := time.NewTicker(max(interval, time.Millisecond))
	defer ticker.Stop()
	last := maps.Clone(w.known)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if w.changed(last) {
			onChange()
		}
	}
}

// changed looks once, and compares with the last look, which it replaces.
func (w *Watcher) changed(last map[string][sha256.Size]byte) bool {
	changed, settled := false, true
	seen := map[string][sha256.Size]byte{}
	for path, known := range w.known {
		now, ok := hash(path)
		if !ok {
			w.miss(path, known)
			continue
		}
		delete(w.gone, path)
		changed = changed || now != known
		settled = settled && now == last[path]
		last[path], seen[path] = now, now
	}
	if !changed || !settled {
		return false
	}
	maps.Copy(w.known, seen)
	return true
}

// miss counts a look at a file that cannot be read. One that has never been there is not missed.
func (w *Watcher) miss(path string, known [sha256.Size]byte) {
	w.gone[path]++
	if w.gone[path] == 2 && known != sha256.Sum256(nil) && w.Gone != nil {
		w.Gone(path)
	}
}

func hash(path string) ([sha256.Size]byte, bool) {
	if !isRegular(path) {
		return sha256.Sum256(nil), false
	}
	content, err := readFile(path)
	if err != nil {
		return sha256.Sum256(nil), false
	}
	return sha256.Sum256(content), true
}

// isRegular is false for what is not there, and for pipes and devices.
func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
