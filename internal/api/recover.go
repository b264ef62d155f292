package api

import (
	"net/http"
	"runtime/debug"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// recovered turns a panic into a 500 that says nothing, and a log record that says everything.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tracked := &tracker{ResponseWriter: w}
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it this way
				panic(cause)
			}
			s.opts.Log.Error("a request made the API panic",
				"method", r.Method, "path", r.URL.Path, "panic", cause, "stack", string(debug.Stack()))
			if tracked.began {
				panic(http.ErrAbortHandler) // cuts the connection: half an answer must not pass for a whole one
			}
			clear(w.Header())
			apierror.New(apierror.Internal, "internal error").Write(w)
		}()
		next.ServeHTTP(tracked, r)
	})
}

// tracker notes whether an answer has begun.
type tracker struct {
	http.ResponseWriter
	began bool
}

func (t *tracker) WriteHeader(status int) {
	t.began = true
	t.ResponseWriter.WriteHeader(status)
}

func (t *tracker) Write(b []byte) (int, error) {
	t.began = true
	return t.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the real writer.
func (t *tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }
