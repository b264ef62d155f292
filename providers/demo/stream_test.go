package demo_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

func streaming(body string) string { return strings.Replace(body, `{`, `{"stream":true,`, 1) }

func TestAStreamSaysTheSameAsTheWholeAnswer(t *testing.T) {
	p := serve(t, demo.Options{})
	chunks := p.chunks(streaming(hello))
	var text strings.Builder
	for i, chunk := range chunks {
		assert.Equal(t, chunks[0]["id"], chunk["id"])
		assert.NotContains(t, chunk, "usage", "nobody asked for it")
		delta := get(t, chunk, "choices", 0, "delta").(map[string]any)
		if i == 0 {
			assert.Equal(t, map[string]any{"role": "assistant", "content": "", "refusal": nil}, delta)
			continue
		}
		assert.NotContains(t, delta, "role", "the role is said once")
		finish := get(t, chunk, "choices", 0, "finish_reason")
		if i == len(chunks)-1 {
			assert.Empty(t, delta)
			assert.Equal(t, "stop", finish)
			continue
		}
		assert.Nil(t, finish)
		text.WriteString(delta["content"].(string))
	}
	assert.Greater(t, len(chunks), 4, "word by word")
	assert.Equal(t, content(t, p.chat(hello)), text.String())
}

func TestUsageComesLastWhenAskedFor(t *testing.T) {
	p := serve(t, demo.Options{})
	chunks := p.chunks(strings.Replace(streaming(hello), `{`, `{"stream_options":{"include_usage":true},`, 1))
	last := len(chunks) - 1
	for _, chunk := range chunks[:last] {
		assert.Nil(t, get(t, chunk, "usage"))
	}
	assert.Empty(t, get(t, chunks[last], "choices"))
	assert.NotNil(t, chunks[last]["choices"])
	assert.Equal(t, get(t, p.chat(hello), "usage"), get(t, chunks[last], "usage"))
}

func TestChoicesOfAStreamTakeTurns(t *testing.T) {
	finished := map[float64]bool{}
	for _, chunk := range serve(t, demo.Options{}).chunks(strings.Replace(streaming(hello), `{`, `{"n":2,`, 1)) {
		if get(t, chunk, "choices", 0, "finish_reason") != nil {
			finished[get(t, chunk, "choices", 0, "index").(float64)] = true
		}
	}
	assert.Equal(t, map[float64]bool{0: true, 1: true}, finished)
}

// flushes notes when something goes out.
type flushes struct {
	*httptest.ResponseRecorder
	at []time.Time
}

func (f *flushes) Flush() { f.at = append(f.at, time.Now()) }

func TestWordsGoOutOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pause = 30 * time.Millisecond
		w := &flushes{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(streaming(hello)))
		demo.New(demo.Options{Pause: pause}).ServeHTTP(w, r)
		require.Len(t, w.at, strings.Count(w.Body.String(), "data: "), "each event by itself")
		require.Greater(t, len(w.at), 4)
		for i := range len(w.at) - 1 {
			assert.Equal(t, pause, w.at[i+1].Sub(w.at[i]), i)
		}
	})
}

func TestAStreamStopsWhenTheClientGoesAway(t *testing.T) {
	stopped := make(chan struct{})
	inner := demo.New(demo.Options{Pause: time.Hour})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		close(stopped)
	}))
	defer s.Close()
	defer s.Client().CloseIdleConnections()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/v1/chat/completions", strings.NewReader(streaming(hello)))
	require.NoError(t, err)
	res, err := s.Client().Do(req)
	require.NoError(t, err)
	first, err := bufio.NewReader(res.Body).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, first, `"role":"assistant"`, "it does not wait for the rest")
	cancel()
	require.NoError(t, res.Body.Close())
	select {
	case <-stopped:
	case <-time.After(5 * time.Second):
		t.Fatal("the handler still streams to nobody")
	}
}
