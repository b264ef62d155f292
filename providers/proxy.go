//go:build !wasip1

package providers

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/providers/routing"
)

// ProxyRequest is a request under /proxy/{provider}/ whose body has arrived whole.
type ProxyRequest struct {
	Provider        string // from the path
	Path            string // :path
	ContentType     string
	ContentEncoding string
	Body            []byte
	Upgrade         bool // to a WebSocket: what follows is nobody's to read
}

// CheckProxy holds the allow-list and a caller's rights over a proxied request, and gives the body that may pass: its
// own, unless the length of answers had to be limited. A body that could name a model but cannot be read the way the
// provider will read it is refused, since it could smuggle one past the list.
func (d *Directory) CheckProxy(c Caller, r ProxyRequest) ([]byte, *apierror.Error) {
	r.Provider = strings.ToLower(r.Provider)
	rights := d.rightsOf(c)
	limits := rights != nil && (rights.RestrictsModels() || rights.MaxTokens() > 0)
	if rights != nil && !rights.AllowsProvider(r.Provider) {
		return nil, apierror.Field(apierror.PermissionDenied, "provider", "you may not use provider %s", clip(r.Provider))
	}
	if d.filter.Empty() && !limits {
		return r.Body, nil
	}
	if e := strings.TrimSpace(r.ContentEncoding); len(r.Body) > 0 && e != "" && !strings.EqualFold(e, "identity") {
		return nil, apierror.New(apierror.InvalidRequest,
			"this gateway restricts models, so it must read the body: send it without content-encoding")
	}
	models, refusal := namedModels(r)
	if refusal != nil {
		return nil, refusal
	}
	if !d.filter.Empty() || rights.RestrictsModels() {
		inQuery, refusal := queriedModels(r.Path)
		if refusal != nil {
			return nil, refusal
		}
		models = append(models, inQuery...)
	}
	if !d.filter.Empty() {
		for _, refusal := range []*apierror.Error{noBatch(r), oneModel(r.Body), modelBefore(r, models)} {
			if refusal != nil {
				return nil, refusal
			}
		}
	}
	for _, m := range models {
		if !d.filter.Allows(r.Provider, m) {
			return nil, notAllowed(r.Provider, m)
		}
	}
	if !limits {
		return r.Body, nil
	}
	return heldProxy(r, models, rights)
}

// namedModels gives every model that the path names, and a body of one of the usual kinds.
func namedModels(r ProxyRequest) ([]string, *apierror.Error) {
	inPath, refusal := pathModels(r.Path)
	if refusal != nil || len(r.Body) == 0 {
		return inPath, refusal
	}
	inBody, refusal := bodyModels(r)
	return append(inPath, inBody...), refusal
}

func bodyModels(r ProxyRequest) ([]string, *apierror.Error) {
	kind, params, err := mime.ParseMediaType(r.ContentType)
	switch {
	case err != nil && r.ContentType != "" && !errors.Is(err, mime.ErrInvalidMediaParameter):
		return nil, apierror.New(apierror.InvalidRequest, "the content-type cannot be read")
	case kind == "multipart/form-data":
		return multipartModels(r.Body, params["boundary"])
	case kind == "application/x-www-form-urlencoded" && !looksLikeObject(r.Body):
		values, err := url.ParseQuery(string(r.Body))
		if err != nil {
			return nil, apierror.New(apierror.InvalidRequest, "the form in the request body cannot be read")
		}
		return values["model"], nil
	case kind == "application/x-www-form-urlencoded": // what looks like JSON may be read as either
		models, refusal := jsonModel(r.Body)
		return append(models, formModels(r.Body)...), refusal
	case kind == "application/json", strings.HasSuffix(kind, "+json"), looksLikeObject(r.Body):
		switch strings.ToLower(params["charset"]) {
		case "", "utf-8", "utf8", "us-ascii":
		default: // a server that obeys it would read other members
			return nil, apierror.New(apierror.InvalidRequest, "the charset of the content-type cannot be read: send JSON in UTF-8")
		}
		return jsonModel(r.Body)
	}
	return nil, nil
}

// formModels gives every model that a reader of forms could find in a body, however much of it is no form.
func formModels(body []byte) []string {
	plain := func(s string) string {
		if text, err := url.QueryUnescape(s); err == nil {
			return text
		}
		return s
	}
	var models []string
	for _, pair := range strings.FieldsFunc(string(body), func(c rune) bool { return c == '&' || c == ';' }) {
		if name, value, _ := strings.Cut(pair, "="); plain(name) == "model" {
			models = append(models, plain(value))
		}
	}
	return models
}

func jsonModel(body []byte) ([]string, *apierror.Error) {
	if !looksLikeObject(body) && !looksLikeText(body) {
		return nil, nil // an array or a scalar names no model
	}
	doc, err := jsonedit.Parse(body)
	if err != nil {
		return nil, BodyError(err)
	}
	if member := routing.SecondModel(doc); member != "" {
		return nil, otherCase(member)
	}
	v, ok := doc.Member("model")
	if !ok || v.Kind == jsonedit.Null {
		return nil, nil
	}
	model, err := doc.String("model")
	if err != nil {
		return nil, apierror.Field(apierror.InvalidRequest, "model", "model must be a string")
	}
	return []string{model}, nil
}

func multipartModels(body []byte, boundary string) ([]string, *apierror.Error) {
	const mostName = 1024 // bytes of a model's name
	unreadable := apierror.New(apierror.InvalidRequest, "the multipart request body cannot be read")
	if boundary == "" {
		return nil, unreadable
	}
	var models []string
	for reader := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := reader.NextRawPart()
		if err == io.EOF { //nolint:errorlint // a wrapped one says that the last boundary is missing
			return models, nil
		}
		// A part without a name that can be read for certain might be the model to a reader that is less strict.
		if err != nil || part.FormName() == "" || len(part.Header["Content-Disposition"]) != 1 {
			return nil, unreadable
		}
		if part.FormName() != "model" {
			continue
		}
		name, err := io.ReadAll(io.LimitReader(part, mostName+1))
		if err != nil || len(name) > mostName || part.Header.Get("Content-Transfer-Encoding") != "" {
			return nil, unreadable
		}
		models = append(models, string(name))
	}
}

// looksLikeObject also says so of an object behind a byte order mark or in UTF-16 and UTF-32, which some servers read
// (Python's json.loads is one) and jsonedit refuses.
func looksLikeObject(body []byte) bool {
	for _, b := range body {
		switch b {
		case ' ', '\t', '\r', '\n', 0, 0xef, 0xbb, 0xbf, 0xfe, 0xff: // white space and the bytes of those marks
		default:
			return b == '{'
		}
	}
	return false
}

// looksLikeText is false for JSON arrays, strings and other scalars, which are valid and hold no members.
func looksLikeText(body []byte) bool {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	return len(trimmed) > 0 && !strings.ContainsRune(`["-0123456789tfn`, rune(trimmed[0]))
}
