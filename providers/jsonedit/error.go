package jsonedit

import (
	"errors"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Reason says why a body or a member was refused. It is an error itself: errors.Is(err, jsonedit.DuplicateKey).
type Reason string

// The reasons, each a phrase that a client may read after "the request body".
const (
	Empty        Reason = "is empty"
	NotJSON      Reason = "is not valid JSON"
	ByteOrder    Reason = "begins with a byte order mark"
	InvalidUTF8  Reason = "is not valid UTF-8"
	Truncated    Reason = "is truncated JSON"
	NotObject    Reason = "is not a JSON object"
	TrailingData Reason = "has text after its JSON object"
	DuplicateKey Reason = "has a duplicate key"
	TooComplex   Reason = "is nested too deeply or has too many members"
	TooLarge     Reason = "is too large"

	Missing   Reason = "lacks a member"
	WrongType Reason = "has a member of the wrong type"
)

// Error gives the phrase.
func (r Reason) Error() string { return string(r) }

// Error is a refusal with its place. Its text is fit for the client: it repeats no text of the body but Key.
type Error struct {
	Reason Reason
	Key    string // the member at fault where there is one: printable, at most 64 bytes
	Offset int    // about where in the body, in bytes; 0 when it has no place
}

// Error is a whole sentence's text, such as: the request body has a duplicate key "model".
func (e *Error) Error() string {
	out := "the request body " + string(e.Reason)
	if e.Key != "" {
		out += ` "` + e.Key + `"`
	}
	if e.Offset > 0 {
		out += " near byte " + strconv.Itoa(e.Offset)
	}
	return out
}

// Unwrap gives the Reason.
func (e *Error) Unwrap() error { return e.Reason }

// explain turns an error of jsontext into one without any text of the body.
func explain(err error, body []byte) *Error {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		if errors.Is(err, io.EOF) {
			return &Error{Reason: Truncated, Offset: len(body)}
		}
		return &Error{Reason: NotJSON}
	}
	out := &Error{Reason: NotJSON, Offset: int(syntax.ByteOffset)}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		out.Reason, out.Key = DuplicateKey, printable(syntax.JSONPointer.LastToken())
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		out.Reason = Truncated
	case !utf8.Valid(body):
		out.Reason = InvalidUTF8
	}
	return out
}

// maxKey bounds a key in an error, in bytes.
const maxKey = 64

// printable makes a key fit for logs and clients: at most maxKey bytes, no control characters, no quotes.
func printable(key string) string {
	out := make([]byte, 0, maxKey)
	for _, r := range key {
		if !strconv.IsPrint(r) || r == '"' {
			r = '?'
		}
		if len(out)+utf8.RuneLen(r) > maxKey {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}
