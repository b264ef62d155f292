package loop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// lanes are those that the access log holds for each request.
func lanes(g *harness.Gateway) map[string][]string {
	out := map[string][]string{}
	for _, line := range strings.Split(g.Stdout.String()+"\n"+g.Stderr.String(), "\n") {
		var entry struct {
			Msg, Lane string
			ID        string `json:"request_id"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "access" {
			out[entry.ID] = append(out[entry.ID], entry.Lane)
		}
	}
	return out
}

func TestABypassTakesTheDirectLane(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	direct, looped := map[string]string{}, map[string]string{} // the header's value by the request's id
	for value, bypasses := range map[string]bool{"": false, "false": false, "FALSE": false, "true": true, "1": true} {
		r := w.Chat(t, say("one/mirror", "hello", ""), "X-MCP-Bypass: "+value)
		seen, id := whole(t, r).text, r.Header.Get("X-Request-Id")
		require.NotEmpty(t, id)
		if bypasses {
			assert.Equal(t, say("mirror", "hello", ""), seen, "the provider gets the body as it came, but for the model")
			direct[id] = value
		} else {
			assert.Contains(t, seen, "mcp_t_echo", value)
			looped[id] = value
		}
	}
	var got map[string][]string
	harness.Eventually(t, patience, "the access log has the requests", func() bool { // Envoy writes it every ten seconds
		got = lanes(w.Gateway)
		for id := range direct {
			if len(got[id]) == 0 {
				return false
			}
		}
		for id := range looped {
			if !slices.Contains(got[id], "loop") {
				return false
			}
		}
		return true
	})
	for id, value := range direct {
		assert.Equal(t, []string{"direct"}, got[id], value)
	}
}

func TestToolChoiceNoneHasNoTools(t *testing.T) {
	t.Parallel()
	r := theWorld(t).Chat(t, say("one/mirror", "hello", `"tool_choice":"none",`))
	assert.Equal(t, say("mirror", "hello", `"tool_choice":"none",`), whole(t, r).text)
}

// Tools are for chat: the other endpoints are as they are without any, streamed or not.
func TestOtherEndpointsHaveNoTools(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	other := newProvider(t)
	g := harness.Start(t, w.env().With("LLAMACPP_API_URL", other.URL))
	awaitTools(t, g)
	for _, endpoint := range []string{"/v1/messages", "/v1/responses", "/v1/completions", "/v1/embeddings"} {
		for _, more := range []string{"", `"stream":true,`} {
			model, p := "one/assistant", w.one
			if endpoint == "/v1/messages" {
				model, p = "llamacpp/assistant", other
			}
			text := "nothing is added for " + endpoint + more
			r := g.Do(t, http.MethodPost, endpoint, say(model, text, more))
			var got []string
			for _, request := range p.Requests() {
				if request.URI == endpoint && strings.Contains(string(request.Body), "nothing is added for "+endpoint) {
					got = append(got, string(request.Body))
				}
			}
			assert.Contains(t, got, say("assistant", text, more), "%s answers %d", endpoint, r.Status)
		}
	}
}

func TestCredentialsDoNotReachToolServers(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	a := whole(t, w.Chat(t, say("one/assistant", `use the tool mcp_t_echo with {"text":"a known text"}`, ""),
		"Authorization: Bearer CLIENTMARKER-auth", "Cookie: session=CLIENTMARKER-cookie", "X-Api-Key: CLIENTMARKER-key",
		"X-Forwarded-For: 203.0.113.7", "X-Own: CLIENTMARKER-own"))
	assert.Contains(t, a.text, "echo of a known text")
	all := w.tools.everything()
	assert.Contains(t, all, "a known text")
	for _, secret := range []string{"CLIENTMARKER", "KEYMARKER", "203.0.113.7"} {
		assert.False(t, strings.Contains(all, secret), "%s reached the tool server", secret)
	}
	for _, r := range w.one.Requests() {
		text := fmt.Sprint(r.Header)
		assert.Equal(t, "Bearer "+keyOne, r.Header.Get("Authorization"))
		assert.NotContains(t, text, "CLIENTMARKER-auth")
		assert.NotContains(t, text, "CLIENTMARKER-key")
		assert.NotContains(t, text, keyTwo)
	}
}

var word = regexp.MustCompile(`word-[0-9]+-`)

func TestLoopsAtTheSameTimeNeverMix(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	const loops = 100
	answers, errs := make([]*harness.Response, loops), make([]error, loops)
	var group sync.WaitGroup
	for i := range loops {
		group.Go(func() {
			mine := fmt.Sprintf("word-%d-", i)
			model := []string{"one/assistant", "two/assistant"}[i%2]
			text := `use tools mcp_t_echo with {"text":"` + mine + `a"} and mcp_t_echo with {"text":"` + mine + `b"} then use tools mcp_t_echo with {"text":"` + mine + `c"} and mcp_t_echo with {"text":"` + mine + `d"}`
			more := []string{"", streaming}[i/2%2]
			answers[i], errs[i] = w.Try(t, w.Client(t), http.MethodPost, "/v1/chat/completions", say(model, text, more))
		})
	}
	group.Wait()
	for i, r := range answers {
		require.NoError(t, errs[i])
		read := []func(testing.TB, *harness.Response) answer{whole, streamed}[i/2%2]
		a, mine := read(t, r), fmt.Sprintf("word-%d-", i)
		assert.Equal(t, "The tool mcp_t_echo answered: echo of "+mine+"c\nThe tool mcp_t_echo answered: echo of "+mine+"d", a.text)
		for _, found := range word.FindAllString(r.String(), -1) {
			assert.Equal(t, mine, found)
		}
	}
}

func TestABodyOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	for _, size := range []int{maxBody + 1, 4 * maxBody} {
		r := w.Chat(t, say("one/mirror", strings.Repeat("x", size), ""))
		assert.Equal(t, http.StatusRequestEntityTooLarge, r.Status)
		assert.Equal(t, "request_too_large", r.Error().Code)
	}
	fits := say("one/echo", "", "")
	r := w.Chat(t, say("one/echo", strings.Repeat("x", maxBody-len(fits)), ""))
	assert.Equal(t, http.StatusOK, r.Status, "a body of the limit passes")
}

func TestRequestsThatCannotBeSentAreRefusedAsWithoutTools(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	for body, code := range map[string]string{
		say("nobody/model", "hello", ""): "unknown_provider",
		say("plain", "hello", ""):        "unknown_provider",
		`{"messages":[]}`:                "invalid_request",
		`not json`:                       "invalid_request",
	} {
		r := w.Chat(t, body)
		assert.Equal(t, http.StatusBadRequest, r.Status, body)
		assert.Equal(t, code, r.Error().Code, body)
		assert.Equal(t, w.Chat(t, body, "X-MCP-Bypass: true").String(), r.String())
	}
	r := w.Do(t, http.MethodPost, "/v1/chat/completions?provider=two", say("assistant", `use the tool mcp_t_echo with {"text":"by query"}`, ""))
	assert.Contains(t, whole(t, r).text, "echo of by query")
}
