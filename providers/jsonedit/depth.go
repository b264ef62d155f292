package jsonedit

import "bytes"

// tooDeep says whether brackets nest deeper than maxDepth. It needs no valid JSON: what it misjudges in an invalid body
// is refused either way. Most bodies hold too few brackets to nest that deep, which a vectorised count tells.
func tooDeep(body []byte) bool {
	if len(body) <= maxDepth || bytes.Count(body, []byte{'['})+bytes.Count(body, []byte{'{'}) <= maxDepth {
		return false
	}
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			i = stringEnd(body, i)
		case '[', '{':
			if depth++; depth > maxDepth {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

// stringEnd gives the offset of the quote that closes the string opened at start, or len(body) when none does.
func stringEnd(body []byte, start int) int {
	for i := start + 1; ; i++ {
		n := bytes.IndexByte(body[i:], '"')
		if n < 0 {
			return len(body)
		}
		i += n
		escapes := 0
		for body[i-1-escapes] == '\\' { // stops at the opening quote at the latest
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}
