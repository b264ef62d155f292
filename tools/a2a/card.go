package a2a

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2acompat/a2av0"
)

var (
	errCard        = errors.New("its card cannot be read")
	errNoTransport = errors.New("its card names no interface that is spoken here (JSONRPC or HTTP+JSON, protocol 1.x or 0.3)")
	errOtherOrigin = errors.New("its card names another origin than the configured address: let the agent announce the address it is reached at")
)

// wellKnown are the paths of a card: protocol 1.0 (and 0.3), then the older one.
var wellKnown = []string{".well-known/agent-card.json", ".well-known/agent.json"}

// httpStatus is an answer other than 200.
type httpStatus int

func (s httpStatus) Error() string { return fmt.Sprintf("HTTP status %d", int(s)) }

// fetchCard gets an agent's card as it is sent.
func fetchCard(ctx context.Context, client *http.Client, base *url.URL) ([]byte, error) {
	if strings.HasSuffix(base.Path, ".json") {
		return getCard(ctx, client, base.String())
	}
	var first error
	for _, path := range wellKnown {
		raw, err := getCard(ctx, client, base.JoinPath(path).String())
		if err == nil {
			return raw, nil
		}
		if first == nil {
			first = err // what is wrong at the proper place says more than a 404 at the old one
		}
		if status := httpStatus(0); !errors.As(err, &status) && !errors.Is(err, errCard) {
			break // the agent did not answer: it will not at another path
		}
	}
	return nil, first
}

func getCard(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, httpStatus(resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxCard+1))
	switch {
	case err != nil:
		return nil, err
	case len(raw) > maxCard:
		return nil, errTooLarge
	case !json.Valid(raw):
		return nil, errCard
	}
	return raw, nil
}

// readCard parses a card of either protocol and leaves in it only the interfaces that may be used.
func readCard(raw []byte, base *url.URL) (*sdk.AgentCard, error) {
	var old struct {
		URL                string `json:"url"`
		PreferredTransport string `json:"preferredTransport"`
	}
	plain, err := withoutSecurity(raw)
	if err != nil {
		return nil, errCard
	}
	if err := json.Unmarshal(plain, &old); err != nil {
		return nil, errCard
	}
	card, err := a2av0.NewAgentCardParser()(plain) // reads 1.0 cards too
	if err != nil {
		return nil, errCard
	}
	// Protocol 0.3 has JSON-RPC where no transport is named; the SDK has nothing then.
	if old.URL != "" && old.PreferredTransport == "" && !speaksOne(card.SupportedInterfaces) {
		main := &sdk.AgentInterface{URL: old.URL, ProtocolBinding: sdk.TransportProtocolJSONRPC, ProtocolVersion: a2av0.Version}
		card.SupportedInterfaces = append([]*sdk.AgentInterface{main}, card.SupportedInterfaces...)
	}
	card.SupportedInterfaces, err = usable(card.SupportedInterfaces, base)
	return card, err
}

func speaksOne(list []*sdk.AgentInterface) bool {
	for _, i := range list {
		if i != nil && strings.HasPrefix(string(i.ProtocolVersion), "1") {
			return true
		}
	}
	return false
}

// usable keeps the interfaces on the agent's own origin with a binding that is spoken here, as absolute addresses.
func usable(list []*sdk.AgentInterface, base *url.URL) ([]*sdk.AgentInterface, error) {
	var kept []*sdk.AgentInterface
	wrong := errNoTransport
	for _, i := range list {
		if i == nil {
			continue
		}
		binding := sdk.TransportProtocol(strings.ToUpper(string(i.ProtocolBinding)))
		if binding != sdk.TransportProtocolJSONRPC && binding != sdk.TransportProtocolHTTPJSON {
			continue
		}
		u, err := base.Parse(i.URL)
		if err != nil || u.User != nil || originOf(u) != originOf(base) {
			wrong = errOtherOrigin
			continue
		}
		own := *i
		own.URL, own.ProtocolBinding = u.String(), binding
		if own.ProtocolVersion == "" {
			own.ProtocolVersion = sdk.Version
		}
		kept = append(kept, &own)
	}
	if len(kept) == 0 {
		return nil, wrong
	}
	return kept, nil
}

// mostListed skills of a card are read. Of a card full of skills of nothing, each would take hundreds of times its bytes.
const mostListed = 1000

// withoutSecurity drops what says how to sign in: the gateway is told by configuration, and a scheme that the SDK does not
// know must not cost the whole card. It also drops skills beyond mostListed.
func withoutSecurity(raw []byte) ([]byte, error) {
	drop := func(m map[string]json.RawMessage) {
		for _, name := range []string{"securitySchemes", "security", "securityRequirements", "signatures"} {
			delete(m, name)
		}
	}
	var card map[string]json.RawMessage
	if err := json.Unmarshal(raw, &card); err != nil {
		return nil, err
	}
	drop(card)
	var skills []json.RawMessage
	if s, ok := card["skills"]; ok && json.Unmarshal(s, &skills) == nil {
		kept := []map[string]json.RawMessage{}
		for _, raw := range skills[:min(len(skills), mostListed)] {
			var skill map[string]json.RawMessage
			if err := json.Unmarshal(raw, &skill); err != nil {
				return nil, err
			}
			drop(skill)
			kept = append(kept, skill)
		}
		list, err := json.Marshal(kept)
		if err != nil {
			return nil, err
		}
		card["skills"] = list
	}
	return json.Marshal(card) // in one spelling: sorted, without white space
}

// hashOf tells cards apart, but not the signatures of one card: some agents sign anew for every request.
func hashOf(raw []byte) string {
	plain, err := withoutSecurity(raw)
	if err != nil {
		plain = raw
	}
	sum := sha256.Sum256(plain)
	return hex.EncodeToString(sum[:8])
}
