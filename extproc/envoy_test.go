package extproc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/inference-gateway/envoy-inference-gateway/extproc"
	"github.com/inference-gateway/envoy-inference-gateway/internal/bodies"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
	"github.com/inference-gateway/envoy-inference-gateway/providers/catalog"
)

const (
	chat    = "/v1/chat/completions"
	maxBody = 4 << 20
)

// directory has these providers ready for chat.
func directory(ids ...string) *providers.Directory { return restricted(maxBody, nil, ids...) }

func restricted(most int64, allow []string, ids ...string) *providers.Directory {
	var entries []providers.Entry
	for _, id := range ids {
		entries = append(entries, providers.Entry{ID: id, Ready: true, Endpoints: []catalog.Endpoint{catalog.ChatCompletions}})
	}
	return providers.NewDirectory(entries, catalog.NewModelFilter(allow, nil), most)
}

// envoy plays Envoy: it opens streams to a real server over a Unix socket, as the filter does with
// FULL_DUPLEX_STREAMED, and holds the answers to the protocol of ext_proc.proto.
type envoy struct {
	client extprocv3.ExternalProcessorClient
	server *extproc.Server
	log    *bytes.Buffer // read it when the server has stopped
}

// start serves dir for the time of the test, and lets it fail when a goroutine is left behind.
func start(t *testing.T, dir *providers.Directory) *envoy {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	socketDir, err := os.MkdirTemp("", "extproc-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(socketDir) })
	path := filepath.Join(socketDir, "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	e := &envoy{log: &bytes.Buffer{}}
	e.server = extproc.NewServer(dir, bodies.NewLimit(1<<30), slog.New(slog.NewTextHandler(e.log, nil)))
	g := grpc.NewServer(grpc.MaxRecvMsgSize(math.MaxInt32))
	e.server.Register(g)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	e.client = extprocv3.NewExternalProcessorClient(conn)
	return e
}

// request is what a client of Envoy sends.
type request struct {
	path     string
	headers  map[string]string
	pieces   []string // of the body; none for a request without a body
	trailers bool     // it ends with trailers, so no piece says that it is the last
	asked    string   // a name in the stream's initial metadata: what the route wants to know
	open     bool     // it goes on, and nobody sends what
}

// answer is what becomes of it.
type answer struct {
	set     map[string]string // headers
	body    string
	largest int // bytes of the largest piece
	pieces  int
	refusal *extprocv3.ImmediateResponse
}

type stream = grpc.BidiStreamingClient[extprocv3.ProcessingRequest, extprocv3.ProcessingResponse]

func headersMessage(r request) *extprocv3.ProcessingRequest {
	list := []*corev3.HeaderValue{{Key: ":path", RawValue: []byte(r.path)}}
	for k, v := range r.headers {
		list = append(list, &corev3.HeaderValue{Key: k, RawValue: []byte(v)})
	}
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{
		Headers: &corev3.HeaderMap{Headers: list}, EndOfStream: len(r.pieces) == 0 && !r.trailers && !r.open,
	}}}
}

func bodyMessage(piece string, last bool) *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{
		RequestBody: &extprocv3.HttpBody{Body: []byte(piece), EndOfStream: last},
	}}
}

func trailersMessage() *extprocv3.ProcessingRequest {
	return &extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestTrailers{RequestTrailers: &extprocv3.HttpTrailers{}}}
}

// send opens a stream, sends the whole request and reads the whole answer. The server may answer before it has read
// everything; what is sent after that goes nowhere, as with Envoy.
func (e *envoy) send(t testing.TB, r request) answer {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if r.asked != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, r.asked, "x")
	}
	s, err := e.client.Process(ctx)
	require.NoError(t, err)
	go func() {
		if s.Send(headersMessage(r)) != nil {
			return
		}
		for i, piece := range r.pieces {
			if s.Send(bodyMessage(piece, i == len(r.pieces)-1 && !r.trailers)) != nil {
				return
			}
		}
		if r.trailers {
			_ = s.Send(trailersMessage())
		}
	}()
	return read(t, s, r)
}

// read takes the answer to the end of the stream and refuses what Envoy would: another order than headers, body; an end that is missing or not the last; anything after an immediate response.
func read(t testing.TB, s stream, q request) answer {
	t.Helper()
	a := answer{set: map[string]string{}}
	var messages int
	var began, ended bool
	var body bytes.Buffer
	for ; ; messages++ {
		m, err := s.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.False(t, ended, "a message after the end")
		switch r := m.GetResponse().(type) {
		case *extprocv3.ProcessingResponse_ImmediateResponse:
			require.Zero(t, messages, "an immediate response after something else")
			a.refusal, ended = r.ImmediateResponse, true
		case *extprocv3.ProcessingResponse_RequestHeaders:
			require.False(t, began, "headers twice")
			began = true
			require.True(t, r.RequestHeaders.GetResponse().GetClearRouteCache(), "the route must be chosen anew")
			ended = q.open
			for _, h := range r.RequestHeaders.GetResponse().GetHeaderMutation().GetSetHeaders() {
				assert.Equal(t, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD, h.GetAppendAction())
				a.set[h.GetHeader().GetKey()] = string(h.GetHeader().GetRawValue())
			}
		case *extprocv3.ProcessingResponse_RequestBody:
			require.True(t, began, "body out of order")
			piece := r.RequestBody.GetResponse().GetBodyMutation().GetStreamedResponse()
			require.NotNil(t, piece, "only a streamed response is allowed in FULL_DUPLEX_STREAMED")
			body.Write(piece.GetBody())
			a.pieces++
			a.largest = max(a.largest, len(piece.GetBody()))
			ended = piece.GetEndOfStream()
		default:
			t.Fatalf("unexpected %T", r)
		}
	}
	require.True(t, ended, "the stream ended before the answer did")
	a.body = body.String()
	return a
}

var processing = regexp.MustCompile(`(?s)RecvMsg.*extproc\.\(\*Server\)\.Process`)

// waiting counts the server's exchanges that wait for Envoy.
func waiting() (n int) {
	stacks := make([]byte, 4<<20)
	for _, one := range bytes.Split(stacks[:runtime.Stack(stacks, true)], []byte("\n\n")) {
		if processing.Match(one) {
			n++
		}
	}
	return n
}

func eventuallyWaiting(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return waiting() == n }, 5*time.Second, 5*time.Millisecond)
}
