package jsonedit_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

func TestParseRefuses(t *testing.T) {
	deep := func(n int) string {
		return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, `,"k%d":1`, i)
	}
	for _, c := range []struct {
		name, body string
		want       jsonedit.Reason
		key        string
	}{
		{"empty", "", jsonedit.Empty, ""},
		{"white space", " \n\t\r", jsonedit.Empty, ""},
		{"form", "model=a", jsonedit.NotJSON, ""},
		{"literal", "nope", jsonedit.NotJSON, ""},
		{"comment", `{"a":1 /* x */}`, jsonedit.NotJSON, ""},
		{"single quotes", `{'a':1}`, jsonedit.NotJSON, ""},
		{"comma at the end", `{"a":1,}`, jsonedit.NotJSON, ""},
		{"number as name", `{1:1}`, jsonedit.NotJSON, ""},
		{"leading zero", `{"a":01}`, jsonedit.NotJSON, ""},
		{"NaN", `{"a":NaN}`, jsonedit.NotJSON, ""},
		{"control character", "{\"a\":\"\x01\"}", jsonedit.NotJSON, ""},
		{"unpaired surrogate", `{"a":"\ud800"}`, jsonedit.NotJSON, ""},
		{"mismatched brackets", `{"a":[}`, jsonedit.NotJSON, ""},
		{"byte order mark", "\xef\xbb\xbf{}", jsonedit.ByteOrder, ""},
		{"UTF-16", "{\x00}\x00", jsonedit.NotJSON, ""},
		{"not UTF-8", "{\"a\":\"\xff\"}", jsonedit.InvalidUTF8, ""},
		{"overlong UTF-8", "{\"a\":\"\xc0\xaf\"}", jsonedit.InvalidUTF8, ""},
		{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", jsonedit.InvalidUTF8, ""},
		{"name not UTF-8", "{\"\xff\":1}", jsonedit.InvalidUTF8, ""},
		{"truncated object", `{"a":1`, jsonedit.Truncated, ""},
		{"truncated brace", `{`, jsonedit.Truncated, ""},
		{"truncated name", `{"a`, jsonedit.Truncated, ""},
		{"truncated string", `{"a":"b`, jsonedit.Truncated, ""},
		{"truncated escape", `{"a":"b\`, jsonedit.Truncated, ""},
		{"truncated literal", `{"a":tr`, jsonedit.Truncated, ""},
		{"truncated nesting", `{"a":[{"b":1}`, jsonedit.Truncated, ""},
		{"truncated array", `[1,2`, jsonedit.Truncated, ""},
		{"array", `[{"model":"a"}]`, jsonedit.NotObject, ""},
		{"string", `"model"`, jsonedit.NotObject, ""},
		{"number", `-12.5`, jsonedit.NotObject, ""},
		{"null", ` null `, jsonedit.NotObject, ""},
		{"second object", `{} {}`, jsonedit.TrailingData, ""},
		{"garbage behind", `{"a":1}x`, jsonedit.TrailingData, ""},
		{"brace behind", `{"a":1}}`, jsonedit.TrailingData, ""},
		{"NUL behind", "{\"a\":1}\x00", jsonedit.TrailingData, ""},
		{"duplicate", `{"model":"a","model":"b"}`, jsonedit.DuplicateKey, "model"},
		{"duplicate by escape", `{"model":"a","mod\u0065l":"b"}`, jsonedit.DuplicateKey, "model"},
		{"duplicate deep", `{"m":[{"x":{"role":1,"y":[],"r\u006fle":2}}]}`, jsonedit.DuplicateKey, "role"},
		{"duplicate of empty name", `{"":1,"":2}`, jsonedit.DuplicateKey, ""},
		{"duplicate with slashes", `{"a/b~c":1,"a\/b~c":2}`, jsonedit.DuplicateKey, "a/b~c"},
		{"duplicate unprintable", `{"a\u0007\"":1,"a\u0007\"":2}`, jsonedit.DuplicateKey, "a??"},
		{
			"duplicate long", `{"` + strings.Repeat("é", 50) + `":1,"` + strings.Repeat("é", 50) + `":2}`,
			jsonedit.DuplicateKey, strings.Repeat("é", 32),
		},
		{"deep", deep(100_000), jsonedit.TooComplex, ""},
		{"one too deep", deep(500), jsonedit.TooComplex, ""},
		{"many members", "{" + many.String()[1:] + "}", jsonedit.TooComplex, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := jsonedit.Parse([]byte(c.body))
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want one that %v", err, c.want)
			}
			var e *jsonedit.Error
			if !errors.As(err, &e) || e.Key != c.key || len(e.Key) > 64 {
				t.Errorf("key %q, want %q", e.Key, c.key)
			}
			if e.Offset < 0 || e.Offset > len(c.body) {
				t.Errorf("offset %d outside the body", e.Offset)
			}
		})
	}
}

func TestParseKeepsSecretsOutOfErrors(t *testing.T) {
	for _, body := range []string{
		`{"a":"hunter2" "b"}`, `{"a":hunter2}`, `{"hunter2`, `{"a":"hunter2\x"}`, `{"a":1}hunter2`, `hunter2`, `"hunter2"`,
		`{"hunter2":[1,}`, "{\"hunter2\":\"\xff\"}",
	} {
		_, err := jsonedit.Parse([]byte(body))
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.ContainsAny(err.Error(), "\n'") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestDoc(t *testing.T) {
	body := []byte(" {\"model\":\"a\\/b\", \"n\" : -1.50 ,\"t\":true,\"f\":false,\"z\":null,\"o\":{\"x\":[]},\"l\":[ ],\"\":0,\"back\\\\n\":1}\n")
	doc, err := jsonedit.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		kind jsonedit.Kind
		raw  string
	}{
		"model": {jsonedit.String, `"a\/b"`}, "n": {jsonedit.Number, "-1.50"}, "t": {jsonedit.True, "true"},
		"f": {jsonedit.False, "false"}, "z": {jsonedit.Null, "null"}, "o": {jsonedit.Object, `{"x":[]}`},
		"l": {jsonedit.Array, "[ ]"}, "": {jsonedit.Number, "0"}, `back\n`: {jsonedit.Number, "1"},
	} {
		v, ok := doc.Member(name)
		if !ok || v.Kind != want.kind || string(v.Raw()) != want.raw || string(body[v.Start:v.End]) != want.raw {
			t.Errorf("%q: %v %c %s", name, ok, v.Kind, v.Raw())
		}
	}
	for _, name := range []string{"x", "Model", "mode", "model2", "back\n", `back\\n`} {
		if _, ok := doc.Member(name); ok {
			t.Errorf("%q is no member", name)
		}
	}
	if got := slices.Sorted(maps.Keys(maps.Collect(doc.All()))); len(got) != doc.Len() || got[1] != `back\n` {
		t.Errorf("All: %q", got)
	}

	if s, err := doc.String("model"); s != "a/b" || err != nil {
		t.Errorf("model: %q %v", s, err)
	}
	if b, err := doc.Bool("t"); !b || err != nil {
		t.Errorf("t: %v %v", b, err)
	}
	if b, err := doc.Bool("f"); b || err != nil {
		t.Errorf("f: %v %v", b, err)
	}
	for _, name := range []string{"z", "absent"} {
		if _, err := doc.String(name); !errors.Is(err, jsonedit.Missing) {
			t.Errorf("String(%s): %v", name, err)
		}
		if _, err := doc.Bool(name); !errors.Is(err, jsonedit.Missing) {
			t.Errorf("Bool(%s): %v", name, err)
		}
	}
	if _, err := doc.String("n"); !errors.Is(err, jsonedit.WrongType) {
		t.Errorf("String(n): %v", err)
	}
	if _, err := doc.Bool("model"); !errors.Is(err, jsonedit.WrongType) {
		t.Errorf("Bool(model): %v", err)
	}
}

func TestParseAcceptsUpToTheDepth(t *testing.T) {
	for _, body := range []string{
		`{"a":` + strings.Repeat("[", 499) + strings.Repeat("]", 499) + `}`,
		`{"a":"` + strings.Repeat(`[{\"`, 2000) + `"}`,
		`{"a":[` + strings.Repeat(`{"\\":[]},`, 2000) + `{}]}`,
	} {
		if _, err := jsonedit.Parse([]byte(body)); err != nil {
			t.Errorf("%.30s…: %v", body, err)
		}
	}
}

func TestParseDoesNotCopy(t *testing.T) {
	body := []byte(`{"model":"a"}`)
	doc, err := jsonedit.Parse(body)
	if err != nil || &doc.Body()[0] != &body[0] {
		t.Fatal("the body was copied", err)
	}
}
