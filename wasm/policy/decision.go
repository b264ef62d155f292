package policy

import (
	"strconv"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// Verdict is what to do with a request.
type Verdict uint8

// The verdicts.
const (
	Undecided Verdict = iota // the body is needed: ask again when it is there
	Pass                     // with the Decision's edits
	Refuse                   // with the Decision's reply
)

// Outcome says what a rule, or a setting, did: for metrics and logs.
type Outcome uint8

// The outcomes. Those from Denied on refuse.
const (
	Allowed     Outcome = iota
	Edited              // the body or the model is changed
	Denied              // by a rule or by the default
	HasSecret           // a detector has found one
	Lacks               // a field that a rule requires
	OverBudget          // of a rule
	NotReadable         // the body is no JSON object that everyone reads alike
	TooLarge            // the body is over max_body
	Unknown             // the endpoint is not one that the policy understands
	numOutcomes
)

var outcomeNames = [numOutcomes]string{
	"allow", "edit", "deny", "secret", "require", "budget", "unreadable", "too_large", "unknown",
}

// String is the outcome's name in metrics and logs.
func (o Outcome) String() string { return outcomeNames[o] }

// Outcomes lists every name, in the order of the constants. It is not to be changed.
func Outcomes() []string { return outcomeNames[:] }

// NoRule stands for an index of a rule when none decided.
const NoRule = -1

// Step is one rule that held.
type Step struct {
	Rule    int // index into Rules
	Outcome Outcome
	Shadow  bool // it only would have
}

// Decision is the answer to one request. Its slices belong to the Request: they hold until its Reset or next decision.
type Decision struct {
	Verdict Verdict
	Outcome Outcome
	Rule    int    // index of the rule that decided, or NoRule
	Name    string // of that rule; empty for none
	Steps   []Step // every rule that held, in order: those in shadow, those that went on, and the one that decided

	// Of a refusal.
	Status     int
	Code       string // machine-readable, in the error object
	Message    string // for the client
	Param      string // the field at fault, where there is one
	RetryAfter int64  // seconds; 0 for none

	// Of a request that passes.
	Edits []jsonedit.Edit // of top-level members, not of model
	Model string          // the model to send in place of the request's; empty to leave it
	Path  string          // :path to send in place of the request's, where the path names the model; empty to leave it
	Holds []Hold          // to be settled by Charge when the usage is known

	Secrets Found // what the detectors found, in shadow too
}

// Changed says whether the body has to be written anew by AppendBody.
func (d *Decision) Changed() bool { return len(d.Edits) > 0 || d.Model != "" && d.Path == "" }

// AppendBody appends to dst the request's body with the decision's changes made. The decision is one of r, and Changed.
func (d *Decision) AppendBody(dst []byte, r *Request) []byte {
	edits := d.Edits
	if d.Model != "" && d.Path == "" {
		edits = append(edits[:len(edits):len(edits)], jsonedit.Edit{Name: "model", Raw: jsonedit.AppendQuote(nil, d.Model)})
	}
	return r.seen.doc.Apply(dst, edits...)
}

// AppendReply appends to dst the OpenAI-shaped error object of a refusal.
func (d *Decision) AppendReply(dst []byte) []byte {
	dst = append(dst, `{"error":{"message":`...)
	dst = jsonedit.AppendQuote(dst, d.Message)
	dst = append(dst, `,"type":`...)
	dst = jsonedit.AppendQuote(dst, errorType(d.Status))
	dst = append(dst, `,"param":`...)
	if d.Param == "" {
		dst = append(dst, "null"...)
	} else {
		dst = jsonedit.AppendQuote(dst, d.Param)
	}
	dst = append(dst, `,"code":`...)
	dst = jsonedit.AppendQuote(dst, d.Code)
	return append(dst, "}}"...)
}

// errorType gives the types that OpenAI's clients know (internal/apierror has the same for its statuses; a test compares).
func errorType(status int) string {
	switch {
	case status == 401:
		return "authentication_error"
	case status == 403:
		return "permission_error"
	case status == 429:
		return "rate_limit_error"
	case status >= 500:
		return "server_error"
	}
	return "invalid_request_error"
}

// refuse makes d a refusal.
func (d *Decision) refuse(o Outcome, status int, code, param, message string) {
	d.Verdict, d.Outcome, d.Status, d.Code, d.Param, d.Message = Refuse, o, status, code, param, message
	d.Edits, d.Model, d.Path, d.Holds = nil, "", "", nil
}

// number is for messages.
func number(n int64) string { return strconv.FormatInt(n, 10) }
