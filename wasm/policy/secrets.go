package policy

import (
	"bytes"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// detect counts the secrets in every string of a body, whatever member it stands in: messages, instructions, tools and
// their results. It reads the text that the model will read, so escapes hide nothing.
func (s *seen) detect(which detectors, body []byte) Found {
	var found Found
	for pos := 0; ; {
		quoted, _, end := jsonedit.NextString(body, pos)
		if end < 0 {
			return found
		}
		pos = end
		if len(quoted) < shortestSecret {
			continue
		}
		text := jsonedit.Unescaped(s.scratch, quoted)
		if cap(text) > cap(s.scratch) && len(text) < len(quoted)-2 {
			s.scratch = text[:0]
		}
		if inner, ok := s.unescapeAgain(text); ok {
			text = inner
		}
		scan(which, text, &found)
	}
}

// unescapeAgain resolves the escapes that JSON inside of a string may hide a secret behind, as the arguments of tool calls
// are: \uXXXX of what is ASCII, and \/. What else stands there stays as it is.
func (s *seen) unescapeAgain(text []byte) ([]byte, bool) {
	at := nextEscape(text, 0)
	if at < 0 {
		return nil, false
	}
	out, from := s.inner[:0], 0
	for at >= 0 {
		out = append(out, text[from:at]...)
		if text[at+1] == '/' {
			out, from = append(out, '/'), at+2
		} else {
			out, from = append(out, byte(hex(text[at+4])<<4|hex(text[at+5]))), at+6
		}
		at = nextEscape(text, from)
	}
	out = append(out, text[from:]...)
	s.inner = out
	return out, true
}

// nextEscape finds such an escape from a place on; -1 when there is none.
func nextEscape(text []byte, from int) int {
	for {
		n := bytes.IndexByte(text[from:], '\\')
		if n < 0 || from+n+1 == len(text) {
			return -1
		}
		from += n
		switch rest := text[from:]; {
		case rest[1] == '/':
			return from
		case len(rest) >= 6 && rest[1] == 'u' && rest[2] == '0' && rest[3] == '0' && hex(rest[4]) >= 0 && hex(rest[4]) < 8 && hex(rest[5]) >= 0:
			return from
		}
		from += 2
	}
}

// shortestSecret is less than any secret with its quotes.
const shortestSecret = 18

// kinds gives the kind of each byte.
var kinds = func() (t [256]charset) {
	for c := '0'; c <= '9'; c++ {
		t[c] = digit
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = lower, upper
	}
	t['-'], t['_'], t['.'] = dash, dash, dot
	t['+'], t['/'], t['='] = rest, rest, rest
	return t
}()

// anchorOf gives the place of a prefix's anchor: its first character that is rare in prose.
func anchorOf(prefix string) int {
	for i := range len(prefix) {
		switch prefix[i] {
		case 'A', '-', '_', '.':
			return i
		}
	}
	return 0
}

// anchored lists, for each byte, the shapes whose anchor it is. Bytes of no shape have a nil list.
var anchored = func() (t [256][]anchor) {
	for i := range shapes {
		at := anchorOf(shapes[i].prefix)
		c := shapes[i].prefix[at]
		a := anchor{shape: &shapes[i], at: at}
		if at > 0 {
			a.before = shapes[i].prefix[at-1]
		}
		t[c] = append(t[c], a)
	}
	return t
}()

// isAnchor is what every byte of a prompt is looked up in.
var isAnchor = func() (t [256]bool) {
	for c := range anchored {
		t[c] = len(anchored[c]) > 0
	}
	return t
}()

type anchor struct {
	shape  *shape
	at     int  // in the prefix
	before byte // the character before it, which rules most places out; 0 where it is the first
}

// scan counts the secrets in a text.
func scan(which detectors, text []byte, found *Found) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if !isAnchor[c] {
			continue
		}
		var before byte
		if i > 0 {
			before = text[i-1]
		}
		if c == '-' && which&(1<<privateKey) != 0 {
			if n := keyBlock(text[i:]); n > 0 {
				found.count(privateKey)
				i += n - 1
				continue
			}
		}
		for j := range anchored[c] {
			a := &anchored[c][j]
			if a.before != 0 && a.before != before || which&(1<<a.shape.detector) == 0 {
				continue
			}
			if end := a.shape.at(text, i-a.at); end > 0 {
				found.count(a.shape.detector)
				i = end - 1
				break
			}
		}
	}
}

func (f *Found) count(detector int) {
	if f[detector] < 1<<16-1 {
		f[detector]++
	}
}

// at gives the end of a secret of this shape that begins at start, or 0.
func (sh *shape) at(text []byte, start int) int {
	from := start + len(sh.prefix)
	if start < sh.inside || from > len(text) || string(text[start:from]) != sh.prefix {
		return 0
	}
	for range sh.inside {
		if start--; kinds[text[start]]&sh.kind == 0 {
			return 0
		}
	}
	// What stands before must not belong to the same word; an n behind a backslash is a line break of JSON inside of JSON.
	if start > 0 && kinds[text[start-1]]&alnum != 0 && (start == 1 || text[start-2] != '\\') {
		return 0
	}
	// One of an exact length ends soon, or is none: a text of nothing but beginnings must not be read once for each.
	end, most := from, len(text)
	if sh.exact {
		most = min(most, from+sh.least+1)
	}
	for end < most && kinds[text[end]]&sh.kind != 0 {
		end++
	}
	if end-from < sh.least || sh.exact && end-from > sh.least {
		return 0
	}
	return end
}

// keyBlock gives the length of the line that begins a PEM block of a private key at the text's start, or 0: five dashes,
// BEGIN, words of which the last are PRIVATE KEY (and BLOCK, in PGP's), five dashes.
func keyBlock(text []byte) int {
	const begin, dashes, most = "-----BEGIN ", "-----", 64
	if !bytes.HasPrefix(text, []byte(begin)) {
		return 0
	}
	label := text[len(begin):min(len(text), most)]
	end := bytes.Index(label, []byte(dashes))
	if end < 0 {
		return 0
	}
	label = bytes.TrimSuffix(label[:end], []byte(" BLOCK"))
	if !bytes.HasSuffix(label, []byte("PRIVATE KEY")) {
		return 0
	}
	return len(begin) + end + len(dashes)
}
