package policy

import (
	"encoding/json"
	"testing"
)

// FuzzParse holds the reader to no panic, to valid problems, and to the same policy whatever becomes of the bytes.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"default":"deny","max_body":"1MiB","hosts":{"a":"b*"},"rules":[{"name":"a","match":{"model":["x*"],"peer":{"namespace":"n"},"body":{"min":1}},"unless":{"stream":true},"act":{"cap":{"tokens":1,"insert":"max_tokens"},"set":{"a":[1]},"budget":{"tokens":5,"per":"1h","key":["peer","header:x"]}}}]}`))
	f.Add([]byte(`{"rules":[{"name":"a","shadow":true},{"name":"a","act":{"deny":{"status":1}}}]}`))
	f.Add([]byte(`{"rules":{"":[]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, problems := Parse(text)
		if (p == nil) == (len(problems) == 0) {
			t.Fatal("either a policy or problems")
		}
		if p == nil {
			return
		}
		clear(text)
		body := []byte(`{"model":"x","stream":true,"tools":[1],"max_tokens":7}`)
		p.Decide(&Request{Method: "POST", Path: "/v1/chat/completions", Facts: benchFacts{}, Body: Body{State: Whole, Bytes: body}})
	})
}

// everything is a policy that asks for all there is.
const everything = `{"default":"deny","rules":[
	{"name":"s","shadow":true,"match":{"images":true,"tools":true,"stream":false},"act":{"secrets":"all"}},
	{"name":"c","continue":true,"act":{"cap":{"tokens":10,"insert":"max_tokens"},"set":{"user":"u"},"remove":["seed","n"]}},
	{"name":"m","match":{"model":["a*","b/c*","*d"],"provider":["openai","*x"]},"act":{"model":"e","secrets":["aws_access_key"]}},
	{"name":"r","match":{"upstream":"*.com","path":"/v1/*","body":{"min":3,"max":1000}},"act":{"require":"user"}},
	{"name":"b","act":{"budget":{"tokens":10,"per":"1h","reserve":1,"key":["model","provider","peer"]}}}]}`

// FuzzDecide holds decisions to no panic on any request, to bodies that stay JSON, and to one answer per request.
func FuzzDecide(f *testing.F) {
	f.Add("POST", "/v1/chat/completions", "api.openai.com", []byte(`{"model":"openai/a","max_tokens":1e3,"stream":false,"tools":[{}],"messages":[{"type":"image"}]}`))
	f.Add("POST", "/v1beta/models/a:streamGenerateContent?x", "", []byte(`{"generationConfig":{"maxOutputTokens":-1},"generation_config":{}}`))
	f.Add("GET", "//%2e%2E\\..;/%", "[::1", []byte("\xff"))
	f.Add("POST", "/openai/deployments/a/embeddings", "@:", []byte(`{"\u006dodel":"AKIA\u0049OSFODNN7EXAMPLE","messages":"-----BEGIN PRIVATE KEY-----"}`))
	p, problems := Parse([]byte(everything))
	if problems != nil {
		f.Fatal(problems)
	}
	var again Request
	f.Fuzz(func(t *testing.T, method, path, host string, body []byte) {
		fill := func(r *Request, state BodyState) {
			r.Method, r.Path, r.Authority, r.Facts = method, path, host, benchFacts{}
			r.Body = Body{State: state, Bytes: body, Size: int64(len(body))}
		}
		var r Request
		fill(&r, Whole)
		d := p.Decide(&r)
		if d.Verdict == Undecided {
			t.Fatal("undecided with the whole body")
		}
		if d.Verdict == Refuse && (d.Status < 400 || !json.Valid(d.AppendReply(nil))) {
			t.Fatalf("no reply: %d %s", d.Status, d.AppendReply(nil))
		}
		if d.Verdict == Pass && d.Changed() && !json.Valid(d.AppendBody(nil, &r)) {
			t.Fatalf("no JSON: %s", d.AppendBody(nil, &r))
		}
		// A Request that was used before, and one that was asked too early, decide alike.
		again.Reset()
		fill(&again, Pending)
		p.Decide(&again)
		again.Body.State = Whole
		if e := p.Decide(&again); e.Outcome != d.Outcome || e.Rule != d.Rule || e.Model != d.Model || e.Path != d.Path || e.Message != d.Message {
			t.Fatalf("%+v is not %+v", e, d)
		}
		for _, state := range []BodyState{NoBody, CutOff, Encoded} {
			again.Reset()
			fill(&again, state)
			p.Decide(&again)
		}
	})
}
