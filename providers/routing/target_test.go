package routing

import (
	"net/url"
	"testing"
)

// FuzzUnescape holds the reader of ?provider= to net/url's.
func FuzzUnescape(f *testing.F) {
	for _, s := range []string{"", "openai", "a+b", "%6Fpenai", "%6fpenai%", "%4", "%zz", "a%2Fb%2fc", "%00", "%ff%FE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := url.QueryUnescape(s)
		if got, ok := unescape(s); ok != (err == nil) || got != want {
			t.Errorf("%q: got %q %v, want %q %v", s, got, ok, want, err)
		}
	})
}
