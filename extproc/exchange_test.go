package extproc

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/bodies"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

// Envoy has been seen to send two ends, and trailers after an end: the first one counts.
func TestWhatComesAfterTheEndIsIgnored(t *testing.T) {
	dir := providers.NewDirectory([]providers.Entry{
		{ID: "openai", Ready: true, Endpoints: []catalog.Endpoint{catalog.ChatCompletions}},
	}, catalog.ModelFilter{}, 1000)
	for name, again := range map[string]func(x *exchange) (replies, bool){
		"an empty end":    func(x *exchange) (replies, bool) { return x.onBody(&extprocv3.HttpBody{EndOfStream: true}) },
		"more body":       func(x *exchange) (replies, bool) { return x.onBody(&extprocv3.HttpBody{Body: []byte("x")}) },
		"trailers":        (*exchange).onTrailers,
		"a response part": func(x *exchange) (replies, bool) { return x.on(&extprocv3.ProcessingRequest{}) },
	} {
		t.Run(name, func(t *testing.T) {
			x := newExchange(dir, bodies.NewLimit(1000).Share())
			out, done := x.onHeaders(&extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
				{Key: ":path", Value: "/v1/chat/completions"}, // value, as Envoy sent it before raw_value
			}}})
			require.Empty(t, out)
			require.False(t, done)
			out, done = x.onBody(&extprocv3.HttpBody{Body: []byte(`{"model":"openai/m"}`), EndOfStream: true})
			require.True(t, done)
			require.NotEmpty(t, out)
			require.Nil(t, out[0].GetImmediateResponse())
			out, done = again(x)
			assert.Empty(t, out)
			assert.True(t, done)
		})
	}
}

// What is over the limit is counted, not kept.
func TestATooLargeBodyIsNotHeld(t *testing.T) {
	x := newExchange(providers.NewDirectory(nil, catalog.ModelFilter{}, 1000), bodies.NewLimit(1000).Share())
	for range 70 {
		out, done := x.onBody(&extprocv3.HttpBody{Body: make([]byte, 100)})
		require.Empty(t, out)
		require.False(t, done)
		assert.LessOrEqual(t, cap(x.body), 2000)
	}
	assert.EqualValues(t, 7000, x.read)
}

// Bodies that are held at once have a limit of their own, whatever each of them may have.
func TestBodiesTogetherHaveALimit(t *testing.T) {
	dir, all := providers.NewDirectory(nil, catalog.ModelFilter{}, 1000), bodies.NewLimit(1500)
	piece := &extprocv3.HttpBody{Body: make([]byte, 800)}
	first, second := newExchange(dir, all.Share()), newExchange(dir, all.Share())
	out, done := first.onBody(piece)
	require.Empty(t, out)
	require.False(t, done)
	out, done = second.onBody(piece)
	require.True(t, done)
	require.Len(t, out, 1)
	assert.Equal(t, typev3.StatusCode_ServiceUnavailable, out[0].GetImmediateResponse().GetStatus().GetCode())
	assert.Contains(t, string(out[0].GetImmediateResponse().GetBody()), "SERVER_MAX_REQUEST_BODIES_SIZE")

	third := newExchange(dir, all.Share())
	_, _ = first.onBody(piece) // too long now, and dropped
	out, done = third.onBody(piece)
	assert.Empty(t, out)
	assert.False(t, done)
}
