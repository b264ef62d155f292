package mcp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// statusError is an HTTP status in the place of an MCP answer. The body stays behind: it may say anything.
type statusError struct{ code int }

func (e *statusError) Error() string {
	return fmt.Sprintf("HTTP status %d %s", e.code, http.StatusText(e.code))
}

// describe says what went wrong without the address, the headers or a word of the server's: errors of the network and of
// mcp-go hold all of these.
func describe(err error) string {
	var (
		status  *statusError
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		version mcp.UnsupportedProtocolVersionError
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &status):
		return "answered with " + status.Error()
	case errors.Is(err, errDown):
		return "is unavailable"
	case errors.Is(err, errRedirect):
		return "redirects elsewhere, which is not followed"
	case errors.Is(err, errForeign):
		return "names another address, which is not followed"
	case errors.Is(err, errTooLarge):
		return "gave an answer that is too large"
	case errors.Is(err, transport.ErrSessionTerminated):
		return "has forgotten the session, or has no MCP at this path"
	case errors.Is(err, transport.ErrAuthorizationRequired):
		return "answered with HTTP status 401 Unauthorized"
	case errors.As(err, &version):
		return "speaks no protocol version that is known here"
	case errors.As(err, &dns):
		return "has a host name that is not found"
	case errors.As(err, &cert), errors.As(err, &unknown):
		return "has a certificate that is not trusted"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses connections"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), timedOut(err):
		return "did not answer in time"
	case errors.Is(err, context.Canceled):
		return "was not asked to the end"
	case unreached(err):
		return "cannot be reached"
	default:
		return "did not give an MCP answer"
	}
}

func timedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// unreached tells failures of the network, after which another way of speaking is not worth a try.
func unreached(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// maxMessage is how much of a server's own words about a failure goes to the model.
const maxMessage = 500

// scrub makes a server's words fit to be shown: short, and without the address and header values it was reached by.
func (s *server) scrub(text string) string {
	text = s.secrets.Replace(text)
	return strings.TrimSpace(cut(text, maxMessage))
}

// secretsOf lists what an echo of a request could give away.
func secretsOf(o Server, host string) *strings.Replacer {
	pairs := []string{o.URL, "[address]", host, "[address]"}
	for _, values := range o.Headers {
		for _, v := range values {
			if _, token, ok := strings.Cut(v, " "); ok && len(token) > 3 {
				pairs = append(pairs, v, "[hidden]", token, "[hidden]")
			} else if len(v) > 3 {
				pairs = append(pairs, v, "[hidden]")
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

// cut shortens text to limit bytes at the border of a character, and says how much is missing.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s\n[%d more bytes were cut]", text[:end], len(text)-end)
}
