package limits

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/yamlfile"
)

func own(t *testing.T, text string) *Own {
	t.Helper()
	var o *Own
	require.NoError(t, yamlfile.Read([]byte(text), func(r *yamlfile.Reader, n yamlfile.Node) { o = ReadOwn(r, n) }))
	return o
}

// Who has the same limits shares a rule, and its name says what they are: it is what budgets are kept under.
func TestOwnLimitsBecomeRules(t *testing.T) {
	file, err := Parse([]byte("reserve: 10\nlimits: [{name: each, per: caller, requests: {hour: 5}}]"))
	require.NoError(t, err)
	set, err := file.With([]*Own{
		own(t, "{requests: {day: 20, minute: 10}, tokens: {day: 5000}}"),
		own(t, "{tokens: {day: 11}}"),
		own(t, "{tokens: {day: 5000}, requests: {minute: 10, day: 20}}"),
	})
	require.NoError(t, err)
	assert.Len(t, file.Rules, 1, "the file's own set is left alone")
	assert.Equal(t, []Rule{
		file.Rules[0],
		{
			Name: "key.10-requests-minute.20-requests-day.5000-tokens-day", Own: true, Per: PerCaller,
			Requests: []Quota{{Minute, 10}, {Day, 20}}, Tokens: []Quota{{Day, 5000}},
		},
		{Name: "key.11-tokens-day", Own: true, Per: PerCaller, Tokens: []Quota{{Day, 11}}},
	}, set.Rules)
	assert.Equal(t, int64(10), set.Reserve)

	var none *Set
	set, err = none.With(nil)
	require.NoError(t, err)
	assert.Nil(t, set)
	set, err = none.With([]*Own{own(t, "{requests: {minute: 1}}")})
	require.NoError(t, err)
	assert.Equal(t, int64(DefaultReserve), set.Reserve)
}

func TestOwnLimitsThatCannotHold(t *testing.T) {
	var none *Set
	_, err := none.With([]*Own{own(t, "{tokens: {minute: 1024}}")})
	var problems yamlfile.Problems
	require.True(t, errors.As(err, &problems))
	assert.Contains(t, problems[0].String(), "line 1: tokens.minute: expected more than the 1024 tokens")

	var many []*Own
	for i := range int64(mostRules + 1) {
		many = append(many, &Own{Requests: []Quota{{Minute, i + 1}}})
	}
	_, err = none.With(many)
	assert.ErrorContains(t, err, "at most 200 different limits")
}
