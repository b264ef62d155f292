package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// fail answers with the error's own status and body; an error of any other type is a bug here and a 500 there.
func fail(w http.ResponseWriter, err error) {
	var known *apierror.Error
	if !errors.As(err, &known) {
		known = apierror.New(apierror.Internal, "The demo provider failed.")
	}
	known.Write(w)
}

func invalid(param, format string, args ...any) error {
	return apierror.Field(apierror.InvalidRequest, param, format, args...)
}

// noModel has OpenAI's words, which people search for.
func noModel(model string) error {
	return apierror.New(apierror.ModelNotFound, "The model `%s` does not exist or you do not have access to it.", model)
}

// encode gives the bytes that OpenAI would send: HTML characters as they are, no newline at the end.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // only this package's own structs come here: they always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body := encode(v)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone when this fails: nobody is left to tell
}
