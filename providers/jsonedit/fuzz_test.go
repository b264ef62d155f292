package jsonedit_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

func seed(f *testing.F) {
	for _, s := range []string{
		`{}`, ` { } `, `{"model":"a"}`, `{"mod\u0065l":"a","x":[1.0E5,{"y":null}]}`, `{"a":1,"model":2,"b":"\ud83d\ude00"}`,
		`{"model":"a","model":"b"}`, `{"a":{"b":1,"b":2}}`, `[1]`, `{"a":1}x`, `{"a`, "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}",
		`{"":"","\"":"\\"}`, `{"a":1 , "n" : 2 ,"model":{}}`, `{"a":"\ud800"}`,
	} {
		f.Add([]byte(s), "m", uint8(0))
	}
}

func decode(t *testing.T, body []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", body, err)
	}
	if out == nil {
		t.Fatalf("%q is no object", body)
	}
	return out
}

// Whatever Parse accepts, encoding/json reads the same way, and an edit changes one value and no other byte.
func FuzzSetString(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte, model string, _ uint8) {
		before := bytes.Clone(body)
		doc, err := jsonedit.Parse(body)
		if !bytes.Equal(before, body) {
			t.Fatal("Parse changed the body")
		}
		if err != nil {
			if !utf8.ValidString(err.Error()) || len(err.Error()) > 200 {
				t.Fatalf("unfit error text %q", err)
			}
			return
		}
		want := decode(t, body)
		if len(want) != doc.Len() {
			t.Fatalf("%d members, encoding/json has %d", doc.Len(), len(want))
		}
		if s, err := doc.String("model"); err == nil && s != want["model"] {
			t.Fatalf("model %q, encoding/json has %q", s, want["model"])
		}

		out := doc.SetString(nil, "model", model)
		want["model"] = string(bytes.ToValidUTF8([]byte(model), []byte("\ufffd")))
		got := decode(t, out)
		if !utf8.ValidString(model) { // runs of bad bytes are counted differently: only validity matters
			want["model"] = got["model"]
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %q", body, out)
		}
		if v, ok := doc.Member("model"); ok {
			if !bytes.HasPrefix(out, body[:v.Start]) || !bytes.HasSuffix(out, body[v.End:]) {
				t.Fatalf("bytes outside of the value changed: %q became %q", body, out)
			}
		}
		if !bytes.Equal(before, body) {
			t.Fatal("the edit changed the body")
		}
	})
}

// Any mix of removals, replacements and insertions leaves the same object that a map would hold.
func FuzzApply(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte, name string, mask uint8) {
		doc, err := jsonedit.Parse(body)
		if err != nil || !utf8.ValidString(name) {
			return
		}
		want := decode(t, body)
		var edits []jsonedit.Edit
		i := 0
		for member := range doc.All() {
			switch mask >> (i % 8) & 1 {
			case 1:
				edits = append(edits, jsonedit.Edit{Name: member})
				delete(want, member)
			case 0:
				if i%3 == 1 {
					edits = append(edits, jsonedit.Edit{Name: member, Raw: []byte("true")})
					want[member] = true
				}
			}
			i++
		}
		if mask&1 == 0 {
			edits = append(edits, jsonedit.Edit{Name: name, Raw: []byte(`{"new":[]}`)})
			want[name] = map[string]any{"new": []any{}}
		}
		out := doc.Apply(nil, edits...)
		if pieces := bytes.Join(doc.Pieces(edits...), nil); !bytes.Equal(out, pieces) {
			t.Fatalf("in one piece %q, in several %q", out, pieces)
		}
		if got := decode(t, out); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %q, want %v", body, out, want)
		}
		if _, err := jsonedit.Parse(out); err != nil {
			t.Fatalf("the result %q does not parse: %v", out, err)
		}
	})
}
