package envoy

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const fits = "envoy  version: 9a1f0f9e2bb5a3be1a3c9a3e7b53a1b2c3d4e5f6/1.40.0/Clean/RELEASE/BoringSSL"

// stub is a program that says what Envoy would to --version.
func stub(t *testing.T, dir, script string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(dir, "envoy")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), mode))
	return path
}

func TestFindTakesTheExplicitOne(t *testing.T) {
	path := stub(t, t.TempDir(), "echo '"+fits+"'", 0o700)
	got, err := Find(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, path, got)
}

func TestFindMakesTheExplicitOneAbsolute(t *testing.T) {
	dir := t.TempDir()
	stub(t, dir, "echo '"+fits+"'", 0o700)
	t.Chdir(dir)
	got, err := Find(t.Context(), "envoy")
	require.NoError(t, err)
	assert.True(t, filepath.IsAbs(got), got)
}

func TestFindRefusesTheExplicitOneWithAReason(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"another version": {"echo 'envoy  version: 1234abcd/1.39.2/Clean/RELEASE/BoringSSL'", "is Envoy 1.39.2, and 1.40.x is needed"},
		"another program": {"echo hello", "does not tell an Envoy version"},
		"it fails":        {"exit 3", "--version: exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Find(t.Context(), stub(t, t.TempDir(), c.script, 0o700))
			require.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, "ENVOY_PATH")
		})
	}
}

func TestFindDoesNotWaitForAProgramThatHangs(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	t.Cleanup(func() { // lets the child end
		if f, err := os.OpenFile(pipe, os.O_RDWR, 0); err == nil {
			_ = f.Close()
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := Find(ctx, stub(t, dir, "cat "+pipe+"; true", 0o700)) // a child of the shell, which outlives it
	require.ErrorContains(t, err, "ENVOY_PATH")
}

func TestFindRefusesWhatIsNotThereOrNotAProgram(t *testing.T) {
	_, err := Find(t.Context(), filepath.Join(t.TempDir(), "envoy"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Find(t.Context(), stub(t, t.TempDir(), "echo '"+fits+"'", 0o600))
	require.ErrorIs(t, err, os.ErrPermission)
}

func TestFindPrefersTheOneOnPathWhenItsVersionFits(t *testing.T) {
	onPath, here := t.TempDir(), t.TempDir()
	path := stub(t, onPath, "echo '"+fits+"'", 0o700)
	installed := filepath.Join(here, ".cache", "envoy", Version)
	require.NoError(t, os.MkdirAll(installed, 0o700))
	copied := stub(t, installed, "echo '"+fits+"'", 0o700)
	t.Chdir(here)

	t.Setenv("PATH", onPath+":/bin:/usr/bin")
	got, err := Find(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, path, got)

	stub(t, onPath, "echo 'envoy  version: 1234abcd/1.41.0/Clean/RELEASE/BoringSSL'", 0o700)
	got, err = Find(t.Context(), "")
	require.NoError(t, err)
	assert.Equal(t, resolved(t, copied), resolved(t, got), "else the installed copy")
}

func TestFindSaysWhatItTriedAndWhatToDo(t *testing.T) {
	onPath := t.TempDir()
	stub(t, onPath, "echo 'envoy  version: 1234abcd/1.30.1/Clean/RELEASE/BoringSSL'", 0o700)
	t.Setenv("PATH", onPath)
	t.Chdir(t.TempDir())
	_, err := Find(t.Context(), "")
	require.ErrorContains(t, err, "run `make envoy`, or set ENVOY_PATH")
	assert.ErrorContains(t, err, "is Envoy 1.30.1")
}

func resolved(t *testing.T, path string) string {
	t.Helper()
	out, err := filepath.EvalSymlinks(path)
	require.NoError(t, err)
	return out
}
