package tools

import (
	"bytes"
	"math"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// The functions here edit JSON that jsonedit has validated, so that they can look at brackets and quotes alone.

// elements gives the members of an array as views of its bytes.
func elements(array []byte) [][]byte { return firstElements(array, math.MaxInt) }

// firstElements gives no more than so many of them.
func firstElements(array []byte, most int) [][]byte {
	var out [][]byte
	start, depth := 1, 0
	for i := 0; i < len(array) && len(out) < most; i++ {
		switch array[i] {
		case '"':
			i = stringEnd(array, i)
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				if e := bytes.TrimSpace(array[start:i]); len(e) > 0 {
					out = append(out, e)
				}
				return out
			}
		case ',':
			if depth == 1 {
				out = append(out, bytes.TrimSpace(array[start:i]))
				start = i + 1
			}
		}
	}
	return out
}

// stringEnd gives the offset of the quote that closes the string opened at start.
func stringEnd(b []byte, start int) int {
	for i := start + 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(b)
}

// extend is the array with members added at its end, every byte before them as it was. A nil array is an empty one.
func extend(array []byte, members ...[]byte) []byte {
	if len(array) == 0 {
		array = []byte("[]")
	}
	size := len(array)
	for _, m := range members {
		size += 1 + len(m)
	}
	out := append(make([]byte, 0, size), array[:len(array)-1]...)
	comma := len(bytes.TrimSpace(array[1:len(array)-1])) > 0
	for _, m := range members {
		if comma {
			out = append(out, ',')
		}
		comma = true
		out = append(out, m...)
	}
	return append(out, ']')
}

// arrayOf is an array of the members.
func arrayOf(members ...[]byte) []byte { return extend(nil, members...) }

// withElement is the array with its member at index replaced. The white space between members is not kept.
func withElement(array []byte, index int, member []byte) []byte {
	all := elements(array)
	all[index] = member
	return arrayOf(all...)
}

// object reads a member that is an object.
func object(d jsonedit.Doc, name string) (jsonedit.Doc, bool) {
	v, ok := d.Member(name)
	if !ok || v.Kind != jsonedit.Object {
		return jsonedit.Doc{}, false
	}
	o, err := jsonedit.Parse(v.Raw())
	return o, err == nil
}

// array reads a member that is an array.
func array(d jsonedit.Doc, name string) ([]byte, bool) {
	v, ok := d.Member(name)
	if !ok || v.Kind != jsonedit.Array {
		return nil, false
	}
	return v.Raw(), true
}

// text reads a member that is a string; anything else is "".
func text(d jsonedit.Doc, name string) string {
	v, _ := d.Member(name)
	s, _ := v.Text()
	return s
}

// present gives a member that is neither absent nor null.
func present(d jsonedit.Doc, name string) (jsonedit.Value, bool) {
	v, ok := d.Member(name)
	return v, ok && v.Kind != jsonedit.Null
}

func quote(s string) []byte { return jsonedit.AppendQuote(nil, s) }
