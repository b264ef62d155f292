package a2a

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// failure is an error in words that may be shown to anyone.
type failure struct {
	status      string
	text        string
	unreachable bool
}

// explain puts an error into words. The SDK's own words hold addresses and whole answers, so they are never used; what the
// agent itself says in an error is, scrubbed.
func (a *agent) explain(err error, code int) failure {
	if status := httpStatus(0); errors.As(err, &status) {
		code = int(status)
	}
	words := func(text string) failure { return failure{status: tools.StatusError, text: text} }
	lost := func(text string) failure { return failure{status: tools.StatusError, text: text, unreachable: true} }
	for _, own := range []error{errTooLarge, errCard, errNoTransport, errOtherOrigin, errNothing, errStrangeID} {
		if errors.Is(err, own) {
			return words(own.Error())
		}
	}
	var said *sdk.Error
	var timeout net.Error
	var name *net.DNSError
	switch {
	case errors.Is(err, errForeign):
		return words("it points to another origin, which is not followed")
	case errors.Is(err, errStillOn):
		return failure{status: tools.StatusTimeout, text: errStillOn.Error()}
	case errors.Is(err, sdk.ErrUnauthenticated), errors.Is(err, sdk.ErrUnauthorized), code == http.StatusUnauthorized, code == http.StatusForbidden:
		return words("it refuses the gateway's credentials")
	case errors.As(err, &said):
		return words("it refuses the request: " + a.scrub(said.Error()))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return failure{status: tools.StatusTimeout, text: "no answer in time", unreachable: true}
	case errors.Is(err, context.Canceled):
		return failure{status: tools.StatusCancelled, text: "the call was cancelled"}
	case errors.As(err, &name):
		return lost("its host name cannot be found")
	case errors.Is(err, syscall.ECONNREFUSED):
		return lost("it refuses the connection")
	case dialing(err):
		return lost("it cannot be reached")
	case code >= http.StatusBadRequest:
		return failure{status: tools.StatusError, text: httpStatus(code).Error(), unreachable: code >= http.StatusInternalServerError}
	case code >= http.StatusMultipleChoices:
		return words("it redirects, which is not followed")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return lost("the connection was lost")
	default:
		return words(errAnswer.Error())
	}
}

// dialing tells errors before a connection was made, TLS included.
func dialing(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	return strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "x509: ")
}

var (
	addresses = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>]+`)
	numeric   = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\](?::\d+)?`)
)

// scrub bounds an agent's own words and takes addresses and the configured headers out of them.
func (a *agent) scrub(s string) string {
	for _, values := range a.Headers {
		for _, v := range values {
			for _, secret := range append(strings.Fields(v), v) {
				if len(secret) >= 6 && !strings.EqualFold(secret, "bearer") {
					s = strings.ReplaceAll(s, secret, "(secret)")
				}
			}
		}
	}
	s = addresses.ReplaceAllString(s, "(address)")
	if host := a.base.Host; strings.ContainsAny(host, ".:") { // a bare name may be a word
		s = strings.ReplaceAll(s, host, "(address)")
	}
	s = numeric.ReplaceAllString(s, "(address)")
	return capped(printable(s), maxDetail, "…")
}
