package loop

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// asked is a request that is under way.
type asked struct {
	leave context.CancelFunc
	got   chan *harness.Response // nil when the answer broke off
}

// begin sends a chat request and does not wait for the answer.
func begin(t testing.TB, g *harness.Gateway, body string) asked {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	t.Cleanup(leave)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL+"/v1/chat/completions", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	a := asked{leave: leave, got: make(chan *harness.Response, 1)}
	client := g.Client(t)
	go func() {
		resp, err := client.Do(r)
		if err != nil {
			a.got <- nil
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			a.got <- nil
			return
		}
		a.got <- &harness.Response{Status: resp.StatusCode, Header: resp.Header, Body: text, Proto: resp.Proto}
	}()
	return a
}

// A client that goes away ends what is under way for it, wherever that is.
func TestAClientThatGoesAwayCancelsWhatRunsForIt(t *testing.T) {
	t.Parallel()
	w := theWorldWithAgent(t)
	for phase, c := range map[string]struct {
		model, text string
		at          *moments
	}{
		"first turn":     {"one/wait-first-KEY", "go", w.one.answers},
		"tool running":   {"one/assistant", `use the tool mcp_t_slow with {"key":"KEY"}`, w.tools.slowly},
		"agent at work":  {"one/assistant", `use the tool a2a_p_errand with {"message":"KEY"}`, w.agent.errands},
		"a later turn":   {"two/wait-later-KEY", "go", w.two.answers},
		"tools in a row": {"one/assistant", `use the tool mcp_t_echo with {"text":"x"} then use the tool mcp_t_slow with {"key":"KEY"}`, w.tools.slowly},
	} {
		for how, more := range map[string]string{"whole": "", "streamed": streaming} {
			t.Run(phase+", "+how, func(t *testing.T) {
				t.Parallel()
				key := strings.ReplaceAll(phase, " ", "-") + "-" + how
				a := begin(t, w.Gateway, say(strings.ReplaceAll(c.model, "KEY", key), strings.ReplaceAll(c.text, "KEY", key), more))
				if _, model, _ := strings.Cut(c.model, "/"); strings.HasPrefix(model, "wait-") {
					key = strings.ReplaceAll(model, "KEY", key)
				}
				c.at.awaitBegun(t, key)
				assert.False(t, c.at.is(&c.at.at(key).left))
				a.leave()
				c.at.awaitLeft(t, key)
				assert.Nil(t, <-a.got)
			})
		}
	}
}

// What the first turn says reaches the client while that turn is still speaking.
func TestTheFirstWordOfTheFirstTurnComesAtOnce(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	req, err := http.NewRequest(http.MethodPost, w.URL+"/v1/chat/completions", strings.NewReader(say("one/wait-word", "go", streaming)))
	require.NoError(t, err)
	resp, err := w.Client(t).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	const word = `"content":"Well,"`
	var seen strings.Builder
	for piece := make([]byte, 1); !contains(seen.String(), word); { // would wait for ever if it were held back
		n, err := resp.Body.Read(piece)
		require.NoError(t, err, seen.String())
		seen.Write(piece[:n])
	}
	w.one.answers.letGo("wait-word")
	rest, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	a := streamed(t, &harness.Response{Status: resp.StatusCode, Header: resp.Header, Body: append([]byte(seen.String()), rest...)})
	assert.Equal(t, "Well, here it is.", a.text)
}

func contains(text, part string) bool { return strings.Contains(text, part) }
