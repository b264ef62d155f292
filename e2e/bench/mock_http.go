package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// The kinds of mock provider. A bare one costs next to nothing, so that a ratio shows as much of the gateway as it can; one
// of net/http costs what an ordinary Go server does, which is what comparisons of gateways are usually made with.
const (
	bareMock = "bare"
	httpMock = "net/http"
)

// serveMockHTTP gives the same answers as serveMock, by the standard library's server.
func serveMockHTTP(l net.Listener) error {
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			answer, pause := mockReply([]byte(r.Method+" "+r.URL.Path+" "), body)
			answer.serve(w, pause)
		}),
	}
	return server.Serve(l)
}

func (a mockAnswer) serve(w http.ResponseWriter, pause time.Duration) {
	if len(a.writes) == 1 {
		_, status, _ := bytes.Cut(a.writes[0], []byte(" "))
		code, err := strconv.Atoi(string(status[:3]))
		if err != nil {
			code = http.StatusInternalServerError
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", "req_bench")
		w.WriteHeader(code)
		_, _ = w.Write(a.body)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	flusher := http.NewResponseController(w)
	for i, event := range bytes.SplitAfter(a.body, []byte("\n\n")) {
		if i > 0 && pause > 0 {
			time.Sleep(pause)
		}
		if _, err := w.Write(event); err != nil || flusher.Flush() != nil {
			return // the client has gone
		}
	}
}
