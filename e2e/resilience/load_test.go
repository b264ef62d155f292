package resilience

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestALargeBodyPassesByteExactly(t *testing.T) {
	t.Parallel()
	g := shared(t)
	var got [32]byte
	model := g.one.on(func(_ int, w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got = sha256.Sum256(text)
		answer(w, "good")
	})
	random := rand.New(rand.NewPCG(1, 2))
	pad := make([]byte, 9<<20)
	for i := range pad {
		pad[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[random.IntN(36)]
	}
	text := `{"model":"` + model + `", "n": 1.50, "pad":"` + string(pad) + `"}`
	for _, c := range []struct{ path, sent string }{
		{"/v1/chat/completions", strings.Replace(text, model, "one/"+model, 1)},
		{"/v1/chat/completions?provider=one", text},
		{"/proxy/one/v1/files", text},
	} {
		got = [32]byte{}
		r := g.Do(t, http.MethodPost, c.path, c.sent)
		assert.Equal(t, http.StatusOK, r.Status, "%s", r)
		assert.Equal(t, sha256.Sum256([]byte(text)), got, c.path)
	}
}

// TestManyRequestsAtOnceAreEachAnsweredByTheirOwn would notice state shared between requests.
func TestManyRequestsAtOnceAreEachAnsweredByTheirOwn(t *testing.T) {
	t.Parallel()
	g := shared(t)
	// Each provider repeats the request's number, with its own name before it.
	repeat := func(who string) handler {
		return func(_ int, w http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			_, number, _ := strings.Cut(string(text), `"user":"`)
			number, _, _ = strings.Cut(number, `"`)
			if strings.Contains(string(text), `"stream":true`) {
				for range 5 {
					event(w, who+number)
				}
				event(w, "[DONE]")
				return
			}
			answer(w, who+number)
		}
	}
	models := map[string]string{"one": g.one.on(repeat("one")), "two": g.two.on(repeat("two"))}
	client := g.Client(t)
	var wait sync.WaitGroup
	for i := range 300 {
		wait.Go(func() {
			id := []string{"one", "two"}[i%2]
			prefixed := fmt.Sprintf(`{"model":"%s/%s","user":"%d"`, id, models[id], i)
			want := fmt.Sprintf(`{"id":"%s%d"}`, id, i)
			path, text := "/v1/chat/completions", prefixed+"}"
			switch i / 2 % 4 {
			case 1:
				text = prefixed + `,"stream":true}`
				want = strings.Repeat(fmt.Sprintf("data: %s%d\n\n", id, i), 5) + "data: [DONE]\n\n"
			case 2:
				path = "/v1/embeddings"
			case 3:
				path, text = "/proxy/"+id+"/v1/anything", fmt.Sprintf(`{"model":"%s","user":"%d"}`, models[id], i)
			}
			r, err := g.Try(t, client, http.MethodPost, path, text)
			if assert.NoError(t, err) {
				assert.Equal(t, want, r.String())
			}
		})
	}
	wait.Wait()
}

func TestFiveHundredStreamsAtOnce(t *testing.T) {
	g := shared(t)
	const streams = 500
	letGo := make(chan struct{})
	var begun sync.WaitGroup
	begun.Add(streams)
	model := g.one.on(func(_ int, w http.ResponseWriter, _ *http.Request) {
		event(w, "1")
		<-letGo
		event(w, "[DONE]")
	})
	var wait sync.WaitGroup
	for range streams {
		wait.Go(func() {
			seen := sync.OnceFunc(begun.Done)
			defer seen()
			resp, err := g.Client(t).Post(g.URL+"/v1/chat/completions", "application/json", body(chatStream("one/"+model)))
			if !assert.NoError(t, err) {
				return
			}
			defer resp.Body.Close()
			_, err = io.ReadFull(resp.Body, make([]byte, len("data: 1")))
			seen()
			rest, restErr := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			assert.NoError(t, restErr)
			assert.Contains(t, string(rest), "[DONE]", resp.Status)
		})
	}
	begun.Wait() // all of them are open at the same time
	close(letGo)
	wait.Wait()
	require.Equal(t, streams, g.one.attempts(model))
}
