package jsonedit

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// agree fails when scan accepts what jsontext refuses, or reads it otherwise.
func agree(t *testing.T, body []byte) (accepted bool) {
	t.Helper()
	got, ok := scan(body)
	if !ok {
		return false
	}
	want, err := judge(body)
	if err != nil {
		t.Fatalf("scan accepts %q: %v", body, err)
	}
	if got.open != want.open || len(got.members) != len(want.members) || (len(got.members) > 0 && !reflect.DeepEqual(got.members, want.members)) {
		t.Fatalf("%q: scan has %v, jsontext %v", body, got.members, want.members)
	}
	return true
}

// The gain is lost when an ordinary request is not read by scan.
func TestScanReadsOrdinaryBodies(t *testing.T) {
	for _, body := range []string{
		`{}`, ` { } `, "{\r\n\t\"model\" : \"a\" ,\n\"n\":-0.5e+10}\n", `{"a":[],"b":{},"c":[[],{}],"d":[1,"x",true,false,null]}`,
		`{"model":"a","messages":[{"role":"user","content":"héllo 你好 \ud83d\ude00 \u00e9 \"quoted\" \\ \/ \b\f\n\r\t"},{"role":"user","content":[{"type":"text","text":"x"}]}]}`,
		`{"n":0,"m":-0,"k":10,"e":1E5,"f":0.25,"g":1.0}`, `{"a":"` + strings.Repeat("0123456", 30) + `"}`, "{\"a\":\"\x7f\"}",
	} {
		if !agree(t, []byte(body)) {
			t.Errorf("scan gives up on %s", body)
		}
	}
}

// Each place where an ordinary body can go wrong, at each of its bytes.
func TestScanAgreesOnDamagedBodies(t *testing.T) {
	body := []byte(`{"model":"openai/gpt-4o","s":true,"t":-1.5e3,"messages":[{"role":"user","content":"é\ud83d\ude00\n\\"},{"x":null,"y":[]}] , "z":{"a":{"b":0}}}`)
	for i := range body {
		agree(t, body[:i])
		agree(t, append(bytes.Clone(body[:i]), body[i+1:]...))
		for _, c := range []byte("\x00\x1f \"\\{}[]:,-+.eE0189atfnu\x7f\x80\xc3\xff/dD") {
			damaged := bytes.Clone(body)
			damaged[i] = c
			agree(t, damaged)
			agree(t, append(append(bytes.Clone(body[:i]), c), body[i:]...))
		}
	}
}

func TestScanKnowsItsLimits(t *testing.T) {
	nested := func(n int) string {
		return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"k%d":1`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	for body, want := range map[string]bool{
		nested(scanDepth - 1): true, nested(scanDepth): false, names(scanNames): true, names(scanNames + 1): false,
		`{"a":1,"a":2}`: false, `{"x":[{"a":1},{"a":1}],"a":1}`: true, `{"x":{"a":1,"b":{"a":2},"a":3}}`: false, `{"\u0061":1}`: false,
	} {
		if got := agree(t, []byte(body)); got != want {
			t.Errorf("scan(%.60s): %t", body, got)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{
		`{"mod\u0065l":"a","x":[1.0E5,{"y":null}]}`, `{"a":1,"model":2,"b":"\ud83d\ude00"}`, `{"a":{"b":1,"b":2}}`, `{"a":"\ud800"}`,
		`{"a":1 , "n" : 2 ,"model":{}}`, "{\"a\":\"\xff\"}", `{"a":[1,2,{"b":"c"}],"d":-0.0e-1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) { agree(t, body) })
}
