//go:build !wasip1

package apierror

import "net/http"

// Write sends the error as the whole HTTP response.
func (e *Error) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status())
	_, _ = w.Write(e.Body()) // the client is gone when this fails: nobody is left to tell
}
