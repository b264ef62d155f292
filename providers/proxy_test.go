package providers_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers"
)

// form is a multipart body with boundary "b" whose parts have the given Content-Disposition and value, in turn.
func form(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "--b\r\nContent-Disposition: %s\r\n\r\n%s\r\n", pairs[i], pairs[i+1])
	}
	return b.String() + "--b--\r\n"
}

// refusalOf is the refusal of a request of nobody in particular; nil when it may pass.
func refusalOf(d *providers.Directory, r providers.ProxyRequest) *apierror.Error {
	_, refusal := d.CheckProxy(providers.Caller{}, r)
	return refusal
}

func TestCheckProxy(t *testing.T) {
	const (
		jsonType  = "application/json"
		formType  = "application/x-www-form-urlencoded"
		multiType = "multipart/form-data; boundary=b"
		model     = `form-data; name="model"`
	)
	const pass, bad, denied = apierror.Kind(""), apierror.InvalidRequest, apierror.ModelNotAllowed
	cases := []struct {
		name, kind, body string
		want             apierror.Kind
	}{
		{"JSON", jsonType, `{"model":"cheap"}`, pass},
		{"JSON, denied", jsonType, `{"model":"dear"}`, denied},
		{"JSON, denied, any case", jsonType, `{"model":"DEAR"}`, denied},
		{"JSON, escaped", jsonType, `{"mod\u0065l":"d\u0065ar"}`, denied},
		{"JSON with parameters", "Application/JSON; charset=utf-8", ` {"model":"dear"}`, denied},
		{"JSON with a parameter in pieces", "application/json; charset", `{"model":"dear"}`, denied},
		{"+json", "application/vnd.api+json", `{"model":"dear"}`, denied},
		{"no content type", "", "\r\n\t {\"model\":\"dear\"}", denied},
		{"text that is JSON", "text/plain", `{"model":"dear"}`, denied},
		{"a form that is JSON", formType, `{"model":"dear"}`, denied},
		{"a form to one and JSON to another", formType, `{"model":"cheap","x":"&mod%65l=dear&"}`, denied},
		{"a form with bad escapes", formType, `{"model":"cheap","x":"100%;model=dear&"}`, denied},
		{"a form that is JSON and allowed", formType, `{"model":"cheap","x":"100% a=b"}`, pass},
		{"JSON in UTF-7", "application/json; charset=UTF-7", `{"model":"cheap"}`, bad},
		{"JSON without a model", jsonType, `{"input":"x"}`, pass},
		{"JSON, null model", jsonType, `{"model":null}`, pass},
		{"JSON, model that is no string", jsonType, `{"model":["dear"]}`, bad},
		{"JSON, an inner model is data", jsonType, `{"x":{"model":"dear"}}`, pass},
		{"JSON, duplicate", jsonType, `{"model":"cheap","model":"dear"}`, bad},
		{"JSON, duplicate escaped", jsonType, `{"model":"cheap","\u006dodel":"dear"}`, bad},
		{"JSON, another case", jsonType, `{"Model":"dear"}`, bad},
		{"JSON, another case beside it", jsonType, `{"model":"cheap","MODEL":"dear"}`, bad},
		{"JSON, models to fall back on", jsonType, `{"model":"cheap","models":["dear"]}`, bad},
		{"JSON, models in another case", jsonType, `{"model":"cheap","Models":["dear"]}`, bad},
		{"JSON, models of LiteLLM to fall back on", jsonType, `{"model":"cheap","fallbacks":["dear"]}`, bad},
		{"JSON, no such models", jsonType, `{"model":"cheap","models":null}`, pass},
		{"JSON, truncated", jsonType, `{"model":"dear"`, bad},
		{"JSON, two objects", jsonType, `{"model":"cheap"}{"model":"dear"}`, bad},
		{"JSON behind a comment", jsonType, `/**/{"model":"dear"}`, bad},
		{"JSON behind a byte order mark", "", "\xef\xbb\xbf" + `{"model":"dear"}`, bad},
		{"JSON in UTF-16", "", utf16Text(`{"model":"dear"}`, "\xff\xfe", 0), bad},
		{"JSON in UTF-16, the other order", "", utf16Text(`{"model":"dear"}`, "", 1), bad},
		{"array", jsonType, `[{"model":"dear"}]`, pass},
		{"string", jsonType, `"dear"`, pass},
		{"number", jsonType, `-1`, pass},
		{"not JSON at all", jsonType, `hello`, bad},
		{"audio", "audio/mpeg", "\xff\xfb\x90\x44\x00model=dear", pass},
		{"zeros", "application/octet-stream", "\x00\x00\x00", pass},
		{"text", "text/plain", "model=dear", pass},

		{"form", formType, "a=b&model=cheap", pass},
		{"form, denied", formType, "a=b&model=dear", denied},
		{"form, escaped", formType, "m%6fdel=de%61r", denied},
		{"form, the second of two", formType, "model=cheap&model=dear", denied},
		{"form, the first of two", formType, "model=dear&model=cheap", denied},
		{"form, semicolons", formType, "a=b;model=dear", bad},
		{"form, bad escape", formType, "model=%zz", bad},

		{"multipart", multiType, form(`form-data; name="file"; filename="a"`, "xx", model, "cheap"), pass},
		{"multipart, denied", multiType, form(model, "dear"), denied},
		{"multipart, the second of two", multiType, form(model, "cheap", model, "dear"), denied},
		{"multipart, the first of two", multiType, form(model, "dear", model, "cheap"), denied},
		{"multipart, as a file", multiType, form(`form-data; name="model"; filename="x"`, "dear"), denied},
		{"multipart, no quotes", multiType, form(`form-data; name=model`, "dear"), denied},
		{"multipart, no model", multiType, form(`form-data; name="x"`, "dear"), pass},
		{"multipart, two names", multiType, form(`form-data; name="x"; name="model"`, "dear"), bad},
		{"multipart, a name that is cut off", multiType, form(`form-data; name="model"; x`, "dear"), bad},
		{"multipart, two dispositions", multiType, form("form-data; name=\"x\"\r\nContent-Disposition: "+model, "dear"), bad},
		{"multipart, encoded", multiType, form(model+"\r\nContent-Transfer-Encoding: base64", "ZGVhcg=="), bad},
		{"multipart, quoted-printable", multiType, form(model+"\r\nContent-Transfer-Encoding: quoted-printable", "de=61r"), bad},
		{"multipart, endless model", multiType, form(model, strings.Repeat(" ", 2000)+"dear"), bad},
		{"multipart, truncated", multiType, strings.TrimSuffix(form(model, "cheap"), "--b--\r\n"), bad},
		{"multipart, another boundary", "multipart/form-data; boundary=c", form(model, "dear"), bad},
		{"multipart, no boundary", "multipart/form-data", form(model, "dear"), bad},
		{"multipart, two boundaries", "multipart/form-data; boundary=b; boundary=c", form(model, "dear"), bad},
		{"two content types", "text/plain,multipart/form-data; boundary=b", form(model, "dear"), bad},
		{"two content types, the other way", "multipart/form-data; boundary=b,text/plain", form(model, "dear"), bad},
	}
	restricted, open := directory(nil, []string{"openai/dear"}), directory(nil, nil)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := providers.ProxyRequest{Provider: "OpenAI", ContentType: c.kind, Body: []byte(c.body)}
			var got apierror.Kind
			if refusal := refusalOf(restricted, r); refusal != nil {
				got = refusal.Kind
				assert.NotContains(t, refusal.Message, "\n")
			}
			assert.Equal(t, c.want, got)
			assert.Nil(t, refusalOf(open, r), "without a list everything passes")
		})
	}
}

func utf16Text(s, mark string, high int) string {
	out := []byte(mark)
	for _, u := range utf16.Encode([]rune(s)) {
		pair := [2]byte{byte(u), byte(u >> 8)}
		out = append(out, pair[high], pair[1-high])
	}
	return string(out)
}

func TestCheckProxyEncodings(t *testing.T) {
	restricted, open := directory([]string{"cheap"}, nil), directory(nil, nil)
	for encoding, want := range map[string]bool{"": true, "identity": true, " Identity ": true, "gzip": false, "br": false, "identity, gzip": false} {
		r := providers.ProxyRequest{Provider: "openai", ContentType: "application/json", ContentEncoding: encoding, Body: []byte(`{"model":"cheap"}`)}
		assert.Equal(t, want, refusalOf(restricted, r) == nil, encoding)
		assert.Nil(t, refusalOf(open, r), encoding)
		r.Body = nil
		assert.Nil(t, refusalOf(restricted, r), "nothing to read")
	}
}

// A list names a provider's models: the provider of the path is the one that counts.
func TestCheckProxyIsForItsProvider(t *testing.T) {
	d := directory([]string{"openai/cheap"}, nil)
	r := providers.ProxyRequest{Provider: "anthropic", Body: []byte(`{"model":"cheap"}`)}
	require.NotNil(t, refusalOf(d, r))
	r.Provider = "OPENAI"
	require.Nil(t, refusalOf(d, r))
}

// Requests without a body may name a model by their path or query, and a batch names its models elsewhere.
func TestCheckProxyReadsPathsAndQueries(t *testing.T) {
	restricted, open := directory(nil, []string{"openai/dear"}), directory(nil, nil)
	for path, want := range map[string]apierror.Kind{
		"/models":                            "",
		"/models/cheap":                      "",
		"/models/dear":                       apierror.ModelNotAllowed,
		"/models/DE%61R":                     apierror.ModelNotAllowed,
		"/realtime?model=cheap":              "",
		"/realtime?x=y&model=dear":           apierror.ModelNotAllowed,
		"/realtime?model=cheap&Model=de%61r": apierror.ModelNotAllowed,
		"/realtime?model=dear;x=y":           apierror.InvalidRequest,
		"/realtime?%zz":                      apierror.InvalidRequest,
		"/batches":                           "",
		"/batches?limit=9":                   "",
	} {
		r := providers.ProxyRequest{Provider: "openai", Path: "/proxy/openai" + path}
		var got apierror.Kind
		if refusal := refusalOf(restricted, r); refusal != nil {
			got = refusal.Kind
		}
		assert.Equal(t, want, got, path)
		assert.Nil(t, refusalOf(open, r), path)
	}
	for _, path := range []string{"/v1/batches", "/v1/batches/", "/messages/batches", "/batch/jobs", "/models/cheap:batchGenerateContent"} {
		r := providers.ProxyRequest{Provider: "openai", Path: "/proxy/openai" + path, Body: []byte(`{"model":"cheap"}`)}
		refusal := refusalOf(restricted, r)
		require.NotNil(t, refusal, path)
		assert.Equal(t, apierror.PermissionDenied, refusal.Kind, path)
		assert.Nil(t, refusalOf(open, r), path)
	}
}

// Whatever the dress, a denied model in an ordinary body does not pass; and nothing panics.
func FuzzCheckProxy(f *testing.F) {
	f.Add("application/json", "gzip", []byte(`{"model":"dear"}`), "a", "x")
	f.Add("multipart/form-data; boundary=b", "", []byte(form(`form-data; name="model"`, "dear")), "file", "--")
	f.Add("application/x-www-form-urlencoded", "", []byte("model=dear"), "mödel", "\r\n")
	d := directory(nil, []string{"dear"})
	f.Fuzz(func(t *testing.T, kind, encoding string, body []byte, field, value string) {
		before := bytes.Clone(body)
		refusal := refusalOf(d, providers.ProxyRequest{Provider: "openai", ContentType: kind, ContentEncoding: encoding, Body: body})
		if refusal != nil && refusal.Status() == 500 {
			t.Fatal(refusal)
		}
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		if refusalOf(d, providers.ProxyRequest{
			ContentType: "application/x-www-form-urlencoded", Body: []byte(url.Values{field: {value}, "model": {"dear"}}.Encode()),
		}) == nil {
			t.Fatal("form passed")
		}
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		_ = w.WriteField(field, value)
		_ = w.WriteField("model", "dear")
		_ = w.Close()
		if refusalOf(d, providers.ProxyRequest{ContentType: w.FormDataContentType(), Body: b.Bytes()}) == nil {
			t.Fatal("multipart passed")
		}
	})
}
