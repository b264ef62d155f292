package security

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/inference-gateway/envoy-inference-gateway/e2e/harness"
)

// A connection of HTTP/2 may have SERVER_MAX_STREAMS requests at a time. The gateway says so; a client that opens more before
// it has acknowledged that has those refused, and may go on when others have ended. One that opens more in spite of it is cut
// off. No provider hears of what was too much.
func TestAConnectionMayHaveSoManyStreams(t *testing.T) {
	t.Parallel()
	const most = 5
	var running, came atomic.Int64
	var stay atomic.Bool // until the client goes
	let := make(chan struct{})
	own := harness.NewProvider(t, func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Add(-1)
		came.Add(1)
		if stay.Load() {
			<-r.Context().Done()
			return
		}
		select {
		case <-let:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "ok")
	})
	e := &exposed{Gateway: harness.Start(t, harness.Env{"PROVIDERS": "own", "OWN_API_URL": own.URL, "SERVER_MAX_STREAMS": "5"})}
	c := e.h2(t, false)
	whole := func(id uint32) {
		t.Helper()
		require.NoError(t, c.WriteHeaders(http2.HeadersFrameParam{
			StreamID: id, EndHeaders: true, EndStream: true,
			BlockFragment: c.head(":method", "GET", ":scheme", "http", ":authority", "x", ":path", "/proxy/own/a"),
		}))
	}
	announced := uint32(0)
	for announced == 0 {
		f, err := c.ReadFrame()
		require.NoError(t, err)
		if s, ok := f.(*http2.SettingsFrame); ok && !s.IsAck() {
			announced, _ = s.Value(http2.SettingMaxConcurrentStreams)
			require.EqualValues(t, most, announced)
		}
	}
	// ended gives how a number of streams end: by an answer, or by a reset.
	ended := func(n int) map[uint32]string {
		t.Helper()
		out := map[uint32]string{}
		for len(out) < n {
			f, err := c.ReadFrame()
			require.NoError(t, err)
			switch f := f.(type) {
			case *http2.RSTStreamFrame:
				out[f.StreamID] = f.ErrCode.String()
			case *http2.DataFrame:
				if f.StreamEnded() {
					out[f.StreamID] = "answered"
				}
			case *http2.GoAwayFrame:
				t.Fatalf("the connection is ended: %v", f.ErrCode)
			}
		}
		return out
	}
	var id uint32 = 1
	for ; id < 2*most; id += 2 {
		whole(id)
	}
	harness.Eventually(t, patience, "as many as may be are with the provider", func() bool { return running.Load() == most })
	for range 20 {
		whole(id)
		id += 2
	}
	for stream, how := range ended(20) {
		assert.Greater(t, stream, uint32(2*most-1))
		assert.Equal(t, "REFUSED_STREAM", how, "%d: it may be sent again", stream)
	}
	assert.EqualValues(t, most, came.Load(), "no provider has heard of the others")
	close(let)
	for stream, how := range ended(most) {
		assert.Less(t, stream, uint32(2*most))
		assert.Equal(t, "answered", how, stream)
	}
	whole(id)
	assert.Equal(t, map[uint32]string{id: "answered"}, ended(1))
	assert.EqualValues(t, most+1, came.Load())

	stay.Store(true)
	require.NoError(t, c.WriteSettingsAck())
	for range most {
		id += 2
		whole(id)
	}
	harness.Eventually(t, patience, "as many again are", func() bool { return running.Load() == most })
	whole(id + 2)
	assert.True(t, c.closed())
	harness.Eventually(t, patience, "those of the connection are given up", func() bool { return running.Load() == 0 })
	assert.EqualValues(t, 2*most+1, came.Load())
}
