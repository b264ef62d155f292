package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

var (
	errDown    = errors.New("the server is unavailable")
	errGone    = errors.New("the tool is no longer offered")
	errChanged = errors.New("the tool's definition is not the one that was offered")
)

// call runs a tool as it was offered: d is the definition that the model saw.
func (s *server) call(ctx context.Context, d definition, arguments json.RawMessage) tools.Result {
	arguments, ok := object(arguments)
	switch {
	case !ok:
		return tools.Failure(tools.StatusBadArguments, "the arguments must be one JSON object")
	case !s.filter.allows(s.name, d.original):
		return tools.Failure(tools.StatusUnknownTool, "this tool is not allowed")
	case d.needsTask:
		return tools.Failure(tools.StatusNeedsInput, needsInput)
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.opts.CallTimeout)
	defer cancel()
	a, err := s.answer(ctx, d, arguments)
	switch {
	case err == nil && a.err != nil:
		return s.refusal(a.err)
	case err == nil:
		r := resultText(a.result, s.opts.Limits.Result)
		if r.Failed { // servers put what they were asked with into their errors
			r.Text = s.secrets.Replace(r.Text)
		}
		return r
	case errors.Is(err, errGone):
		return tools.Failure(tools.StatusUnknownTool, "this tool is no longer offered")
	case errors.Is(err, errChanged):
		return tools.Failure(tools.StatusError, "this tool has changed since it was offered, so it was not run")
	case errors.Is(caller.Err(), context.Canceled):
		return tools.Failure(tools.StatusCancelled, "the call was cancelled")
	case ctx.Err() != nil:
		return tools.Failure(tools.StatusTimeout, "the tool did not answer in time")
	case errors.Is(err, errLost), errors.Is(err, errClosed):
		return tools.Failure(tools.StatusError, "the connection to the tool's server was lost during the call")
	default:
		return tools.Failure(tools.StatusError, "the tool's server "+describe(err))
	}
}

// answer calls on the connection of the moment. Only a call that the server refused unseen, for it knew the session no
// more, is made once again.
func (s *server) answer(ctx context.Context, d definition, arguments json.RawMessage) (answer, error) {
	conn, err := s.pinned(ctx, d, nil)
	if err != nil {
		return answer{}, err
	}
	a, err := conn.call(ctx, d.original, arguments)
	switch {
	case errors.Is(err, transport.ErrSessionTerminated), errors.Is(err, errClosed):
		if conn, err = s.pinned(ctx, d, conn); err != nil {
			return answer{}, err
		}
		return conn.call(ctx, d.original, arguments)
	case err != nil && ctx.Err() == nil:
		conn.poke() // is it still there?
	}
	return a, err
}

// pinned gives a connection other than old, when the server still offers the tool as the model saw it.
func (s *server) pinned(ctx context.Context, d definition, old *connection) (*connection, error) {
	st, err := s.after(ctx, old)
	if err != nil {
		return nil, err
	}
	switch pin, ok := st.pins[d.original]; {
	case !ok:
		return nil, errGone
	case pin != d.pin:
		return nil, errChanged
	}
	return st.conn, nil
}

// refusal is a JSON-RPC error as text.
func (s *server) refusal(e *mcp.JSONRPCErrorDetails) tools.Result {
	if e.Code == mcp.URL_ELICITATION_REQUIRED || e.Code == mcp.MISSING_REQUIRED_CLIENT_CAPABILITY {
		return tools.Failure(tools.StatusNeedsInput, needsInput)
	}
	return tools.Failure(tools.StatusError, fmt.Sprintf("Error %d: %s", e.Code, s.scrub(e.Message)))
}

// object gives arguments as servers take them: an object, and {} for none.
func object(arguments json.RawMessage) (json.RawMessage, bool) {
	arguments = bytes.TrimSpace(arguments)
	if len(arguments) == 0 || string(arguments) == "null" {
		return json.RawMessage(`{}`), true
	}
	return arguments, arguments[0] == '{' && json.Valid(arguments)
}
