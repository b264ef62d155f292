package providers

import (
	"github.com/inference-gateway/envoy-inference-gateway/internal/apierror"
	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/providers/routing"
)

// Request is a model request whose body has arrived whole.
type Request = routing.Request

// Plan is what to do with a request: where it goes and with which body.
type Plan struct {
	Provider string // the ID that the route is chosen by
	Model    string // as the provider gets it
	Body     []byte // the request's own bytes when nothing had to change
	Take
}

// Plan decides a caller's model request: what the gateway offers, held to what the caller may do. A refusal is an
// *apierror.Error, fit for the client.
func (d *Directory) Plan(c Caller, r Request) (Plan, *apierror.Error) {
	p, refusal := d.Decide(r)
	if refusal != nil {
		return Plan{}, refusal
	}
	body, refusal := held(p, r, d.rightsOf(c))
	if refusal != nil {
		return Plan{}, refusal
	}
	plan := Plan{Provider: p.Provider, Model: p.Model, Body: body}
	d.meter(&plan, r.Endpoint)
	return plan, nil
}

// DecideDoc is Decide for a body that was read before.
func (d *Directory) DecideDoc(r Request, doc jsonedit.Doc) (routing.Plan, *apierror.Error) {
	p, refusal := d.table.DecideDoc(r, doc)
	if refusal != nil {
		return routing.Plan{}, d.tell(r, refusal)
	}
	return p, nil
}

// Decide is Plan without the body, for callers that have a buffer for it or more to change in it.
func (d *Directory) Decide(r Request) (routing.Plan, *apierror.Error) {
	p, refusal := d.table.Decide(r)
	if refusal != nil {
		return routing.Plan{}, d.tell(r, refusal)
	}
	return p, nil
}
