package a2a

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/inference-gateway/envoy-inference-gateway/tools"
)

const (
	maxDescription = 1024
	maxExamples    = 3
)

// schema is every skill's: agents take words, not arguments.
var schema = json.RawMessage(`{"type":"object","properties":{` +
	`"message":{"type":"string","description":"What to tell the agent, in full sentences and with everything it needs to know: it does not see this conversation."},` +
	`"context_id":{"type":"string","description":"The context id that the agent gave earlier, to go on with that conversation."},` +
	`"task_id":{"type":"string","description":"The id of a task that waits for more input, to answer its question."}` +
	`},"required":["message"],"additionalProperties":false}`)

// skillTools makes one tool of each skill. Of two skills with one id only the first can be meant.
func skillTools(agent string, card *sdk.AgentCard) []tools.Tool {
	var list []tools.Tool
	seen := map[string]bool{}
	for _, skill := range card.Skills {
		id := skill.ID
		if id == "" {
			id = skill.Name
		}
		if id == "" || seen[id] {
			continue
		}
		if seen[id] = true; len(list) == maxSkills {
			break
		}
		list = append(list, tools.Tool{
			Name:        tools.InjectedName(tools.SourceA2A, agent, id),
			Source:      tools.SourceA2A,
			Server:      agent,
			Original:    id,
			Description: describeSkill(agent, card, skill),
			Schema:      schema,
		})
	}
	return list
}

func describeSkill(agent string, card *sdk.AgentCard, skill sdk.AgentSkill) string {
	what := skill.Description
	if what == "" {
		what = skill.Name
	}
	who := card.Name
	if who == "" {
		who = agent
	}
	text := fmt.Sprintf("%s (by the agent %s)", what, who)
	if len(skill.Tags) > 0 {
		text += "\nTags: " + strings.Join(skill.Tags, ", ")
	}
	if n := min(len(skill.Examples), maxExamples); n > 0 {
		text += "\nExamples:\n- " + strings.Join(skill.Examples[:n], "\n- ")
	}
	return capped(printable(text), maxDescription, "…")
}

// printable drops control characters, which have no business in a tool's description.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && (unicode.IsControl(r) || r == utf8.RuneError) {
			return -1
		}
		return r
	}, s)
}

// capped cuts s to at most n bytes, the marker included, without cutting a character.
func capped(s string, n int, marker string) string {
	if len(s) <= n {
		return s
	}
	end := max(n-len(marker), 0)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + marker
}
