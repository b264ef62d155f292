package tools

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/inference-gateway/envoy-inference-gateway/providers/jsonedit"
)

// mostMended is how large an answer may be that is written anew: in between it takes many times its size.
const mostMended = 1 << 20

// parseAnswer reads what a provider has sent. jsonedit is strict, since requests must mean the same to everyone who reads
// them; what a model says should not be lost for half a character. So what other parsers read too (a character cut in two,
// a name twice) is written anew, as encoding/json understands it.
func parseAnswer(body []byte) (jsonedit.Doc, error) {
	doc, err := jsonedit.Parse(body)
	if err == nil || len(body) > mostMended {
		return doc, err
	}
	var members map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&members) != nil || members == nil {
		return doc, err
	}
	if _, more := d.Token(); more != io.EOF { // as a Decoder says at the end
		return doc, err
	}
	var anew bytes.Buffer
	e := json.NewEncoder(&anew)
	e.SetEscapeHTML(false)
	if e.Encode(members) != nil {
		return doc, err
	}
	return jsonedit.Parse(bytes.TrimSpace(anew.Bytes()))
}
