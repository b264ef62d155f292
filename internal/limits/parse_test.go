package limits

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/yamlfile"
)

func TestParse(t *testing.T) {
	s, err := Parse([]byte(`
reserve: 100
stream_usage: estimate
limits:
  - name: each
    per: claim:org.id
    callers: ["key:ci-*"]
    groups: [a team]
    claims: {plan: free}
    except: {callers: ["cert:ops"], groups: [staff]}
    requests: {day: 20, minute: 10}
    tokens: {month: 4000000000, hour: 101}
`))
	require.NoError(t, err)
	assert.Equal(t, &Set{Reserve: 100, Usage: EstimateUsage, Rules: []Rule{{
		Name: "each", Per: PerClaim, Claim: "org.id",
		Callers: []string{"key:ci-*"}, Groups: []string{"a%20team"}, Claims: map[string]string{"plan": "free"},
		Except:   Except{Callers: []string{"cert:ops"}, Groups: []string{"staff"}},
		Requests: []Quota{{Minute, 10}, {Day, 20}}, Tokens: []Quota{{Hour, 101}, {Month, 4000000000}},
	}}}, s)
	assert.True(t, s.Limits(Requests) && s.Limits(Tokens))
}

func TestNothingIsLimitedByAnEmptyFile(t *testing.T) {
	for _, content := range []string{"", "# nothing\n", "limits: []\n", "reserve: 5\n"} {
		s, err := Parse([]byte(content))
		require.NoError(t, err, content)
		assert.False(t, s.Limits(Requests) || s.Limits(Tokens))
	}
	var none *Set
	assert.False(t, none.Limits(Requests))
	assert.Equal(t, "domain: d\n", strings.SplitN(string(none.ServiceConfig("d")), "\n", 2)[1])
}

// Every problem of a file is told at once, with its line and field.
func TestParseTellsEveryProblem(t *testing.T) {
	_, err := Parse([]byte(`reserve: 0
stream_usage: maybe
limit: []
limits:
  - name: a b
    per: group
    requests: {minute: 0, second: 1}
    tokens: {day: 4000000001}
    callers: [alice]
    groups: [""]
    claims: {"a..b": x}
    except: {claims: {}}
  - name: twice
    per: caller
    requests: {minute: 1}
  - name: twice
    per: claim
    tokens: [1]
  - just text
  - per: caller
    requests: {}
  - {name: bare, tokens: {day: 1}}
`))
	var all yamlfile.Problems
	require.True(t, errors.As(err, &all))
	var got []string
	for _, p := range all {
		got = append(got, p.String())
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{
		"line 1: reserve: expected a whole number from 1 to 4000000000",
		"line 2: stream_usage: expected ask or estimate",
		"line 3: limit: expected one of the fields limits, reserve, stream_usage",
		"line 5: limits[1].name: expected a name of 1 to 64",
		"line 6: limits[1].per: expected caller, address, everyone or claim:<name>",
		"line 7: limits[1].requests.minute: expected a whole number",
		"line 7: limits[1].requests.second: expected one of the fields day, hour, minute, month",
		"line 8: limits[1].tokens.day: expected a whole number",
		"line 9: limits[1].callers[1]: expected a caller",
		"line 10: limits[1].groups[1]: expected a group's name",
		`line 11: limits[1].claims["a..b"]: expected the name of a claim`,
		"line 12: limits[1].except.claims: expected one of the fields callers, groups",
		"line 16: limits[3].name: expected a name that no other limit has",
		"line 17: limits[3].per: expected",
		"line 18: limits[3].tokens: expected fields with values",
		"line 19: limits[4]: expected fields with values",
		"line 20: limits[5].name: expected a name",
		"line 21: limits[5].requests: expected at least one of day, hour, minute, month",
		"line 22: limits[6].per: expected caller, address",
	} {
		assert.Contains(t, text, want)
	}
	assert.Len(t, got, 19, text)
}

func TestWhatARuleMustHave(t *testing.T) {
	for content, want := range map[string]string{
		"limits: [{per: caller, requests: {minute: 1}}]":                   "limits[1].name",
		"limits: [{name: a, requests: {minute: 1}}]":                       "limits[1].per",
		"limits: [{name: a, per: caller}]":                                 "requests or tokens",
		"limits: [{name: a, per: caller, requests: {}}]":                   "at least one of day, hour, minute, month",
		"limits: [{name: a, per: caller, tokens: {minute: 1024}}]":         "more than the 1024 tokens",
		"reserve: 9\nlimits: [{name: a, per: caller, tokens: {day: 9}}]":   "more than the 9 tokens",
		"limits: [{name: a, per: address, requests: {minute: 1}}]\n---\nx": "one document",
		"limits: [{name: a, per: address, requests: {minute: 1}":           "valid YAML",
		"limits: &x [*x]": "without anchors",
		"limits: null":    "a value",
		"limits: {a: 1}":  "a list",
		"- 1":             "fields with values",
	} {
		_, err := Parse([]byte(content))
		assert.ErrorContains(t, err, want, content)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("limits: [{name: a, per: caller, requests: {minute: 1}}]")
	f.Add("a: &a [*a]\n<<: *a")
	f.Fuzz(func(t *testing.T, content string) {
		s, err := Parse([]byte(content))
		if err != nil {
			return
		}
		for _, r := range s.Rules {
			if r.Name == "" || r.Per == "" || len(r.Requests)+len(r.Tokens) == 0 {
				t.Errorf("%+v", r)
			}
		}
		_ = s.ServiceConfig("d")
	})
}

func TestPeriods(t *testing.T) {
	assert.Equal(t, []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 720 * time.Hour},
		[]time.Duration{Minute.Length(), Hour.Length(), Day.Length(), Month.Length()})
}

func TestUnion(t *testing.T) {
	a, b, changed := Rule{Name: "a"}, Rule{Name: "b"}, Rule{Name: "a", Per: PerCaller}
	old, next := &Set{Rules: []Rule{a, b}, Reserve: 1}, &Set{Rules: []Rule{changed}, Reserve: 2}
	assert.Equal(t, &Set{Rules: []Rule{changed, b}, Reserve: 2}, Union(old, next))
	assert.Equal(t, old, Union(old, nil))
	assert.Equal(t, next, Union(nil, next))
	assert.Nil(t, Union(nil, nil))
	assert.Len(t, next.Rules, 1, "neither is changed")
}
