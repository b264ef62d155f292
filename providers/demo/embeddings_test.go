package demo_test

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/providers/demo"
)

// embed gives the vectors of an answer.
func embed(t *testing.T, p *provider, body string) [][]float64 {
	t.Helper()
	got := p.call("/v1/embeddings", body, http.StatusOK)
	assert.Equal(t, "list", got["object"])
	assert.Equal(t, get(t, got, "usage", "total_tokens"), get(t, got, "usage", "prompt_tokens"))
	var out [][]float64
	for i, d := range got["data"].([]any) {
		assert.EqualValues(t, i, get(t, d, "index"))
		assert.Equal(t, "embedding", get(t, d, "object"))
		var v []float64
		for _, x := range get(t, d, "embedding").([]any) {
			v = append(v, x.(float64))
		}
		assert.InDelta(t, 1, math.Sqrt(dot(v, v)), 1e-5)
		out = append(out, v)
	}
	return out
}

func dot(a, b []float64) (sum float64) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func TestVectorsAreUnitAndDeterministicAndNearTheirLike(t *testing.T) {
	p := serve(t, demo.Options{})
	v := embed(t, p, `{"model":"embedding","input":["the black cat sleeps","The cat sleeps.","stock markets fell sharply","!!!"]}`)
	assert.Len(t, v[0], 256)
	assert.Greater(t, dot(v[0], v[1]), 0.6)
	assert.Less(t, dot(v[0], v[2]), 0.4)
	assert.Equal(t, v[:1], embed(t, p, `{"model":"embedding","input":"the black cat sleeps"}`))
	assert.Len(t, embed(t, p, `{"model":"echo","input":"x","dimensions":8}`)[0], 8)
	assert.Len(t, embed(t, p, `{"model":"embedding","input":[1,2,3]}`), 1)
	assert.Len(t, embed(t, p, `{"model":"embedding","input":[[1],[2,3]]}`), 2)
}

func TestBase64HoldsTheSameVector(t *testing.T) {
	p := serve(t, demo.Options{})
	plain := embed(t, p, `{"model":"embedding","input":"x"}`)[0]
	got := p.call("/v1/embeddings", `{"model":"embedding","input":"x","encoding_format":"base64"}`, http.StatusOK)
	raw, err := base64.StdEncoding.DecodeString(get(t, got, "data", 0, "embedding").(string))
	require.NoError(t, err)
	require.Len(t, raw, 4*len(plain))
	for i, want := range plain {
		assert.InDelta(t, want, math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])), 1e-7)
	}
}

func TestABadEmbeddingRequestNamesItsField(t *testing.T) {
	p := serve(t, demo.Options{})
	for body, param := range map[string]any{
		`x`:                                                nil,
		`{"input":"x"}`:                                    "model",
		`{"model":"embedding"}`:                            "input",
		`{"model":"embedding","input":""}`:                 "input",
		`{"model":"embedding","input":[]}`:                 "input",
		`{"model":"embedding","input":{}}`:                 "input",
		`{"model":"embedding","input":["a",1]}`:            "input",
		`{"model":"embedding","input":"x","dimensions":0}`: "dimensions",
		`{"model":"embedding","input":"x","encoding_format":"hex"}`:               "encoding_format",
		`{"model":"embedding","input":"` + strings.Repeat("a ", 9000) + `"}`:      "input",
		`{"model":"embedding","input":[` + strings.Repeat(`"a",`, 2048) + `"a"]}`: "input",
	} {
		assert.Equal(t, param, p.refused("/v1/embeddings", body, http.StatusBadRequest)["param"], "%.60s", body)
	}
	p.refused("/v1/embeddings", `{"model":"gpt-9","input":"x"}`, http.StatusNotFound)
}
