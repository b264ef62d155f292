package a2a

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

const cutMarker = "\n[cut: the agent's answer was longer]"

// result says in words what came of a settled task.
func (t *task) result() tools.Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	agent := "agent " + t.c.agent.Name + ": "
	if t.message != nil {
		return t.ok(messageText(t.message))
	}
	said := messageText(t.status.Message)
	switch t.status.State {
	case sdk.TaskStateCompleted:
		if text := artifactsText(t.artifacts); text != "" {
			return t.ok(text)
		}
		return t.ok(said)
	case sdk.TaskStateInputRequired:
		return t.question(said)
	case sdk.TaskStateFailed:
		return tools.Failure(tools.StatusError, agent+"its task failed"+t.because(said))
	case sdk.TaskStateRejected:
		return tools.Failure(tools.StatusError, agent+"it rejected the task"+t.because(said))
	case sdk.TaskStateCanceled:
		return tools.Failure(tools.StatusError, agent+"the task was cancelled at the agent"+t.because(said))
	case sdk.TaskStateAuthRequired:
		return tools.Failure(tools.StatusError, agent+"it wants a sign-in that cannot be given here")
	default:
		return tools.Failure(tools.StatusError, agent+errAnswer.Error())
	}
}

func (t *task) ok(text string) tools.Result {
	if text == "" {
		text = "(the agent finished without text)"
	}
	return tools.Result{Text: capped(text, t.c.agent.o.MaxText, cutMarker), Status: tools.StatusOK}
}

// question gives the model what it needs to answer, or to ask the user.
func (t *task) question(said string) tools.Result {
	if text := artifactsText(t.artifacts); said == "" {
		said = text
	}
	if said == "" {
		said = "The agent needs more input."
	}
	how := fmt.Sprintf("\n\n[The agent waits for an answer. To give it, call this tool again with task_id %q", capped(string(t.heard), maxID, ""))
	if t.contextID != "" {
		how += fmt.Sprintf(" and context_id %q", capped(t.contextID, maxID, ""))
	}
	how += ". If you do not know the answer, ask the user.]"
	return tools.Result{Text: capped(said, max(t.c.agent.o.MaxText-len(how), 0), cutMarker) + how, Status: tools.StatusNeedsInput}
}

func (t *task) because(said string) string {
	if said == "" {
		return ""
	}
	return ": " + t.c.agent.scrub(said)
}

func messageText(m *sdk.Message) string {
	if m == nil {
		return ""
	}
	return partsText(m.Parts)
}

func artifactsText(list []*sdk.Artifact) string {
	var texts []string
	for _, a := range list {
		if a == nil {
			continue
		}
		if text := partsText(a.Parts); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "\n\n")
}

// partsText puts each part on a line of its own. An agent that is asked for what it has said may give the pieces in which it
// said it, where one that is listened to says that they continue: pieces have white space at their edges.
func partsText(parts sdk.ContentParts) string {
	inPieces := slices.ContainsFunc(parts, func(p *sdk.Part) bool { return isText(p) && strings.TrimSpace(p.Text()) != p.Text() })
	var all strings.Builder
	goesOn := false
	for _, p := range parts {
		text := partText(p)
		if text == "" {
			continue
		}
		if all.Len() > 0 && !(inPieces && goesOn && isText(p)) {
			all.WriteByte('\n')
		}
		all.WriteString(text)
		goesOn = isText(p)
	}
	return all.String()
}

// partText shows files by name: their bytes would mean nothing to a model.
func partText(p *sdk.Part) string {
	if p == nil {
		return ""
	}
	switch content := p.Content.(type) {
	case sdk.Text:
		return string(content)
	case sdk.Data:
		text, err := json.Marshal(content.Value)
		if err != nil {
			return "[data that cannot be shown]"
		}
		return string(text)
	case sdk.Raw:
		return fmt.Sprintf("[file%s, %d bytes]", label(p), len(content))
	case sdk.URL:
		return fmt.Sprintf("[file%s: %s]", label(p), string(content))
	default:
		return ""
	}
}

func label(p *sdk.Part) string {
	text := ""
	for _, s := range []string{p.Filename, p.MediaType} {
		if s != "" {
			text += " " + s
		}
	}
	return text
}
