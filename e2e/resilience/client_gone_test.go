package resilience

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A client that goes away must not leave a model working for nobody.
func TestAClientThatGoesAwayCancelsTheProvidersRequest(t *testing.T) {
	t.Parallel()
	g := shared(t)
	for name, stream := range map[string]bool{"plain": false, "streaming": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began, gone := make(chan struct{}), make(chan struct{})
			model := g.one.on(func(_ int, w http.ResponseWriter, r *http.Request) {
				if stream {
					event(w, "1")
				}
				close(began)
				forever(r)
				close(gone)
			})
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			text := chat("one/" + model)
			if stream {
				text = chatStream("one/" + model)
			}
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(text))
			require.NoError(t, err)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if resp, err := g.Client(t).Do(r); err == nil {
					<-ctx.Done()
					resp.Body.Close()
				}
			}()
			await(t, began, "the provider was asked")
			leave()
			await(t, gone, "the provider's request is cancelled")
			<-ended
		})
	}
}
