package access

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCredential(t *testing.T) {
	zero := Credential([32]byte{})
	assert.Equal(t, "igw-"+strings.Repeat("A", 43), zero)
	assert.NotEqual(t, zero, Credential([32]byte{31: 1}), "every bit counts")
	assert.Len(t, Hash(zero), 64)
}

func TestAddAndRevoke(t *testing.T) {
	const commented = `# Our keys.

keys:
  # Made by hand.
  - id: old # since 2025
    sha256: 0000000000000000000000000000000000000000000000000000000000000001
# The end.
`
	for _, before := range []string{"", "# only a comment\n", "---\n", "{}", "keys: []", "{keys: []}", commented} {
		credential := Credential([32]byte{7})
		added, err := Add([]byte(before), NewKey{
			Key:        Key{ID: "ci", Owner: "a: \"b\"", Groups: []string{"x", "y: z"}, Created: moment, Expires: moment.Add(time.Hour)},
			Credential: credential, Models: []string{"openai/*", "- x"}, MaxTokens: 5,
		})
		require.NoError(t, err, before)
		assert.NotContains(t, string(added), credential)
		table := load(t, string(added), "")
		k, err := table.Find(credential, moment)
		require.NoError(t, err, string(added))
		assert.Equal(t, Key{
			ID: "ci", Owner: "a: \"b\"", Groups: []string{"x", "y: z"}, Created: moment, Expires: moment.Add(time.Hour), own: k.own,
		}, k)
		rights := table.Rights("key:ci", nil)
		assert.True(t, rights.AllowsModel("openai", "o3"))
		assert.False(t, rights.AllowsModel("groq", "llama"))
		assert.EqualValues(t, 5, rights.MaxTokens())
		for _, comment := range []string{"# only a comment", "# Our keys.", "# Made by hand.", "# since 2025", "# The end."} {
			assert.Equal(t, strings.Contains(before, comment), strings.Contains(string(added), comment), "%s in\n%s", comment, added)
		}

		_, err = Add(added, NewKey{Key: Key{ID: "ci"}, Credential: "another"})
		assert.ErrorContains(t, err, "an id that no other key has")
		_, err = Add(added, NewKey{Key: Key{ID: "second"}, Credential: credential})
		assert.ErrorContains(t, err, "does not stand here already")

		revoked, err := Revoke(added, "ci", moment)
		require.NoError(t, err)
		_, err = load(t, string(revoked), "").Find(credential, moment)
		assert.ErrorIs(t, err, ErrRevoked)
		_, err = Revoke(revoked, "ci", moment)
		assert.ErrorContains(t, err, "already")
		_, err = Revoke(revoked, "nobody", moment)
		assert.ErrorContains(t, err, `no key "nobody"`)
	}
}

func TestRevokeNowWhatIsRevokedLater(t *testing.T) {
	later := "keys:\n" + entry("a", "b", ", revoked: 2999-01-01")
	now, err := Revoke([]byte(later), "a", moment)
	require.NoError(t, err)
	_, err = load(t, string(now), "").Find("b", moment)
	assert.ErrorIs(t, err, ErrRevoked)
}

// What is wrong already is for people to mend, and what would be wrong afterwards is not written.
func TestAnEditNeedsAGoodFile(t *testing.T) {
	for _, bad := range []string{"keys: [", "keys: [{id: a}]", "rules: []", "text"} {
		_, err := Add([]byte(bad), NewKey{Key: Key{ID: "ci"}, Credential: "x"})
		assert.Error(t, err, bad)
		_, err = Revoke([]byte(bad), "a", moment)
		assert.Error(t, err, bad)
	}
	for name, k := range map[string]NewKey{
		"id":     {Key: Key{ID: "a b"}},
		"owner":  {Key: Key{ID: "a", Owner: "two\nlines"}},
		"groups": {Key: Key{ID: "a", Groups: []string{"a,b"}}},
		"models": {Key: Key{ID: "a"}, Models: []string{""}},
	} {
		_, err := Add(nil, k)
		assert.ErrorContains(t, err, name)
	}
}
