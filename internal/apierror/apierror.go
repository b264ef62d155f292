// Package apierror is the one table of the errors that the gateway makes itself: a kind, its HTTP status, and the
// OpenAI-shaped body that clients parse. Every room that answers a client uses it, so that a client sees one shape
// whether Envoy, ext_proc or the API wrote the reply. It knows nothing of Envoy, gRPC or providers, and is
// compiled into the wasm filter: only write.go knows net/http, and is left out there.
package apierror

import "github.com/go-json-experiment/json/jsontext"

// Kind names a class of failure; it is the code that clients see. The zero Kind is not valid.
type Kind string

// The kinds, each a row of the table below.
const (
	InvalidRequest   Kind = "invalid_request"
	BodyTooLarge     Kind = "request_too_large"
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
	RateLimited      Kind = "rate_limit_exceeded"
	RequestTimeout   Kind = "request_timeout"
	Overloaded       Kind = "overloaded"
	Unavailable      Kind = "unavailable"
	UpstreamError    Kind = "upstream_error"
	UpstreamTimeout  Kind = "upstream_timeout"
	Internal         Kind = "internal_error"
)

// DetailsPrefix stands before the code of a refusal in Envoy's response code details, beside Envoy's own words there.
const DetailsPrefix = "igw_"

// row is what a kind becomes on the wire. Types are those that OpenAI clients know.
type row struct {
	status int
	typ    string
}

var table = map[Kind]row{
	InvalidRequest:   {400, "invalid_request_error"},
	BodyTooLarge:     {413, "invalid_request_error"},
	HeadersTooLarge:  {431, "invalid_request_error"},
	ModelNotAllowed:  {403, "model_not_allowed"},
	UnknownProvider:  {400, "invalid_request_error"},
	ProviderNotReady: {400, "invalid_request_error"},
	UnsupportedRoute: {400, "invalid_request_error"},
	NotFound:         {404, "invalid_request_error"},
	ModelNotFound:    {404, "invalid_request_error"},
	MethodNotAllowed: {405, "invalid_request_error"},
	NotEnabled:       {403, "permission_error"},
	Unauthorized:     {401, "authentication_error"},
	InvalidAPIKey:    {401, "invalid_request_error"}, // as OpenAI says it
	PermissionDenied: {403, "permission_error"},
	RateLimited:      {429, "rate_limit_error"},
	RequestTimeout:   {408, "invalid_request_error"},
	Overloaded:       {503, "server_error"},
	Unavailable:      {503, "server_error"},
	UpstreamError:    {502, "upstream_error"},
	UpstreamTimeout:  {504, "upstream_error"},
	Internal:         {500, "server_error"},
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
func (e *Error) Status() int { return table[e.kind()].status }

// Body is the OpenAI-shaped JSON object, without a trailing newline
// (https://platform.openai.com/docs/guides/error-codes: error.message, type, param, code).
func (e *Error) Body() []byte {
	kind := e.kind()
	out := appendText([]byte(`{"error":{"message":`), e.Message)
	out = appendText(append(out, `,"type":`...), table[kind].typ)
	out = append(out, `,"param":`...)
	if e.Param == "" {
		out = append(out, `null`...)
	} else {
		out = appendText(out, e.Param)
	}
	out = appendText(append(out, `,"code":`...), string(kind))
	return append(out, `}}`...)
}

// appendText appends s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendText(dst []byte, s string) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // its only error is about UTF-8, and the output is valid nevertheless
	return dst
}

func (e *Error) kind() Kind {
	if _, ok := table[e.Kind]; ok {
		return e.Kind
	}
	return Internal
}
