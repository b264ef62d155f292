package demo

import (
	"compress/gzip"
	"errors"
	"net"
	"net/http"
	"strings"
)

func (h *handler) misbehave(f fault, w http.ResponseWriter, r *http.Request, body []byte) {
	switch f.kind {
	case "status":
		writeStatus(w, f)
	case "reset":
		reset(w)
	case "hang":
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // a return would send an empty 200
	case "slow":
		if pause(r.Context().Done(), f.wait) {
			h.route(w, r, body)
		}
	case "gzip":
		z := &zipped{ResponseWriter: w, gz: gzip.NewWriter(w)}
		w.Header().Set("Content-Encoding", "gzip")
		h.route(z, r, body)
		_ = z.gz.Close() // the client is gone when this fails
	case "midstream":
		h.route(&cutShort{ResponseWriter: w}, r, body)
	case "error":
		h.route(&cutShort{ResponseWriter: w, last: encode(statusBody(http.StatusInternalServerError))}, r, body)
	}
}

// writeStatus fails as OpenAI does, with its rate-limit headers where they belong.
func writeStatus(w http.ResponseWriter, f fault) {
	if f.after != "" {
		w.Header().Set("Retry-After", f.after)
	}
	if f.status == http.StatusTooManyRequests {
		w.Header().Set("X-Ratelimit-Limit-Requests", "60")
		w.Header().Set("X-Ratelimit-Remaining-Requests", "0")
		w.Header().Set("X-Ratelimit-Reset-Requests", "7s")
	}
	writeJSON(w, f.status, statusBody(f.status))
}

func statusBody(status int) any {
	type detail struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	}
	d := detail{Message: "The demo provider fails on request: " + http.StatusText(status) + ".", Type: "server_error"}
	code := ""
	switch {
	case status == http.StatusUnauthorized:
		d.Type, code = "invalid_request_error", "invalid_api_key"
	case status == http.StatusTooManyRequests:
		d.Type, code = "requests", "rate_limit_exceeded"
	case status < http.StatusInternalServerError:
		d.Type = "invalid_request_error"
	}
	if code != "" {
		d.Code = &code
	}
	return map[string]detail{"error": d}
}

// reset cuts the connection so that the peer sees a reset and not an orderly end.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 has no connection to give away; aborting resets the stream
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // without it the close is orderly, which is a failure for the peer as well
	}
	_ = conn.Close() // closed is closed
}

// cutShort lets three events pass, or half of a body that is no stream. Then it sends the last event, if there is one,
// and ends; without one it cuts the connection.
type cutShort struct {
	http.ResponseWriter
	last    []byte
	flushes int
}

var errCutShort = errors.New("cut short by a fault")

func (c *cutShort) Write(p []byte) (int, error) {
	if strings.HasPrefix(c.Header().Get("Content-Type"), "text/event-stream") {
		return c.ResponseWriter.Write(p)
	}
	_, _ = c.ResponseWriter.Write(p[:len(p)/2])
	_ = http.NewResponseController(c.ResponseWriter).Flush() // half of the body has to arrive before the cut
	panic(http.ErrAbortHandler)
}

func (c *cutShort) FlushError() error {
	if err := http.NewResponseController(c.ResponseWriter).Flush(); err != nil {
		return err
	}
	if c.flushes++; c.flushes < 3 {
		return nil
	}
	if c.last == nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = c.ResponseWriter.Write([]byte("data: " + string(c.last) + "\n\n"))
	return errCutShort
}

// zipped compresses an answer and keeps a stream a stream.
type zipped struct {
	http.ResponseWriter
	gz *gzip.Writer
}

func (z *zipped) WriteHeader(status int) {
	z.Header().Del("Content-Length") // it counted the plain bytes
	z.ResponseWriter.WriteHeader(status)
}

func (z *zipped) Write(p []byte) (int, error) { return z.gz.Write(p) }

func (z *zipped) FlushError() error {
	if err := z.gz.Flush(); err != nil {
		return err
	}
	return http.NewResponseController(z.ResponseWriter).Flush()
}
