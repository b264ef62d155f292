package policy

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
	"github.com/inference-gateway/envoy-inference-gateway/providers/routing"
)

// halt is why an evaluation cannot go on: those after waiting refuse.
type halt uint8

const (
	running    halt = iota
	waiting         // for the body
	unreadable      // the body: problem says why
	tooLarge        // the body, and the policy refuses such
	encoded         // the body is compressed
	otherType       // the body is said to be something else than JSON in UTF-8
)

// seen is what was found out about one request, each thing once.
type seen struct {
	halt    halt
	problem problem // for unreadable

	target target
	doc    jsonedit.Doc

	provider   string   // lower case; empty when nothing tells it
	bare, full string   // the model without and with its provider, lower case; empty when there is none
	also       []string // the same with models/ before its name, of a model of Google's
	prefix     string   // of the model in the body, as written: "openai/"
	memo       *memo    // of the model, where there is one

	modelAt    int    // one more than the place of the member model among the body's; 0 for none
	moreModels string // a member that names further models

	targetDone, docDone, docBad bool
	providerDone, modelDone     bool
	streaming, tools, images    answer

	facts   []fact
	values  []string // of claims and headers, of all facts
	scratch []byte
	inner   []byte // of strings that hold JSON
	edits   []jsonedit.Edit
	steps   []Step
	holds   []Hold
	set     []uint64 // candidates
	kept    []uint64 // of them, by one index
}

// problem is what is wrong with a body.
type problem struct {
	param   string
	message string
}

// answer is what is known of a yes or no question.
type answer uint8

const (
	unasked answer = iota
	no
	yes
)

func answerOf(b bool) answer {
	if b {
		return yes
	}
	return no
}

func (r *Request) target() *target {
	if !r.seen.targetDone {
		r.seen.target, r.seen.targetDone = readTarget(r.Method, r.Path), true
	}
	return &r.seen.target
}

// inspected says whether the body is one that rules can read, now or once it is there.
func (r *Request) inspected(p *Policy) bool {
	return r.target().endpoint != Other && (r.Body.State != CutOff || bool(p.overLimit))
}

// document reads the body. False: there is none to read, or the evaluation has to halt.
func (r *Request) document(p *Policy) bool {
	s := &r.seen
	if s.docDone {
		if s.docBad {
			s.halt = unreadable
		}
		return !s.docBad
	}
	if !r.SentAsJSON && r.Facts != nil && r.Body.State != NoBody {
		if kind, ok := r.Facts.Header(contentType); ok && !plainJSON(kind) {
			s.halt = otherType
			return false
		}
	}
	switch r.Body.State {
	case Pending:
		s.halt = waiting
		return false
	case CutOff:
		s.halt = tooLarge
		return false
	case Encoded:
		s.halt = encoded
		return false
	}
	s.docDone = true
	doc, err := jsonedit.Parse(r.Body.Bytes)
	if err != nil {
		param := ""
		var e *jsonedit.Error
		if errors.As(err, &e) {
			param = e.Key
		}
		s.docBad = true
		return r.refuse(param, err.Error())
	}
	s.doc = doc
	s.docBad = !r.guard(p)
	return !s.docBad
}

const contentType = "content-type"

// plainJSON says that a body of this content-type is read by all as JSON in UTF-8, as far as it is JSON. Servers that
// take forms would read another model out of the same bytes, and so would those that obey a charset such as UTF-7. What
// names no form is let be: clients forget the header, and send all kinds.
func plainJSON(kind string) bool {
	kind = strings.ToLower(kind)
	if strings.Contains(kind, "form") || strings.Contains(kind, "multipart") {
		return false
	}
	for {
		_, after, found := strings.Cut(kind, "charset")
		if !found {
			return true
		}
		charset, rest, _ := strings.Cut(after, ";")
		switch strings.Trim(charset, " \t=\"'") {
		case "utf-8", "utf8", "us-ascii", "":
			kind = rest
		default:
			return false
		}
	}
}

// refuse halts because of what the body holds.
func (r *Request) refuse(param, message string) bool {
	r.seen.halt, r.seen.problem = unreadable, problem{param, message}
	return false
}

// guard refuses members whose names differ from ones that matter only in case: a server written in Go reads MAX_TOKENS as
// max_tokens, and rules would not. Google's servers, also those that speak OpenAI's API, read maxTokens so. For Google's own
// API, where capitals are usual, underscores count as little as case does.
//
// On its way it notes where the members are that a model is told by.
func (r *Request) guard(p *Policy) bool {
	s := &r.seen
	doc, gemini := s.doc, r.target().endpoint == Gemini
	for i := range doc.Len() {
		quoted := doc.Name(i)
		name := quoted[1 : len(quoted)-1]
		plain := snakeCase(name)
		if !plain {
			name = jsonedit.Unescaped(s.scratch, quoted)
		}
		if string(name) == "model" {
			s.modelAt = i + 1
			continue
		}
		for _, more := range p.moreModels {
			if string(name) == more && !doc.At(i).Blank() {
				s.moreModels = more
			}
		}
		if plain && !gemini && !p.guardsCapitals {
			continue // can only be a guarded name itself, or another word
		}
		written := string(name)
		if slices.Contains(p.guarded, written) {
			continue
		}
		for _, name := range p.guarded {
			if strings.EqualFold(withoutUnderscores(written), withoutUnderscores(name)) {
				return r.refuse(written, "write "+name+" exactly so: this policy reads that field, and some servers take other spellings for it")
			}
		}
	}
	return true
}

// snakeCase says that a name is of small ASCII letters, digits and underscores.
func snakeCase(name []byte) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && c != '_' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func withoutUnderscores(s string) string { return strings.ReplaceAll(s, "_", "") }

// maxModel bounds the bytes of a model's name: every pattern of a policy is compared with it.
const maxModel = 1024

// model finds the model that the request names. False: it names none, or the evaluation has to halt.
func (r *Request) model(p *Policy) bool {
	s := &r.seen
	if s.modelDone {
		return s.full != ""
	}
	if _, query, ok := strings.Cut(r.Path, "?"); ok && p.asksModel && r.inspected(p) && routing.QueryNamesModel(query) {
		return r.refuse("model", "name the model in the body and not in the query: this policy decides by the model, and some servers would take the one of the query")
	}
	name, written := r.Model, []byte(nil) // written is as the body has it, with its escapes
	if name == "" {
		name = r.target().model
	}
	if name == "" {
		if !r.inspected(p) {
			s.modelDone = true
			return false
		}
		if !r.document(p) {
			return false
		}
		if more := s.moreModels; more != "" {
			return r.refuse(more, "leave out "+more+": this policy decides by the model, and these would be others")
		}
		if s.modelAt > 0 {
			v := s.doc.At(s.modelAt - 1)
			if v.Kind != jsonedit.Null && v.Kind != jsonedit.String {
				return r.refuse("model", "model must be a string")
			}
			if raw := v.Raw(); v.Kind == jsonedit.String {
				if written = raw[1 : len(raw)-1]; r.recall(p, written) {
					return true
				}
			}
			if name, _ = v.Text(); len(name) > maxModel {
				return r.refuse("model", "model is longer than any name of a model")
			}
		}
	}
	if !plainName(name) {
		return r.refuse("model", "model has characters that cannot be seen: some servers leave them out of a name, and rules would not")
	}
	s.modelDone = true
	if name == "" {
		return false
	}
	r.nameModel(p, name)
	if written != nil {
		r.remember(p, written)
	}
	return true
}

// plainName says that a name has nothing that cannot be seen: spaces around it, control characters, spaces of no width.
func plainName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c > ' ' && c <= '~' || c == ' ' && i > 0 && i < len(name)-1 {
			continue
		}
		for _, c := range name {
			if !strconv.IsPrint(c) {
				return false
			}
		}
		return strings.Trim(name, " ") == name
	}
	return true
}

// googleModels may stand before the names of Google's models, or not: one model has both names (catalog.OtherSpelling).
const googleModels = "models/"

// nameModel keeps both spellings of the model, and learns the provider where nothing else tells it.
func (r *Request) nameModel(p *Policy, written string) {
	s := &r.seen
	lower := strings.ToLower(written)
	s.bare, s.full = lower, ""
	if r.Provider == "" && r.Model == "" {
		if before, after, ok := strings.Cut(s.bare, "/"); ok && after != "" && p.isProvider(before) {
			if host := r.hostProvider(p); host == "" || host == before {
				s.prefix, s.bare = written[:strings.IndexByte(written, '/')+1], after
				s.provider, s.providerDone = before, true
				s.full = lower
			}
		}
	}
	if !s.providerDone {
		s.provider, s.providerDone = r.hostProvider(p), true
	}
	if s.provider == "google" && s.bare != googleModels {
		if short, ok := strings.CutPrefix(s.bare, googleModels); ok {
			s.bare, s.full = short, ""
		}
		s.also = []string{googleModels + s.bare, s.provider + "/" + googleModels + s.bare}
	}
	switch {
	case s.full != "": // as it is written
	case s.provider != "":
		s.full = s.provider + "/" + s.bare
	default:
		s.full = s.bare
	}
}

// hostProvider finds the provider as routing or the upstream's host tells it, or, where that is no provider's, such as a
// gateway of the mesh, the host that the client has named; empty when none does.
func (r *Request) hostProvider(p *Policy) string {
	if r.Provider != "" {
		return strings.ToLower(r.Provider)
	}
	if id := p.providerOfHost(hostOnly(r.Upstream)); id != "" {
		return id
	}
	return p.providerOfHost(hostOnly(r.Authority))
}

// findProvider finds the provider. False: nothing tells it, or the evaluation has to halt.
func (r *Request) findProvider(p *Policy) bool {
	s := &r.seen
	if !s.providerDone {
		if s.provider = r.hostProvider(p); s.provider != "" {
			s.providerDone = true
		} else if r.model(p) || s.halt == running {
			s.providerDone = true // by the model, or nothing tells it
		}
	}
	return s.provider != ""
}
