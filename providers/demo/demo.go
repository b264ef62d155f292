// Package demo is the embedded provider that runs when no key is set: an http.Handler that speaks OpenAI's wire format
// (chat completions, embeddings, models) with made-up, deterministic answers. The gateway's process serves it on a Unix
// socket and Envoy reaches it like any provider, so it is also the upstream of the project's own tests. It must not
// know the gateway: no configuration, no Envoy, no ext_proc; it sees only the requests that a provider would see.
package demo

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// DefaultPause between the words of a stream reads like a model that thinks. Options leaves it out unless asked,
// so that tests do not wait.
const DefaultPause = 20 * time.Millisecond

// maxBody is larger than the gateway's own default limit: the gateway has to refuse first.
const maxBody = 32 << 20

// Options are all that a caller may choose. The zero Options is a healthy provider that streams without pauses.
type Options struct {
	Pause time.Duration    // between the pieces of a stream; DefaultPause for people
	Now   func() time.Time // the clock behind "created"; time.Now when nil

	// Record, when set, sees every request with its whole body before it is answered. Calls may be concurrent.
	Record func(*http.Request, []byte)

	// Faults turns the test switches on: a model named fault-…, or the header X-Demo-Fault (see faults.go).
	Faults bool
	// Fault makes every request without a fault of its own fail in this way: a provider that is sick as a whole.
	Fault string
}

type handler struct {
	opts  Options
	times counters
}

// New makes the provider. Paths start with /v1, as those of OpenAI do.
func New(opts Options) http.Handler {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &handler{opts: opts}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			apierror.New(apierror.BodyTooLarge, "The request body is larger than %d bytes.", maxBody).Write(w)
		} else {
			apierror.New(apierror.InvalidRequest, "The request body could not be read.").Write(w)
		}
		return
	}
	if h.opts.Record != nil {
		h.opts.Record(r, body)
	}
	if !h.opts.Faults && h.opts.Fault == "" {
		h.route(w, r, body)
		return
	}
	h.withFault(w, r, body)
}

func (h *handler) route(w http.ResponseWriter, r *http.Request, body []byte) {
	// OpenAI sends this header on every answer; it lets a test see that a provider's headers reach the client.
	w.Header().Set("Openai-Version", "2020-10-01")
	id, isModel := strings.CutPrefix(r.URL.Path, "/v1/models/")
	switch {
	case r.URL.Path == "/v1/chat/completions":
		if allow(w, r, http.MethodPost) {
			h.chat(w, r, body)
		}
	case r.URL.Path == "/v1/embeddings":
		if allow(w, r, http.MethodPost) {
			h.embeddings(w, r, body)
		}
	case r.URL.Path == "/v1/models":
		if allow(w, r, http.MethodGet, http.MethodHead) {
			listModels(w)
		}
	case isModel:
		if allow(w, r, http.MethodGet, http.MethodHead) {
			retrieveModel(w, id)
		}
	default:
		apierror.New(apierror.NotFound, "Invalid URL (%s %s)", r.Method, r.URL.Path).Write(w)
	}
}

// allow answers 405 itself when the method is none of those wanted.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	apierror.New(apierror.MethodNotAllowed, "Not allowed to %s on %s.", r.Method, r.URL.Path).Write(w)
	return false
}
