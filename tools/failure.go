package tools

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

var (
	errClientGone = errors.New("the client has gone")
	errTooLarge   = errors.New("the answer is larger than the bound of a tool loop")
)

// maxCause bounds what is repeated of a provider's error.
const maxCause = 500

// turnError says what has gone wrong in a turn without the addresses that errors of the network hold.
func (l *loop) turnError(ctx context.Context, err error) error {
	var known *apierror.Error
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return apierror.New(apierror.UpstreamTimeout, "the tool loop took longer than it may")
	case errors.As(context.Cause(ctx), &known): // whoever has ended the loop says why
		return known
	case ctx.Err() != nil:
		return apierror.New(apierror.Unavailable, "the request was cancelled")
	case errors.Is(err, errProvider), errors.Is(err, errClientGone), errors.As(err, &known):
		return err
	case errors.Is(err, errNotAnswer), errors.Is(err, errChunk), errors.Is(err, errCutShort), errors.Is(err, errTooLarge):
		return apierror.New(apierror.UpstreamError, "%s", err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return apierror.New(apierror.UpstreamTimeout, "the model did not answer in time")
	default:
		return apierror.New(apierror.UpstreamError, "the model could not be reached, or its answer broke off")
	}
}

// clientError is the error that the client is told, nil when it has been told or has gone.
func clientError(err error) *apierror.Error {
	var known *apierror.Error
	switch {
	case err == nil, errors.Is(err, errProvider), errors.Is(err, errClientGone):
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, errTooLarge):
		return apierror.New(apierror.UpstreamError, "%s", errTooLarge.Error())
	default:
		return apierror.New(apierror.Internal, "the tool loop failed")
	}
}

// laterRefusal is a provider's error in a later turn: the client asked for none of that request, so it is told what
// happened. What the provider said of when to try again holds all the same.
type laterRefusal struct {
	told       *apierror.Error
	retryAfter string
}

func (r *laterRefusal) Error() string { return r.told.Error() }
func (r *laterRefusal) Unwrap() error { return r.told }

func refusal(resp *http.Response) *laterRefusal {
	cause := http.StatusText(resp.StatusCode)
	if body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10)); err == nil {
		if doc, err := jsonedit.Parse(body); err == nil {
			cause = causeIn(doc, cause)
		}
	}
	told := apierror.New(apierror.UpstreamError, "the model refused a later turn of the tool loop with status %s: %s",
		strconv.Itoa(resp.StatusCode), strings.TrimSpace(cause))
	return &laterRefusal{told: told, retryAfter: resp.Header.Get("Retry-After")}
}

// causeIn is what an error's body says is wrong.
func causeIn(doc jsonedit.Doc, otherwise string) string {
	if e, ok := object(doc, "error"); ok && text(e, "message") != "" {
		return cut(text(e, "message"), maxCause)
	}
	return otherwise
}

// failureIn finds an error where a later turn should have an answer: some providers send one with status 200, which the
// client must not take for the answer.
func failureIn(doc jsonedit.Doc) error {
	if _, ok := present(doc, "error"); !ok {
		return nil
	}
	if _, ok := present(doc, "choices"); ok {
		return nil
	}
	return apierror.New(apierror.UpstreamError, "the model failed in a later turn of the tool loop: %s", strings.TrimSpace(causeIn(doc, "no cause is known")))
}
