package sse_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/providers/sse"
)

// read feeds a stream in the given cuts and writes down what comes.
func read(t *testing.T, p *sse.Parser, pieces ...string) string {
	t.Helper()
	var out []string
	emit := func(e sse.Event) error {
		kind := "event"
		if e.IsComment {
			kind = "comment"
		}
		out = append(out, fmt.Sprintf("%s %q %q", kind, e.Name, e.Data))
		return nil
	}
	for _, piece := range pieces {
		if err := p.Feed([]byte(piece), emit); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.End(emit); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}

func TestParser(t *testing.T) {
	for _, c := range []struct{ name, stream, want string }{
		{"plain", "data: a\n\ndata: b\n\n", "event \"\" \"a\"\nevent \"\" \"b\""},
		{"carriage returns", "data: a\r\n\r\ndata: b\r\rdata: c\n\n", "event \"\" \"a\"\nevent \"\" \"b\"\nevent \"\" \"c\""},
		{"several data lines", "data: a\ndata\ndata:  b\n\n", `event "" "a\n\n b"`},
		{"name, id and retry", "event: tool\nid: 1\nretry: 2\ndata: x\n\n", `event "tool" "x"`},
		{"a name without data", "event: tool\n\ndata: x\n\n", `event "" "x"`},
		{"comments", ": hello\n\ndata: a\n:b\n\n", "comment \"\" \"hello\"\ncomment \"\" \"b\"\nevent \"\" \"a\""},
		{"byte order mark", "\xef\xbb\xbfdata: a\n\n", `event "" "a"`},
		{"no end", "data: a\n\ndata: b", "event \"\" \"a\"\nevent \"\" \"b\""},
		{"empty data", "data:\n\n", `event "" ""`},
		{"nothing", "\n\n\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := read(t, &sse.Parser{}, c.stream); got != c.want {
				t.Errorf("whole: got\n%s\nwant\n%s", got, c.want)
			}
			if got := read(t, &sse.Parser{}, strings.Split(c.stream, "")...); got != c.want {
				t.Errorf("byte by byte: got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	p := &sse.Parser{Max: 10}
	emit := func(sse.Event) error { return nil }
	if err := p.Feed([]byte("data: 1\n\ndata: 2\n\n"), emit); err != nil {
		t.Fatal(err)
	}
	if err := p.Feed([]byte("data: 123456789"), emit); !errors.Is(err, sse.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestAppend(t *testing.T) {
	got := string(sse.AppendComment(sse.AppendEvent(sse.AppendData(nil, []byte("a\nb\r\nc")), "x\ny", nil), "one\ntwo"))
	want := "data: a\ndata: b\ndata: c\n\nevent: x y\ndata: \n\n: one two\n\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is appended is read again as it was, however it is cut.
func FuzzRoundTrip(f *testing.F) {
	f.Add("data", "name", 3)
	f.Add("a\nb\r\nc\r", "", 1)
	f.Fuzz(func(t *testing.T, data, name string, cut int) {
		stream := string(sse.AppendEvent(nil, name, []byte(data)))
		at := min(max(cut, 0), len(stream))
		name = strings.NewReplacer("\r", " ", "\n", " ").Replace(name)
		data = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data)
		want := fmt.Sprintf("event %q %q", name, data)
		if got := read(t, &sse.Parser{}, stream[:at], stream[at:]); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
