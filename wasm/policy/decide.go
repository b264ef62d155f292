package policy

// Decide judges a request. It asks for the body (Undecided) only when a rule that may hold needs it and it is Pending;
// nothing is counted then, and Decide is to be called again with the body.
func (p *Policy) Decide(r *Request) (d Decision) {
	s := &r.seen
	s.halt, s.edits, s.steps, s.holds = running, s.edits[:0], s.steps[:0], s.holds[:0]
	d.Verdict, d.Rule = Pass, NoRule
	for w, word := range p.candidates(r) {
		for bit := 0; word != 0; bit, word = bit+1, word>>1 {
			if word&1 == 0 {
				continue
			}
			if p.apply(w*64+bit, r, &d) {
				p.finish(r, &d)
				return d
			}
		}
	}
	p.byDefault(r, &d)
	p.finish(r, &d)
	return d
}

// apply asks one rule, and says whether that ends the evaluation. A request that a rule in shadow cannot read is counted
// as such, and is none the worse for it.
func (p *Policy) apply(i int, r *Request, d *Decision) bool {
	s := &r.seen
	kept := len(s.edits)
	ends := p.ask(i, r, d)
	if p.rules[i].shadow && s.halt > waiting {
		outcome := NotReadable
		if s.halt == tooLarge {
			outcome = TooLarge
		}
		s.halt, s.edits = running, s.edits[:kept]
		s.steps = append(s.steps, Step{i, outcome, true})
		return false
	}
	return ends
}

func (p *Policy) ask(i int, r *Request, d *Decision) bool {
	rule, s := &p.rules[i], &r.seen
	if rule.readBody && !r.inspected(p) {
		return false
	}
	if !rule.match.hold(p, r) {
		return s.halt != running
	}
	if rule.unless != nil && (rule.unless.hold(p, r) || s.halt != running) {
		return s.halt != running
	}
	if rule.act.readBodyOf(r) && !r.document(p) {
		return true
	}
	var did Decision // what the rule does, apart until it is known to count
	kept := len(s.edits)
	outcome := rule.act.do(p, r, &did)
	if s.halt != running {
		return true
	}
	for i, n := range did.Secrets {
		d.Secrets[i] += n
	}
	s.steps = append(s.steps, Step{i, outcome, rule.shadow})
	if rule.shadow {
		s.edits = s.edits[:kept]
		return false
	}
	if did.Verdict != Refuse {
		if did.Model != "" {
			d.Model = did.Model
		}
		if rule.goOn {
			return false
		}
	}
	d.Rule, d.Name, d.Outcome = i, rule.name, outcome
	if did.Verdict == Refuse {
		d.refuse(outcome, did.Status, did.Code, did.Param, did.Message)
	}
	return true
}

// byDefault decides when no rule has.
func (p *Policy) byDefault(r *Request, d *Decision) {
	switch other := r.target().endpoint == Other; {
	case other && bool(p.unknown):
		d.refuse(Unknown, 403, "policy_unknown_endpoint", "",
			"the policy here lets only requests to known endpoints of language models pass, such as POST /v1/chat/completions, and this is none")
	case !other && bool(p.fallback):
		d.refuse(Denied, 403, "policy_denied", "", "no rule of the policy here allows this request")
	}
}

// finish turns what the rules have left into a whole decision, and spends budgets: last, so that a request which is
// refused or asked about again costs none.
func (p *Policy) finish(r *Request, d *Decision) {
	s := &r.seen
	d.Steps = s.steps
	switch s.halt {
	case waiting:
		*d = Decision{Rule: NoRule}
		return
	case unreadable:
		d.halted(NotReadable, 400, "invalid_request", s.problem.param, s.problem.message)
	case encoded:
		d.halted(NotReadable, 415, "invalid_request", "",
			"the policy here has to read the request body: send it without content-encoding")
	case otherType:
		d.halted(NotReadable, 415, "invalid_request", "",
			"the policy here has to read the request body: send it with the content-type application/json, in UTF-8")
	case tooLarge:
		d.halted(TooLarge, 413, "request_too_large", "", "the request body is larger than the "+number(p.maxBody)+" bytes that the policy here reads")
	case running:
	}
	if d.Verdict == Pass {
		p.spend(r, d)
	}
	if d.Verdict != Pass {
		return
	}
	d.Edits = s.edits
	r.moveModel(d)
	if d.Outcome == Allowed && (d.Changed() || d.Path != "") {
		d.Outcome = Edited
	}
}

// halted refuses because of the request itself, by no rule.
func (d *Decision) halted(o Outcome, status int, code, param, message string) {
	d.Rule, d.Name = NoRule, ""
	d.refuse(o, status, code, param, message)
}

// moveModel turns the replacement of a model into what is to be sent: into the path where the path names the model, and
// with the provider's prefix where the request's own model has one.
func (r *Request) moveModel(d *Decision) {
	if d.Model == "" {
		return
	}
	if t := r.target(); r.Model == "" && t.model != "" && t.modelAt >= 0 {
		d.Path = r.Path[:t.modelAt] + d.Model + r.Path[t.modelAt+len(t.model):]
		return
	}
	d.Model = r.seen.prefix + d.Model
}
