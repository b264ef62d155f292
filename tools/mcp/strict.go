package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

var (
	errOldEra   = errors.New("the server does not speak the stateless era")
	errNoAnswer = errors.New("not an MCP answer")
)

// newsTime is how long a server has to take the news that a call was cancelled, or an answer.
const newsTime = 2 * time.Second

// strict is a transport of mcp-go (streamable HTTP or SSE) that believes less, loses less and says when it gives up:
//   - only an answer that names a stateless version makes a server a stateless one; {} does not;
//   - tools and results are kept as they came: mcp-go drops schema keywords, and fails on content it does not know;
//   - an answer without result or error is none, whatever its status;
//   - a server with sessions hears when a call is cancelled; mcp-go tells it over stdio only.
type strict struct {
	transport.HTTPConnection
	modern bool
	legacy bool // SSE: the server's own requests come in the stream of its answers, and must not have their ids

	refused error // of the last server/discover

	mu      sync.Mutex
	closing bool
	news    sync.WaitGroup // for the server, on its way
}

// SetRequestHandler hands on what would be hidden by the embedded interface: servers of the old era may ping.
func (s *strict) SetRequestHandler(handler transport.RequestHandler) {
	if t, ok := s.HTTPConnection.(transport.BidirectionalInterface); ok {
		t.SetRequestHandler(handler)
	}
}

// SendRequest implements transport.Interface.
func (s *strict) SendRequest(ctx context.Context, req transport.JSONRPCRequest) (*transport.JSONRPCResponse, error) {
	switch {
	case req.Method == string(mcp.MethodServerDiscover):
		resp, err := s.discover(ctx, req)
		s.refused = err
		return resp, err
	case req.Method == string(mcp.MethodInitialize) && s.modern:
		return nil, errOldEra // connect starts anew, on a transport that can listen
	}
	resp, err := s.send(ctx, req)
	if err != nil {
		return nil, err
	}
	switch req.Method {
	case string(mcp.MethodToolsList):
		return s.listed(ctx, resp)
	case string(mcp.MethodToolsCall):
		return called(ctx, resp), nil
	}
	return resp, nil
}

// send is SendRequest of mcp-go with its errors told apart.
func (s *strict) send(ctx context.Context, req transport.JSONRPCRequest) (*transport.JSONRPCResponse, error) {
	asking := ctx
	if s.legacy {
		req.ID = mcp.NewRequestId(fmt.Sprintf("gateway-%v", req.ID.Value()))
		asking = undated{ctx}
	}
	ex := exchangeOf(ctx)
	ex.status.Store(0) // of a request before this one
	resp, err := s.HTTPConnection.SendRequest(asking, req)
	status := int(ex.status.Load())
	switch {
	case err != nil && ctx.Err() != nil:
		s.cancel(ctx, req)
		return nil, err
	case err != nil && ex.refusal.Load() != nil:
		return nil, ex.cause(err)
	case err != nil && status >= 400 && !errors.Is(err, transport.ErrSessionTerminated) && !errors.Is(err, transport.ErrLegacySSEServer):
		return nil, &statusError{code: status}
	case err != nil:
		return nil, err
	case resp.Error == nil && status >= 400:
		return nil, &statusError{code: status}
	case status == 400 && s.forgotten(resp.Error):
		return nil, transport.ErrSessionTerminated
	case resp.Error == nil && len(resp.Result) == 0:
		return nil, errNoAnswer
	}
	return resp, nil
}

// undated is a context that ends when its time is over without saying so beforehand: mcp-go's SSE sets a timer of its own to
// that very moment, and what it says then is neither a timeout nor a reason to tell the server.
type undated struct{ context.Context }

func (undated) Deadline() (time.Time, bool) { return time.Time{}, false }

// forgotten tells the answer that servers made with the TypeScript SDK give in the place of a 404, its own "everything"
// server among them. They refuse before anything is run.
func (s *strict) forgotten(e *mcp.JSONRPCErrorDetails) bool {
	const serverError = -32000
	return !s.modern && e.Code == serverError &&
		(strings.Contains(e.Message, "session") || strings.Contains(e.Message, "Session") || strings.Contains(e.Message, "not initialized"))
}

// discover takes only what names a version of the stateless era for an answer.
func (s *strict) discover(ctx context.Context, req transport.JSONRPCRequest) (*transport.JSONRPCResponse, error) {
	resp, err := s.send(ctx, req)
	if err != nil || resp.Error != nil {
		return resp, err
	}
	var result struct {
		SupportedVersions []string `json:"supportedVersions"`
	}
	_ = json.Unmarshal(resp.Result, &result) // what cannot be read names no version
	if !mcp.IsModernProtocol(mcp.NegotiateMutuallySupportedVersion(result.SupportedVersions)) {
		return nil, errOldEra
	}
	return resp, nil
}

// cancel tells a server with sessions to stop; for a stateless one the end of the request says it.
func (s *strict) cancel(ctx context.Context, req transport.JSONRPCRequest) {
	if s.modern || req.Method == string(mcp.MethodInitialize) {
		return
	}
	note := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION, Notification: mcp.Notification{
		Method: string(mcp.MethodNotificationCancelled),
		Params: mcp.NotificationParams{AdditionalFields: map[string]any{"requestId": req.ID, "reason": "the caller gave up"}},
	}}
	s.soon(context.WithoutCancel(ctx), func(ctx context.Context) {
		_ = s.SendNotification(ctx, note) // a server that cannot be told has nothing to stop
	})
}

// soon does something short that Close waits for.
func (s *strict) soon(ctx context.Context, do func(context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	s.news.Go(func() {
		ctx, end := context.WithTimeout(ctx, newsTime)
		defer end()
		do(ctx)
	})
}

// Close lets the last news out first.
func (s *strict) Close() error {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.news.Wait()
	return s.HTTPConnection.Close()
}
