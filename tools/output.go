package tools

import (
	"errors"
	"io"
	"net/http"
	"strconv"
)

// output is the client's side. It bounds what is sent: where the way to a client has no flow control, what it does not
// read is held in memory.
type output struct {
	w       http.ResponseWriter
	left    int64
	started bool
	events  bool // the client wants to know of calls
}

func (o *output) start(status int, header http.Header) {
	copyHeader(o.w.Header(), header)
	o.w.WriteHeader(status)
	o.started = true
}

// write sends bytes at once.
func (o *output) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if err := o.add(p); err != nil {
		return err
	}
	return o.flush()
}

// add writes bytes that go out with those that follow, or with the next flush.
func (o *output) add(p []byte) error {
	if o.left -= int64(len(p)); o.left < 0 {
		return errTooLarge
	}
	return o.end(p)
}

// flush sends what has been added.
func (o *output) flush() error {
	if !o.started {
		return nil
	}
	if err := http.NewResponseController(o.w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return errClientGone
	}
	return nil
}

// end writes the words that end an answer, without the bound. They go out together with the end of the response, which
// whoever serves it sends when the loop has returned.
func (o *output) end(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if _, err := o.w.Write(p); err != nil {
		return errClientGone
	}
	return nil
}

// whole sends an answer that has come to its end.
func (o *output) whole(status int, header http.Header, body []byte) error {
	copyHeader(o.w.Header(), header)
	o.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	o.w.WriteHeader(status)
	o.started = true
	return o.end(body)
}

// pass hands the provider's answer to the client as it is.
func (o *output) pass(resp *http.Response) error {
	copyHeader(o.w.Header(), resp.Header)
	for _, name := range []string{"Content-Length", "Content-Encoding"} { // they are of these very bytes
		if v := resp.Header.Get(name); v != "" {
			o.w.Header().Set(name, v)
		}
	}
	o.w.WriteHeader(resp.StatusCode)
	o.started = true
	if _, err := io.Copy(o.w, io.LimitReader(resp.Body, o.left)); err != nil {
		return errClientGone
	}
	return nil
}
