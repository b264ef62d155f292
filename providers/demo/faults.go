package demo

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
)

// faultHeader asks for a fault where no model can be named, for example on GET /v1/models.
const (
	faultPrefix = "fault-"
	faultHeader = "X-Demo-Fault"
)

// fault is one way to misbehave. The names, as models or in the header:
//
//	fault-STATUS             an OpenAI-shaped error with that status, such as fault-500 or fault-429
//	fault-STATUS-after-N     … with Retry-After: N
//	fault-reset              the connection is cut before the headers
//	  …-once, …-twice        either of the above for the first one or two requests, then a good answer, then again;
//	  …-twice-KEY            counted by KEY, so that tests do not disturb each other
//	fault-reset-midstream    three events (or half of a JSON body), then the connection is cut
//	fault-error-midstream    three events, then an error event, and the stream ends without [DONE]
//	fault-slow-DURATION      waits before the first byte, such as fault-slow-2s
//	fault-gzip               the answer is compressed, whether or not it was asked for
//	fault-hang               no byte ever comes, until the client goes away
type fault struct {
	name   string
	kind   string // status, reset, midstream, error, slow, gzip, hang
	status int
	after  string // Retry-After
	times  int    // how many requests fail before one succeeds; 0 is every one
	wait   time.Duration
}

var countedFault = regexp.MustCompile(`^fault-(reset|[45]\d\d)(?:-after-(\d+))?(?:-(once|twice)(?:-[\w.-]+)?)?$`)

func parseFault(name string) (fault, bool) {
	f := fault{name: name}
	switch name {
	case "fault-gzip":
		f.kind = "gzip"
	case "fault-hang":
		f.kind = "hang"
	case "fault-reset-midstream":
		f.kind = "midstream"
	case "fault-error-midstream":
		f.kind = "error"
	}
	if f.kind != "" {
		return f, true
	}
	if d, ok := strings.CutPrefix(name, "fault-slow-"); ok {
		var err error
		f.kind = "slow"
		f.wait, err = time.ParseDuration(d)
		return f, err == nil && f.wait >= 0
	}
	m := countedFault.FindStringSubmatch(name)
	if m == nil {
		return f, false
	}
	f.kind, f.after = "status", m[2]
	if m[1] == "reset" {
		f.kind = "reset"
	} else {
		f.status, _ = strconv.Atoi(m[1]) // three digits by the expression
	}
	f.times = map[string]int{"once": 1, "twice": 2}[m[3]]
	return f, true
}

// withFault answers a request that may ask for a fault. A misspelled fault is a 404 or a 400, never a good answer.
func (h *handler) withFault(w http.ResponseWriter, r *http.Request, body []byte) {
	name, asked := h.faultName(r, body)
	if !asked {
		h.route(w, r, body)
		return
	}
	f, ok := parseFault(name)
	switch {
	case !ok:
		apierror.New(apierror.ModelNotFound, "There is no fault `%s`.", name).Write(w)
	case h.times.spared(f):
		h.route(w, r, body)
	default:
		h.misbehave(f, w, r, body)
	}
}

func (h *handler) faultName(r *http.Request, body []byte) (string, bool) {
	if h.opts.Faults {
		if name := r.Header.Get(faultHeader); name != "" {
			return name, true
		}
		var model string
		if o, err := parseObject(body); err == nil && o.read("", "model", &model, "a string") == nil && strings.HasPrefix(model, faultPrefix) {
			return model, true
		}
	}
	return h.opts.Fault, h.opts.Fault != ""
}

// counters remember how often a fault has struck.
type counters struct {
	mu     sync.Mutex
	struck map[string]int
}

// spared says whether the request gets a good answer because the fault has struck often enough.
func (c *counters) spared(f fault) bool {
	if f.times == 0 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.struck == nil {
		c.struck = map[string]int{}
	}
	if c.struck[f.name] == f.times {
		delete(c.struck, f.name)
		return true
	}
	c.struck[f.name]++
	return false
}
