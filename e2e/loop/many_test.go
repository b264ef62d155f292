package loop

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// Five hundred loops with a tool of 200 ms: none mixed, none lost, nothing kept.
func TestFiveHundredLoopsAtOnce(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("memory of other processes is read from /proc")
	}
	one, two, tools := newProvider(t), newProvider(t), newToolServer(t)
	g := harness.Start(t, harness.Env{
		"PROVIDERS": "one,two", "ONE_API_URL": one.URL, "TWO_API_URL": two.URL,
		"MCP_ENABLED": "true", "MCP_EXPOSE": "true", "MCP_SERVERS": "t=" + tools.url,
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
	round()                    // what a first load makes larger for good, such as pools
	if !harness.RaceDetector { // it remembers far more than what is kept; internal/loop looks at the heap alone
		gateway, envoy := memory(t, g.PID()), memory(t, g.EnvoyPID())
		for range 3 {
			round()
		}
		gatewayGrew, envoyGrew := memory(t, g.PID())-gateway, memory(t, g.EnvoyPID())-envoy
		t.Logf("after 500 loops the gateway has %d MB and Envoy %d MB; 1,500 more added %d MB and %d MB", gateway>>20, envoy>>20, gatewayGrew>>20, envoyGrew>>20)
		assert.Less(t, gatewayGrew, int64(64<<20))
		assert.Less(t, envoyGrew, int64(64<<20))
	}
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
}
