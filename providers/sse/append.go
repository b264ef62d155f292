package sse

import "bytes"

// AppendData appends an event that has no name.
func AppendData(dst, data []byte) []byte { return AppendEvent(dst, "", data) }

// AppendEvent appends an event. Data with line ends becomes several data: lines, which readers join again.
func AppendEvent(dst []byte, name string, data []byte) []byte {
	if name != "" {
		dst = append(dst, "event: "...)
		dst = appendLine(dst, []byte(name))
		dst = append(dst, '\n')
	}
	for {
		line, rest, more := cutLine(data)
		dst = append(dst, "data: "...)
		dst = append(dst, line...)
		dst = append(dst, '\n')
		if !more {
			break
		}
		data = rest
	}
	return append(dst, '\n')
}

// AppendComment appends a comment, which readers skip and which keeps a connection alive.
func AppendComment(dst []byte, text string) []byte {
	dst = append(dst, ": "...)
	dst = appendLine(dst, []byte(text))
	return append(dst, "\n\n"...)
}

// appendLine appends a text as one line.
func appendLine(dst, text []byte) []byte {
	for _, c := range text {
		if c == '\r' || c == '\n' {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}

func cutLine(data []byte) (line, rest []byte, more bool) {
	if bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') < 0 { // as it nearly always is
		return data, nil, false
	}
	i := bytes.IndexAny(data, "\r\n")
	line, rest = data[:i], data[i+1:]
	if data[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	return line, rest, true
}
