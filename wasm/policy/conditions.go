package policy

import "slices"

// conditions hold when all of them do. The zero conditions hold for every request.
type conditions struct {
	endpoints uint16 // bits of Endpoints; 0 for all
	methods   []string
	paths     patterns
	upstreams patterns // lower case
	named     []named  // headers, identities, labels and claims

	providers patterns // lower case
	models    patterns // lower case
	stream    answer
	tools     answer
	images    answer
	leastBody int64
	mostBody  int64 // 0 for no limit
}

// readBody says that a condition always needs the body.
func (c *conditions) readBody() bool {
	return c.stream != unasked || c.tools != unasked || c.images != unasked
}

// hold gives false, too, when it cannot say; then the request's halt says why. What needs the body goes last as long as
// the body is not there, so that a request can be refused without it; after that, models go first, since they are
// compared inside while headers and identities are asked of the host.
func (c *conditions) hold(p *Policy, r *Request) bool {
	if c.endpoints != 0 && c.endpoints&(1<<r.target().endpoint) == 0 {
		return false
	}
	if r.Body.State == Pending {
		return c.holdFacts(r) && c.holdModel(p, r) && c.holdBody(p, r)
	}
	if !c.holdModel(p, r) {
		if r.seen.halt != running && !c.holdFacts(r) {
			r.seen.halt = running // whatever the body is
		}
		return false
	}
	return c.holdFacts(r) && c.holdBody(p, r)
}

func (c *conditions) holdModel(p *Policy, r *Request) bool {
	if len(c.providers) > 0 && (!r.findProvider(p) || !c.providers.match(r.seen.provider)) {
		return false
	}
	if len(c.models) == 0 {
		return true
	}
	if !r.model(p) {
		return false
	}
	for i := range c.models {
		m := &c.models[i]
		if m.Match(r.seen.bare) || m.Slash && (m.Match(r.seen.full) || slices.ContainsFunc(r.seen.also, m.Match)) {
			return true
		}
	}
	return false
}

func (c *conditions) holdFacts(r *Request) bool {
	if len(c.methods) > 0 && !slices.Contains(c.methods, r.Method) {
		return false
	}
	if len(c.paths) > 0 && !c.paths.match(r.target().path) {
		return false
	}
	if len(c.upstreams) > 0 && !c.upstreams.match(r.upstream()) {
		return false
	}
	for i := range c.named {
		if !c.named[i].hold(r) {
			return false
		}
	}
	return true
}

// upstream is the host that the request goes to, as far as it is known.
func (r *Request) upstream() string {
	if r.Upstream != "" {
		return hostOnly(r.Upstream)
	}
	return hostOnly(r.Authority)
}

// holdBody asks what needs the body whole.
func (c *conditions) holdBody(p *Policy, r *Request) bool {
	if c.leastBody > 0 || c.mostBody > 0 {
		switch size := r.Body.Size; {
		case size < 0:
			r.seen.halt = waiting
			return false
		case r.Body.Open && (size < c.leastBody || size <= c.mostBody): // what comes yet would tell
			r.seen.halt = tooLarge
			return false
		}
		if r.Body.Size < c.leastBody || c.mostBody > 0 && r.Body.Size > c.mostBody {
			return false
		}
	}
	return (c.stream == unasked || r.streaming(p) == (c.stream == yes) && r.seen.halt == running) &&
		(c.tools == unasked || r.hasTools(p) == (c.tools == yes) && r.seen.halt == running) &&
		(c.images == unasked || r.hasImages(p) == (c.images == yes) && r.seen.halt == running)
}
