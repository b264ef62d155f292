package apierror

import (
	"fmt"
	"testing"
)

func TestPlain(t *testing.T) {
	for _, c := range []struct {
		format string
		args   []any
	}{
		{"no argument", nil},
		{"a %s and %q.", []any{"text", "a \"quoted\" \x00 \u2028 ümlaut \xff"}},
		{"%s%s", []any{"", "b"}},
		{"100%% of %s", []any{"it"}},
	} {
		if got, want := plain(c.format, c.args...), fmt.Sprintf(c.format, c.args...); got != want {
			t.Errorf("%q: got %q, want %q", c.format, got, want)
		}
	}
}
