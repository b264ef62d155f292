// Package apierror is the one table of the errors that the gateway makes itself: a kind, its HTTP status, and the
// OpenAI-shaped body that clients parse. Every room that answers a client uses it, so that a client sees one shape
// whether Envoy, ext_proc or the API wrote the reply. It knows nothing of Envoy, gRPC or providers, and is
// compiled into the wasm filter: only write.go knows net/http, and is left out there.
package apierror

import "github.com/go-json-experiment/json/jsontext"

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
	InvalidRequest:   {400, "invalid_request_error", "invalid_request"},
	BodyTooLarge:     {413, "invalid_request_error", "request_too_large"},
	HeadersTooLarge:  {431, "invalid_request_error", "headers_too_large"},
	ModelNotAllowed:  {403, "model_not_allowed", "model_not_allowed"},
	UnknownProvider:  {400, "invalid_request_error", "unknown_provider"},
	ProviderNotReady: {400, "invalid_request_error", "provider_not_configured"},
	UnsupportedRoute: {400, "invalid_request_error", "endpoint_not_supported"},
	NotFound:         {404, "invalid_request_error", "not_found"},
	ModelNotFound:    {404, "invalid_request_error", "model_not_found"},
	MethodNotAllowed: {405, "invalid_request_error", "method_not_allowed"},
	NotEnabled:       {403, "permission_error", "not_enabled"},
	Unauthorized:     {401, "authentication_error", "unauthorized"},
	InvalidAPIKey:    {401, "invalid_request_error", "invalid_api_key"}, // as OpenAI says it
	PermissionDenied: {403, "permission_error", "permission_denied"},
	RateLimited:      {429, "rate_limit_error", "rate_limit_exceeded"},
	RequestTimeout:   {408, "invalid_request_error", "request_timeout"},
	Overloaded:       {503, "server_error", "overloaded"},
	Unavailable:      {503, "server_error", "unavailable"},
	UpstreamError:    {502, "upstream_error", "upstream_error"},
	UpstreamTimeout:  {504, "upstream_error", "upstream_timeout"},
	Internal:         {500, "server_error", "internal_error"},
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
	return &Error{Kind: kind, Message: text(format, args...)}
}

// Field makes an Error about one field of the request.
func Field(kind Kind, param, format string, args ...any) *Error {
	return &Error{Kind: kind, Param: param, Message: text(format, args...)}
}

// Error gives the kind and the message.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

// Status is the HTTP status of the kind; an unknown kind is a 500.
func (e *Error) Status() int { return e.row().status }

// Body is the OpenAI-shaped JSON object, without a trailing newline
// (https://platform.openai.com/docs/guides/error-codes: error.message, type, param, code).
func (e *Error) Body() []byte {
	r := e.row()
	out := appendText([]byte(`{"error":{"message":`), e.Message)
	out = appendText(append(out, `,"type":`...), r.typ)
	out = append(out, `,"param":`...)
	if e.Param == "" {
		out = append(out, `null`...)
	} else {
		out = appendText(out, e.Param)
	}
	out = appendText(append(out, `,"code":`...), r.code)
	return append(out, `}}`...)
}

// appendText appends s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendText(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // its only error is about UTF-8, and the output is valid nevertheless
	return dst
}

func (e *Error) row() row {
	if r, ok := table[e.Kind]; ok {
		return r
	}
	return table[Internal]
}
