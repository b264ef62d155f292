package a2a

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
)

// Agents tell when a task came to its state. Nobody here wants to know, and the SDK refuses the whole answer when the time
// has no zone, as in those of pydantic-ai (fasta2a): so it is left out before the SDK reads.

// undated is a body of JSON, or of events, without such times.
type undated struct {
	io.ReadCloser
	next func() ([]byte, error) // the next piece, and what ends the body after it
	rest []byte
	err  error
}

func (u *undated) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		u.rest, u.err = u.next()
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

func undatedJSON(body io.ReadCloser) io.ReadCloser {
	return &undated{ReadCloser: body, next: func() ([]byte, error) {
		all, err := io.ReadAll(body)
		if err == nil {
			err = io.EOF
		}
		return withoutTime(all), err
	}}
}

// undatedEvents takes line by line, as the SDK does.
func undatedEvents(body io.ReadCloser) io.ReadCloser {
	lines := bufio.NewReader(body)
	return &undated{ReadCloser: body, next: func() ([]byte, error) {
		line, err := lines.ReadBytes('\n')
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok && err == nil {
			line = append(append([]byte("data: "), withoutTime(bytes.TrimSpace(data))...), '\n')
		}
		return line, err
	}}
}

// withoutTime drops the time from where an answer tells a state; data that an agent calls timestamp stays.
func withoutTime(raw []byte) []byte {
	if !bytes.Contains(raw, []byte(`"timestamp"`)) {
		return raw
	}
	var answer map[string]json.RawMessage
	if json.Unmarshal(raw, &answer) != nil {
		return raw
	}
	for _, name := range []string{"result", "task", "statusUpdate"} { // of JSON-RPC, and of both
		if inner, ok := answer[name]; ok {
			answer[name] = withoutTime(inner)
		}
	}
	var status map[string]json.RawMessage
	if json.Unmarshal(answer["status"], &status) == nil {
		delete(status, "timestamp")
		if mended, err := json.Marshal(status); err == nil {
			answer["status"] = mended
		}
	}
	if mended, err := json.Marshal(answer); err == nil {
		return mended
	}
	return raw
}
