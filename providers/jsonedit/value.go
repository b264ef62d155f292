package jsonedit

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Kind is what a JSON value is. The zero Kind is no value.
type Kind byte

// The kinds, each the first byte of such a value.
const (
	Null   Kind = 'n'
	True   Kind = 't'
	False  Kind = 'f'
	Number Kind = '0'
	String Kind = '"'
	Object Kind = '{'
	Array  Kind = '['
)

// kindOf reads the kind off a valid value's first byte.
func kindOf(c byte) Kind {
	if c == '-' || (c >= '0' && c <= '9') {
		return Number
	}
	return Kind(c)
}

// Value is one member's value: its kind and the byte range [Start, End) that it takes in the body. The zero Value is
// none.
type Value struct {
	Kind       Kind
	Start, End int
	body       []byte
}

// Raw gives the value's bytes as they stand in the body: a view, not a copy, and not to be changed.
func (v Value) Raw() []byte { return v.body[v.Start:v.End:v.End] }

// Text unescapes a string value; false says that it is none.
func (v Value) Text() (string, bool) {
	if v.Kind != String {
		return "", false
	}
	return unquote(v.Raw()), true
}

// unquote unescapes a string that Parse has validated.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	out, _ := jsontext.AppendUnquote(nil, quoted) // cannot fail: the string is valid
	return string(out)
}

// AppendQuote appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD, so that the result is always valid.
func AppendQuote(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // the only error is about UTF-8, and the output is valid nevertheless
	return dst
}
