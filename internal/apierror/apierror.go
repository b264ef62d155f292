// Package apierror is the one table of the errors that the gateway makes itself: a kind, its HTTP status, and the
// OpenAI-shaped body that clients parse. Every room that answers a client uses it, so that a client sees one shape
// whether Envoy, ext_proc or the API wrote the reply. It knows nothing of Envoy, gRPC or providers.
package apierror

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Kind names a class of failure. The zero Kind is not valid.
type Kind string

// The kinds, each a row of the table below.
const (
	InvalidRequest   Kind = "invalid_request"
	BodyTooLarge     Kind = "body_too_large"
	HeadersTooLarge  Kind = "headers_too_large"
	ModelNotAllowed  Kind = "model_not_allowed"
	UnknownProvider  Kind = "unknown_provider"
	ProviderNotReady Kind = "provider_not_configured"
	UnsupportedRoute Kind = "endpoint_not_supported"
	NotFound         Kind = "not_found"
	ModelNotFound    Kind = "model_not_found"
	MethodNotAllowed Kind = "method_not_allowed"
	NotEnabled       Kind = "not_enabled"
	Unauthorized     Kind = "unauthorized"
	InvalidAPIKey    Kind = "invalid_api_key"
	PermissionDenied Kind = "permission_denied"
	RateLimited      Kind = "rate_limited"
	RequestTimeout   Kind = "request_timeout"
	Overloaded       Kind = "overloaded"
	Unavailable      Kind = "unavailable"
	UpstreamError    Kind = "upstream_error"
	UpstreamTimeout  Kind = "upstream_timeout"
	Internal         Kind = "internal_error"
)

// row is what a kind becomes on the wire. Types are those that OpenAI clients know.
type row struct {
	status int
	typ    string
	code   string
}

var table = map[Kind]row{
	InvalidRequest:   {http.StatusBadRequest, "invalid_request_error", "invalid_request"},
	BodyTooLarge:     {http.StatusRequestEntityTooLarge, "invalid_request_error", "request_too_large"},
	HeadersTooLarge:  {http.StatusRequestHeaderFieldsTooLarge, "invalid_request_error", "headers_too_large"},
	ModelNotAllowed:  {http.StatusForbidden, "model_not_allowed", "model_not_allowed"},
	UnknownProvider:  {http.StatusBadRequest, "invalid_request_error", "unknown_provider"},
	ProviderNotReady: {http.StatusBadRequest, "invalid_request_error", "provider_not_configured"},
	UnsupportedRoute: {http.StatusBadRequest, "invalid_request_error", "endpoint_not_supported"},
	NotFound:         {http.StatusNotFound, "invalid_request_error", "not_found"},
	ModelNotFound:    {http.StatusNotFound, "invalid_request_error", "model_not_found"},
	MethodNotAllowed: {http.StatusMethodNotAllowed, "invalid_request_error", "method_not_allowed"},
	NotEnabled:       {http.StatusForbidden, "permission_error", "not_enabled"},
	Unauthorized:     {http.StatusUnauthorized, "authentication_error", "unauthorized"},
	InvalidAPIKey:    {http.StatusUnauthorized, "invalid_request_error", "invalid_api_key"}, // as OpenAI says it
	PermissionDenied: {http.StatusForbidden, "permission_error", "permission_denied"},
	RateLimited:      {http.StatusTooManyRequests, "rate_limit_error", "rate_limited"},
	RequestTimeout:   {http.StatusRequestTimeout, "invalid_request_error", "request_timeout"},
	Overloaded:       {http.StatusServiceUnavailable, "server_error", "overloaded"},
	Unavailable:      {http.StatusServiceUnavailable, "server_error", "unavailable"},
	UpstreamError:    {http.StatusBadGateway, "upstream_error", "upstream_error"},
	UpstreamTimeout:  {http.StatusGatewayTimeout, "upstream_error", "upstream_timeout"},
	Internal:         {http.StatusInternalServerError, "server_error", "internal_error"},
}

// Kinds lists every kind of the table, in no order.
func Kinds() []Kind {
	out := make([]Kind, 0, len(table))
	for k := range table {
		out = append(out, k)
	}
	return out
}

// Error is a failure to report to the client. Message is shown to the client: it never holds a key, an inner address
// or the text of a wrapped error.
type Error struct {
	Kind    Kind
	Param   string // the request field at fault, or empty
	Message string
}

// New makes an Error about no particular field.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Field makes an Error about one field of the request.
func Field(kind Kind, param, format string, args ...any) *Error {
	return &Error{Kind: kind, Param: param, Message: fmt.Sprintf(format, args...)}
}

// Error gives the kind and the message.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

// Status is the HTTP status of the kind; an unknown kind is a 500.
func (e *Error) Status() int { return e.row().status }

// Body is the OpenAI-shaped JSON object, without a trailing newline
// (https://platform.openai.com/docs/guides/error-codes: error.message, type, param, code).
func (e *Error) Body() []byte {
	r := e.row()
	var b struct {
		Error struct {
			Message string  `json:"message"`
			Type    string  `json:"type"`
			Param   *string `json:"param"`
			Code    string  `json:"code"`
		} `json:"error"`
	}
	b.Error.Message, b.Error.Type, b.Error.Code = e.Message, r.typ, r.code
	if e.Param != "" {
		b.Error.Param = &e.Param
	}
	out, err := json.Marshal(b)
	if err != nil { // strings always marshal; kept so that a change of the struct cannot fail silently
		return []byte(`{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal_error"}}`)
	}
	return out
}

// Write sends the error as the whole HTTP response.
func (e *Error) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status())
	_, _ = w.Write(e.Body()) // the client is gone when this fails: nobody is left to tell
}

func (e *Error) row() row {
	if r, ok := table[e.Kind]; ok {
		return r
	}
	return table[Internal]
}
