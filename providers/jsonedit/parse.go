package jsonedit

import (
	"bytes"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxBody is far above any limit of the gateway; it keeps offsets within 32 bits.
	maxBody = 1 << 30
	// maxMembers bounds the top-level members; requests have some dozen. Without it a body of many tiny members takes
	// several times its size in memory.
	maxMembers = 4096
	// maxDepth bounds nesting. jsontext allows 10000 and recurses: enough to overflow the stack of the wasm engine, which
	// would take the filter down with it.
	maxDepth = 500
)

// reader is a decoder and the buffer that it reads: jsontext parses a bytes.Buffer in place, without copying.
type reader struct {
	dec jsontext.Decoder
	buf bytes.Buffer
}

var readers = sync.Pool{New: func() any { return new(reader) }}

// Parse validates body as exactly one JSON object (white space around it is fine) and records its top-level members. The
// Doc refers to body. Every error is a *Error.
func Parse(body []byte) (Doc, error) {
	if len(body) > maxBody {
		return Doc{}, &Error{Reason: TooLarge}
	}
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		return Doc{}, &Error{Reason: ByteOrder}
	}
	if doc, ok := scan(body); ok {
		return doc, nil
	}
	return judge(body)
}

// judge has jsontext read what scan has given up on, and words what is wrong with it.
func judge(body []byte) (Doc, error) {
	if tooDeep(body) {
		return Doc{}, &Error{Reason: TooComplex}
	}
	r := readers.Get().(*reader)
	r.buf = *bytes.NewBuffer(body)
	r.dec.Reset(&r.buf)
	doc, err := r.parse(body)
	r.buf = bytes.Buffer{}
	r.dec.Reset(&r.buf) // lets go of the body: the pool must not keep 20 MB alive
	readers.Put(r)
	return doc, err
}

func (r *reader) parse(body []byte) (Doc, error) {
	switch r.dec.PeekKind() {
	case jsontext.KindBeginObject:
	case jsontext.KindInvalid:
		if skipSpace(body, 0) == len(body) {
			return Doc{}, &Error{Reason: Empty}
		}
		_, err := r.dec.ReadToken()
		return Doc{}, explain(err, body)
	default:
		if err := r.dec.SkipValue(); err != nil {
			return Doc{}, explain(err, body)
		}
		return Doc{}, &Error{Reason: NotObject}
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return Doc{}, explain(err, body)
	}
	doc := Doc{body: body, open: int(r.dec.InputOffset()), members: make([]member, 0, 12)}
	for r.dec.PeekKind() != jsontext.KindEndObject {
		if len(doc.members) == maxMembers {
			return Doc{}, &Error{Reason: TooComplex}
		}
		m, err := r.member()
		if err != nil {
			return Doc{}, explain(err, body)
		}
		doc.members = append(doc.members, m)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return Doc{}, explain(err, body)
	}
	end := int(r.dec.InputOffset())
	if skipSpace(body, end) != len(body) {
		return Doc{}, &Error{Reason: TrailingData, Offset: end}
	}
	return doc, nil
}

// member reads a name and its value. Values are read whole, which is jsontext's fastest way and checks all depths.
func (r *reader) member() (member, error) {
	name, err := r.dec.ReadValue()
	if err != nil {
		return member{}, err
	}
	nameEnd := uint32(r.dec.InputOffset())
	value, err := r.dec.ReadValue()
	if err != nil {
		return member{}, err
	}
	end := uint32(r.dec.InputOffset())
	return member{
		nameStart: nameEnd - uint32(len(name)), nameEnd: nameEnd,
		start: end - uint32(len(value)), end: end,
	}, nil
}

// skipSpace gives the offset of the first byte at or after pos that is no JSON white space.
func skipSpace(body []byte, pos int) int {
	for pos < len(body) && (body[pos] == ' ' || body[pos] == '\n' || body[pos] == '\r' || body[pos] == '\t') {
		pos++
	}
	return pos
}
