package catalog

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTableIsSortedAndWellFormed(t *testing.T) {
	all := All()
	require.Len(t, all, 15)
	id := regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)
	last := ""
	for _, p := range append(all, Demo()) {
		t.Run(p.ID, func(t *testing.T) {
			assert.Regexp(t, id, p.ID)
			assert.NotEmpty(t, p.Name)
			assert.Equal(t, DialectOpenAI, p.Dialect)
			assert.False(t, strings.HasSuffix(p.BaseURL, "/"), "a slash at the end doubles in front of paths")
			assert.NotEmpty(t, p.Paths[ChatCompletions])
			for _, path := range append([]string{p.ModelsPath}, values(p.Paths)...) {
				assert.True(t, strings.HasPrefix(path, "/"), path)
			}
			assert.Equal(t, p.KeyNeed == KeyNone, p.Auth == NoAuth)
			if p.ID != DemoID {
				assert.Less(t, last, p.ID)
				u, err := url.Parse(strings.ReplaceAll(p.BaseURL, AccountPlaceholder, "x"))
				require.NoError(t, err)
				assert.NotEmpty(t, u.Host)
				if p.KeyNeed == KeyRequired {
					assert.Equal(t, "https", u.Scheme, "a key must not travel in the clear")
				}
			}
		})
		last = p.ID
	}
}

func values(m map[Endpoint]string) (out []string) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func TestLookup(t *testing.T) {
	p, ok := Lookup("anthropic")
	require.True(t, ok)
	assert.Equal(t, XAPIKey, p.Auth)
	assert.Equal(t, []Header{{"anthropic-version", "2023-06-01"}}, p.Headers)
	for _, id := range []string{"", "demo", "OpenAI", "nobody"} {
		_, ok := Lookup(id)
		assert.False(t, ok, id)
	}
}

func TestRowsAreTheCallers(t *testing.T) {
	a, _ := Lookup("openai")
	a.Paths[Messages] = "/messages"
	b, _ := Lookup("openai")
	assert.NotContains(t, b.Paths, Messages)
}

func TestOwn(t *testing.T) {
	p, ok := Own("vllm", DialectOpenAI)
	require.True(t, ok)
	assert.Equal(t, KeyOptional, p.KeyNeed)
	assert.Len(t, p.Paths, 4)
	p, ok = Own("claude2", DialectAnthropic)
	require.True(t, ok)
	assert.Equal(t, map[Endpoint]string{Messages: "/messages"}, p.Paths)
	_, ok = Own("x", "telepathy")
	assert.False(t, ok)
	for _, d := range Dialects() {
		_, ok := Own("x", d)
		assert.True(t, ok, d)
	}
}
