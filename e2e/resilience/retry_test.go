package resilience

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func body(text string) io.Reader { return strings.NewReader(text) }

// failing answers with the status and Retry-After until the nth request.
func failing(status int, retryAfter string, until int) handler {
	return func(n int, w http.ResponseWriter, _ *http.Request) {
		if n >= until {
			answer(w, "good")
			return
		}
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"error":"wait"}`)
	}
}

func TestABusyProviderIsAskedAgain(t *testing.T) {
	t.Parallel()
	g := shared(t)
	model := g.one.on(failing(http.StatusServiceUnavailable, "", 3))
	r := g.Chat(t, chat("one/"+model))
	assert.Equal(t, http.StatusOK, r.Status, "%s", r)
	assert.Equal(t, 3, g.one.attempts(model))
}

func TestTheLastAnswerOfABusyProviderPasses(t *testing.T) {
	t.Parallel()
	g := shared(t)
	model := g.one.on(failing(http.StatusServiceUnavailable, "", 100))
	r := g.Chat(t, chat("one/"+model))
	assert.Equal(t, http.StatusServiceUnavailable, r.Status)
	assert.Equal(t, `{"error":"wait"}`, r.String())
	assert.Equal(t, 3, g.one.attempts(model))
}

func TestAShortRetryAfterIsWaitedFor(t *testing.T) {
	t.Parallel()
	g := shared(t)
	model := g.one.on(failing(http.StatusTooManyRequests, "1", 2))
	began := time.Now()
	r := g.Chat(t, chat("one/"+model))
	assert.Equal(t, http.StatusOK, r.Status, "%s", r)
	assert.Equal(t, 2, g.one.attempts(model))
	assert.GreaterOrEqual(t, time.Since(began), 900*time.Millisecond, "the provider asked for a second")
}

func TestALongOrUnreadableRetryAfterPassesAtOnce(t *testing.T) {
	t.Parallel()
	g := shared(t)
	for _, after := range []string{"30", "6", "3600", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), "soon"} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			model := g.one.on(failing(status, after, 100))
			r := g.Chat(t, chat("one/"+model))
			assert.Equal(t, status, r.Status, after)
			assert.Equal(t, after, r.Header.Get("Retry-After"))
			assert.Equal(t, `{"error":"wait"}`, r.String())
			assert.Equal(t, 1, g.one.attempts(model), "%d with Retry-After: %s", status, after)
			for name := range r.Header {
				assert.False(t, strings.HasPrefix(name, "X-Igw-"), name)
			}
		}
	}
}

// The retry sends the same bytes again, also when they did not fit into one buffer.
func TestARetrySendsTheWholeBodyAgain(t *testing.T) {
	t.Parallel()
	g := shared(t)
	for name, fails := range map[string]func(http.ResponseWriter){
		"busy": func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, "reset": hangUp,
	} {
		for _, size := range []int{100 << 10, 900 << 10} {
			var lengths []int
			model := g.one.on(func(n int, w http.ResponseWriter, r *http.Request) {
				text, _ := io.ReadAll(r.Body)
				lengths = append(lengths, len(text))
				if n == 1 {
					fails(w)
					return
				}
				answer(w, "good")
			})
			text := `{"model":"one/` + model + `","pad":"` + strings.Repeat("p", size) + `"}`
			r := g.Chat(t, text)
			assert.Equal(t, http.StatusOK, r.Status, "%s, %d: %s", name, size, r)
			want := len(text) - len("one/")
			assert.Equal(t, []int{want, want}, lengths, "%s, %d", name, size)
		}
	}
}

// Nobody holds a body that is larger than a conversation: what the provider says to it passes.
func TestAVeryLargeBodyIsSentOnce(t *testing.T) {
	t.Parallel()
	g := shared(t)
	model := g.one.on(func(n int, w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		failing(http.StatusServiceUnavailable, "1", 100)(n, w, r)
	})
	r := g.Chat(t, `{"model":"one/`+model+`","pad":"`+strings.Repeat("p", 3<<20)+`"}`)
	assert.Equal(t, http.StatusServiceUnavailable, r.Status, "%s", r)
	assert.Equal(t, "1", r.Header.Get("Retry-After"))
	assert.Equal(t, 1, g.one.attempts(model))
}

func TestGzipPassesUntouched(t *testing.T) {
	t.Parallel()
	g := shared(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := io.WriteString(z, `{"id":"packed"}`)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	model := g.one.on(func(_ int, w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "gzip", r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	})
	r := g.Chat(t, chat("one/"+model), "Accept-Encoding: gzip")
	assert.Equal(t, "gzip", r.Header.Get("Content-Encoding"))
	assert.Equal(t, packed.Bytes(), r.Body)
}
