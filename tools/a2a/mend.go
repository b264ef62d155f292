package a2a

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
)

// Agents say some things in ways that everybody understands but the SDK, which then refuses the whole answer. They are
// mended before it reads.

// mended is a body of JSON, or of events, in the SDK's ways.
type mended struct {
	io.ReadCloser
	next func() ([]byte, error) // the next piece, and what ends the body after it
	rest []byte
	err  error
}

func (m *mended) Read(p []byte) (int, error) {
	for len(m.rest) == 0 {
		if m.err != nil {
			return 0, m.err
		}
		m.rest, m.err = m.next()
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

func mendedJSON(body io.ReadCloser) io.ReadCloser {
	return &mended{ReadCloser: body, next: func() ([]byte, error) {
		all, err := io.ReadAll(body)
		if err == nil {
			err = io.EOF
		}
		return withoutTime(all), err
	}}
}

// mendedEvents takes line by line, as the SDK does. The version is that of the request.
func mendedEvents(body io.ReadCloser, version string) io.ReadCloser {
	lines := bufio.NewReader(body)
	return &mended{ReadCloser: body, next: func() ([]byte, error) {
		line, err := lines.ReadBytes('\n')
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok && err == nil {
			data = bytes.TrimSpace(data)
			if strings.HasPrefix(version, "1") {
				data = enveloped(data)
			}
			line = append(append([]byte("data: "), withoutTime(data)...), '\n')
		}
		return line, err
	}}
}

// envelopes are the members in which protocol 1.0 has what 0.3 told apart by its kind.
var envelopes = map[string]string{"status-update": "statusUpdate", "artifact-update": "artifactUpdate"}

// enveloped puts an event of 0.3 into its envelope: LangGraph (0.16) begins a stream of 1.0 in that and goes on without.
func enveloped(raw []byte) []byte {
	if !bytes.Contains(raw, []byte(`"kind"`)) {
		return raw
	}
	var answer map[string]json.RawMessage
	var result struct{ Kind string }
	if json.Unmarshal(raw, &answer) != nil || json.Unmarshal(answer["result"], &result) != nil || envelopes[result.Kind] == "" {
		return raw
	}
	answer["result"] = slices.Concat([]byte(`{"`+envelopes[result.Kind]+`":`), answer["result"], []byte(`}`))
	return marshalled(answer, raw)
}

// withoutTime drops from where an answer tells a state when the task came to it. Nobody here wants to know, and the SDK
// refuses a time without a zone, as in the answers of pydantic-ai (fasta2a). Data that an agent calls timestamp stays.
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
		answer["status"] = marshalled(status, answer["status"])
	}
	return marshalled(answer, raw)
}

func marshalled(object map[string]json.RawMessage, otherwise []byte) []byte {
	if raw, err := json.Marshal(object); err == nil {
		return raw
	}
	return otherwise
}
