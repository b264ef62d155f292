package limits

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whose address it is, the connection says. Headers in which proxies tell of other addresses neither give a caller a budget
// of its own nor take from that of the one they name.
func TestHeadersMoveNoLimitOfAnAddress(t *testing.T) {
	g := theGateway(t)
	alice, bob := g.stranger(t), g.stranger(t)
	const stands = "{}" // for an address
	forged := []string{
		"X-Forwarded-For: {}",
		"X-Forwarded-For: {}, 10.0.0.1",
		"Forwarded: for={};proto=https;by=10.0.0.1",
		"X-Real-Ip: {}",
		"X-Envoy-External-Address: {}",
		"X-Envoy-Internal: true",
		"X-Client-Ip: {}",
		"True-Client-Ip: {}",
		"Cf-Connecting-Ip: {}",
		"X-Cluster-Client-Ip: {}",
		"X-Envoy-Expected-Rq-Timeout-Ms: 1",
		"X-Igw-Caller: {}",
	}
	// as names an address in each of the headers.
	as := func(address string) []string {
		out := make([]string, len(forged))
		for i := range forged {
			out[i] = strings.ReplaceAll(forged[i], stands, address)
		}
		return out
	}
	ask := func(c *caller, headers ...string) (status int, remaining string) {
		t.Helper()
		r, err := g.Try(t, c.Client, http.MethodPost, "/v1/chat/completions", chat("up/use-1"), headers...)
		require.NoError(t, err)
		return r.Status, left(r, "requests")
	}
	for i := range 5 {
		status, remaining := ask(alice, as(bob.ip.String())...)
		require.Equal(t, http.StatusOK, status)
		assert.Equal(t, strconv.Itoa(4-i), remaining)
	}
	for i, header := range as("192.0.2.1") {
		status, _ := ask(alice, header)
		assert.Equal(t, http.StatusTooManyRequests, status, forged[i])
	}
	for _, address := range []string{bob.ip.String(), "192.0.2.7", "2001:db8::7", "127.0.0.1", "nobody"} {
		status, _ := ask(alice, as(address)...)
		assert.Equal(t, http.StatusTooManyRequests, status, address)
	}
	status, remaining := ask(bob)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "4", remaining, "nothing of it was charged to the one who was named")
}
