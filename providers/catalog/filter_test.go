package catalog

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestModelFilter(t *testing.T) {
	cases := []struct {
		name            string
		allow, deny     []string
		provider, model string
		want            bool
	}{
		{"no lists", nil, nil, "openai", "gpt-5", true},
		{"blank entries are no list", []string{"", "  "}, nil, "openai", "gpt-5", true},
		{"bare entry, any provider", []string{"gpt-5"}, nil, "azure", "gpt-5", true},
		{"bare entry is the whole model", []string{"gpt-5"}, nil, "openai", "gpt-5-mini", false},
		{"provider and model", []string{"openai/gpt-5"}, nil, "openai", "gpt-5", true},
		{"other provider", []string{"openai/gpt-5"}, nil, "groq", "gpt-5", false},
		{"slash inside the model", []string{"meta/llama"}, nil, "groq", "meta/llama", true},
		{"provider, then a slash inside the model", []string{"groq/meta/llama"}, nil, "groq", "meta/llama", true},
		{"any case of the entry", []string{" OpenAI/GPT-5 "}, nil, "openai", "gpt-5", true},
		{"any case of the model", []string{"gpt-5"}, nil, "OpenAI", "GPT-5", true},
		{"whole provider", []string{"openai/*"}, nil, "openai", "gpt-5", true},
		{"star crosses slashes", []string{"cloudflare/*"}, nil, "cloudflare", "@cf/meta/llama", true},
		{"bare star pattern does not see the provider", []string{"open*"}, nil, "openai", "gpt-5", false},
		{"star in the middle", []string{"gpt-*-mini"}, nil, "openai", "gpt-5-mini", true},
		{"prefix and suffix may not overlap", []string{"aba*aba"}, nil, "x", "aba", false},
		{"star may be nothing", []string{"gpt-5*"}, nil, "openai", "gpt-5", true},
		{"several stars", []string{"*a*b*c*"}, nil, "x", "1a2b3c4", true},
		{"several stars out of order", []string{"*a*b*c*"}, nil, "x", "c b a", false},
		{"only a star", []string{"*"}, nil, "x", "y", true},
		{"deny alone", nil, []string{"gpt-5"}, "openai", "gpt-5", false},
		{"deny alone lets others by", nil, []string{"gpt-5"}, "openai", "gpt-4", true},
		{"deny wins", []string{"gpt-*"}, []string{"*-pro"}, "openai", "gpt-5-pro", false},
		{"deny one provider's", []string{"*"}, []string{"groq/*"}, "groq", "llama", false},
		{"no model", []string{"gpt-5"}, nil, "openai", "", false},
		{"Google's models/ is no way around a list", nil, []string{"google/gemini-3-pro"}, "google", "models/gemini-3-pro", false},
		{"nor is leaving it out", nil, []string{"google/models/gemini-3-pro"}, "Google", "Gemini-3-pro", false},
		{"nor with a bare entry", nil, []string{"gemini-3-*"}, "google", "models/gemini-3-pro", false},
		{"what is allowed may have it", []string{"gemini-3-pro"}, nil, "google", "models/gemini-3-pro", true},
		{"and go without", []string{"google/models/*"}, nil, "google", "gemini-3-pro", true},
		{"elsewhere it is a part of the name", nil, []string{"gpt-5"}, "openai", "models/gpt-5", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, NewModelFilter(c.allow, c.deny).Allows(c.provider, c.model))
		})
	}
}

func TestModelFilterEmpty(t *testing.T) {
	assert.True(t, ModelFilter{}.Empty())
	assert.True(t, NewModelFilter([]string{" "}, nil).Empty())
	assert.False(t, NewModelFilter([]string{"a"}, nil).Empty())
	assert.False(t, NewModelFilter(nil, []string{"*a"}).Empty())
}

// A matcher that went back and tried again would not come to an end here.
func TestManyStarsStayCheap(t *testing.T) {
	f := NewModelFilter([]string{strings.Repeat("a*", 200) + "b"}, nil)
	assert.False(t, f.Allows("x", strings.Repeat("a", 100_000)))
}

func FuzzModelFilter(f *testing.F) {
	f.Add("gpt-*", "openai", "gpt-5")
	f.Fuzz(func(t *testing.T, entry, provider, model string) {
		NewModelFilter([]string{entry}, nil).Allows(provider, model)
		if NewModelFilter(nil, []string{entry, "*"}).Allows(provider, model) {
			t.Fatal("a star in the deny list denies everything")
		}
	})
}

func BenchmarkModelFilter(b *testing.B) {
	f := NewModelFilter([]string{"openai/*", "gpt-*-mini"}, []string{"*-pro"})
	for b.Loop() {
		f.Allows("groq", "meta-llama/llama-4-maverick")
	}
}
