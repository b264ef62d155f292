package jsonedit

import (
	"math/bits"
	"unicode/utf8"
)

const (
	scanDepth = 32 // containers open at the same time
	scanNames = 64 // names in all objects that are open at the same time
)

// expected is what may come next.
type expected uint8

const (
	aValue expected = iota
	aValueOrEnd
	aName
	aNameOrEnd
	aCommaOrEnd
)

// scan is Parse for ordinary bodies: one pass over the bytes, with no allocation but the members. It may give up on any
// body, and does so on all that is wrong and on much that is rare (an escape in a name, deep nesting, many names): then
// jsontext decides, and words the error. What it accepts jsontext accepts as well, with the same members (FuzzScan).
//
// It exists for the filter inside Envoy: compiled to wasm, jsontext's many small calls took half of all its time.
func scan(body []byte) (Doc, bool) {
	var (
		names [scanNames][]byte // of the open objects, outer ones first
		first [scanDepth]int    // of each open container: its first name in names, or -1 for an array
		known int               // names in use
		depth int               // containers that are open
		next  = aNameOrEnd
		pos   = skipSpace(body, 0)
	)
	if pos == len(body) || body[pos] != '{' {
		return Doc{}, false
	}
	pos, depth = pos+1, 1
	doc := Doc{body: body, open: pos, members: make([]member, 0, 12)}
	for depth > 0 {
		pos = skipSpace(body, pos)
		if pos == len(body) {
			return Doc{}, false
		}
		top := first[depth-1]
		start, c := pos, body[pos]
		switch {
		case next == aCommaOrEnd && c == ',':
			pos++
			if next = aName; top < 0 {
				next = aValue
			}
			continue
		case (c == '}' && top >= 0 && (next == aNameOrEnd || next == aCommaOrEnd)) || (c == ']' && top < 0 && (next == aValueOrEnd || next == aCommaOrEnd)):
			pos++
			if depth--; top >= 0 {
				known = top
			}
		case next == aName || next == aNameOrEnd:
			end := scanName(body, pos)
			if end < 0 || known == scanNames {
				return Doc{}, false
			}
			name := body[start:end]
			for _, other := range names[top:known] {
				if len(other) == len(name) && string(other) == string(name) {
					return Doc{}, false
				}
			}
			names[known] = name
			known++
			pos = skipSpace(body, end)
			if pos == len(body) || body[pos] != ':' {
				return Doc{}, false
			}
			pos++
			next = aValue
			if depth == 1 {
				doc.members = append(doc.members, member{nameStart: uint32(start), nameEnd: uint32(end), start: uint32(skipSpace(body, pos))})
			}
			continue
		case next == aCommaOrEnd:
			return Doc{}, false
		case c == '{' || c == '[':
			if depth == scanDepth {
				return Doc{}, false
			}
			if first[depth], next = known, aNameOrEnd; c == '[' {
				first[depth], next = -1, aValueOrEnd
			}
			depth++
			pos++
			continue
		case c == '"':
			pos = scanString(body, pos)
		case c == 't' || c == 'f' || c == 'n':
			pos = scanLiteral(body, pos)
		default:
			pos = scanNumber(body, pos)
		}
		// A value has ended.
		if pos < 0 {
			return Doc{}, false
		}
		next = aCommaOrEnd
		if depth == 1 {
			doc.members[len(doc.members)-1].end = uint32(pos)
		}
	}
	return doc, skipSpace(body, pos) == len(body)
}

// The functions below give the offset behind what begins at pos, or -1.

// scanName is scanString without escapes.
func scanName(body []byte, pos int) int {
	if body[pos] != '"' {
		return -1
	}
	for i := pos + 1; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			return i + 1
		case c == '\\' || c < ' ' || c >= utf8.RuneSelf:
			return -1
		}
	}
	return -1
}

func scanString(body []byte, pos int) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	ascii := uint64(0) // its high bits are set by bytes that are not ASCII, also by some behind the string
	i := pos + 1
	for {
		// Eight bytes at a time, as long as none is a quote, a backslash or a control character. Of the bytes that one of
		// the three tests marks, the first is right; the others need not be.
		for i+8 <= len(body) {
			word := littleEndian(body[i:])
			ascii |= word
			quote, slash := word^('"'*ones), word^('\\'*ones)
			stop := ((quote-ones)&^quote | (slash-ones)&^slash | (word-' '*ones)&^word) & highs
			if stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		if i >= len(body) {
			return -1
		}
		switch c := body[i]; {
		case c == '"':
			if ascii&highs != 0 && !utf8.Valid(body[pos:i]) {
				return -1
			}
			return i + 1
		case c == '\\':
			n := scanEscape(body, i)
			if n < 0 {
				return -1
			}
			i = n
		case c < ' ':
			return -1
		default: // one of the last seven bytes of the body
			ascii |= uint64(c)
			i++
		}
	}
}

func scanEscape(body []byte, pos int) int {
	if pos+2 > len(body) {
		return -1
	}
	switch body[pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return pos + 2
	case 'u':
	default:
		return -1
	}
	switch unit := codeUnit(body, pos); {
	case unit < 0:
		return -1
	case unit < 0xd800 || unit > 0xdfff:
		return pos + 6
	case unit < 0xdc00: // the first half of a pair (RFC 8259, 7)
		if low := codeUnit(body, pos+6); low >= 0xdc00 && low <= 0xdfff {
			return pos + 12
		}
	}
	return -1
}

// codeUnit reads the \u escape at pos: a UTF-16 code unit, or -1.
func codeUnit(body []byte, pos int) int {
	if pos+6 > len(body) || body[pos] != '\\' || body[pos+1] != 'u' {
		return -1
	}
	unit := 0
	for _, c := range body[pos+2 : pos+6] {
		switch {
		case '0' <= c && c <= '9':
			unit = unit<<4 | int(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			unit = unit<<4 | int(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return unit
}

func scanLiteral(body []byte, pos int) int {
	rest := body[pos:]
	switch {
	case len(rest) >= 4 && (string(rest[:4]) == "true" || string(rest[:4]) == "null"):
		return pos + 4
	case len(rest) >= 5 && string(rest[:5]) == "false":
		return pos + 5
	}
	return -1
}

func scanNumber(body []byte, pos int) int {
	if body[pos] == '-' {
		pos++
	}
	switch {
	case pos < len(body) && body[pos] == '0':
		pos++
	default:
		if pos = scanDigits(body, pos); pos < 0 {
			return -1
		}
	}
	if pos < len(body) && body[pos] == '.' {
		if pos = scanDigits(body, pos+1); pos < 0 {
			return -1
		}
	}
	if pos < len(body) && body[pos]|0x20 == 'e' {
		if pos++; pos < len(body) && (body[pos] == '+' || body[pos] == '-') {
			pos++
		}
		pos = scanDigits(body, pos)
	}
	return pos
}

// scanDigits wants at least one.
func scanDigits(body []byte, pos int) int {
	start := pos
	for pos < len(body) && '0' <= body[pos] && body[pos] <= '9' {
		pos++
	}
	if pos == start {
		return -1
	}
	return pos
}

// littleEndian is that of encoding/binary, which brings reflection; the compiler makes one load of it where the machine can.
func littleEndian(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}
