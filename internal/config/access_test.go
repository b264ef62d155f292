package config

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const oneKey = "keys: [{id: ci, sha256: 0000000000000000000000000000000000000000000000000000000000000001}]"

func inMemory(files map[string]string) Option {
	return WithFiles(func(path string) ([]byte, error) {
		if content, ok := files[path]; ok {
			return []byte(content), nil
		}
		return nil, fs.ErrNotExist
	})
}

func TestAccess(t *testing.T) {
	both := map[string]string{"API_KEYS_FILE": "/keys", "ACCESS_FILE": "/rules"}
	files := inMemory(map[string]string{"/keys": oneKey, "/rules": "everyone: {max_tokens: 5}"})

	c, _, err := Load(nil)
	require.NoError(t, err)
	assert.False(t, c.Access.On())
	assert.False(t, c.Access.Restricts())
	assert.False(t, c.CallersRequired())

	c, _, err = Load(map[string]string{"API_KEYS_FILE": "/keys"}, files)
	require.NoError(t, err)
	assert.True(t, c.Access.On() && c.Access.Keys() && c.CallersRequired())
	assert.False(t, c.Access.Restricts())
	assert.Len(t, c.Access.Table.Keys(), 1)

	c, _, err = Load(map[string]string{"ACCESS_FILE": "/rules"}, files)
	require.NoError(t, err)
	assert.True(t, c.Access.On() && c.Access.Restricts())
	assert.False(t, c.Access.Keys() || c.CallersRequired(), "rules alone let everybody in")

	c, _, err = Load(both, files)
	require.NoError(t, err)
	assert.True(t, c.Access.Keys() && c.Access.Restricts())
}

func TestAccessProblemsComeInTheOrderOfTheFile(t *testing.T) {
	keys := "keys:\n"
	for range 11 {
		keys += "  - {id: a b, sha256: 00}\n"
	}
	_, _, err := Load(map[string]string{"API_KEYS_FILE": "/keys", "ACCESS_FILE": "/rules", "SERVER_PORT": "x"},
		inMemory(map[string]string{"/keys": keys, "/rules": "x: y"}))
	var problems Problems
	require.ErrorAs(t, err, &problems)
	require.Len(t, problems, 24, "all of them: 22 of the keys, one of the rules, one of another variable")
	assert.Equal(t, "ACCESS_FILE=/rules: expected one of the fields callers, claims, everyone, groups at line 1, x", problems[0].String())
	assert.Contains(t, problems[1].String(), "API_KEYS_FILE=/keys: expected an id")
	assert.Contains(t, problems[1].String(), "at line 2, keys[1].id")
	assert.Contains(t, problems[22].String(), "at line 12, keys[11].sha256")

	_, _, err = Load(map[string]string{"API_KEYS_FILE": "/keys", "ACCESS_FILE": "/rules"}, inMemory(nil))
	require.ErrorAs(t, err, &problems)
	assert.Len(t, problems, 2)
	assert.Equal(t, "ACCESS_FILE=/rules: expected a file that can be read", problems[0].String())
}

func TestReloadAccess(t *testing.T) {
	environ := map[string]string{"API_KEYS_FILE": "/keys", "ALLOWED_MODELS": "a"}
	c, _, err := Load(environ, inMemory(map[string]string{"/keys": oneKey}))
	require.NoError(t, err)
	next, err := c.ReloadAccess(inMemory(map[string]string{"/keys": "keys: []"}))
	require.NoError(t, err)
	assert.Empty(t, next.Access.Table.Keys())
	assert.Equal(t, c.General, next.General)
	assert.Len(t, c.Access.Table.Keys(), 1, "a configuration is changed by no one")
	_, err = c.ReloadAccess(inMemory(map[string]string{"/keys": "keys: {}"}))
	assert.ErrorContains(t, err, "line 1, keys")
	_, err = c.ReloadAccess(inMemory(nil))
	assert.Error(t, err)
}

func TestKeysFileNeedsNoGoodConfiguration(t *testing.T) {
	t.Setenv("SERVER_PORT", "x")
	t.Setenv("API_KEYS_FILE", "")
	env := filepath.Join(t.TempDir(), "env")
	require.NoError(t, os.WriteFile(env, []byte("API_KEYS_FILE=of-the-file\nOPENAI_API_KEY='\\n'"), 0o600))
	t.Setenv("GATEWAY_ENV_FILE", env)
	got, err := KeysFile()
	require.NoError(t, err)
	assert.Equal(t, "of-the-file", got)
	t.Setenv("API_KEYS_FILE", " of-the-environment ")
	got, err = KeysFile()
	require.NoError(t, err)
	assert.Equal(t, "of-the-environment", got)
}

// A part of a file is never taken for the whole: the keys behind the cut would be gone.
func TestALargeFileIsReadWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	large := bytes.Repeat([]byte("x"), mostFile)
	require.NoError(t, os.WriteFile(path, large, 0o600))
	content, err := readFile(path)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(large, content))
	require.NoError(t, os.WriteFile(path, append(large, '\n'), 0o600))
	_, err = readFile(path)
	assert.Error(t, err)
}
