package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/access"
)

func TestKeysCreateListRevoke(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.yaml")
	environment(t, "API_KEYS_FILE="+file)
	code, first, stderr := program(t, "keys", "create", "first", "--owner", "me", "--group", "a", "--group", "b c", "--expires", "90d", "--model", "demo/*", "--max-tokens", "7")
	require.Zero(t, code, stderr)
	assert.Empty(t, stderr)
	require.Regexp(t, `^igw-[A-Za-z0-9_-]{43}\n$`, first, "the key and nothing else, for scripts")
	code, second, stderr := program(t, "keys", "create", "second")
	require.Zero(t, code, stderr)
	assert.NotEqual(t, first, second)

	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(content), strings.TrimSpace(first))
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	table, err := access.Load(&access.Source{Content: content}, nil)
	require.NoError(t, err)
	k, err := table.Find(strings.TrimSpace(first), time.Now())
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b c"}, k.Groups)
	assert.WithinDuration(t, time.Now().AddDate(0, 0, 90), k.Expires, time.Hour)

	code, _, stderr = program(t, "keys", "create", "limited", "--limit", "tokens/day=5000", "--limit", "requests/minute=6", "--limit", "requests/day=60")
	require.Zero(t, code, stderr)
	content, err = os.ReadFile(file)
	require.NoError(t, err)
	assert.Contains(t, string(content), "limits: {tokens: {day: 5000}, requests: {minute: 6, day: 60}}")

	code, _, stderr = program(t, "keys", "revoke", "first")
	require.Zero(t, code, stderr)
	code, stdout, _ := program(t, "keys", "list")
	require.Zero(t, code)
	assert.Regexp(t, `(?m)^first +revoked .* a, b c +me$`, stdout)
	assert.Regexp(t, `(?m)^second +good +never +- +-$`, stdout)
	assert.NotContains(t, stdout, access.Hash(strings.TrimSpace(first)))

	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"revoke", "first"}, exitConfig, "already"},
		{[]string{"revoke", "third"}, exitConfig, `no key "third"`},
		{[]string{"create", "second"}, exitConfig, "an id that no other key has"},
		{[]string{"create", "a/b"}, exitConfig, "an id of 1 to 64"},
		{[]string{"create", "x", "--expires", "2020-01-01"}, exitNotStart, "a time to come"},
		{[]string{"create", "x", "--expires", "soon"}, exitNotStart, "a time to come"},
		{[]string{"create", "x", "--limit", "requests/second=1"}, exitNotStart, "a limit such as requests/minute=60"},
		{[]string{"create", "x", "--limit", "tokens/day=9", "--limit", "tokens/day=8"}, exitNotStart, "each limit once"},
		{[]string{"create", "x", "--limit", "tokens/day=many"}, exitConfig, "a whole number from 1"},
		{[]string{"create", "x", "y"}, exitNotStart, "unexpected argument y"},
		{[]string{"create"}, exitNotStart, "needs the id"},
		{[]string{"revoke", "--file", "x"}, exitNotStart, "needs the id"},
		{[]string{"list", "--owner", "x"}, exitNotStart, "owner"},
		{[]string{"delete", "x"}, exitNotStart, "create, list or revoke?"},
		{nil, exitNotStart, "create, list or revoke?"},
		{[]string{"list", "--file", filepath.Join(t.TempDir(), "none")}, exitConfig, "no such file"},
		{[]string{"create", "x", "--file", filepath.Join(t.TempDir(), "none", "x")}, exitConfig, "no such file"},
	} {
		code, stdout, stderr := program(t, append([]string{"keys"}, tt.args...)...)
		assert.Equal(t, tt.code, code, "%v", tt.args)
		assert.Contains(t, stderr, tt.says, "%v", tt.args)
		assert.Empty(t, stdout, "%v", tt.args)
	}
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(string(after), "sha256:"), "nothing was written that was refused")

	code, stdout, _ = program(t, "keys", "--help")
	assert.Zero(t, code)
	assert.Equal(t, keysUsage, stdout)
	environment(t)
	code, _, stderr = program(t, "keys", "list")
	assert.Equal(t, exitNotStart, code)
	assert.Contains(t, stderr, "API_KEYS_FILE")
}

func TestExpiry(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]string{
		"1d": "2026-11-24T12:00:00Z", "12h": "2026-11-24T00:00:00Z", "2027-01-31": "2027-01-31T00:00:00Z", "2027-01-31T12:00:00+01:00": "2027-01-31T11:00:00Z",
	} {
		got, err := expiry(s, now)
		require.NoError(t, err, s)
		assert.Equal(t, want, got.UTC().Format(time.RFC3339), s)
	}
	for _, s := range []string{"", "d", "-1d", "-1h", "0s", "0d", "2026-11-23", "99999999d", "never"} {
		_, err := expiry(s, now)
		assert.Error(t, err, s)
	}
}

// Readers of a file that is edited see one whole content or another, and no edit is lost.
func TestEditsComeOneAfterTheOther(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	require.NoError(t, os.WriteFile(target, nil, 0o640))
	require.NoError(t, os.Symlink(target, link))
	var edits sync.WaitGroup
	for i := range 20 {
		edits.Go(func() {
			path := target
			if i%2 == 0 {
				path = link
			}
			assert.NoError(t, edit(path, func(content []byte) ([]byte, error) {
				return append(bytes.Clone(content), []byte(strconv.Itoa(i)+"\n")...), nil
			}))
		})
	}
	edits.Wait()
	content, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Len(t, strings.Fields(string(content)), 20)
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&os.ModeSymlink, "the link stays")
	info, err = os.Stat(target)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm(), "and who may read it")

	wrong := errors.New("wrong")
	assert.ErrorIs(t, edit(target, func([]byte) ([]byte, error) { return []byte("x"), wrong }), wrong)
	after, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, content, after)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2, "nothing is left behind")
}

// What is no file stays what it is, and so does a link that leads nowhere: a new file would be read by nobody.
func TestOnlyFilesAreEdited(t *testing.T) {
	dir := t.TempDir()
	pipe, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "link")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.Symlink(filepath.Join(dir, "nowhere"), link))
	for path, says := range map[string]string{pipe: "no regular file", link: "leads nowhere", dir: "no regular file"} {
		before, err := os.Lstat(path)
		require.NoError(t, err)
		assert.ErrorContains(t, edit(path, func([]byte) ([]byte, error) { return []byte("x"), nil }), says)
		after, err := os.Lstat(path)
		require.NoError(t, err)
		assert.Equal(t, before.Mode(), after.Mode(), path)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2)
}

// An administrator edits the file of the user that the gateway runs as.
func TestAnEditedFileStaysItsOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	path := filepath.Join(t.TempDir(), "keys.yaml")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chown(path, 65534, 65534))
	require.NoError(t, edit(path, func([]byte) ([]byte, error) { return []byte("keys: []\n"), nil }))
	info, err := os.Stat(path)
	require.NoError(t, err)
	owner, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	assert.EqualValues(t, 65534, owner.Uid)
	assert.EqualValues(t, 65534, owner.Gid)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
