package demo_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

const completions = "/v1/chat/completions"

func faulty(name string) string {
	return `{"model":"` + name + `","messages":[{"role":"user","content":"one two three four five"}]}`
}

func TestFaultStatusesHaveTheirBodiesAndHeaders(t *testing.T) {
	p := serve(t, demo.Options{Faults: true})
	p.refused(completions, faulty("fault-500"), 500)
	assert.Equal(t, "invalid_api_key", p.refused(completions, faulty("fault-401"), 401)["code"])
	assert.Equal(t, "rate_limit_exceeded", p.refused(completions, faulty("fault-429"), 429)["code"])
	assert.Empty(t, p.do(completions, faulty("fault-429")).Header.Get("Retry-After"))
	res := p.do(completions, faulty("fault-429-after-7"))
	assert.Equal(t, "7", res.Header.Get("Retry-After"))
	assert.Equal(t, "0", res.Header.Get("X-Ratelimit-Remaining-Requests"))
	assert.Equal(t, "model_not_found", p.refused(completions, faulty("fault-typo"), 404)["code"])
	assert.Equal(t, 503, p.do("/v1/models", "", "X-Demo-Fault", "fault-503").StatusCode)
	assert.Equal(t, 200, serve(t, demo.Options{}).do("/v1/models", "", "X-Demo-Fault", "fault-503").StatusCode, "switched off")
	assert.Equal(t, 503, serve(t, demo.Options{Fault: "fault-503"}).do("/v1/models", "").StatusCode, "sick as a whole")
}

func TestCountedFaultsPassAndComeBack(t *testing.T) {
	p := serve(t, demo.Options{Faults: true})
	var got []int
	for range 4 {
		got = append(got, p.do(completions, faulty("fault-503-twice")).StatusCode)
	}
	assert.Equal(t, []int{503, 503, 200, 503}, got)
	assert.Equal(t, 503, p.do(completions, faulty("fault-503-once-a")).StatusCode)
	assert.Equal(t, 503, p.do(completions, faulty("fault-503-once-b")).StatusCode, "counted apart")
	assert.Equal(t, 200, p.do(completions, faulty("fault-503-once-a")).StatusCode)
}

func TestAResetHasNoAnswer(t *testing.T) {
	p := serve(t, demo.Options{Faults: true})
	_, err := p.try(completions, faulty("fault-reset"))
	require.Error(t, err)
	_, err = p.try(completions, faulty("fault-reset-once-x"))
	require.Error(t, err)
	res, err := p.try(completions, faulty("fault-reset-once-x"))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, res.StatusCode)
}

func TestAResetMidstreamBreaksTheBody(t *testing.T) {
	p := serve(t, demo.Options{Faults: true})
	res := p.do(completions, streaming(faulty("fault-reset-midstream")))
	assert.Equal(t, http.StatusOK, res.StatusCode)
	events, err := readEvents(t, res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Len(t, events, 3)

	res = p.do(completions, faulty("fault-reset-midstream"))
	raw, err := io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.NotEmpty(t, raw)
	assert.False(t, json.Valid(raw))
}

func TestAnErrorMidstreamIsAnEvent(t *testing.T) {
	p := serve(t, demo.Options{Faults: true})
	events, err := readEvents(t, p.do(completions, streaming(faulty("fault-error-midstream"))).Body)
	require.NoError(t, err)
	require.Len(t, events, 4)
	assert.True(t, strings.HasPrefix(events[3], `{"error":{`), events[3])
}

func TestASlowAnswerIsGood(t *testing.T) {
	p := serve(t, demo.Options{Faults: true})
	start := time.Now()
	p.chat(faulty("fault-slow-60ms"))
	assert.GreaterOrEqual(t, time.Since(start), 60*time.Millisecond)
}

func TestAnAnswerIsCompressed(t *testing.T) {
	p := serve(t, demo.Options{Faults: true})
	res := p.do(completions, faulty("fault-gzip"), "Accept-Encoding", "identity")
	assert.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	z, err := gzip.NewReader(res.Body)
	require.NoError(t, err)
	raw, err := io.ReadAll(z)
	require.NoError(t, err)
	assert.True(t, json.Valid(raw))

	z, err = gzip.NewReader(p.do(completions, streaming(faulty("fault-gzip")), "Accept-Encoding", "identity").Body)
	require.NoError(t, err)
	events, err := readEvents(t, z)
	require.NoError(t, err)
	assert.Equal(t, "[DONE]", events[len(events)-1])
}

func TestAHangEndsWithItsClient(t *testing.T) {
	p := serve(t, demo.Options{Faults: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+completions, strings.NewReader(faulty("fault-hang")))
	require.NoError(t, err)
	_, err = p.Client().Do(req)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	p.Server.Close() // waits for the handler
}
