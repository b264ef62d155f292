package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

// needsInput is what the model hears of a tool that wants to ask its user, which the gateway has no way to do.
const needsInput = "this tool needs user input, which it cannot be given here"

// mostBlocks of a result are read. Of millions, even of nothing, each would cost a hundred times its bytes.
const mostBlocks = 1000

type block struct {
	Type     string   `json:"type"`
	Text     string   `json:"text"`
	Data     string   `json:"data"`
	MIMEType string   `json:"mimeType"`
	Name     string   `json:"name"`
	URI      string   `json:"uri"`
	Resource resource `json:"resource"`
}

type resource struct {
	URI      string  `json:"uri"`
	MIMEType string  `json:"mimeType"`
	Text     *string `json:"text"`
	Blob     string  `json:"blob"`
}

// resultText turns what a server answered into text for a model.
func resultText(raw json.RawMessage, limit int) tools.Result {
	var r struct {
		Content           json.RawMessage `json:"content"`
		StructuredContent json.RawMessage `json:"structuredContent"`
		IsError           bool            `json:"isError"`
		ResultType        string          `json:"resultType"`
		Task              json.RawMessage `json:"task"`
	}
	const unreadable = "the tool gave a result that cannot be read"
	if json.Unmarshal(raw, &r) != nil {
		return tools.Failure(tools.StatusError, unreadable)
	}
	if r.ResultType == "input_required" || r.ResultType == "task" || (len(r.Task) > 0 && blank(r.Content)) {
		return tools.Failure(tools.StatusNeedsInput, needsInput)
	}
	blocks, more, err := decodeElements(r.Content, mostBlocks)
	if err != nil {
		return tools.Failure(tools.StatusError, unreadable)
	}
	var parts []string
	said := false
	for _, raw := range blocks {
		var b block
		if json.Unmarshal(raw, &b) != nil {
			continue
		}
		text, own := b.text()
		parts, said = append(parts, text), said || own
	}
	if structured := compact(r.StructuredContent); !said && structured != "" {
		parts = append([]string{structured}, parts...)
	}
	if more {
		parts = append(parts, "[more content was left out]")
	}
	text := cut(strings.Join(parts, "\n"), limit)
	switch {
	case r.IsError && text == "":
		return tools.Failure(tools.StatusError, "Error: the tool failed and did not say why")
	case r.IsError:
		return tools.Failure(tools.StatusError, "Error: "+text)
	case text == "":
		text = "(the tool gave no content)"
	}
	return tools.Result{Text: text, Status: tools.StatusOK}
}

// text gives one block as text, and whether the words are the tool's own.
func (b block) text() (text string, own bool) {
	switch b.Type {
	case "text":
		return b.Text, true
	case "image", "audio":
		return fmt.Sprintf("[%s, %s, %d bytes]", b.Type, orUnknown(b.MIMEType), decoded(b.Data)), false
	case "resource_link":
		return strings.TrimSpace("[resource " + b.Name + "] " + b.URI), false
	case "resource":
		if b.Resource.Text != nil {
			return *b.Resource.Text, true
		}
		return fmt.Sprintf("[resource %s, %s, %d bytes]", b.Resource.URI, orUnknown(b.Resource.MIMEType), decoded(b.Resource.Blob)), false
	default:
		return fmt.Sprintf("[content of type %q]", cut(b.Type, 40)), false
	}
}

func orUnknown(mimeType string) string {
	if mimeType == "" {
		return "of unknown type"
	}
	return mimeType
}

// decoded is how many bytes base64 text stands for.
func decoded(data string) int { return len(strings.TrimRight(data, "=")) * 3 / 4 }

func compact(raw json.RawMessage) string {
	var out bytes.Buffer
	if blank(raw) || json.Compact(&out, raw) != nil {
		return ""
	}
	return out.String()
}

func blank(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
