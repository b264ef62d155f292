package routing

import "strings"

// CleanPath gives the path as a lenient server may read it: escapes resolved, slashes single, dot segments gone, no slash
// at the end. Ordinary paths are given back as they are.
func CleanPath(path string) string {
	if path == "" {
		return "/"
	}
	if strings.IndexByte(path, '%') < 0 && strings.IndexByte(path, '\\') < 0 && strings.IndexByte(path, ';') < 0 &&
		!strings.Contains(path, "//") && !strings.Contains(path, "/.") && (path == "/" || path[len(path)-1] != '/') {
		return path
	}
	decoded := strings.ReplaceAll(unescapePath(path), `\`, "/")
	var kept []string
	for segment := range strings.SplitSeq(decoded, "/") {
		segment, _, _ = strings.Cut(segment, ";") // parameters of a segment
		switch segment {
		case "", ".":
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// unescapePath resolves percent escapes once; what is none stays.
func unescapePath(path string) string {
	if strings.IndexByte(path, '%') < 0 {
		return path
	}
	out := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if c, ok := escaped(path[i:]); ok {
			out = append(out, c)
			i += 2
			continue
		}
		out = append(out, path[i])
	}
	return string(out)
}

// escaped gives the byte that a percent escape at the beginning of a text stands for.
func escaped(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := strings.IndexByte(hexDigits, s[1]), strings.IndexByte(hexDigits, s[2])
	return byte(high%16<<4 | low%16), high >= 0 && low >= 0
}

// hexDigits have their value as their place, modulo 16.
const hexDigits = "0123456789abcdef0123456789ABCDEF"
