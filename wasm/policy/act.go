package policy

import (
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// act is what a rule does with a request that it holds for. The zero act allows.
type act struct {
	deny    *denial
	secrets detectors
	require []string
	remove  []string
	set     []jsonedit.Edit
	cap     *tokenCap
	model   string
	budgets []budget
}

// denial is a refusal as the policy words it.
type denial struct {
	status  int
	message string
}

// readBody says that the act reads or edits bodies.
func (a *act) readBody() bool { return a.readMembers() || a.model != "" }

func (a *act) readMembers() bool {
	return a.secrets != 0 || len(a.require) > 0 || len(a.remove) > 0 || len(a.set) > 0 || a.cap != nil
}

// readBodyOf says that the act has to read the body of this request: a model that the path names is replaced there.
func (a *act) readBodyOf(r *Request) bool {
	return a.readMembers() || a.model != "" && (r.Model != "" || r.target().model == "")
}

// do carries the act out: edits go to the request's list, the rest to did.
func (a *act) do(p *Policy, r *Request, did *Decision) Outcome {
	s := &r.seen
	if a.deny != nil {
		did.refuse(Denied, a.deny.status, "policy_denied", "", a.deny.message)
		return Denied
	}
	if a.secrets != 0 {
		if did.Secrets = s.detect(a.secrets, s.doc.Body()); did.Secrets.Any() {
			found := did.Secrets
			did.refuse(HasSecret, 403, "policy_secret", "", "the request holds what looks like a secret ("+found.String()+"): remove it and send the request again")
			return HasSecret
		}
	}
	for _, name := range a.require {
		if raw, ok := s.current(name); !ok || string(raw) == "null" {
			did.refuse(Lacks, 400, "policy_required_field", name, "the policy here requires the field "+name)
			return Lacks
		}
	}
	before := len(s.edits)
	for _, name := range a.remove {
		if _, ok := s.current(name); ok {
			s.edits = append(s.edits, jsonedit.Edit{Name: name})
		}
	}
	for _, e := range a.set {
		if raw, ok := s.current(e.Name); !ok || string(raw) != string(e.Raw) {
			s.edits = append(s.edits, e)
		}
	}
	if a.cap != nil && !a.cap.limit(r) {
		return NotReadable
	}
	if a.model != "" {
		if !r.model(p) && s.halt != running {
			return NotReadable
		}
		if t := r.target(); r.Model == "" && t.model != "" && t.modelAt < 0 {
			r.refuse("model", "write the model's name into the path without escapes: this policy replaces it")
			return NotReadable
		}
		if !strings.EqualFold(s.bare, a.model) {
			did.Model = a.model
		}
	}
	if len(s.edits) > before || did.Model != "" {
		return Edited
	}
	return Allowed
}

// current gives a member's value as the edits so far leave it.
func (s *seen) current(name string) ([]byte, bool) {
	for i := len(s.edits) - 1; i >= 0; i-- {
		if s.edits[i].Name == name {
			return s.edits[i].Raw, len(s.edits[i].Raw) > 0
		}
	}
	v, ok := s.doc.Member(name)
	if !ok {
		return nil, false
	}
	return v.Raw(), true
}
