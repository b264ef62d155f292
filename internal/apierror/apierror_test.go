package apierror_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// declared reads the constants of type Kind from the source, so that a new one without a row is found.
func declared(t *testing.T) (out []apierror.Kind) {
	f, err := parser.ParseFile(token.NewFileSet(), "apierror.go", nil, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Kind" {
			literal, ok := spec.Values[0].(*ast.BasicLit)
			require.True(t, ok)
			value, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			out = append(out, apierror.Kind(value))
		}
		return true
	})
	return out
}

func TestEveryKindHasARow(t *testing.T) {
	kinds := declared(t)
	require.Greater(t, len(kinds), 10)
	assert.ElementsMatch(t, kinds, apierror.Kinds())
}

// Clients of OpenAI branch on the status, error.type and error.code: a change here is a change of the API.
func TestStatusTypeAndCode(t *testing.T) {
	want := map[apierror.Kind]string{
		apierror.InvalidRequest:   "400 invalid_request_error invalid_request",
		apierror.HeadersTooLarge:  "431 invalid_request_error headers_too_large",
		apierror.BodyTooLarge:     "413 invalid_request_error request_too_large",
		apierror.ModelNotAllowed:  "403 model_not_allowed model_not_allowed",
		apierror.UnknownProvider:  "400 invalid_request_error unknown_provider",
		apierror.ProviderNotReady: "400 invalid_request_error provider_not_configured",
		apierror.UnsupportedRoute: "400 invalid_request_error endpoint_not_supported",
		apierror.NotFound:         "404 invalid_request_error not_found",
		apierror.ModelNotFound:    "404 invalid_request_error model_not_found",
		apierror.MethodNotAllowed: "405 invalid_request_error method_not_allowed",
		apierror.NotEnabled:       "403 permission_error not_enabled",
		apierror.Unauthorized:     "401 authentication_error unauthorized",
		apierror.InvalidAPIKey:    "401 invalid_request_error invalid_api_key",
		apierror.PermissionDenied: "403 permission_error permission_denied",
		apierror.RateLimited:      "429 rate_limit_error rate_limit_exceeded",
		apierror.RequestTimeout:   "408 invalid_request_error request_timeout",
		apierror.Overloaded:       "503 server_error overloaded",
		apierror.Unavailable:      "503 server_error unavailable",
		apierror.UpstreamError:    "502 upstream_error upstream_error",
		apierror.UpstreamTimeout:  "504 upstream_error upstream_timeout",
		apierror.Internal:         "500 server_error internal_error",
		"no such kind":            "500 server_error internal_error",
	}
	for kind, row := range want {
		e := apierror.New(kind, "m")
		fields := read(t, e.Body())
		assert.Equal(t, row, strings.Join([]string{strconv.Itoa(e.Status()), text(fields["type"]), text(fields["code"])}, " "), string(kind))
	}
	assert.Len(t, want, len(apierror.Kinds())+1)
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// read holds a body to one object "error" of exactly the four fields.
func read(t *testing.T, body []byte) map[string]any {
	t.Helper()
	var whole map[string]map[string]any
	require.NoError(t, json.Unmarshal(body, &whole), "%s", body)
	require.Len(t, whole, 1)
	fields := whole["error"]
	require.Len(t, fields, 4)
	for _, name := range []string{"message", "type", "param", "code"} {
		require.Contains(t, fields, name)
	}
	return fields
}

func TestMessagesAreEncoded(t *testing.T) {
	for _, message := range []string{"", "plain", "a \"quote\" and a \\", "line\nbreak\x00", "<script>&", "é … 世界", "100%"} {
		e := apierror.New(apierror.Internal, "%s", message)
		assert.Equal(t, message, read(t, e.Body())["message"])
		assert.NotContains(t, string(e.Body()), "\n")
	}
	assert.Equal(t, "bad \ufffd", read(t, apierror.New(apierror.Internal, "bad \xff").Body())["message"])
}

func TestParam(t *testing.T) {
	assert.Nil(t, read(t, apierror.New(apierror.InvalidRequest, "x").Body())["param"], "OpenAI's clients expect null, not an empty text")
	e := apierror.Field(apierror.InvalidRequest, "model", "%s is %d", "it", 7)
	assert.Equal(t, "model", read(t, e.Body())["param"])
	assert.Equal(t, "invalid_request: it is 7", e.Error())
}

func TestWrite(t *testing.T) {
	for _, kind := range apierror.Kinds() {
		w := httptest.NewRecorder()
		e := apierror.New(kind, "why")
		e.Write(w)
		assert.Equal(t, e.Status(), w.Code)
		assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
		assert.Equal(t, e.Body(), w.Body.Bytes())
	}
}
