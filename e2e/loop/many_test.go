package loop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// Five hundred loops with a tool of 200 ms, and as many three times more: none mixed, none lost, and when they are over
// memory is back where it was.
func TestFiveHundredLoopsAtOnce(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("memory of other processes is read from /proc")
	}
	one, two, tools := newProvider(t), newProvider(t), newToolServer(t)
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one,two", "ONE_API_URL": one.URL, "TWO_API_URL": two.URL,
		"MCP_ENABLED": "true", "MCP_EXPOSE": "true", "MCP_SERVERS": "t=" + tools.url,
		"CLIENT_IDLE_CONN_TIMEOUT": "1s",
	})
	awaitTools(t, g)
	const loops = 500
	client := g.Client(t)
	round := func() {
		t.Helper()
		answers, errs := make([]*harness.Response, loops), make([]error, loops)
		var group sync.WaitGroup
		for i := range loops {
			group.Go(func() {
				text := fmt.Sprintf(`use the tool mcp_t_nap with {"text":"word-%d-"}`, i)
				body := say([]string{"one/assistant", "two/assistant"}[i%2], text, []string{"", streaming}[i/2%2])
				answers[i], errs[i] = g.Try(t, client, http.MethodPost, "/v1/chat/completions", body)
			})
		}
		group.Wait()
		for i, r := range answers {
			require.NoError(t, errs[i])
			read := []func(testing.TB, *harness.Response) answer{whole, streamed}[i/2%2]
			mine := fmt.Sprintf("word-%d-", i)
			assert.Equal(t, "The tool mcp_t_nap answered: slept on "+mine, read(t, r).text)
			for _, found := range word.FindAllString(r.String(), -1) {
				assert.Equal(t, mine, found)
			}
		}
		client.CloseIdleConnections()
	}
	gateway, envoy := memory(t, g.PID()), allocated(t, g)
	for range 4 {
		round()
	}
	t.Logf("after 2,000 loops the gateway has %d MB where it had %d", memory(t, g.PID())>>20, gateway>>20)
	busy := ""
	defer func() { assert.Empty(t, busy) }() // says what it was
	harness.Eventually(t, patience, "nothing is under way", func() bool {
		busy = ""
		for line := range strings.Lines(g.Admin(t, http.MethodGet, "/stats?filter=_rq_active$")) {
			own := strings.HasPrefix(line, "http.admin.") || strings.HasPrefix(line, "cluster.gateway-control-plane.")
			if !own && !strings.HasSuffix(line, ": 0\n") {
				busy += line
			}
		}
		return busy == ""
	})
	// What Envoy has from the kernel goes back within minutes, so what it uses of that is looked at. The gateway gives back
	// what is free. (The race detector remembers far more than what is kept; internal/loop looks at the heap alone.)
	harness.Eventually(t, patience+time.Minute, "the memory is back", func() bool {
		return allocated(t, g)-envoy < 4<<20 && (harness.RaceDetector || memory(t, g.PID())-gateway < 40<<20)
	})
	t.Logf("at the end the gateway has %d MB, and Envoy uses %d KB more than before", memory(t, g.PID())>>20, (allocated(t, g)-envoy)>>10)
}

// allocated is what Envoy uses of its memory, in bytes.
func allocated(t testing.TB, g *harness.Gateway) int64 {
	t.Helper()
	var answer struct {
		Allocated int64 `json:"allocated,string"`
	}
	require.NoError(t, json.Unmarshal([]byte(g.Admin(t, http.MethodGet, "/memory")), &answer))
	return answer.Allocated
}
