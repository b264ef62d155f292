package config

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestWatch(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "env")
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	write("env", "A=1")
	synctest.Test(t, func(t *testing.T) {
		const interval = time.Second
		ctx, cancel := context.WithCancel(t.Context())
		w := NewWatcher(file, filepath.Join(dir, "never there"))
		var gone atomic.Int64
		w.Gone = func(path string) {
			assert.Equal(t, file, path)
			gone.Add(1)
		}
		write("env", "A=2") // between NewWatcher and Run
		var calls atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Run(ctx, interval, func() { calls.Add(1) })
		}()
		after := func(looks int, want int64, what string) {
			t.Helper()
			time.Sleep(time.Duration(looks)*interval + interval/10)
			synctest.Wait()
			assert.Equal(t, want, calls.Load(), what)
		}
		after(3, 1, "a change before Run")
		after(3, 1, "no change, no call")
		write("env", "A=2")
		after(3, 1, "written anew with the same content")

		write("new", "A=3")
		require.NoError(t, os.Rename(filepath.Join(dir, "new"), file))
		after(3, 2, "replaced as editors do")

		write("env", "A=4")
		after(1, 2, "seen once: perhaps still being written")
		write("env", "A=4\nB=5")
		after(1, 2, "seen once, another content")
		after(1, 3, "seen twice")

		require.NoError(t, os.Remove(file))
		after(1, 3, "perhaps only replaced")
		assert.Zero(t, gone.Load())
		after(3, 3, "gone is no change")
		assert.EqualValues(t, 1, gone.Load(), "and told once")
		write("target1", "A=6")
		require.NoError(t, os.Symlink("target1", file))
		after(3, 4, "back, as a symlink")
		write("target2", "A=7")
		require.NoError(t, os.Symlink("target2", filepath.Join(dir, "link2")))
		require.NoError(t, os.Rename(filepath.Join(dir, "link2"), file))
		after(3, 5, "the symlink swapped, as Kubernetes does")

		cancel()
		<-done
	})
}

// A configuration brings its own files: the watcher that it was read through knows them, and takes a change of several
// at once for one.
func TestWatchWhatWasRead(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string) { require.NoError(t, os.WriteFile(at(name), []byte(content), 0o600)) }
	write("cert", "1")
	write("key", "1")
	synctest.Test(t, func(t *testing.T) {
		const interval = time.Second
		ctx, cancel := context.WithCancel(t.Context())
		w := NewWatcher()
		read := func(names ...string) {
			for _, name := range names {
				_, _ = w.ReadFile(at(name))
			}
		}
		read("cert", "key", "none")
		var calls atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.Run(ctx, interval, func() {
				calls.Add(1)
				read("cert", "key", "none", "new")
			})
		}()
		after := func(looks int, want int64, what string) {
			t.Helper()
			time.Sleep(time.Duration(looks)*interval + interval/10)
			synctest.Wait()
			assert.Equal(t, want, calls.Load(), what)
		}
		after(3, 0, "no change")
		write("cert", "2")
		after(1, 0, "seen once")
		write("key", "2")
		after(1, 0, "the other one has just been written")
		after(1, 1, "both at rest: one call")
		after(3, 1, "no further one")
		write("none", "here now")
		after(3, 2, "one that could not be read before")
		write("new", "1")
		after(3, 3, "one that was first read in a call")
		cancel()
		<-done
	})
}

// Who opened a pipe a second time would wait for ever for somebody who writes, and so would the end of the program.
func TestAPipeIsReadOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.WriteFile(file, []byte("1"), 0o600))
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(pipe, []byte("secret"), 0o600) }()
	w := NewWatcher(file)
	for range 2 {
		content, err := w.ReadFile(pipe)
		require.NoError(t, err)
		assert.Equal(t, "secret", string(content))
	}
	require.NoError(t, <-written)
	w.Gone = func(path string) { t.Error("missed: " + path) }
	changed := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Run(ctx, time.Millisecond, func() { close(changed) })
	}()
	require.NoError(t, os.WriteFile(file, []byte("2"), 0o600))
	<-changed
	cancel()
	<-ended
}

func TestWatchEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	NewWatcher(filepath.Join(t.TempDir(), "none")).Run(ctx, 0, func() { t.Error("no change") })
}
