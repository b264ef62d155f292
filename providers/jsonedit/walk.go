package jsonedit

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Name gives the i-th top-level member's name as it stands in the body, with its quotes: a view, not to be changed. It
// may hold escapes, which Unescaped resolves.
func (d Doc) Name(i int) []byte {
	m := d.members[i]
	return d.body[m.nameStart:m.nameEnd:m.nameEnd]
}

// At gives the i-th top-level member's value.
func (d Doc) At(i int) Value { return d.value(d.members[i]) }

// Object reads an object value's members. It was validated with the body; what remains to refuse is too many members.
func (v Value) Object() (Doc, error) {
	if v.Kind != Object {
		return Doc{}, &Error{Reason: NotObject}
	}
	return Parse(v.Raw())
}

// Items gives the elements of an array value, nil for any other. Their offsets are those of the body, like v's own.
func (v Value) Items() []Value {
	if v.Kind != Array {
		return nil
	}
	var out []Value
	pos := skipSpace(v.body, v.Start+1)
	for pos < v.End-1 {
		end := valueEnd(v.body, pos)
		out = append(out, Value{Kind: kindOf(v.body[pos]), Start: pos, End: end, body: v.body})
		if pos = skipSpace(v.body, end); v.body[pos] == ',' {
			pos = skipSpace(v.body, pos+1)
		}
	}
	return out
}

// Blank says whether a value is null, or an array or object without elements, or an empty string.
func (v Value) Blank() bool {
	switch v.Kind {
	case Null:
		return true
	case String:
		return v.End-v.Start == len(`""`)
	case Array, Object:
		return skipSpace(v.body, v.Start+1) == v.End-1
	}
	return false
}

// valueEnd gives the offset after the valid value that begins at pos.
func valueEnd(body []byte, pos int) int {
	depth := 0
	for i := pos; i < len(body); i++ {
		switch body[i] {
		case '"':
			if i = stringEnd(body, i); depth == 0 {
				return i + 1
			}
		case '[', '{':
			depth++
		case ']', '}':
			if depth == 0 { // the end of what a number or a word stands in
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
		}
	}
	return len(body)
}

// NextString finds the first string of valid JSON at or after pos, which must not lie inside of one. It gives the string
// with its quotes, the offset after it, and whether a colon follows, so that it names a member. The offset is -1 when
// there is no string.
func NextString(valid []byte, pos int) (quoted []byte, key bool, end int) {
	n := bytes.IndexByte(valid[pos:], '"')
	if n < 0 {
		return nil, false, -1
	}
	start := pos + n
	end = stringEnd(valid, start) + 1
	if end > len(valid) {
		return nil, false, -1
	}
	after := skipSpace(valid, end)
	return valid[start:end:end], after < len(valid) && valid[after] == ':', end
}

// Unescaped gives the text of a valid quoted string: a view of it when it holds no escape, else scratch overwritten with
// the text and grown as needed.
func Unescaped(scratch, quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	out, _ := jsontext.AppendUnquote(scratch[:0], quoted) // cannot fail: the string is valid
	return out
}
