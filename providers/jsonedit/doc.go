// Package jsonedit reads the JSON object of a request once, strictly, and edits its top-level members without touching
// any other byte: member order, white space, the spelling of numbers and of escapes stay as the client wrote them.
//
// Strict means that whatever decides on the body (an allow-list, a wasm policy) and whatever receives it later (the
// provider) cannot read it differently: duplicate names at any depth, invalid UTF-8, a byte order mark, truncation and
// trailing text are all refused.
//
// It is a leaf that is also compiled into the wasm filter: it must not know HTTP, providers or any dialect, and it stays
// clear of fmt, reflect and net to keep that binary small.
package jsonedit

import (
	"bytes"
	"iter"
)

// Doc is a parsed body. It is a value that refers to the body's bytes without copying them: the body must not change
// while a Doc of it is in use. A Doc may be used by several goroutines. The zero Doc has no members and no body.
type Doc struct {
	body    []byte
	open    int // offset just after the opening brace
	members []member
}

// member is where one top-level member stands. Offsets are 32 bits wide because a hostile body has many members.
type member struct {
	nameStart, nameEnd uint32 // the quoted name
	start, end         uint32 // the value, without the white space around it
}

// Body gives the bytes that were parsed. They are the caller's own, not a copy.
func (d Doc) Body() []byte { return d.body }

// Len counts the top-level members.
func (d Doc) Len() int { return len(d.members) }

// Member finds a top-level member by its unescaped name.
func (d Doc) Member(name string) (Value, bool) {
	for _, m := range d.members {
		if d.named(m, name) {
			return d.value(m), true
		}
	}
	return Value{}, false
}

// All walks the top-level members in the order of the body, with their unescaped names.
func (d Doc) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for _, m := range d.members {
			if !yield(unquote(d.body[m.nameStart:m.nameEnd]), d.value(m)) {
				return
			}
		}
	}
}

// String gives a top-level string, unescaped. The error is a *Error that wraps Missing (absent or null: optional members
// of the OpenAI API are nullable) or WrongType.
func (d Doc) String(name string) (string, error) {
	v, err := d.typed(name)
	if err != nil {
		return "", err
	}
	s, ok := v.Text()
	if !ok {
		return "", &Error{Reason: WrongType, Key: printable(name)}
	}
	return s, nil
}

// Bool gives a top-level true or false, with the errors of String.
func (d Doc) Bool(name string) (bool, error) {
	v, err := d.typed(name)
	if err != nil {
		return false, err
	}
	if v.Kind != True && v.Kind != False {
		return false, &Error{Reason: WrongType, Key: printable(name)}
	}
	return v.Kind == True, nil
}

// typed finds a member that is neither absent nor null.
func (d Doc) typed(name string) (Value, error) {
	v, ok := d.Member(name)
	if !ok || v.Kind == Null {
		return Value{}, &Error{Reason: Missing, Key: printable(name)}
	}
	return v, nil
}

func (d Doc) value(m member) Value {
	return Value{Kind: kindOf(d.body[m.start]), Start: int(m.start), End: int(m.end), body: d.body}
}

// named compares after unescaping: "mod\u0065l" is "model".
func (d Doc) named(m member, name string) bool {
	raw := d.body[m.nameStart+1 : m.nameEnd-1]
	if len(raw) < len(name) { // escapes only make a name longer
		return false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw) == name
	}
	return unquote(d.body[m.nameStart:m.nameEnd]) == name
}
