package main

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

func post(path string, body []byte) [][2]string {
	return [][2]string{{":method", "POST"}, {":path", path}, {"content-length", strconv.Itoa(len(body))}}
}

// every gives the offsets at which pieces of the given size end.
func every(size, length int) (cuts []int) {
	for at := size; at < length; at += size {
		cuts = append(cuts, at)
	}
	return cuts
}

// The built file, too, decides as ext_proc does, however the bytes of a request are cut.
func TestTheBuiltFilterDecidesAsExtProcDoes(t *testing.T) {
	files, err := filepath.Glob("../providers/testdata/plan/*.txtar")
	require.NoError(t, err)
	require.Greater(t, len(files), 30)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			path, allow, deny, body := inputs(t, archive)
			m, ok := boot(t, configuration(t, allow, deny, ""))
			require.True(t, ok, m.logs)
			for _, cuts := range [][]int{nil, every(1, len(body)), every(7, len(body))} {
				same(t, m.request(post(path, body), body, cuts...), path, allow, deny, body)
			}
			for at := range body {
				same(t, m.request(post(path, body), body, at), path, allow, deny, body)
			}
			assert.Empty(t, m.logs)
		})
	}
}

// A policy holds in the built file wherever a body is cut: in the middle of a character, an escape or a number.
func TestTheBuiltFilterHoldsAPolicyAtEveryBoundary(t *testing.T) {
	const path = "/v1/chat/completions"
	m, ok := boot(t, configuration(t, nil, nil, rules))
	require.True(t, ok, m.logs)
	for name, c := range map[string]struct{ body, want string }{
		"refused": {`{"model":"openai/dear-1","n":"é😀"}`, "402 dear"},
		"secret":  {`{"model":"openai/x","messages":[{"content":"\u0041KIAIOSFODNN7EXAMPLE"}]}`, "403 secrets"},
		"changed": {`{"model":"openai/big","seed":-1.50e+3,"n":"é😀\ud83d\ude00"}`, `{"model":"small","seed":-1.50e+3,"n":"é😀\ud83d\ude00"}`},
		"capped":  {`{"max_tokens":5000,"model":"openai/x"}`, `{"max_tokens":100,"model":"x"}`},
		"twice":   {`{"model":"openai/x","model":"openai/dear"}`, "400 unreadable"},
		"cut off": {`{"model":"openai/x"`, "400 unreadable"},
		"bad":     {"{\"model\":\"openai/x\",\"n\":\"\xff\"}", "400 unreadable"},
		"deep":    {`{"model":"openai/x","n":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, "400 unreadable"},
		"huge":    {`{"model":"openai/x","max_tokens":1` + strings.Repeat("0", 400) + `}`, `{"model":"x","max_tokens":100}`},
	} {
		t.Run(name, func(t *testing.T) {
			for at := range c.body {
				got := m.request(post(path, []byte(c.body)), []byte(c.body), at)
				if got.response == nil {
					require.Equal(t, c.want, got.body, at)
					require.Equal(t, strconv.Itoa(len(c.want)), got.headers["content-length"])
					continue
				}
				i := header(got.response.Headers, ruleHeader)
				require.GreaterOrEqual(t, i, 0)
				require.Equal(t, c.want, strconv.Itoa(int(got.response.StatusCode))+" "+got.response.Headers[i][1], at)
				require.True(t, json.Valid(got.response.Data), "%s", got.response.Data)
			}
		})
	}
	assert.Positive(t, m.counters[metricPrefix+"rule.dear.deny"])
	assert.Positive(t, m.counters[metricPrefix+"secret.aws_access_key"])
	assert.NotContains(t, strings.Join(m.logs, "\n"), "IOSFODNN")
}

// What the machine holds does not grow with the requests, those without an end included.
func TestTheBuiltFilterKeepsNothingOfRequests(t *testing.T) {
	m, ok := boot(t, configuration(t, nil, nil, rules))
	require.True(t, ok, m.logs)
	body := []byte(`{"model":"openai/x","pad":"` + strings.Repeat("long ", 20_000) + `"}`)
	ask := func(times int) uint32 {
		for range times {
			require.Nil(t, m.request(post("/v1/chat/completions", body), body, 1000).response)
			m.next++ // and one whose client goes away in the middle
			m.headers, m.body, m.response = post("/v1/chat/completions", body), body[:5000], nil
			m.call("proxy_on_context_create", m.next, rootContext)
			m.call("proxy_on_request_headers", m.next, 3, 0)
			m.call("proxy_on_request_body", m.next, 5000, 0)
			m.call("proxy_on_delete", m.next)
		}
		return m.module.Memory().Size()
	}
	before := ask(300) // by then its heap has its size
	assert.Equal(t, before, ask(400), "40 MB of bodies more")
}

func TestTheBuiltFilterRefusesBadConfigurations(t *testing.T) {
	for _, raw := range []string{`{`, `{"edge":[]}`, `{"policy":{"rules":[{"name":"x"}]}}`} {
		m, ok := boot(t, []byte(raw))
		assert.False(t, ok, raw)
		assert.NotEmpty(t, m.logs, raw)
	}
}
