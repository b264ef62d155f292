package extproc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	asked     = `{ "model" : "openai/gpt-4o", "stream":true, "n":1.0,"messages":[{"role":"user","content":"héllo \u00e9"}]}`
	forwarded = `{ "model" : "gpt-4o", "stream":true, "n":1.0,"messages":[{"role":"user","content":"héllo \u00e9"}]}`
)

func bytewise(s string) (out []string) {
	for i := range len(s) {
		out = append(out, s[i:i+1])
	}
	return out
}

func randomCuts(s string, seed uint64) (out []string) {
	for r := rand.New(rand.NewPCG(seed, 0)); s != ""; {
		n := r.IntN(len(s) + 1) // also empty pieces, which Envoy may send
		out, s = append(out, s[:n]), s[n:]
	}
	return out
}

// However a body is cut, the decision and the provider's bytes are the same.
func TestABodyInAnyPieces(t *testing.T) {
	e := start(t, directory("openai"))
	feeds := map[string][]string{
		"whole":                      {asked},
		"byte by byte":               bytewise(asked),
		"an end without bytes":       {asked, ""},
		"byte by byte, then nothing": append(bytewise(asked), ""),
		"first nothing":              {"", "", asked},
	}
	for seed := range uint64(40) {
		feeds[fmt.Sprint("random cuts ", seed)] = randomCuts(asked, seed)
	}
	for name, pieces := range feeds {
		t.Run(name, func(t *testing.T) {
			a := e.send(t, request{path: chat, pieces: pieces})
			require.Nil(t, a.refusal)
			assert.Equal(t, forwarded, a.body)
			assert.Equal(t, "openai", a.set["x-igw-provider"])
			assert.Equal(t, strconv.Itoa(len(forwarded)), a.set["content-length"])
			code, _, message := errorOf(t, e.send(t, request{path: chat, pieces: pieces, trailers: true}))
			assert.Equal(t, 400, code)
			assert.Contains(t, message, "trailers")
		})
	}
}

func TestTheProviderParameterLeavesThePath(t *testing.T) {
	e := start(t, directory("openai"))
	a := e.send(t, request{path: chat + "?a=%2f&provider=OpenAI&b", pieces: []string{asked}})
	require.Nil(t, a.refusal)
	assert.Equal(t, chat+"?a=%2f&b", a.set[":path"])
	assert.Equal(t, asked, a.body, "with ?provider= the model goes as it is")

	a = e.send(t, request{path: chat + "?a=%2f", pieces: []string{asked}})
	require.Nil(t, a.refusal)
	if path, set := a.set[":path"]; set {
		assert.Equal(t, chat+"?a=%2f", path)
	}
}

// errorOf reads a refusal the way a client does, and holds it to the shape of the gateway's errors.
func errorOf(t testing.TB, a answer) (code int, kind, message string) {
	t.Helper()
	require.NotNil(t, a.refusal, "it was sent on")
	var contentType string
	for _, h := range a.refusal.GetHeaders().GetSetHeaders() {
		if h.GetHeader().GetKey() == "content-type" {
			contentType = string(h.GetHeader().GetRawValue())
		}
	}
	assert.Equal(t, "application/json", contentType)
	var body struct {
		Error struct {
			Message, Type, Code string
			Param               *string
		}
	}
	require.NoError(t, json.Unmarshal(a.refusal.GetBody(), &body), "%s", a.refusal.GetBody())
	assert.NotEmpty(t, body.Error.Message)
	assert.NotEmpty(t, body.Error.Type)
	assert.True(t, strings.HasPrefix(a.refusal.GetDetails(), "igw_"), a.refusal.GetDetails())
	return int(a.refusal.GetStatus().GetCode()), body.Error.Code, body.Error.Message
}

func TestRefusals(t *testing.T) {
	e := start(t, directory("openai"))
	for name, c := range map[string]struct {
		r    request
		code int
		kind string
	}{
		"no body":             {request{path: chat}, 400, "invalid_request"},
		"an empty body":       {request{path: chat, pieces: []string{""}}, 400, "invalid_request"},
		"only trailers":       {request{path: chat, trailers: true}, 400, "invalid_request"},
		"not JSON":            {request{path: chat, pieces: []string{"hello"}}, 400, "invalid_request"},
		"cut off":             {request{path: chat, pieces: bytewise(asked[:20])}, 400, "invalid_request"},
		"cut off by trailers": {request{path: chat, pieces: []string{asked[:20]}, trailers: true}, 400, "invalid_request"},
		"unknown provider":    {request{path: chat, pieces: []string{`{"model":"nobody/x"}`}}, 400, "unknown_provider"},
		"a bad ?provider":     {request{path: chat + "?provider=", pieces: []string{asked}}, 400, "unknown_provider"},
		"an unknown path":     {request{path: "/v1/nothing", pieces: []string{asked}}, 404, "not_found"},
		"no path at all":      {request{pieces: []string{asked}}, 404, "not_found"},
		"an unready endpoint": {request{path: "/v1/embeddings", pieces: []string{asked}}, 400, "endpoint_not_supported"},
		"a huge claim":        {request{path: chat, headers: map[string]string{"content-length": "99999999"}, pieces: []string{"x"}}, 413, "request_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			code, kind, _ := errorOf(t, e.send(t, c.r))
			assert.Equal(t, c.code, code)
			assert.Equal(t, c.kind, kind)
		})
	}
	_, _, message := errorOf(t, e.send(t, request{path: chat, headers: map[string]string{"content-encoding": "gzip"}, pieces: []string{"\x1f\x8b"}}))
	assert.Contains(t, message, "content-encoding")
}

func TestBodyLimit(t *testing.T) {
	const most = 1000
	e := start(t, restricted(most, nil, "openai"))
	fill := func(n int) string { return asked + strings.Repeat(" ", n-len(asked)) }
	exactly := e.send(t, request{path: chat, pieces: []string{fill(most)}})
	require.Nil(t, exactly.refusal)
	assert.Len(t, exactly.body, most-len("openai/"))

	for name, pieces := range map[string][]string{
		"a byte over, in one piece":  {fill(most + 1)},
		"a byte over, byte by byte":  bytewise(fill(most + 1)),
		"a byte over, then nothing":  {fill(most), " ", ""},
		"far over":                   {fill(most * 7)},
		"very far over":              {fill(most), fill(most * 8), "never read"},
		"without an end, far over":   append(bytewise(fill(most*8+1)), "never read"),
		"twice the limit, no object": {strings.Repeat("x", 2*most)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, trailers := range []bool{false, true} {
				code, kind, message := errorOf(t, e.send(t, request{path: chat, pieces: pieces, trailers: trailers}))
				assert.Equal(t, 413, code)
				assert.Equal(t, "request_too_large", kind)
				assert.Contains(t, message, "1000")
			}
		})
	}
}

// A client's content-length is a claim: only one that is far over the limit decides anything, and what goes to the
// provider is counted.
func TestContentLengthLies(t *testing.T) {
	e := start(t, directory("openai"))
	for _, claim := range []string{"0", "1", "100000", strconv.Itoa(maxBody + 1), "-5", "abc", "", "999999999999999999999999", "+7"} {
		t.Run(claim, func(t *testing.T) {
			a := e.send(t, request{path: chat, headers: map[string]string{"content-length": claim}, pieces: []string{asked[:9], asked[9:]}})
			require.Nil(t, a.refusal)
			assert.Equal(t, forwarded, a.body)
			assert.Equal(t, strconv.Itoa(len(forwarded)), a.set["content-length"])
		})
	}
	a := e.send(t, request{path: chat, headers: map[string]string{"content-length": strconv.Itoa(8*maxBody + 1)}, pieces: []string{asked}})
	code, _, _ := errorOf(t, a)
	assert.Equal(t, 413, code)
}

// A large body comes back in pieces that neither side has to hold whole, and they join to the same bytes.
func TestALargeBodyComesBackInBoundedPieces(t *testing.T) {
	e := start(t, directory("openai"))
	filler := make([]byte, maxBody-1000)
	for i := range filler {
		filler[i] = 'a' + byte(rand.IntN(26))
	}
	body := `{"model":"openai/m","x":"` + string(filler) + `"}`
	want := `{"model":"m","x":"` + string(filler) + `"}`
	for name, pieces := range map[string][]string{"whole": {body}, "as Envoy cuts": cut(body, 64<<10)} {
		a := e.send(t, request{path: chat, pieces: pieces})
		require.Nil(t, a.refusal)
		assert.True(t, a.body == want, "%s: the bytes differ", name)
		assert.LessOrEqual(t, a.largest, 1<<20)
		assert.Greater(t, a.pieces, 1)
	}
}

func cut(s string, size int) (out []string) {
	for ; len(s) > size; s = s[size:] {
		out = append(out, s[:size])
	}
	return append(out, s)
}

func TestProxiedRequests(t *testing.T) {
	e := start(t, restricted(maxBody, []string{"cheap"}, "openai"))
	ofJSON := map[string]string{"content-type": "application/json"}
	for name, body := range map[string]string{"cheap": `{ "model":"cheap","n":1.0}`, "no model": `{"input":"x"}`} {
		a := e.send(t, request{path: "/proxy/openai/v1/x?provider=y", headers: ofJSON, pieces: bytewise(body)})
		require.Nil(t, a.refusal, name)
		assert.Equal(t, body, a.body)
		assert.Equal(t, "true", a.set["x-igw-checked"])
		assert.NotContains(t, a.set, "x-igw-provider")
		if path, set := a.set[":path"]; set {
			assert.Equal(t, "/proxy/openai/v1/x?provider=y", path, "a proxied query is the provider's")
		}
	}
	a := e.send(t, request{path: "/proxy/openai/v1/x"})
	require.Nil(t, a.refusal, "no body names no model")
	assert.Empty(t, a.body)

	for name, r := range map[string]request{
		"denied":     {path: "/proxy/openai/v1/x", headers: ofJSON, pieces: []string{`{"model":"dear"}`}},
		"cut":        {path: "/proxy/openai/v1/x", headers: ofJSON, pieces: bytewise(`{"model":"dear"}`)},
		"compressed": {path: "/proxy/openai/v1/x", headers: map[string]string{"content-encoding": "gzip"}, pieces: []string{"\x1f\x8b"}},
		"large":      {path: "/proxy/openai/v1/x", pieces: []string{strings.Repeat("x", maxBody+1)}},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, _ := errorOf(t, e.send(t, r))
			assert.Contains(t, []int{400, 403, 413}, code)
		})
	}
}

// Requests that run at the same time, cut into interleaved pieces, never see each other's provider, model or bytes,
// also while the configuration is being swapped.
func TestConcurrentStreamsNeverMix(t *testing.T) {
	var ids []string
	for i := range 20 {
		ids = append(ids, fmt.Sprint("p", i))
	}
	e := start(t, directory(ids...))
	stop := make(chan struct{})
	var swapping, asking sync.WaitGroup
	swapping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				e.server.Update(directory(ids...))
			}
		}
	})
	for i := range 200 {
		asking.Go(func() {
			id, mark := ids[i%len(ids)], strings.Repeat(strconv.Itoa(i)+" ", i)
			body := fmt.Sprintf(`{"x":%q,"model":"%s/m%d"}`, mark, id, i)
			a := e.send(t, request{path: chat, pieces: randomCuts(body, uint64(i))})
			if assert.Nil(t, a.refusal) {
				assert.Equal(t, id, a.set["x-igw-provider"])
				assert.Equal(t, fmt.Sprintf(`{"x":%q,"model":"m%d"}`, mark, i), a.body)
			}
		})
	}
	asking.Wait()
	close(stop)
	swapping.Wait()
}

func TestAnExchangeKeepsTheDirectoryThatItBeganWith(t *testing.T) {
	e := start(t, directory("openai"))
	s, err := e.client.Process(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Send(headersMessage(request{path: chat, pieces: []string{asked}})))
	eventuallyWaiting(t, 1)
	e.server.Update(directory("groq"))
	require.NoError(t, s.Send(bodyMessage(asked, true)))
	assert.Equal(t, "openai", read(t, s, request{}).set["x-igw-provider"])
	_, kind, _ := errorOf(t, e.send(t, request{path: chat, pieces: []string{asked}}))
	assert.Equal(t, "unknown_provider", kind)
}

func TestAClientThatGoesAwayLeavesNothingBehind(t *testing.T) {
	e := start(t, directory("openai"))
	ctx, cancel := context.WithCancel(t.Context())
	for range 50 {
		s, err := e.client.Process(ctx)
		require.NoError(t, err)
		require.NoError(t, s.Send(headersMessage(request{path: chat, pieces: []string{asked}})))
		require.NoError(t, s.Send(bodyMessage(asked[:20], false)))
	}
	eventuallyWaiting(t, 50)
	cancel()
	eventuallyWaiting(t, 0)
	assert.Nil(t, e.send(t, request{path: chat, pieces: []string{asked}}).refusal)
}

// Envoy that closes its side early gets the end of the stream, not a decision about half a request.
func TestAHalfClosedStreamIsNotDecided(t *testing.T) {
	e := start(t, directory("openai"))
	s, err := e.client.Process(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Send(headersMessage(request{path: chat, pieces: []string{asked}})))
	require.NoError(t, s.Send(bodyMessage(asked, false)))
	require.NoError(t, s.CloseSend())
	m, err := s.Recv()
	assert.Nil(t, m)
	assert.Error(t, err)
}

// A defect ends its own request and tells the client nothing of it.
func TestAPanicEndsOneStream(t *testing.T) {
	e := start(t, nil)
	s, err := e.client.Process(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Send(headersMessage(request{path: chat, pieces: []string{asked}})))
	_ = s.Send(bodyMessage(asked, true))
	_, err = s.Recv()
	assert.Equal(t, codes.Internal, status.Code(err))
	assert.Equal(t, "internal error", status.Convert(err).Message())
	e.server.Update(directory("openai"))
	assert.Nil(t, e.send(t, request{path: chat, pieces: []string{asked}}).refusal)
	assert.Contains(t, e.log.String(), "panic")
}
