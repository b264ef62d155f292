package demo_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// provider is a demo provider behind a real socket.
type provider struct {
	*httptest.Server
	t *testing.T
}

func serve(t *testing.T, opts demo.Options) *provider {
	t.Helper()
	opts.Now = func() time.Time { return noon }
	s := httptest.NewServer(demo.New(opts))
	t.Cleanup(func() {
		s.Client().CloseIdleConnections()
		s.Close()
	})
	return &provider{s, t}
}

// try sends a request and hands the error to the test.
func (p *provider) try(path, body string, headers ...string) (*http.Response, error) {
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.URL+path, strings.NewReader(body))
	require.NoError(p.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := p.Client().Do(req)
	if err == nil {
		p.t.Cleanup(func() { _ = res.Body.Close() })
	}
	return res, err
}

func (p *provider) do(path, body string, headers ...string) *http.Response {
	p.t.Helper()
	res, err := p.try(path, body, headers...)
	require.NoError(p.t, err)
	return res
}

// call sends a request and decodes the JSON answer.
func (p *provider) call(path, body string, status int) map[string]any {
	p.t.Helper()
	res := p.do(path, body)
	raw, err := io.ReadAll(res.Body)
	require.NoError(p.t, err)
	require.Equal(p.t, status, res.StatusCode, "%s", raw)
	require.Equal(p.t, "application/json", res.Header.Get("Content-Type"))
	var out map[string]any
	require.NoError(p.t, json.Unmarshal(raw, &out), "%s", raw)
	return out
}

func (p *provider) chat(body string) map[string]any {
	p.t.Helper()
	return p.call("/v1/chat/completions", body, http.StatusOK)
}

// refused sends a request that must fail and gives the error object.
func (p *provider) refused(path, body string, status int) map[string]any {
	p.t.Helper()
	e, ok := p.call(path, body, status)["error"].(map[string]any)
	require.True(p.t, ok)
	require.NotEmpty(p.t, e["message"])
	require.Contains(p.t, e, "type")
	require.Contains(p.t, e, "param")
	require.Contains(p.t, e, "code")
	return e
}

// get walks into decoded JSON: strings name members, ints index arrays.
func get(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch s := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			require.True(t, ok, "no object at %v of %v in %v", s, path, v)
			require.Contains(t, m, s)
			v = m[s]
		case int:
			a, ok := v.([]any)
			require.True(t, ok && s < len(a), "no item %d of %v in %v", s, path, v)
			v = a[s]
		}
	}
	return v
}

// readEvents parses a stream strictly: every event is exactly one data line and an empty line.
func readEvents(t *testing.T, r io.Reader) (events []string, err error) {
	t.Helper()
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		require.True(t, ok, "not a data line: %q", line)
		blank, err := br.ReadString('\n')
		if err != nil {
			return events, err
		}
		require.Equal(t, "\n", blank)
		events = append(events, strings.TrimSuffix(string(data), "\n"))
	}
}

// chunks sends a streaming request and decodes every event but the last, which must be [DONE].
func (p *provider) chunks(body string) []map[string]any {
	p.t.Helper()
	res := p.do("/v1/chat/completions", body)
	require.Equal(p.t, http.StatusOK, res.StatusCode)
	require.Equal(p.t, "text/event-stream; charset=utf-8", res.Header.Get("Content-Type"))
	events, err := readEvents(p.t, res.Body)
	require.NoError(p.t, err)
	require.Equal(p.t, "[DONE]", events[len(events)-1])
	var out []map[string]any
	for _, e := range events[:len(events)-1] {
		var chunk map[string]any
		require.NoError(p.t, json.Unmarshal([]byte(e), &chunk), e)
		require.Equal(p.t, "chat.completion.chunk", chunk["object"])
		out = append(out, chunk)
	}
	return out
}
